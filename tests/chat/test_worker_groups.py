"""A model of a worker group waits for workers of its own, and people are told while there are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests import processes
from tests.answers import queued
from tests.chat.sockets import ask, make_async, tab
from tests.conftest import Connect
from tests.sessions import session_of
from workers.models import Completion, Model, Provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def put_in_group(model: Model, group: str) -> None:
    model.worker_group = group
    model.save()


async def test_a_message_that_no_worker_serves_is_kept_and_answered_when_one_starts(
    workers: processes.Process, alice: Any, connect: Connect
) -> None:
    (model,) = await make_async(connect)("tokens4")
    await make_async(put_in_group)(model, "far")
    async with tab(await make_async(session_of)(alice)) as alice_tab:
        turn = await ask(alice_tab, "Tell me a story", route="generate")
        assert (await alice_tab.until("state"))["state"] == "unserved"
        with processes.worker("remote-far"):
            assert (await alice_tab.until("finished"))["status"] == "done"
    assert alice_tab.text_of(turn["reply"]) == "t0 t1 t2 t3 "


def test_a_retry_overtakes_all_that_wait(connect: Connect) -> None:
    (model,) = connect("tokens1")
    put_in_group(model, "first")
    waiting = [queued(model) for _ in range(50)]
    retry = queued(model, attempt=2)
    with processes.worker("remote-first", concurrency=1):
        processes.wait_until(
            lambda: not Completion.objects.exclude(status="done").exists(), what="all of them to be answered"
        )
    retry.refresh_from_db()
    started = Completion.objects.exclude(pk=retry.pk).values_list("started_at", flat=True)
    assert len(started) == len(waiting)
    assert retry.started_at is not None
    assert retry.started_at < min(filter(None, started))


def test_a_queue_is_named_after_its_kind_of_work_and_its_group(db: None) -> None:
    queues = {
        (kind, group): Model(provider=Provider(kind=kind), worker_group=group).queue
        for kind, group in [
            *[("embedded", ""), ("transformers", ""), ("openai", "")],
            *[("transformers", "gpu"), ("openai", "far")],
        ]
    }
    assert list(queues.values()) == ["embedded", "local", "remote", "local-gpu", "remote-far"]
