"""How well predictions meet the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BINS = 10


def scores(truth: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro-F1 over the labels that occur in the truth, figures per label, and the confusion matrix.

    `confusion[a][b]` counts the messages of label a that were taken for b.
    """
    pairs = Counter(zip(truth, predictions, strict=True))
    per_label = {label: _label_scores(label, pairs) for label in labels}
    occurring = [figures["f1"] for figures in per_label.values() if figures["support"]]
    return {
        "accuracy": sum(pairs[label, label] for label in labels) / max(1, len(truth)),
        "macro_f1": sum(occurring) / max(1, len(occurring)),
        "per_class": per_label,
        "confusion": {actual: {taken: pairs[actual, taken] for taken in labels} for actual in labels},
    }


@dataclass(frozen=True)
class Bin:
    """The predictions of about one confidence: how sure they were on average, and the share that was right."""

    count: int
    confidence: float
    accuracy: float


def reliability(confidences: Sequence[float], hits: Sequence[bool]) -> list[Bin]:
    """Predictions in ten bins of confidence, from 0 to 1; empty bins have zeros."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, hit in zip(confidences, hits, strict=True):
        bins[min(int(confidence * BINS), BINS - 1)].append((confidence, hit))
    return [
        Bin(
            len(found),
            sum(confidence for confidence, _ in found) / max(1, len(found)),
            sum(hit for _, hit in found) / max(1, len(found)),
        )
        for found in bins
    ]


def calibration_error(confidences: Sequence[float], hits: Sequence[bool]) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy over bins of confidence."""
    bins = reliability(confidences, hits)
    return sum(found.count * abs(found.confidence - found.accuracy) for found in bins) / max(1, len(hits))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a `share` of the values does not exceed (nearest rank); 0 for no values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


def _label_scores(label: str, pairs: Counter[tuple[str, str]]) -> dict[str, float]:
    hits = pairs[label, label]
    taken = sum(count for (_, prediction), count in pairs.items() if prediction == label)
    support = sum(count for (actual, _), count in pairs.items() if actual == label)
    return {
        "precision": hits / taken if taken else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (taken + support) if taken + support else 0.0,
        "support": support,
    }
