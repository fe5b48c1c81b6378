"""When the models of one kind of worker do not answer, workers of the next one do."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.chat.sockets import Tab, ask, make_async, tab
from tests.conftest import Connect
from tests.sessions import session_of
from workers import attempts, completing
from workers.models import Completion, Model

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def connect_far(connect: Connect) -> Model:
    """Two models that cannot answer, a third one that waits in a queue of its own, and a last one beside it."""
    *_, third, fourth = connect("error500", "cut3", "tokens4", "tokens2")
    Model.objects.filter(pk__in=[third.pk, fourth.pk]).update(worker_group="far")
    return third


async def answered(alice: Any) -> tuple[Tab, str]:
    async with tab(await make_async(session_of)(alice)) as alice_tab:
        turn = await ask(alice_tab, "Tell me a story", route="generate")
        assert (await alice_tab.until("finished"))["status"] == "done"
    return alice_tab, turn["reply"]


async def test_an_answer_is_passed_on_to_the_queue_of_the_next_model(
    workers: processes.Process, alice: Any, provider: FakeProvider, connect: Connect
) -> None:
    third = await make_async(connect_far)(connect)
    with processes.worker("remote-far") as far:
        alice_tab, reply = await answered(alice)
        assert reply in far.log.read_text()
    assert alice_tab.text_of(reply) == "t0 t1 t2 t3 "
    completion = await Completion.objects.aget(reply_id=reply)
    assert (completion.answered_by_id, completion.passed_to_id) == (third.pk, third.pk)
    assert (completion.attempt, completion.deaths) == (2, 0)
    assert [chat.model for chat in provider.chats] == ["error500"] * 3 + ["cut3"] * 3 + ["tokens4"]


async def test_where_nobody_serves_that_queue_it_is_answered_all_the_same(
    workers: processes.Process, alice: Any, provider: FakeProvider, connect: Connect
) -> None:
    third = await make_async(connect_far)(connect)
    alice_tab, reply = await answered(alice)
    assert alice_tab.text_of(reply) == "t0 t1 t2 t3 "
    completion = await Completion.objects.aget(reply_id=reply)
    assert (completion.answered_by_id, completion.passed_to_id, completion.attempt) == (third.pk, None, 1)


def test_who_has_passed_an_answer_on_does_not_end_it_when_it_is_stopped(
    connect: Connect, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = connect("error401", "tokens4")
    Model.objects.filter(pk=second.pk).update(worker_group="far")
    asked = Completion.objects.create(
        reply_id=uuid.uuid4(), role="generate", model=first, fallbacks=[second.pk], prompt=[]
    )
    with processes.pretended_worker(queues=["remote-far"]), attempts.claimed(Completion, str(asked.pk), 1) as held:
        assert held
        completion, lease = held

        def taken_at_once(_: Completion) -> None:
            assert Completion.claim(asked.pk, 2)
            lease.cancellation.set("cancelled")

        monkeypatch.setattr(Completion, "publish", taken_at_once)
        completing.run(completion, lease)
    asked.refresh_from_db()
    assert (asked.status, asked.attempt) == ("running", 2)


def test_a_model_with_a_smaller_window_is_given_what_it_has_room_for(connect: Connect, provider: FakeProvider) -> None:
    """Without the oldest messages, as if the prompt had been built for it."""
    first, second = connect("error401", "tokens4")
    Model.objects.filter(pk=second.pk).update(context_window=1024, max_output_tokens=256)
    said = [{"role": role, "content": f"{role} " + "word " * 100} for role in ["user", "assistant"] * 9]
    prompt = [{"role": "system", "content": "Be brief."}, *said, {"role": "user", "content": "And now?"}]
    asked = Completion.objects.create(
        reply_id=uuid.uuid4(), role="generate", model=first, fallbacks=[second.pk], prompt=prompt
    )
    with attempts.claimed(Completion, str(asked.pk), 1) as held:
        assert held
        completing.run(*held)
    asked.refresh_from_db()
    assert (asked.status, asked.answered_by_id) == ("done", second.pk)
    given = [chat.body["messages"] for chat in provider.chats]
    assert given == [prompt, [prompt[0], *prompt[-5:]]]
