"""How good the built-in models are on labelled files, and what a very long text costs them.

    python -m bench.models FILE.jsonl ... [--size 2000000]

A file of rows with `text` and `references` is summarised, beside its first sentences in the same number; one with
`text` and `label` is classified with the labels that occur in it. --size makes a text of so many characters out of
the sentences of the files and prints the time and the memory that a summary and a classification of it take. Times
are those of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

import django

django.setup()

from rouge_score.rouge_scorer import RougeScorer  # noqa: E402  (needs the settings)
from sklearn.metrics import accuracy_score, f1_score  # noqa: E402

from workers.backends import extractive, zero_shot  # noqa: E402
from workers.encoder import encode  # noqa: E402
from workers.prompts.summarise import build  # noqa: E402
from workers.sentences import split  # noqa: E402

ROUGE = ("rouge1", "rouge2", "rougeL")
LABELS = [{"name": name} for name in ("business", "sport", "science", "politics")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=0)
    arguments = parser.parse_args()
    files = {path: [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in arguments.files}
    if arguments.size:  # first, while nothing else has raised the memory's peak
        print_cost(long_text([row["text"] for rows in files.values() for row in rows], arguments.size))
    for path, rows in files.items():
        print(f"\n{path.name}: {len(rows)} rows")
        print_summaries(rows) if "references" in rows[0] else print_labels(rows)


def print_summaries(rows: Sequence[dict[str, Any]]) -> None:
    """ROUGE F1 of several ways to summarise, the best reference counting."""
    ways: dict[str, Callable[[dict[str, Any]], str]] = {
        "first sentence": lambda row: first_sentences(row["text"], 1),
        "first three": lambda row: first_sentences(row["text"], 3),
        "first, as many as ours": lambda row: first_sentences(row["text"], len(summary(row["text"]))),
        "ours": lambda row: " ".join(summary(row["text"])),
    }
    if any(row.get("instruction") for row in rows):
        ways["ours, as the instruction asks"] = as_asked
    print(f"{'ROUGE F1':32}{'1':>7}{'2':>7}{'L':>7}{'words':>8}")
    for name, summarise in ways.items():
        outputs = [summarise(row) for row in rows]
        figures = "".join(f"{100 * figure:7.1f}" for figure in rouge(outputs, rows))
        print(f"{name:32}{figures}{fmean(len(output.split()) for output in outputs):8.0f}")


def first_sentences(text: str, count: int) -> str:
    return " ".join(sentence.text for sentence in split(text)[:count])


def summary(text: str, options: dict[str, Any] | None = None) -> tuple[str, ...]:
    return extractive.summarise(text, options or {}).sentences


def as_asked(row: dict[str, Any]) -> str:
    prompt = build(f"{row['instruction']}\n\n{row['text']}" if row.get("instruction") else row["text"])
    return " ".join(summary(prompt.messages[-1]["content"], prompt.options))


def rouge(outputs: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[float]:
    scorer = RougeScorer(list(ROUGE), use_stemmer=True)
    scores = [scorer.score_multi(row["references"], output) for output, row in zip(outputs, rows, strict=True)]
    return [fmean(score[name].fmeasure for score in scores) for name in ROUGE]


def print_labels(rows: Sequence[dict[str, Any]]) -> None:
    """Accuracy and macro-F1, zero-shot, with nothing but the names of the labels."""
    truth = [row["label"] for row in rows]
    labels = [{"name": name} for name in sorted(set(truth))]
    start = time.perf_counter()
    readings = zero_shot.classify([row["text"] for row in rows], labels)
    seconds = time.perf_counter() - start
    found = [reading.best for reading in readings]
    print(f"labels     {', '.join(sorted(set(truth)))}")
    print(f"accuracy   {accuracy_score(truth, found):.3f}   macro-F1 {f1_score(truth, found, average='macro'):.3f}")
    print(f"fits       {fmean(reading.fits for reading in readings):.2f} of the rows")
    print(f"time       {1000 * seconds / len(rows):.0f} ms a row")


def long_text(texts: Sequence[str], size: int) -> str:
    """`size` characters of the texts' sentences in random order, numbered so that none occurs twice."""
    chance, pieces, length = random.Random(0), list[str](), 0
    sentences = [sentence.text for text in texts for sentence in split(text)]
    while length < size:
        pieces.append(f"{len(pieces)}: {chance.choice(sentences)}")
        length += len(pieces[-1]) + 1
    return " ".join(pieces)[:size]


def print_cost(text: str) -> None:
    """Time and the rise of the highest memory use, for a summary and for a classification."""
    encode(["Loads the weights."])
    print(f"a text of {len(text):,} characters, {len(split(text)):,} sentences")
    for name, run in (
        ("summarise", lambda: extractive.summarise(text, {})),
        ("classify", lambda: zero_shot.classify([text], LABELS)),
    ):
        before, start = peak_mib(), time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        print(f"{name:10} {seconds:5.1f} s   +{peak_mib() - before:.0f} MiB (highest: {peak_mib():.0f} MiB)")


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
