"""Fitting: the same messages give the same bytes, and only what may ship goes in."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from router import linear, training, training_data
from router.artefact import read_metadata
from router.classifier import RoleClassifier
from router.training_data import OWN_DATA, ROLES, Sample, data_hash, extra_samples, own_samples
from tests.router.conftest import FakeEncoder, embed, small_samples


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw little, so that a fit takes a moment."""
    monkeypatch.setattr(training_data, "JOINED_PASSAGES", 20)
    monkeypatch.setattr(training_data, "PATTERNS_ALONE", 20)


@pytest.fixture
def thin(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a tenth of the messages too, and the passages that they are about."""
    read = training_data._read_folder

    def read_some(folder: Path, *fields: str) -> list[dict[str, Any]]:
        return read(folder, *fields)[:: 1 if folder.name == "passages" else 10]

    monkeypatch.setattr(training_data, "_read_folder", read_some)


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def dolly(number: int, role: str, category: str, **changes: Any) -> dict[str, Any]:
    row = {"id": f"dolly-{number}", "text": f"text {number}", "role": role, "category": category}
    return {**row, "source": "dolly", "clear": True, **changes}


def test_the_same_messages_give_the_same_bytes(artefact: bytes) -> None:
    assert training.fit(small_samples(), seed=1) == artefact


def test_the_same_messages_give_the_same_bytes_with_an_encoder(joined_artefact: bytes) -> None:
    assert training.fit(small_samples(), seed=1, encoder=FakeEncoder()) == joined_artefact


def test_both_models_and_their_join_are_scored_on_the_same_held_out_messages(joined_artefact: bytes) -> None:
    metadata = read_metadata(joined_artefact)
    assert {"linear", "tuned", "joined"} <= set(metadata)
    assert metadata["joined"]["accuracy"] >= max(metadata[name]["accuracy"] for name in ("linear", "tuned"))
    assert 0.9 < metadata["join"]["certain"] <= 1


def test_the_artefact_says_where_it_comes_from(artefact: bytes) -> None:
    metadata = read_metadata(artefact)
    assert metadata["roles"] == list(ROLES)
    assert metadata["data_sha256"] == data_hash(small_samples())
    assert metadata["seed"] == 1
    assert {"metrics", "thresholds", "temperature", "features"} <= set(metadata)
    assert {"numpy", "scipy", "scikit-learn", "router"} == set(metadata["versions"])


def test_what_was_fitted_is_recognised(artefact: bytes) -> None:
    classifier = RoleClassifier.load(artefact)
    for sample in small_samples():
        told = classifier.tell(sample.text)
        assert told.role == sample.role
        assert sum(told.probabilities.values()) == pytest.approx(1)


def test_the_same_seed_draws_the_same_messages(few: None) -> None:
    assert data_hash(own_samples(1)) == data_hash(own_samples(1))
    assert data_hash(own_samples(1)) != data_hash(own_samples(2))


def test_every_passage_that_is_drawn_meets_an_instruction_of_every_role(few: None) -> None:
    joined = [sample.role for sample in own_samples(1) if sample.source == "joined"]
    assert joined == list(ROLES) * (len(joined) // 3)


def test_the_messages_that_are_kept_to_measure_on_are_not_fitted_on(few: None) -> None:
    rows = (OWN_DATA / "real_chat.jsonl").read_text(encoding="utf-8").splitlines()
    measured = {json.loads(line)["text"] for line in rows if len(json.loads(line)["text"]) > 40}
    assert measured
    assert not measured & {sample.text for sample in own_samples(1)}


def test_only_clear_rows_of_dolly_are_taken_from_other_files(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "extra.jsonl",
        dolly(1, "summarise", "summarization"),
        dolly(2, "summarise", "summarization", clear=False),
        dolly(3, "classify", "classification", source="p3:imdb"),
        dolly(4, "generate", "open_qa"),
        {"text": "no source", "role": "generate"},
    )
    assert [sample.text for sample in extra_samples(path, 1)] == ["text 4", "text 1"]


def test_dollys_many_questions_are_drawn_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_data, "EXTRA_GENERATE_ROWS", 10)
    rows = [dolly(n, "generate", "open_qa") for n in range(50)] + [dolly(n, "generate", "brain") for n in range(50, 60)]
    found = extra_samples(write_rows(tmp_path / "extra.jsonl", *rows), 1)
    assert len(found) == 10
    assert sum(int(sample.text.split()[1]) < 50 for sample in found) == 5


def test_a_role_that_is_frequent_in_a_source_weighs_no_more(few: None) -> None:
    many = [Sample(f"hello {n}", "generate", str(n), "dolly") for n in range(30)]
    one = [Sample("tl;dr", "summarise", "x", "dolly")]
    weights = linear.weights(many + one)
    assert weights[:30].sum() == pytest.approx(weights[30])


def test_the_command_fits_from_a_bare_clone(thin: None, tmp_path: Path) -> None:
    output, said = tmp_path / "classifier.safetensors", StringIO()
    call_command("fit_router", linear=True, output=output, stdout=said)
    assert "Wrote" in said.getvalue()
    classifier = RoleClassifier.load(output.read_bytes())
    assert classifier.tell("summarise this article please").probabilities["summarise"] > 0.5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"text": "x", "role": "generate"}\nnonsense', "Row 2 of extra.jsonl is not JSON"),
        (b'{"text": 5, "role": "generate"}', "Row 1 of extra.jsonl has no text in the field “text”"),
        (b'{"text": "\xff"}', "Row 1 of extra.jsonl is not JSON in UTF-8"),
        (b"[]", "Row 1 of extra.jsonl is not a JSON object"),
        (
            b'{"text": "x", "role": "generate", "source": "dolly", "clear": true}',
            "a row of Dolly has no field 'category'",
        ),
        (json.dumps(dolly(1, "judge", "x")).encode(), "“judge” is no role"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_row(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "extra.jsonl"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=reason):
        call_command("fit_router", extra=[path], output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ones_own_messages_are_learnt_by_the_command_too(thin: None, tmp_path: Path) -> None:
    own, output = tmp_path / "own.csv", tmp_path / "classifier.safetensors"
    own.write_text("\n".join(["text,role", *(f"quibble the zorblax {number},classify" for number in range(12))]))
    call_command("fit_router", own=[own], linear=True, output=output, stdout=StringIO())
    classifier = RoleClassifier.load(output.read_bytes())
    assert classifier.tell("quibble the zorblax").role == "classify"
    assert "own" in classifier.metadata["metrics"]["accuracy_by_source"]
    own.write_text("text,role\nhello,chat\n")
    with pytest.raises(CommandError, match="“chat”"):
        call_command("fit_router", own=[own], output=output)


@pytest.mark.parametrize("output", ["", "nowhere/classifier.safetensors"])
def test_where_nothing_can_be_written_nothing_is_fitted(tmp_path: Path, output: str) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("fit_router", output=tmp_path / output)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own messages are few."""
    monkeypatch.setattr(training, "own_samples", lambda seed: small_samples())


def test_a_refit_learns_extra_messages_and_forgets_nothing(own: None, joined_artefact: bytes) -> None:
    extra = [Sample(f"whose desk {number}", "classify", f"desk {number}", "correction") for number in range(12)]
    content = training.refit(joined_artefact, extra, seed=1)
    before, after = (RoleClassifier.load(each) for each in (joined_artefact, content))
    assert (
        after.tell("whose desk").probabilities["classify"] > 0.7 > before.tell("whose desk").probabilities["classify"]
    )
    assert all(after.tell(sample.text).role == sample.role for sample in small_samples())
    figures = read_metadata(content)
    old, new = (figures[name]["accuracy_by_source"] for name in ("before", "metrics"))
    assert new["correction"] > old["correction"]
    assert new["message"] == old["message"]


def test_a_refit_outweighs_a_tuned_encoder_that_is_wrong(own: None, joined_artefact: bytes) -> None:
    extra = [Sample(text, "generate", text, "correction") for text in ("positive spam urgent", "spam urgent positive")]
    content = training.refit(joined_artefact, extra, seed=1, encoder=embed)
    before, after = (RoleClassifier.load(each, embed) for each in (joined_artefact, content))
    assert before.tell("positive spam urgent").role == "classify"
    assert after.tell("positive spam urgent").role == "generate"


def test_a_refit_with_nothing_new_changes_nothing(own: None, joined_artefact: bytes) -> None:
    content = training.refit(joined_artefact, [], seed=1)
    before, after = (RoleClassifier.load(each, embed) for each in (joined_artefact, content))
    assert after.metadata["metrics"] == after.metadata["before"]
    assert after.join == before.join
    assert after.tell("gist label poem") == before.tell("gist label poem")


def test_a_heavier_sample_counts_for_more() -> None:
    light, heavy = (Sample("x", "generate", "x", "message", weight=weight) for weight in (1.0, 4.0))
    assert linear.weights([heavy]) == pytest.approx(4 * linear.weights([light]))
