"""axe-core finds nothing on the pages of conversations: menus, search, undo, links, files."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from chatsite.chat.models import Conversation
from chatsite.sharing import shares
from chatsite.transfer.models import Import
from tests.browser.accessibility import faults
from tests.browser.conftest import OpenPage
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_menus_search_and_undo(open_page: OpenPage, alice: Any) -> None:
    turn, other = rows.turn(alice, "The harbour"), rows.turn(alice, "Another")
    turn.conversation.tags.create(user=alice, name="work")
    Conversation.objects.filter(pk=other.conversation_id).update(pinned_at=timezone.now())
    page = open_page(alice)
    page.goto(f"/c/{turn.conversation_id}/")
    page.get_by_label("Options of this conversation").click()
    page.locator("#menu").get_by_text("Tags", exact=True).click()
    found = faults(page, "the menu")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("harb")
    expect(page.locator("#search mark").first).to_be_visible()
    found += faults(page, "the search")
    page.keyboard.press("Escape")
    item = page.locator("#conversations li", has_text="Another")
    item.hover()
    item.get_by_label("Options").click()
    expect(page.locator("#item-menu")).to_be_visible()
    found += faults(page, "the menu of an item")
    page.locator("#item-menu").get_by_role("button", name="Delete").click()
    expect(page.locator(".undo")).to_be_visible()
    found += faults(page, "undo")
    assert found == []


def test_links_and_files(open_page: OpenPage, alice: Any) -> None:
    turn, other = rows.turn(alice, "The harbour"), rows.turn(alice, "Another")
    link = shares.share(alice, conversation_id=turn.conversation_id)
    now = timezone.now()
    times = {"status": "failed", "started_at": now, "finished_at": now}
    skipped = [{"title": "One", "why": "It is broken."}]
    Import.objects.create(
        user=alice, name="a.zip", content=b"", problem="Broken.", skipped=skipped, skipped_count=1, **times
    )
    page = open_page(alice)
    found = []
    for address in (
        f"/c/{turn.conversation_id}/share/",
        f"/c/{other.conversation_id}/share/",
        f"/s/{link.token}/",
        "/shared/",
        "/transfer/",
        f"/c/{turn.conversation_id}/share/?until={turn.pk}",
        "/conversations/",
    ):
        page.goto(address)
        found += faults(page, address)
    page.get_by_role("button", name="Archive all…").click()
    page.get_by_role("button", name="Archive all").click()
    expect(page.locator(".undo")).to_be_visible()
    found += faults(page, "what can be undone")
    page.goto("/conversations/?archive=1")
    page.get_by_role("button", name="Delete all…").click()
    found += faults(page, "one more question")
    assert found == []
