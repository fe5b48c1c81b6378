"""Lists that answer the questions of an admin: what is used, what does not work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User

from router.models import Correction, Route
from tests.admin.conftest import AdminClient
from tests.pages import rows
from workers import failures

TAG = re.compile(r'<(?:"[^"]*"|[^">])*>')


def cells(ada: AdminClient, path: str, name: str) -> dict[str, str]:
    """What a list shows in the row of `name`, by column."""
    page = ada.get(path).content.decode()
    row = next(row for row in re.findall(r"<tr.*?</tr>", page, re.S) if name in row)
    found = re.findall(r'<t[dh] class="[^"]*?field-(\w+)[^"]*"(.*?)</t[dh]>', row, re.S)
    return {column: " ".join(TAG.sub(" ", f"<td {cell}").split()) for column, cell in found}


@pytest.fixture
def asked(alice: User, ada: AdminClient) -> Any:
    """A model that answered twice and failed once, and one that helped out for it."""
    small, large = rows.model("Small model"), rows.model("Large model")
    for _ in range(2):
        rows.turn(alice, answered_by=small)
    rows.turn(alice, answered_by=large)
    rows.turn(alice, status="failed", error_code="provider_down")
    return small, large


def test_of_each_model_it_is_said_how_it_does(ada: AdminClient, asked: Any) -> None:
    rows.model("Idle model")
    small = cells(ada, "/admin/workers/model/", "Small model")
    assert (small["health"], small["answers"], small["last_error"]) == ("failing", "2", "provider_down")
    assert small["first_token"] == "0.32 s"
    large = cells(ada, "/admin/workers/model/", "Large model")
    assert (large["health"], large["answers"], large["last_error"]) == ("well", "1", "none")
    assert cells(ada, "/admin/workers/model/", "Idle model")["health"] == "idle"


def test_of_each_provider_it_is_said_what_went_wrong(ada: AdminClient, asked: Any) -> None:
    failures.note("Some server", "provider_down")
    failures.note("Some server", "provider_down")
    failures.note("Some server", "too_slow")
    shown = cells(ada, "/admin/workers/provider/", "Some server")
    assert (shown["answers"], shown["failures_in_words"]) == ("3", "provider_down (2), too_slow (1)")


def test_of_each_route_it_is_said_how_often_it_is_taken_and_called_wrong(
    ada: AdminClient, alice: User, defaults: None
) -> None:
    turns = [rows.turn(alice) for _ in range(3)]
    assert turns[0].decision
    Correction.objects.create(decision=turns[0].decision, user=alice, text="Hello", wanted_route="classify")
    shown = cells(ada, "/admin/router/route/", Route.objects.get(name="generate").title)
    assert (shown["decided"], shown["wrong"]) == ("3", "1")
    assert cells(ada, "/admin/router/route/", "Summary")["decided"] == "0"
