"""The operations page: what it shows, what can be done there, and who may."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from playwright.sync_api import expect

from tests import processes
from tests.admin.conftest import AdminClient, said
from tests.browser.conftest import OpenPage
from tests.processes import pretended_worker
from workers import broker, presence, stream
from workers.code import own_code
from workers.connections import client, stream_key, wish_key
from workers.events import Kind
from workers.models import Completion, Model, Provider

pytestmark = pytest.mark.django_db

PAGE = "/admin/operations/board/"
LOOK = "operations.view_board"


@pytest.fixture(autouse=True)
def _nobody_else() -> None:
    client().delete(presence.INDEX)


@pytest.fixture
def model() -> Model:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    return Model.objects.create(provider=provider, name="Acme large", identifier="large")


def set_aside(model: Model, cause: str = "It ate all the memory.") -> Completion:
    facts: dict[str, Any] = {"started_at": timezone.now(), "finished_at": timezone.now(), "error_detail": cause}
    return Completion.objects.create(
        reply_id=uuid.uuid4(), role="generate", model=model, prompt=[], status="quarantined", attempt=3, **facts
    )


def shown(who: AdminClient, query: str = "") -> str:
    page = who.get(PAGE + query)
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def changes() -> list[tuple[str, str]]:
    return list(LogEntry.objects.order_by("pk").values_list("object_repr", "change_message"))


def test_it_takes_a_permission_to_look(alice_with: Callable[..., AdminClient]) -> None:
    assert alice_with().get(PAGE).status_code == 403
    assert alice_with(LOOK).get("/admin/operations/", follow=True).status_code == 200


def test_who_may_only_look_changes_nothing(alice_with: Callable[..., AdminClient], model: Model) -> None:
    row, alice = set_aside(model), alice_with(LOOK)
    with pretended_worker("one:1", queues=["route"]):
        page = shown(alice)
        assert alice.post(f"{PAGE}drain/", {"process": "one:1", "wish": "drain"}).status_code == 403
    assert "one:1" in page
    assert "Drain one:1" not in page
    assert "Retry what is chosen" not in page
    job = f"workers.completion:{row.pk}"
    assert alice.post(f"{PAGE}quarantine/", {"job": job, "wish": "retry"}).status_code == 403
    row.refresh_from_db()
    assert row.status == "quarantined"
    assert not client().exists(wish_key("one:1"))


def test_buttons_work_by_post_only(ada: AdminClient) -> None:
    assert ada.get(f"{PAGE}drain/").status_code == ada.get(f"{PAGE}quarantine/").status_code == 405


def test_it_shows_what_a_worker_says_of_itself(ada: AdminClient) -> None:
    facts: dict[str, Any] = {"models": {"MiniLM": "ready", "Big": "loading"}, "memory_bytes": 512 * 2**20}
    with pretended_worker("one:1", queues=["local", "route"], slots=8, running=3, **facts):
        page = shown(ada)
    for text in ("one:1", "local, route", "3 of 8", "MiniLM, ready", "Big, loading", "512.0 MB", "At work"):
        assert text in page


def test_a_queue_of_nobody_is_shown_with_the_command_that_starts_a_worker(ada: AdminClient, model: Model) -> None:
    Model.objects.filter(pk=model.pk).update(worker_group="gpu")
    with pretended_worker(queues=["route"], code=own_code().digest):
        page = shown(ada)
    assert page.count("No worker serves this queue") == 3  # nor those of files and of the background
    assert "nice -n 19 python -m celery --quiet -A chatsite worker -Q background -n background@%h" in page
    assert "-Q remote-gpu -n remote-gpu@%h" in page  # no line of the Procfile is for it
    assert "older code" not in page


def test_what_is_held_is_told_apart(ada: AdminClient, model: Model) -> None:
    Completion.objects.create(reply_id=uuid.uuid4(), role="generate", model=model, prompt=[], released_at=None)
    page = shown(ada)
    assert "<dt>Held</dt><dd>1 more, until others of their person have ended</dd>" in page


def test_older_code_beside_newer_is_said(ada: AdminClient) -> None:
    with pretended_worker(queues=["route"], code="0123456789", code_changed_at=1.0):
        assert "It runs older code than what is deployed" in shown(ada)


def test_the_page_asks_for_its_figures_alone_with_the_wait_that_was_chosen(ada: AdminClient) -> None:
    part = ada.get(f"{PAGE}?wait=7.5", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert f'hx-get="{PAGE}?wait=7.5"' in part


@pytest.fixture
def _load(model: Model) -> None:
    """One a second, twenty seconds each: twenty slots are always busy."""
    now = timezone.now()
    for number in range(60):
        queued = now - timedelta(seconds=80 - number)
        times = {
            "queued_at": queued,
            "released_at": queued,
            "started_at": queued,
            "finished_at": queued + timedelta(seconds=20),
        }
        Completion.objects.create(
            reply_id=uuid.uuid4(), role="generate", model=model, prompt=[], status="done", **times
        )


@pytest.mark.usefixtures("_load")
def test_a_load_is_staffed_for_the_wait_that_was_chosen(ada: AdminClient, model: Model) -> None:
    with pretended_worker(queues=[model.queue], slots=8):
        strict, patient = shown(ada, "?wait=0"), shown(ada, "?wait=600")
    assert "More comes than its workers can do" in strict
    assert "3 workers of 8 slots" in strict
    assert "2 workers of 8 slots" in patient


@pytest.mark.parametrize("wait", ["", "a", "-1", "nan", "inf", "1e999", "99999"])
def test_a_wait_that_makes_no_sense_is_taken_for_the_usual_one(ada: AdminClient, wait: str) -> None:
    assert f'hx-get="{PAGE}?wait=2.0"' in shown(ada, f"?wait={wait}")


def test_a_worker_is_asked_to_drain_and_to_resume(ada: AdminClient) -> None:
    with pretended_worker("one:1", queues=["route", "local"]), pretended_worker("two:1", queues=["route"]):
        answer = ada.post(f"{PAGE}drain/", {"process": "one:1", "wish": "drain"}, follow=True)
        assert client().get(wish_key("one:1")) == b"drain"
        ada.post(f"{PAGE}drain/", {"process": "one:1", "wish": "resume"})
        assert client().get(wish_key("one:1")) == b"resume"
    assert "Nobody else serves local:" in said(answer)
    assert changes() == [("Worker one:1", "Asked to drain."), ("Worker one:1", "Asked to resume.")]


def test_a_worker_that_is_gone_is_said_to_be_gone(ada: AdminClient) -> None:
    answer = ada.post(f"{PAGE}drain/", {"process": "gone:1", "wish": "drain"}, follow=True)
    assert "gone:1 is not there any more" in said(answer)
    assert changes() == []


def test_what_is_set_aside_is_retried(ada: AdminClient, model: Model) -> None:
    row, other = set_aside(model), set_aside(model, cause="<b>Something else</b>")
    stream.append(row.reply_id, row.attempt, Kind.FAILED, {"code": "quarantined"})
    page = shown(ada)
    assert str(row.reply_id) in page, "as the logs have it"
    assert "It ate all the memory." in page
    assert "&lt;b&gt;Something else&lt;/b&gt;" in page
    jobs = [f"workers.completion:{row.pk}", f"workers.completion:{uuid.uuid4()}", "auth.user:1", "nonsense"]
    answer = ada.post(f"{PAGE}quarantine/", {"job": jobs, "wish": "retry"}, follow=True)
    assert "Retried: 1." in said(answer)
    assert "Left as they are: 3." in said(answer)
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.status, row.attempt, row.deaths, other.status) == ("queued", 4, 0, "quarantined")
    assert not client().exists(stream_key(row.reply_id))  # a tab that comes back waits for the new attempt
    assert changes() == [(f"completion {row.pk}", "Retried out of quarantine.")]


@pytest.mark.django_db(transaction=True)
def test_what_is_retried_is_handed_to_its_queue(ada: AdminClient, model: Model) -> None:
    row = set_aside(model)
    ada.post(f"{PAGE}quarantine/", {"job": f"workers.completion:{row.pk}", "wish": "retry"})
    assert broker.RedisQueues().jobs({model.queue}) == {(str(row.pk), 4)}


def test_what_is_set_aside_is_discarded_in_bulk(ada: AdminClient, model: Model) -> None:
    rows = [set_aside(model) for _ in range(3)]
    jobs = [f"workers.completion:{row.pk}" for row in rows]
    assert "Discarded: 3." in said(ada.post(f"{PAGE}quarantine/", {"job": jobs, "wish": "discard"}, follow=True))
    assert set(Completion.objects.values_list("status", flat=True)) == {"failed"}
    assert "Nothing is set aside." in shown(ada)
    assert len(changes()) == 3


def test_choosing_nothing_is_said(ada: AdminClient) -> None:
    assert "Choose at least one" in said(ada.post(f"{PAGE}quarantine/", {"wish": "retry"}, follow=True))


@pytest.mark.usefixtures("_load", "no_redis")
def test_while_redis_is_away_nothing_is_said_of_workers(ada: AdminClient) -> None:
    page = shown(ada)
    assert "Redis cannot be reached" in page
    assert "1 worker of 64 slots" in page, "what the load needs"
    assert "More comes than its workers can do" not in page
    assert "<dt>Workers</dt><dd>not known</dd>" in page
    answer = ada.post(f"{PAGE}drain/", {"process": "one:1", "wish": "drain"}, follow=True)
    assert "Redis cannot be reached" in said(answer)


@pytest.mark.browser
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_worker_is_drained_by_keyboard_on_a_phone(open_page: OpenPage, admin: Any) -> None:
    page = open_page(admin, viewport={"width": 390, "height": 844})
    with processes.worker("background") as worker:  # others need the shared one at work
        page.goto("/admin/operations/")
        page.get_by_role("button", name=f":{worker.pid}").focus()
        page.keyboard.press("Enter")
        resume = page.get_by_role("button", name="Resume")
        expect(resume).to_be_visible(timeout=30_000)  # the figures ask for themselves
        expect(page.get_by_text("Drained: takes nothing, does nothing")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        resume.focus()
        page.keyboard.press("Enter")
        expect(resume).to_be_hidden(timeout=30_000)
        expect(page.get_by_text("At work", exact=True)).to_have_count(2)
