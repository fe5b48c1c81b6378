"""`manage.py evaluate`: one JSON object on standard output, or one sentence that says what is wrong."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from router import metrics


def write_rows(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def evaluate(part: str, path: Path) -> dict[str, Any]:
    output = StringIO()
    call_command("evaluate", part, str(path), "--json", stdout=output)
    (line,) = output.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


ROWS = (
    {"text": "Summarise this article in two sentences, please.", "role": "summarise"},
    {"text": "Is this spam or not spam: you have won a prize!", "role": "classify"},
    {"text": "hi, how are you?\u2028What is the capital of Peru?", "role": "generate"},
    {"text": "/nonsense is no route", "role": "generate"},
    {"text": "translate this to French", "role": "summarise"},
)


def test_the_router_is_evaluated_with_the_live_revision(defaults: None, tmp_path: Path) -> None:
    figures = evaluate("router", write_rows(tmp_path / "rows.jsonl", *ROWS))
    assert figures["predictions"] == ["summarise", "classify", "generate", "generate", "generate"]
    assert figures["accuracy"] == 0.8
    assert figures["confusion"]["summarise"] == {"summarise": 1, "classify": 0, "generate": 1}
    assert figures["per_class"]["generate"] == {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2}
    assert figures["revision"] == 1
    assert figures["count"] == 5
    assert 0 < figures["time_ms"]["p50"] <= figures["time_ms"]["p95"]


def test_without_a_revision_the_shipped_defaults_are_evaluated(db: None, tmp_path: Path) -> None:
    figures = evaluate("router", write_rows(tmp_path / "rows.jsonl", *ROWS))
    assert figures["revision"] is None
    assert figures["accuracy"] == 0.8


def test_the_classifier_chooses_among_the_labels_of_the_file(tmp_path: Path) -> None:
    rows = (
        {"text": "I love this wonderful film, the best of the year!", "label": "positive"},
        {"text": "Terrible. I hate it, a complete waste of money.", "label": "negative"},
    )
    figures = evaluate("classifier", write_rows(tmp_path / "rows.jsonl", *rows))
    assert figures["predictions"] == ["positive", "negative"]
    assert figures["accuracy"] == figures["macro_f1"] == 1


def test_the_summariser_is_compared_with_the_best_reference(tmp_path: Path) -> None:
    text = "The bridge was closed on Monday. " * 1 + "Workers will repair it until May. The mayor has a red bicycle."
    rows = (
        {"text": text, "references": ["nothing in common", text], "instruction": "Summarise in one sentence:"},
        {"text": text, "references": [text]},
    )
    figures = evaluate("summariser", write_rows(tmp_path / "rows.jsonl", *rows))
    assert len(figures["outputs"]) == figures["count"] == 2
    assert 0.4 < figures["rouge1"] <= 1
    assert 0 < figures["rouge2"] <= figures["rouge1"]
    assert 0 < figures["rouge_l"] <= figures["rouge1"]


@pytest.mark.parametrize(
    ("part", "rows", "reason"),
    [
        ("router", [{"text": "a", "role": "generate"}, {"text": "b", "role": "chat"}], "Row 2 .* role “chat”"),
        ("router", [{"role": "generate"}], "Row 1 .* field “text”"),
        ("router", [], "has no rows"),
        ("classifier", [{"text": "a"}], "Row 1 .* field “label”"),
        ("classifier", [{"text": "a", "label": "x"}], "single label, “x”"),
        ("summariser", [{"text": "a", "references": "b"}], "Row 1 .* field “references”"),
        ("summariser", [{"text": "a", "references": []}], "Row 1 .* field “references”"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(db: None, tmp_path: Path, part: str, rows: list[Any], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        evaluate(part, write_rows(tmp_path / "rows.jsonl", *rows))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.jsonl cannot be read: No such file"):
        evaluate("router", tmp_path / "nowhere.jsonl")


def test_macro_f1_is_the_mean_over_the_labels_that_occur() -> None:
    figures = metrics.scores(["a", "a", "b"], ["a", "b", "b"], ["a", "b", "c"])
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["macro_f1"] == pytest.approx(2 / 3)
    assert figures["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_percentiles_are_values_that_occurred() -> None:
    assert metrics.percentile([3, 1, 2], 0.5) == 2
    assert metrics.percentile(range(100), 0.95) == 95
    assert metrics.percentile([], 0.5) == 0
