"""Saving a route publishes it: once, with a note, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from router import publishing
from router.models import Revision, Route
from router.revisions import InvalidPolicyError
from tests.admin.conftest import AdminClient, errors, said


def change(name: str) -> str:
    return f"/admin/router/route/{Route.objects.get(name=name).pk}/change/"


@pytest.fixture
def revisions(defaults: None) -> Any:
    """How many revisions there have been since the test began."""
    before = Revision.objects.count()
    return lambda: Revision.objects.count() - before


def test_a_save_of_many_parts_is_one_revision(ada: AdminClient, revisions: Any) -> None:
    rows = {
        f"rules-{n}-{k}": v for n in range(3) for k, v in {"kind": "pattern", "value": f"r{n}", "position": n}.items()
    }
    page = ada.submit(change("summarise"), threshold="0.6", new_examples="one\ntwo", **rows)
    assert revisions() == 1
    live = Revision.objects.get(is_live=True)
    assert live.author == page.context["user"]
    assert "Summary" in live.note
    assert "Threshold" in live.note
    route = next(route for route in live.snapshot["routes"] if route["name"] == "summarise")
    assert route["threshold"] == 0.6
    assert [rule["value"] for rule in route["rules"]] == ["r0", "r1", "r2"]
    assert {"one", "two"} <= set(route["examples"])
    assert f"Revision {live.number} is live" in said(page)


def test_a_save_that_changes_nothing_publishes_nothing(ada: AdminClient, revisions: Any) -> None:
    ada.submit(change("summarise"))
    assert revisions() == 0


def test_deleting_publishes_once(ada: AdminClient, revisions: Any) -> None:
    chosen = list(Route.objects.filter(is_default=False).values_list("pk", flat=True))
    ada.post("/admin/router/route/", {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
    assert revisions() == 1
    live = Revision.objects.get(is_live=True)
    assert [route["name"] for route in live.snapshot["routes"]] == ["generate"]
    assert live.note == "Deleted Summary, Classification."


def test_deleting_one_publishes_it(ada: AdminClient, revisions: Any) -> None:
    ada.post(f"/admin/router/route/{Route.objects.get(name='classify').pk}/delete/", {"post": "yes"})
    assert revisions() == 1
    assert Revision.objects.get(is_live=True).note == "Deleted Classification."


def test_what_cannot_be_published_is_not_saved(
    ada: AdminClient, revisions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(author: Any, note: str) -> None:
        raise InvalidPolicyError("The stars are wrong.")

    monkeypatch.setattr(publishing, "publish", refuse)
    records = LogEntry.objects.count()
    page = ada.submit(change("summarise"), title="Something else", new_examples="kept in the form")
    assert "The stars are wrong." in errors(page)
    assert "kept in the form" in page.content.decode()
    assert said(page) == ""
    page = ada.post(
        f"/admin/router/route/{Route.objects.get(name='classify').pk}/delete/", {"post": "yes"}, follow=True
    )
    assert "The stars are wrong." in said(page)
    assert revisions() == 0
    assert LogEntry.objects.count() == records
    assert sorted(Route.objects.values_list("title", flat=True)) == ["Chat", "Classification", "Summary"]


def test_revisions_can_be_looked_at_and_nothing_else(ada: AdminClient, revisions: Any) -> None:
    live = Revision.objects.get(is_live=True)
    assert "live" in ada.get("/admin/router/revision/").content.decode()
    page = ada.get(f"/admin/router/revision/{live.number}/change/")
    assert "summarise" in page.content.decode()
    assert "_save" not in page.content.decode()
    assert ada.get("/admin/router/revision/add/").status_code == 403
    assert ada.post(f"/admin/router/revision/{live.number}/change/", {"note": "x"}).status_code == 403
    assert ada.post(f"/admin/router/revision/{live.number}/delete/", {"post": "yes"}).status_code == 403
