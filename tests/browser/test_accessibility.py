"""axe-core finds nothing on any page, in any state, in light and dark and on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from chatsite.accounts.models import SignInLink
from chatsite.routing.models import Replay
from router.models import Correction, Revision, Rollout, Route, Safeguards
from tests.backends.fake_provider import FakeProvider
from tests.browser.accessibility import faults
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect
from tests.pages import rows
from workers.models import Provider
from workers.trials import Trial

pytestmark = [pytest.mark.browser, pytest.mark.processes]


RICH = """# A heading

Text with **strong**, *stressed* and `code`, and [a link](https://a.example/).

> A quotation

1. One
2. Two
   - Nested

- [x] done
- [ ] to do

| Left | Right |
|:-----|------:|
| a    | 1     |

```python
def add(a: int, b: int) -> int:
    \"\"\"The sum.\"\"\"
    return a + b  # a comment
```

The formula $a^2 + b^2$ and a footnote.[^1]

[^1]: The note.
"""


def test_pages_before_one_is_signed_in(open_page: OpenPage, alice: Any) -> None:
    page = open_page(None)
    found = []
    for address in (
        "/sign-in/",
        f"/sign-in/{SignInLink.issue(user=alice)}/",
        "/sign-in/nonsense/",
        "/join/",
    ):
        page.goto(address)
        found += faults(page, address)
    page.goto("/sign-in/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    found += faults(page, "a failed sign-in")
    assert found == []


def test_error_pages(open_page: OpenPage) -> None:
    page = open_page(None)
    found = []
    for name in ("400", "403", "403_csrf", "404", "413", "500", "503"):
        body = render_to_string(f"{name}.html", {"limit": "2 MB", "request_id": "an-id"})
        page.route(f"**/{name}/", lambda route, request, body=body: route.fulfill(body=body, content_type="text/html"))
        page.goto(f"/{name}/")
        found += faults(page, name, ["light", "phone"])
    assert found == []


def test_the_chat_in_every_state(open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider) -> None:
    connect("echo")
    page = open_page(alice)
    page.goto("/")
    found = faults(page, "empty")
    page.locator("summary[aria-label=Language]").click()
    found += faults(page, "languages")
    page.locator("summary[aria-label=Language]").click()
    reply = finish(ask(page, RICH))
    expect(page.locator("#menu")).to_be_visible()
    reply.get_by_text("Why?").click()
    found += faults(page, "an answer, and why")
    reply.locator(".reroute > summary").click()
    found += faults(page, "another route")
    page.get_by_label("Message", exact=True).fill("/nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_be_visible()
    found += faults(page, "refused")
    connect("gate3-tokens8")
    streaming = ask(page, "Count")
    expect(answer(streaming)).to_have_text("t0 t1 t2")
    found += faults(page, "streaming")
    provider.release()
    finish(streaming)
    connect("error401")
    finish(ask(page, "Trouble"), "failed")
    found += faults(page, "trouble")
    assert found == []


def test_the_other_pages_of_a_person(open_page: OpenPage, alice: Any) -> None:
    turn = rows.turn(alice)
    page = open_page(alice)
    own = [
        "account/",
        "account/address/",
        "conversations/",
        "conversations/?archive=1",
        "search/?q=hello",
        "shortcuts/",
    ]
    own += ["shared/", "transfer/", f"c/{turn.conversation_id}/share/", f"messages/{turn.message_id}/edit/"]
    found = []
    for address in own:
        page.goto(f"/{address}")
        found += faults(page, address, ["light", "phone"])
    assert found == []


def change_form(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def details(admin: Any) -> list[str]:
    """The pages of one thing each that stand in no list yet, and those where something is tried."""
    live, turn = Revision.objects.get(is_live=True), rows.turn(admin)
    assert turn.decision
    now = timezone.now()
    replayed = {"snapshot": live.snapshot, "classifier": live.classifier, "newest": 10, "before": 1, "total": 0}
    things = [
        live,
        turn,
        turn.completion,
        Correction.objects.create(decision=turn.decision, user=admin, text="Hello", wanted_route="summarise"),
        Rollout.objects.create(revision=live, kind="shadow", outcome="stopped", ended_at=now, reason="Seen enough."),
        Replay.objects.create(asked_by=admin, live=live, status="done", finished_at=now, **replayed),
    ]
    score = {"title": "Chat", "score": 0.5}
    outcome = {"route": "generate", "strategy": "rule", "scores": [score], "models": ["One"], "revision": 1}
    Trial("decided", admin.pk, "route", 0, {"text": "Hello"}, "done", {**outcome, "duration_ms": 1.0}).save()
    names = ("chat_turn_try", "routing_bench", "router_revision_draft", "router_labelledmessage_upload")
    return [
        *map(change_form, things),
        *(reverse(f"admin:{name}") for name in names),
        reverse("admin:chat_turn_tried", args=["decided"]),
    ]


def test_every_page_of_the_admin(open_page: OpenPage, admin: Any) -> None:
    """Nothing stands in the console either: the admin's own scripts run under the policy."""
    page = open_page(admin)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.goto("/admin/")
    links = page.locator("#nav-sidebar-apps a").evaluate_all("links => links.map(link => link.pathname)")
    found = []
    provider, route = Provider.objects.get(), Route.objects.get(name="classify")
    forms = [provider, provider.models.first(), route, Group.objects.create(name="People"), admin, Safeguards.current()]
    links += [*map(change_form, forms), "/admin/router/route/add/", "/admin/workers/provider/add/"]
    for path in dict.fromkeys(links):
        page.goto(path)
        expect(page.get_by_role("main")).to_be_visible()
        found += faults(page, path, ["light", "phone"])
    assert found == []
    assert said == []


def test_the_pages_of_one_thing_in_the_admin(open_page: OpenPage, admin: Any) -> None:
    page = open_page(admin)
    found = []
    for path in details(admin):
        page.goto(path)
        expect(page.get_by_role("main")).to_be_visible()
        found += faults(page, path, ["phone"])
    assert not found, found
