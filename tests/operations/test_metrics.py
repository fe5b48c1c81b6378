"""/metrics tells what the operations page tells, to those who have the token."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from channels.testing import HttpCommunicator
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from chatsite.asgi import application, http
from chatsite.operations import metrics
from chatsite.operations.advice import WAIT_SECONDS, staffing
from chatsite.operations.endpoints import Endpoints
from chatsite.operations.figures import figures
from router.models import RunningProcess
from tests.chat.sockets import make_async
from tests.pages import rows
from tests.processes import ROOT, pretended_worker
from workers import failures, presence
from workers.connections import client
from workers.models import Completion

TOKEN = "a-token-of-the-monitoring"
Samples = dict[tuple[str, ...], float]


async def _scrape(asked: Any, token: str = TOKEN) -> dict[str, Any]:
    headers = [(b"host", b"10.0.0.7:8000"), (b"authorization", f"Bearer {token}".encode())]
    response: dict[str, Any] = await HttpCommunicator(asked, "GET", "/metrics", headers=headers).get_response(
        timeout=30
    )
    return response


@pytest.fixture
def guarded(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    """The site with a token for its metrics, and nothing kept from an earlier scrape."""
    monkeypatch.setattr(metrics, "_kept", metrics._Kept())
    settings.METRICS_TOKEN = TOKEN
    return Endpoints(http)


@pytest.mark.django_db(transaction=True)
async def test_without_a_token_there_are_no_metrics() -> None:
    response = await HttpCommunicator(application, "GET", "/metrics", headers=[(b"host", b"localhost")]).get_response(
        timeout=30
    )
    assert response["status"] == 404


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x", "ü"])
async def test_only_the_token_opens_the_metrics(guarded: Endpoints, token: str) -> None:
    response = await _scrape(guarded, token)
    assert (response["status"], b"switchyard_" in response["body"]) == (401, False)


def _situation() -> None:
    client().delete(presence.INDEX)
    model = rows.model("large")
    now = timezone.now()
    for number in range(6):
        queued = now - timedelta(seconds=50 - number)
        times: dict[str, Any] = {"queued_at": queued, "released_at": queued}
        if number > 1:
            times |= {"started_at": now - timedelta(seconds=40), "status": "running"}
        if number > 3:
            times |= {"finished_at": now - timedelta(seconds=30), "status": "done", "completion_tokens": 60}
        Completion.objects.create(reply_id=uuid.uuid4(), role="generate", model=model, prompt=[], **times)
    Completion.objects.create(
        reply_id=uuid.uuid4(),
        role="generate",
        prompt=[],
        status="quarantined",
        finished_at=now,
        error_code="quarantined",
    )
    failures.note('Acme "quoted"', "rate_limited")
    failures.note('Acme "quoted"', "rate_limited")


def _decides(worker: str) -> None:
    now = timezone.now()
    RunningProcess.objects.create(name=worker, live=7, shadow=8, started_at=now, seen_at=now)


def _samples(text: str) -> dict[str, Samples]:
    return {
        family.name.removeprefix("switchyard_"): {
            tuple(sample.labels.values()): sample.value for sample in family.samples
        }
        for family in text_string_to_metric_families(text)
    }


@pytest.mark.django_db(transaction=True)
async def test_the_metrics_are_the_figures_of_the_page(guarded: Endpoints) -> None:
    await make_async(_situation)()
    busy = {"queues": ["remote"], "slots": 64, "running": 2, "memory_bytes": 123_456_789}
    with (
        pretended_worker("one:1", **busy, models={"MiniLM": "ready"}),
        pretended_worker("two:1", queues=["remote"], slots=8, is_draining=True, code="old"),
        pretended_worker("new:1", models={"MiniLM": "loading"}),
    ):
        await make_async(_decides)("one:1")
        response = await _scrape(guarded)
        page = await make_async(figures)()
    assert (response["status"], dict(response["headers"])[b"content-type"]) == (200, metrics.CONTENT_TYPE.encode())
    told = _samples(response["body"].decode())
    assert set(told) == {metric.name for metric in metrics.METRICS}
    assert told["workers"] == {("starting",): 1, ("serving",): 1, ("draining",): 1}
    assert told["worker_memory_bytes"]["one:1",] == 123_456_789
    assert told["worker_running"]["one:1",] == 2
    assert told["worker_revision"] == {("live", "one:1"): 7, ("shadow", "one:1"): 8}
    assert told["models"] == {("MiniLM", "ready"): 1, ("MiniLM", "loading"): 1}
    assert told["provider_failures"] == {("rate_limited", 'Acme "quoted"'): 2}
    assert told["tokens_per_second"] == {(): page.tokens_per_second} == {(): 2}
    assert told["quarantined_jobs"] == {(): page.set_aside_count} == {(): 1}
    assert (told["redis_up"], told["reaper_on_duty"]) == ({(): 1}, {(): page.is_reaper_on_duty})
    assert told["old_workers"] == {(): sum(worker.is_old for worker in page.workers)}
    for queue in page.queues:
        assert told["queue_jobs"][queue.name, "waiting"] == queue.depth
        assert told["queue_jobs"][queue.name, "held"] == queue.held
        assert told["queue_jobs"][queue.name, "running"] == queue.running
        assert told["queue_workers"][queue.name,] == queue.workers
        assert told["queue_slots"][queue.name,] == queue.slots
        assert told["queue_waiting_seconds"]["0.95", queue.name] == pytest.approx(queue.waiting.p95_seconds, abs=5)
        assert told["queue_waited_seconds"]["0.5", queue.name] == pytest.approx(queue.waited.p50_seconds, abs=0.01)
    remote = next(queue for queue in page.queues if queue.name == "remote")
    assert (remote.depth, remote.running, remote.slots) == (2, 2, 64)
    needed = staffing(remote, WAIT_SECONDS)
    assert needed
    assert remote.load
    assert told["queue_arrivals_per_second"]["remote",] == pytest.approx(remote.load.arrivals_per_second, rel=0.2)
    assert told["queue_service_seconds"]["remote",] == pytest.approx(remote.load.service_seconds, rel=0.2)
    assert told["queue_workers_needed"]["remote",] == needed.workers


@pytest.mark.django_db(transaction=True)
async def test_without_redis_nothing_is_said_of_workers(guarded: Endpoints, no_redis: None) -> None:
    """No figure, rather than none: nobody is told to start workers that are there."""
    told = _samples((await _scrape(guarded))["body"].decode())
    assert (told["redis_up"], told["queue_jobs"]["route", "waiting"]) == ({(): 0}, 0)
    from_redis = {"queue_workers", "queue_slots", "workers", "worker_running", "provider_failures", "reaper_on_duty"}
    assert not from_redis & set(told)


@pytest.mark.django_db(transaction=True)
async def test_however_many_scrape_the_figures_are_read_once(guarded: Endpoints) -> None:
    first = await _scrape(guarded)
    await make_async(_situation)()
    assert (await _scrape(guarded))["body"] == first["body"]


def test_every_metric_is_on_the_page_about_monitoring() -> None:
    lines = (ROOT / "docs" / "monitoring.md").read_text().splitlines()
    described = {line for line in lines if re.match(r"\| `switchyard_\w+` \|", line)}
    assert described == {
        f"| `switchyard_{metric.name}` | {', '.join(metric.labels)} | {metric.meaning} |" for metric in metrics.METRICS
    }


def test_pages_and_manifests_ask_for_metrics_that_exist() -> None:
    files = [
        path for folder in ("docs", "deploy") for path in (ROOT / folder).rglob("*") if path.suffix in (".md", ".yaml")
    ]
    asked = {name for path in files for name in re.findall(r"\bswitchyard_(\w+)", path.read_text())}
    assert asked <= {metric.name for metric in metrics.METRICS}
