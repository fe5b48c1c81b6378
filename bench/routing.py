"""How well and how fast messages are routed, beside keyword rules that were written in ten minutes.

    python -m bench.routing FILE.jsonl [--tasks FILE.jsonl] [--final] [--rounds 200]

FILE has rows with `text` and `role`; those with `clear` true are counted once more by themselves, and of them the bare
instructions, which are one line of at most `BARE_WORDS` words, so that no text goes with them. With --tasks come
tasks that the router has never seen: the P3 rows of such files, as many of each role, drawn evenly over the tasks. The
messages of `router/data/real_chat.jsonl` follow: part `dev`, and with --final part `test`, which nothing was tuned on.
Then how sure the router is beside how often it is right, over all of these. Times are those of one thread
(OMP_NUM_THREADS=1 holds torch to one as well).
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

import django

django.setup()

from router import evidence, metrics  # noqa: E402  (needs the settings)
from router.artefact import SHIPPED  # noqa: E402
from router.classifier import Told  # noqa: E402
from router.compiling import compile_policy  # noqa: E402
from router.decision import decide  # noqa: E402
from router.defaults import default_snapshot  # noqa: E402
from router.policy import Choice, Policy, Request  # noqa: E402
from router.rows import read_rows  # noqa: E402
from workers.encoder import encode  # noqa: E402

ROUTER = Path(__file__).parents[1] / "router"
ROLES = ("summarise", "classify", "generate")
EDGE_WORDS = 25
UNSEEN_ROWS = 400  # of each role
BARE_WORDS = 40

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


def unseen_tasks(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The P3 rows of files, `UNSEEN_ROWS` of each role, one task after the other."""
    rng = random.Random(0)
    tasks: dict[str, dict[str, list[dict[str, Any]]]] = {role: defaultdict(list) for role in ROLES}
    for path in paths:
        for row in read_rows(path, "text", "role", "source"):
            if row["source"].startswith("p3:"):
                tasks[row["role"]][row["source"]].append(row)
    found = []
    for of_role in tasks.values():
        columns = [rng.sample(rows, len(rows)) for _, rows in sorted(of_role.items())]
        rounds = itertools.zip_longest(*columns)
        found += [row for turn in rounds for row in turn if row][:UNSEEN_ROWS]
    return found


def is_bare(text: str) -> bool:
    return "\n" not in text.strip() and len(text.split()) <= BARE_WORDS


def print_reliability(name: str, told: Sequence[tuple[Told, str]]) -> None:
    """How sure and how right, in ten bins."""
    confidences = [max(each.probabilities.values()) for each, _ in told]
    hits = [each.role == role for each, role in told]
    by_linear = sum(each.by == "linear" for each, _ in told) / len(told)
    error = metrics.calibration_error(confidences, hits)
    print(f"\n{name}: calibration error {error:.3f}; the linear model told {by_linear:.0%} alone")
    print("    sure      messages   mean   right")
    for number, found in enumerate(metrics.reliability(confidences, hits)):
        if found.count:
            low = number / metrics.BINS
            print(f"    {low:.1f}–{low + 0.1:.1f} {found.count:9}   {found.confidence:.3f}   {found.accuracy:.3f}")


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
    """Of a decision as it is, of its parts, and of one among several routes of every role, which takes an embedding."""
    routes = default_snapshot()["routes"]
    doubled = [*routes, *({**route, "name": f"{route['name']}-2", "is_default": False} for route in routes)]
    several = compile_policy({"routes": doubled}, SHIPPED.read_bytes(), encode, known=policy)
    classifier, ask = policy.classifier, policy.classifier.adapted
    assert ask is not None
    paste = "The committee met on Tuesday and talked about the bridge, the budget and the weather for hours. " * 118
    messages = {
        "20 tokens": "Could you please tell me whether this customer is angry or calm: where is my parcel?",
        "2,000 words": f"Summarise this for me in three sentences:\n\n{paste}",
    }
    print(f"\n{'ms per decision':44} {'p50':>8} {'p95':>8} {'CPU p50':>8}")
    for name, text in messages.items():
        for kind, act in (
            ("whole decision", lambda text=text: decide(Request(text), policy, encode)),
            ("linear model", lambda text=text: classifier.linear_logits(text)),
            ("tuned encoder", lambda text=text: ask(text, "")),
            ("both models", lambda text=text: (classifier.linear_logits(text), ask(text, ""))),
            ("several routes a role", lambda text=text: decide(Request(text), several, encode)),
            ("reasons afterwards", lambda text=text: reasons(text, policy)),
        ):
            walls, cpus = zip(*(_milliseconds(act) for _ in range(rounds)), strict=True)
            p50, p95, cpu = (metrics.percentile(*each) for each in ((walls, 0.5), (walls, 0.95), (cpus, 0.5)))
            print(f"{f'{name}, {kind}':44} {p50:8.2f} {p95:8.2f} {cpu:8.2f}")


def reasons(text: str, policy: Policy) -> None:
    request = Request(text)
    evidence.complete(Choice("", "", "classifier", scores={policy.routes[0].name: 1.0}), request, policy, encode)


def _milliseconds(act: Callable[[], Any]) -> tuple[float, float]:
    """How long it took by the clock, and how much of a processor: on a busy machine the second is the truer one."""
    began, cpu_began = time.perf_counter(), time.process_time()
    act()
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu_began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tasks", type=Path, action="append", default=[])
    parser.add_argument("--final", action="store_true", help="score the test part of the real messages too")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    policy = compile_policy(default_snapshot(), SHIPPED.read_bytes(), encode)

    def predict(row: dict[str, Any]) -> str:
        return decide(Request(row["text"], context=row.get("context") or ""), policy, encode).role

    rows = list(read_rows(options.file, "text", "role"))
    unseen = unseen_tasks(options.tasks)
    real = list(read_rows(ROUTER / "data" / "real_chat.jsonl", "text", "role", "part"))
    print(f"{'':24} {'rows':>5}   router            keyword rules\n{'':32}accuracy macro-F1  accuracy macro-F1")
    print_quality(options.file.stem, rows, predict)
    if clear := [row for row in rows if row.get("clear") is True]:
        print_quality("    of these clear", clear, predict)
        print_quality("    of these bare", [row for row in clear if is_bare(row["text"])], predict)
    if unseen:
        print_quality("unseen tasks", unseen, predict)
    parts = ("dev", "test") if options.final else ("dev",)
    for part in parts:
        print_quality(f"real chat, {part}", [row for row in real if row["part"] == part], predict)
    sets = {options.file.stem: rows, "unseen tasks": unseen, "real chat": [row for row in real if row["part"] in parts]}
    for name, found in sets.items():
        if found:
            tell = policy.classifier.tell
            print_reliability(name, [(tell(row["text"], row.get("context") or ""), row["role"]) for row in found])
    print_times(policy, options.rounds)


if __name__ == "__main__":
    main()
