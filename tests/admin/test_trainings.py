"""Training in the admin: a whole classifier fitted anew by a worker, with progress, and taken into the draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from chatsite.routing import training
from chatsite.routing.models import Training
from router import drafts, training_data
from router.classifier import RoleClassifier
from router.models import AuditEntry, Draft, LabelledMessage, Revision
from tests.admin.conftest import AdminClient
from tests.router.conftest import embed, small_samples
from workers import encoder, reaper
from workers.jobs import Job

LIST = "/admin/routing/training/"
NEW = f"{LIST}add/"


def file(content: str, name: str = "more.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode())


def page_of(row: Training) -> str:
    return f"{LIST}{row.pk}/change/"


def send(client: AdminClient, **fields: Any) -> Any:
    return client.post(NEW, {"seed": 1, **fields}, follow=True)


def run(row: Training) -> Training:
    """What the background worker does with it."""
    training.train_classifier(str(row.pk), row.attempt)
    row.refresh_from_db()
    return row


@pytest.fixture(autouse=True)
def _few(defaults: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped routes; fifteen messages instead of the project's, and an encoder that is tuned at once."""
    monkeypatch.setattr(training_data, "own_samples", lambda seed: small_samples())
    monkeypatch.setattr(encoder, "encode", embed)


def test_a_training_fits_a_classifier_and_changes_nothing_by_itself(ada: AdminClient, admin: User) -> None:
    before, live = drafts.classifier(), Revision.objects.get(is_live=True)
    page = send(ada).content.decode()
    assert "Waiting for a worker" in page
    row = run(Training.objects.get())
    assert row.status == "done"
    assert row.classifier is not None
    assert RoleClassifier.load(bytes(row.classifier.content)).tell("summarise this article").role == "summarise"
    page = ada.get(page_of(row)).content.decode()
    for shown in ("Done after", "The linear model, all folds", "Reading 120 messages.", "Take it into the draft"):
        assert shown in page
    Draft.objects.update(classifier=None)
    assert "Take it into the draft" in ada.get(page_of(row)).content.decode()
    drafts.set_classifier(before)
    assert drafts.classifier() == before
    assert Revision.objects.get(is_live=True) == live
    assert AuditEntry.objects.get(action="train").text == "Started a training without the encoder, seed 1"


def test_what_is_taken_is_the_drafts_and_the_same_input_gives_the_same_classifier(ada: AdminClient) -> None:
    send(ada)
    row = run(Training.objects.get())
    page = ada.post(f"{LIST}{row.pk}/take/", follow=True).content.decode()
    assert "The draft has this classifier now" in page
    assert drafts.classifier() == row.classifier
    assert "The draft has this classifier." in ada.get(page_of(row)).content.decode()
    send(ada)
    assert run(Training.objects.exclude(pk=row.pk).get()).classifier == row.classifier


def test_with_the_encoder_all_models_are_scored(ada: AdminClient) -> None:
    send(ada, with_encoder="on")
    row = run(Training.objects.get())
    assert row.classifier is not None
    assert {"linear", "tuned", "joined"} <= set(row.classifier.metadata)
    page = ada.get(page_of(row)).content.decode()
    for shown in ("Both, as it decides", "Tuning the encoder on", "Joining both."):
        assert shown in page


def test_the_messages_of_a_file_are_learnt(ada: AdminClient) -> None:
    measured = LabelledMessage.objects.create(text="quibble the zorblax 3", route="classify")
    lines = [f"quibble the zorblax {number},classify" for number in range(12)]
    send(ada, file=file("\n".join(["text,route", *lines])))
    row = run(Training.objects.get())
    assert str(row) == "training without the encoder, seed 1, with 12 messages more"
    assert row.classifier is not None
    assert RoleClassifier.load(bytes(row.classifier.content)).tell("quibble the zorblax").role == "classify"
    assert row.classifier.metadata["metrics"]["accuracy_by_source"].keys() == {"message", "own"}
    assert row.classifier.metadata["fitted_on"] == [measured.fingerprint]  # it proves nothing to the gate


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("text,route\nhello,nowhere", "nowhere"),
        ("text\nhello", "route"),
        ("", "The file is empty"),
    ],
)
def test_a_file_that_will_not_do_is_refused_where_it_was_chosen(ada: AdminClient, content: str, reason: str) -> None:
    response = send(ada, file=file(content))
    assert reason in str(response.context["form"].errors["file"])
    assert not Training.objects.exists()


def test_there_is_one_training_at_a_time(ada: AdminClient) -> None:
    send(ada)
    page = send(ada).content.decode()
    assert "A training is not finished." in page
    assert page_of(Training.objects.get()) in page


def test_a_cancelled_training_stops_at_its_next_report(ada: AdminClient, monkeypatch: pytest.MonkeyPatch) -> None:
    send(ada)
    row = Training.objects.get()

    def cancelling(seed: int) -> Any:
        ada.post(f"{LIST}{row.pk}/cancel/")
        return small_samples()

    monkeypatch.setattr(training_data, "own_samples", cancelling)
    assert run(row).status == "cancelled"
    assert row.classifier is None
    assert "Cancelled." in ada.get(page_of(row)).content.decode()
    ada.post(f"{LIST}{row.pk}/cancel/")
    assert [entry.text for entry in AuditEntry.objects.filter(action="train").order_by("pk")] == [
        "Started a training without the encoder, seed 1",
        "Cancelled a training without the encoder, seed 1",
    ]


def test_a_training_whose_worker_died_starts_over(ada: AdminClient) -> None:
    send(ada)
    row = Training.objects.get()
    assert Training.claim(row.pk, 1)
    row.refresh_from_db()
    reaper.recover(row)
    assert run(row).status == "done"
    assert row.attempt == 2


def test_the_page_says_what_became_of_a_failed_one(ada: AdminClient, admin: User) -> None:
    row = training.start(admin)
    Training.objects.update(status=Job.Status.QUARANTINED, finished_at=timezone.now(), error_detail="MemoryError: <b>")
    page = ada.get(page_of(row)).content.decode()
    assert "It failed" in page
    assert "MemoryError: &lt;b&gt;" in page


def test_it_takes_permissions(alice_with: Callable[..., AdminClient], admin: User) -> None:
    row = training.start(admin)
    without = alice_with("router.view_route")
    for page in (LIST, NEW, page_of(row)):
        assert without.get(page).status_code == 403
    looking = alice_with("routing.view_training")
    assert looking.get(page_of(row)).status_code == 200
    assert looking.get(NEW).status_code == 403
    for action in ("cancel", "take"):
        assert looking.post(f"{LIST}{row.pk}/{action}/").status_code == 403
        assert looking.get(f"{LIST}{row.pk}/{action}/").status_code == 405
