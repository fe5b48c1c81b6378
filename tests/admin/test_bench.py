"""The bench: the draft and what is live decide the labelled messages, and the page shows where they differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string

from chatsite.routing import publishing
from chatsite.routing.confusion import FITS_A_PHONE, picture
from router import labelled_set
from router.labelled import Case
from router.models import LabelledMessage, Route
from tests.admin.conftest import AdminClient
from tests.processes import Process, wait_until

BENCH = "/admin/router/labelledmessage/bench/"
TITLES = {"summarise": "Summary", "classify": "Classification", "generate": "Chat"}
CONFUSION = {
    "summarise": {"summarise": 8, "classify": 0, "generate": 2},
    "classify": {"summarise": 1, "classify": 4, "generate": 0},
    "generate": {"summarise": 0, "classify": 0, "generate": 0},
}


@pytest.fixture
def small_set(defaults: None) -> None:
    LabelledMessage.objects.all().delete()
    cases = [
        Case("give me the gist of this article", "summarise"),
        Case("hello, how are you?", "generate"),
        Case("hello, is anybody there?", "classify"),  # wrong on purpose: the draft's and the live one's mistake
    ]
    labelled_set.add(cases, None, "written")


def measured(client: AdminClient, user: Any) -> str:
    """The page of a check that is finished. The task runs here and now."""
    trial = publishing.start_check(user)
    publishing.check_draft(trial.ticket)
    return str(client.get(f"{BENCH}{trial.ticket}/").content.decode())


# --- The page -----------------------------------------------------------------------------------------------------


def test_it_says_what_is_measured_on(ada: AdminClient, small_set: None) -> None:
    Route.objects.create(name="poems", title="Poems", role="generate", description="Verse.")
    LabelledMessage.objects.create(text="bonjour", route="french")
    page = ada.get(BENCH).content.decode()
    assert "none, so nothing is known of it" in page[page.index("Poems") :]
    assert "french" in page
    assert "not in the draft, so left out" in page
    assert "Look at all 4" in page
    assert "more than 1 percentage point in" in page
    assert f'href="{BENCH}"' in ada.get("/admin/").content.decode()


@pytest.mark.processes
def test_a_draft_that_is_live_is_measured_by_a_worker_too(
    ada: AdminClient, workers: Process, transactional_db: None
) -> None:
    assert "The draft says what is live says" in ada.get(BENCH).content.decode()
    LabelledMessage.objects.exclude(pk__in=LabelledMessage.objects.values("pk")[:20]).delete()
    address = ada.post(BENCH)["Location"]
    shown = lambda: ada.get(address, headers={"HX-Request": "true"}).content.decode()  # noqa: E731
    wait_until(lambda: "hx-trigger" not in shown(), 120, "the check of the draft")
    page = shown()
    assert "The draft passes." in page
    assert "On 20 labelled messages" in page
    assert "The draft decides no message otherwise." in page
    assert page.count("±0") == 2
    assert page.count("<svg role=") == 2


def test_flips_and_mistakes_are_listed_with_what_is_right(ada: AdminClient, admin: User, small_set: None) -> None:
    Route.objects.get(name="generate").rules.create(kind="pattern", value="gist")
    page = measured(ada, admin)
    flips, mistakes = (page.index(text) for text in ("What the draft decides otherwise", "Mistakes of the draft"))
    assert flips < page.index("give me the gist of this article") < mistakes
    assert "is anybody there" not in page[:mistakes]
    listed = page[mistakes:]
    assert listed.index("by a rule") < listed.index("is anybody there")  # the surest first
    assert re.search(r"Summary\s*<span role=\"img\" aria-label=\"\(right\)\">", page[flips:mistakes])
    assert re.search(r"Chat\s*<span role=\"img\" aria-label=\"\(wrong\)\">", page[flips:mistakes])


def test_the_answer_before_a_message_is_shown_with_it(ada: AdminClient, admin: User, small_set: None) -> None:
    LabelledMessage.objects.create(text="shorter please", route="classify", context="Photosynthesis takes place in two")
    assert "after: Photosynthesis takes place in two" in measured(ada, admin)


def test_a_draft_that_cannot_be_compiled_is_told_why(ada: AdminClient, admin: User, small_set: None) -> None:
    Route.objects.update(is_default=False)
    assert "No route is the default" in measured(ada, admin)


def test_it_is_for_those_who_may_see_the_set(alice_with: Callable[..., AdminClient], defaults: None) -> None:
    alice = alice_with("router.view_route")
    assert alice.get(BENCH).status_code == alice.post(BENCH).status_code == 403
    assert alice.get(f"{BENCH}ticket/").status_code == 403
    alice = alice_with("router.view_labelledmessage")
    assert "Upload more" not in alice.get(BENCH).content.decode()
    assert alice.post(BENCH).status_code == 302


def test_a_check_is_seen_by_who_started_it(alice_with: Callable[..., AdminClient], admin: User, defaults: None) -> None:
    ticket = publishing.start_check(admin).ticket
    assert alice_with("router.view_labelledmessage").get(f"{BENCH}{ticket}/").status_code == 404


# --- The picture --------------------------------------------------------------------------------------------------


def drawn(confusion: dict[str, dict[str, int]], titles: dict[str, str]) -> str:
    return render_to_string(
        "admin/routing/_confusion.html", {"picture": picture(confusion, titles), "caption": "Draft"}
    )


def test_every_count_has_a_cell_that_is_as_strong_as_its_share() -> None:
    shown = picture(CONFUSION, TITLES)
    assert [cell.count for cell in shown.cells] == [8, 0, 2, 1, 4, 0]  # nothing belongs on Chat: a column, and no row
    assert [name.text for name in shown.rows] == ["Summary", "Classification"]
    strength = [cell.opacity for cell in shown.cells]
    assert strength[0] > strength[2] > strength[1] == 0
    assert [cell.is_right for cell in shown.cells] == [True, False, False, False, True, False]
    assert all(cell.x < shown.width and cell.y < shown.height for cell in shown.cells)


def test_it_is_told_to_those_who_do_not_see_it() -> None:
    page = drawn(CONFUSION, TITLES)
    words = "12 of 15 messages on the right route. The commonest mistake: Summary taken for Chat, 2 times."
    assert f'aria-label="Draft. {words}"' in page
    assert "<title>Summary taken for Chat: 2 of 10 (20%)</title>" in page
    assert re.findall(r"<td[^>]*>(\d+)</td>", page) == ["8", "0", "2", "1", "4", "0"]
    assert '<th scope="row"' in page


def test_it_takes_no_inline_style() -> None:
    """The policy of the site forbids it."""
    assert "style=" not in drawn(CONFUSION, TITLES)


def test_titles_are_cut_to_fit_and_escaped() -> None:
    evil = {**TITLES, "summarise": "<script>alert(1)</script> and so on"}
    page = drawn(CONFUSION, evil)
    assert "<script>" not in page
    assert "</title>&lt;script&gt;alert(1)…</text>" in page


def test_many_routes_are_scrolled_rather_than_shrunk() -> None:
    names = [f"route{n}" for n in range(FITS_A_PHONE + 1)]
    many = {name: {other: int(name == other) for other in names} for name in names}
    assert picture(many, {}).is_wide
    assert "max-w-full" not in drawn(many, {})
    assert "max-w-full" in drawn(CONFUSION, TITLES)


def test_a_message_that_nobody_answers_has_a_column() -> None:
    confusion = {"generate": {"generate": 1, "": 1}, "": {"generate": 0, "": 0}}
    assert [name.text for name in picture(confusion, TITLES).columns] == ["Chat", "nobody"]
