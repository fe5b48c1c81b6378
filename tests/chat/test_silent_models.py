"""A model that says nothing is given up after its time, by workers whose time is short."""

from __future__ import annotations

from typing import Any

import pytest

from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.chat.sockets import ask, make_async, tab
from tests.conftest import Connect
from tests.sessions import session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


async def test_it_is_not_waited_for_twice(alice: Any, provider: FakeProvider, connect: Connect) -> None:
    await make_async(connect)("hang", "tokens4")
    with processes.worker("route"), processes.worker("remote", FIRST_TOKEN_TIMEOUT_SECONDS="1"):
        async with tab(await make_async(session_of)(alice)) as alice_tab:
            turn = await ask(alice_tab, "Tell me a story", route="generate")
            assert (await alice_tab.until("finished"))["status"] == "done"
    assert alice_tab.text_of(turn["reply"]) == "t0 t1 t2 t3 "
    assert [chat.model for chat in provider.chats] == ["hang", "tokens4"]
