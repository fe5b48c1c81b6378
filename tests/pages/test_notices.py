"""Every error code has words that say what to do."""

import ast
import inspect

import pytest
from django.urls import reverse

from chatsite.chat import notices
from workers import errors

CODES = {
    error.code
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.WorkerError) and "code" in vars(error)
}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_of_a_worker_has_words_of_its_own(code: str) -> None:
    assert code in notices._NOTICES


def test_every_refusal_in_the_site_has_words_of_its_own() -> None:
    from chatsite.chat import admission, tabs, turns

    for module in (admission, tabs, turns):
        for call in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("RefusedError", "BusyError"):
                assert isinstance(call.args[0], ast.Constant)
                assert call.args[0].value in notices._NOTICES


def test_every_link_for_staff_leads_to_a_page() -> None:
    for notice in notices._NOTICES.values():
        if notice.link:
            assert reverse(notice.link.view)


def test_an_unknown_code_gets_the_general_words() -> None:
    assert notices.notice("no such code") is notices.notice("failed")


def test_sizes_are_given_as_people_read_them() -> None:
    assert "It is 1.2 MB over the limit of 2 MB." in notices.text("too_long", size=3_200_000, limit=2_000_000)


def test_words_survive_facts_that_are_missing_or_strange() -> None:
    assert notices.text("unknown_route")
    assert "{0.__class__}" in notices.text("unknown_route", route="{0.__class__}", routes="")
