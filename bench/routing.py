"""How well and how fast messages are routed, beside keyword rules that were written in ten minutes.

    python -m bench.routing FILE.jsonl [--final] [--rounds 200]

FILE has rows with `text` and `role`; those with `clear` true are counted once more by themselves. The messages of
`router/data/real_chat.jsonl` follow: part `dev`, and with --final part `test`, which nothing was tuned on. Times are
those of one thread (OMP_NUM_THREADS=1 holds torch to one as well).
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

import django

django.setup()

from router import metrics  # noqa: E402  (needs the settings)
from router.compiling import compile_policy  # noqa: E402
from router.decision import decide  # noqa: E402
from router.defaults import default_snapshot  # noqa: E402
from router.policy import Policy, Request  # noqa: E402
from router.rows import read_rows  # noqa: E402
from workers.encoder import encode  # noqa: E402

ROUTER = Path(__file__).parents[1] / "router"
ROLES = ("summarise", "classify", "generate")
EDGE_WORDS = 25

SUMMARISE = re.compile(
    r"summar|sum up|tl;?dr|too long|gist|in a nutshell|key (?:points|takeaways|ideas)|main (?:points|idea)|shorten|"
    r"shorter|condense|recap|overview|synopsis|abstract|headline|in (?:one|two|three|\d+) (?:sentences?|words|bullets)|"
    r"zusammenfass|fass .* zusammen|résum|resum|riassum|samenvat"
)
CLASSIFY = re.compile(
    r"classif|categor|label|sentiment|spam|positive or negative|which of (?:these|the following)|identify which|"
    r"true or false|fact or opinion|bug or feature|urgent or|toxic|offensive|what (?:topic|genre|tone|emotion)|"
    r"\bis (?:this|it|the) .* or \w+\?|sort (?:these|into)|rate (?:this|the)|tag (?:this|these)"
)

Predict = Callable[[dict[str, Any]], str]


def by_keywords(text: str) -> str:
    """The role by keywords among the first and last words."""
    words = text.lower().split()
    edges = " ".join(words if len(words) <= 2 * EDGE_WORDS else words[:EDGE_WORDS] + words[-EDGE_WORDS:])
    if SUMMARISE.search(edges):
        return "summarise"
    return "classify" if CLASSIFY.search(edges) else "generate"


def print_quality(name: str, rows: Sequence[dict[str, Any]], predict: Predict) -> None:
    truth = [row["role"] for row in rows]
    keywords = metrics.scores(truth, [by_keywords(row["text"]) for row in rows], ROLES)
    router = metrics.scores(truth, [predict(row) for row in rows], ROLES)
    print(
        f"{name:24} {len(rows):5}   {router['accuracy']:.3f}   {router['macro_f1']:.3f}      "
        f"{keywords['accuracy']:.3f}   {keywords['macro_f1']:.3f}"
    )
    for role, row in router["confusion"].items():
        print(f"    {role:12} taken for " + ", ".join(f"{taken} {count}" for taken, count in row.items()))


def print_times(policy: Policy, rounds: int) -> None:
    paste = "The committee met on Tuesday and talked about the bridge, the budget and the weather for hours. " * 118
    messages = {
        "20 tokens": "Could you please tell me whether this customer is angry or calm: where is my parcel?",
        "2,000 words": f"Summarise this for me in three sentences:\n\n{paste}",
    }
    print(f"\n{'ms per decision':44} {'p50':>8} {'p95':>8} {'CPU p50':>8}")
    for name, text in messages.items():
        for kind, act in (
            ("whole decision", lambda text=text: decide(Request(text), policy, encode)),
            ("role only, no embedding", lambda text=text: policy.classifier.probabilities(text)),
        ):
            walls, cpus = zip(*(_milliseconds(act) for _ in range(rounds)), strict=True)
            p50, p95, cpu = (metrics.percentile(*each) for each in ((walls, 0.5), (walls, 0.95), (cpus, 0.5)))
            print(f"{f'{name}, {kind}':44} {p50:8.2f} {p95:8.2f} {cpu:8.2f}")


def _milliseconds(act: Callable[[], Any]) -> tuple[float, float]:
    """How long it took by the clock, and how much of a processor: on a busy machine the second is the truer one."""
    began, cpu_began = time.perf_counter(), time.process_time()
    act()
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu_began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--final", action="store_true", help="score the test part of the real messages too")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    artefact = (ROUTER / "artefacts" / "classifier.safetensors").read_bytes()
    policy = compile_policy(default_snapshot(), artefact, encode)

    def predict(row: dict[str, Any]) -> str:
        return decide(Request(row["text"], context=row.get("context") or ""), policy, encode).role

    rows = list(read_rows(options.file, "text", "role"))
    real = list(read_rows(ROUTER / "data" / "real_chat.jsonl", "text", "role", "part"))
    print(f"{'':24} {'rows':>5}   router            keyword rules\n{'':32}accuracy macro-F1  accuracy macro-F1")
    print_quality(options.file.stem, rows, predict)
    if clear := [row for row in rows if row.get("clear") is True]:
        print_quality("    of these clear", clear, predict)
    for part in ("dev", "test") if options.final else ("dev",):
        print_quality(f"real chat, {part}", [row for row in real if row["part"] == part], predict)
    print_times(policy, options.rounds)


if __name__ == "__main__":
    main()
