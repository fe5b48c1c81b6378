"""The page that says which process decides with which revision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from router import rollouts
from router.models import Revision, Rollout, Route, RunningProcess
from router.revisions import publish
from tests import processes
from tests.admin.conftest import AdminClient
from tests.processes import wait_until

PAGE = "/admin/router/runningprocess/"


def text_of(ada: AdminClient) -> str:
    return " ".join(ada.get(PAGE).content.decode().split())


def process(name: str, live: int, silent_seconds: float = 0, **beside: int) -> RunningProcess:
    now = timezone.now()
    seen_at = now - timedelta(seconds=silent_seconds)
    return RunningProcess.objects.create(name=name, live=live, started_at=now, seen_at=seen_at, **beside)


@pytest.fixture
def live(defaults: None) -> int:
    return Revision.objects.get(is_live=True).number


def test_processes_that_all_run_what_is_live_are_told_so(ada: AdminClient, live: int) -> None:
    process("one:1", live)
    process("two:2", live)
    assert f"All 2 processes run what should run: revision {live} is live." in text_of(ada)


def test_a_process_that_has_not_followed_is_named(ada: AdminClient, live: int) -> None:
    process("one:1", live)
    process("two:2", live - 1)
    page = text_of(ada)
    assert "1 of 2 processes have not followed yet" in page
    assert f"Still decides with revision {live - 1}." in page


def test_a_canary_that_a_process_does_not_run_is_seen(ada: AdminClient, live: int, admin: Any) -> None:
    process("one:1", live)
    canary = rollouts.start_draft(Rollout.Kind.CANARY, 10, admin)
    assert "Has not followed what was started or ended beside the live revision." in text_of(ada)
    RunningProcess.objects.update(canary=canary.revision_id)
    assert "Runs what should run." in text_of(ada)


def test_a_silent_process_is_stale_and_does_not_count(ada: AdminClient, live: int) -> None:
    process("one:1", live)
    process("gone:2", live - 1, silent_seconds=300)
    page = text_of(ada)
    assert "Silent for so long that it has stopped, or hangs." in page
    assert "5 min ago" in page
    assert "The one process runs what should run" in page


def test_no_process_at_all_is_said(ada: AdminClient, live: int) -> None:
    assert "No process decides at the moment" in text_of(ada)


def test_the_page_asks_for_the_table_alone(ada: AdminClient, live: int) -> None:
    part = ada.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert f'hx-get="{PAGE}"' in part


def test_nobody_changes_a_process(ada: AdminClient, live: int) -> None:
    one = process("one:1", live)
    assert ada.get(f"{PAGE}add/").status_code == 403
    assert ada.post(f"{PAGE}{one.pk}/delete/", {"post": "yes"}).status_code in (403, 404)
    assert RunningProcess.objects.filter(pk=one.pk).exists()


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_real_process_follows_what_is_published_and_turns_stale_when_it_stops(
    transactional_db: None, defaults: None, ada: AdminClient
) -> None:
    RunningProcess.objects.all().delete()  # a worker shared by former tests reports until the last of them is over
    with processes.worker("route") as worker:
        name = f":{worker.pid}"
        mine = RunningProcess.objects.filter(name__endswith=name)
        first = Revision.objects.get(is_live=True).number
        wait_until(lambda: mine.filter(live=first).exists(), what="the first report")
        Route.objects.filter(name="summarise").update(threshold=0.7)
        second = publish(None).number
        wait_until(lambda: mine.filter(live=second).exists(), what="the process to follow")
        assert f"revision {second} is live" in text_of(ada)
        assert "Runs what should run." in text_of(ada)
    seen_at = mine.get().seen_at
    mine.update(seen_at=seen_at - RunningProcess.STALE_AFTER)  # as if the time had passed
    assert mine.get().is_stale
    assert "it has stopped, or hangs" in text_of(ada)
    assert "No process decides at the moment" in text_of(ada)
