"""Workers that die or freeze in mid-answer: the answer is finished by another one, and nothing shows twice."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.chat.sockets import ask, make_async, tab
from tests.sessions import session_of
from workers.models import Completion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

Connect = Callable[..., Any]


@pytest.fixture
def session(alice: Any) -> str:
    return session_of(alice)


async def test_a_worker_killed_in_mid_answer_is_replaced_and_nothing_is_lost(
    transactional_db: None, defaults: None, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("gate10-tokens60")
    with processes.worker("route"), processes.reaper(), processes.worker("remote") as doomed:
        async with tab(session) as alice_tab:
            turn = await ask(alice_tab, "Tell me a story", route="generate")
            await alice_tab.until_shown(turn["reply"], "t2 ")
            with processes.worker("remote"):
                doomed.send(signal.SIGKILL)
                provider.release()
                finished = await alice_tab.until("finished", seconds=60)
    completion = await Completion.objects.aget(reply_id=turn["reply"])
    assert (finished["status"], completion.attempt) == ("done", 2)
    assert alice_tab.text_of(turn["reply"]) == completion.text == "".join(f"t{n} " for n in range(60))


async def test_a_frozen_worker_that_thaws_writes_nothing(
    transactional_db: None, defaults: None, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("gate10-tokens60")
    with processes.worker("route"), processes.reaper(), processes.worker("remote") as frozen:
        async with tab(session) as alice_tab:
            turn = await ask(alice_tab, "Tell me a story", route="generate")
            await alice_tab.until_shown(turn["reply"], "t2 ")
            frozen.send(signal.SIGSTOP)
            with processes.worker("remote"):
                await alice_tab.until("started", attempt=2, seconds=60)
                frozen.send(signal.SIGCONT)
                provider.release()
                await alice_tab.until("finished", seconds=60)
    completion = await Completion.objects.aget(reply_id=turn["reply"])
    assert completion.attempt == 2
    assert alice_tab.text_of(turn["reply"]) == completion.text == "".join(f"t{n} " for n in range(60))
