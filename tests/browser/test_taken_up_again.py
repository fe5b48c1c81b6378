"""An answer that was set aside and is retried: whoever still looks at it sees it come."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from chatsite.chat.models import Turn
from chatsite.operations import quarantine
from tests.backends.fake_provider import FakeProvider
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect
from workers.models import Completion

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_an_open_tab_shows_a_retried_answer_without_a_reload(
    page: Page, connect: Connect, provider: FakeProvider, admin: Any
) -> None:
    connect("gate3-tokens8")
    provider.release()
    finish(ask(page, "Count please"))
    reply = finish(ask(page, "Once more"))
    completion = Turn.objects.get(pk=UUID(reply.get_attribute("data-reply"))).completion
    assert completion
    Completion.objects.filter(pk=completion.pk).update(status="quarantined", text="", error_code="quarantined")
    scripts: list[Any] = []
    page.route("**/js/chat*.js", lambda route: scripts.append(route))
    page.reload(wait_until="commit")
    finish(reply, "quarantined")
    provider.gate.clear()
    completion.refresh_from_db()
    assert quarantine.retry(completion, admin)  # after the page was made, and before it can hear of anything
    for script in scripts:
        script.continue_()
    expect(answer(reply)).to_have_text("t0 t1 t2")
    provider.release()
    finish(reply)
    expect(answer(reply)).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    expect(page.locator(".reply")).to_have_count(2)
