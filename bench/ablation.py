"""What each part of the routing classifier adds: accuracy without it.

    python -m bench.ablation FILE.jsonl [--tasks FILE.jsonl] [--extra FILE.jsonl]

The sets are those of `bench.routing`, without the part `test` of the real chat. First come the shipped artefact's
parts. With --extra (the file that it was fitted with) the linear model is fitted again without some of what it reads or
learns from, which takes minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.routing import ROLES, ROUTER, unseen_tasks  # first, as it gets Django ready
from router import linear, training_data
from router.artefact import SHIPPED
from router.classifier import RoleClassifier
from router.features import BUCKETS
from router.linear import Data
from router.rows import read_rows
from router.training_data import Sample
from workers.encoder import encode

Sets = dict[str, list[dict[str, Any]]]
Logits = Callable[[dict[str, Any]], Any]


def print_line(name: str, sets: Sets, logits: Logits) -> None:
    shares = (np.mean([ROLES[int(np.argmax(logits(row)))] == row["role"] for row in rows]) for rows in sets.values())
    print(f"{name:44}" + "".join(f"{share:14.3f}" for share in shares), flush=True)


def print_parts(sets: Sets) -> None:
    """The shipped models, each alone and together."""
    classifier = RoleClassifier.load(SHIPPED.read_bytes(), encode)
    ask, join = classifier.adapted, classifier.join
    assert ask is not None
    assert join is not None

    def context(row: dict[str, Any]) -> str:
        return str(row.get("context") or "")

    def by_linear(row: dict[str, Any]) -> Any:
        return classifier.linear_logits(row["text"], context(row))

    def by_tuned(row: dict[str, Any]) -> Any:
        return ask(row["text"], context(row))

    def by_mean(row: dict[str, Any]) -> Any:
        return sum(np.exp(logits - np.logaddexp.reduce(logits)) for logits in (by_linear(row), by_tuned(row)))

    print_line("linear model alone", sets, by_linear)
    print_line("tuned encoder alone", sets, by_tuned)
    print_line("mean of their probabilities", sets, by_mean)
    print_line("joined, the encoder always asked", sets, lambda row: join.logits(by_linear(row), by_tuned(row)))
    print_line(
        "as it ships: the encoder asked in doubt",
        sets,
        lambda row: list(classifier.tell(row["text"], context(row)).probabilities.values()),
    )


def print_linear(sets: Sets, samples: Sequence[Sample]) -> None:
    """The linear model, fitted without something."""
    data = Data.of(samples)
    tests = {name: Data.of([_sample(row) for row in rows]).features for name, rows in sets.items()}
    sources = np.array([sample.source for sample in samples])
    shapeless = np.arange(data.features.shape[1]) < BUCKETS
    _print_fit("linear, fitted again", sets, tests, data)
    _print_fit("linear without shape", sets, tests, Data(_only(data.features, shapeless), data.roles, data.weights))
    for source in ("pattern", "joined", "dolly"):
        _print_fit(f"linear without {source} messages", sets, tests, data.where(sources != source))
    alone = Data.of([Sample(sample.text, sample.role, sample.group, sample.source) for sample in samples])
    _print_fit("linear without context", sets, tests, alone)


def _print_fit(name: str, sets: Sets, tests: dict[str, Any], data: Data) -> None:
    model = linear.fit(data)
    logits = {
        id(row): found for key, rows in sets.items() for row, found in zip(rows, model.logits(tests[key]), strict=True)
    }
    print_line(name, sets, lambda row: logits[id(row)])


def _only(features: Any, columns: Any) -> Any:
    """The features with all other columns nothing."""
    return features.multiply(columns).tocsr()


def _sample(row: dict[str, Any]) -> Sample:
    return Sample(row["text"], row["role"], row["text"], "test", row.get("context") or "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tasks", type=Path, action="append", default=[])
    parser.add_argument("--extra", type=Path)
    options = parser.parse_args()
    rows = list(read_rows(options.file, "text", "role"))
    sets = {
        options.file.stem: rows,
        "clear": [row for row in rows if row.get("clear") is True],
        "unseen tasks": unseen_tasks(options.tasks),
        "real chat": list(read_rows(ROUTER / "data" / "real_chat.jsonl", "text", "role", "part")),
    }
    sets["real chat"] = [row for row in sets["real chat"] if row["part"] == "dev"]
    sets = {name: found for name, found in sets.items() if found}
    print(" " * 44 + "".join(f"{name:>14}" for name in sets))
    print_parts(sets)
    if options.extra:
        print_linear(sets, [*training_data.own_samples(1), *training_data.extra_samples(options.extra, 1)])


if __name__ == "__main__":
    main()
