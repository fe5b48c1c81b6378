"""No page runs or loads anything that is not a file of this site."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from tests.pages import rows

INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|<[^>]*\s(?:style|on\w+)=|javascript:", re.IGNORECASE)
FOREIGN = re.compile(
    r"""<(?:script|link|img|iframe|source|use)[^>]*\s(?:src|href|srcset)=["']?(?:https?:)?//""", re.IGNORECASE
)


@pytest.fixture
def pages(client: Client, alice: Any) -> dict[str, Any]:
    """Every kind of page that people see, by name."""
    signed_out = {name: client.get(reverse("sign-in")) for name in ["sign-in"]}
    signed_out["link"] = client.get(reverse("sign-in-by-link", args=["nonsense"]))
    client.force_login(alice)
    turn = rows.turn(alice, answer="```python\nx = 1\n```\n\n| a |\n|--:|\n| 1 |")
    return signed_out | {
        "empty": client.get("/"),
        "conversation": client.get(reverse("conversation", args=[turn.conversation_id])),
        "missing": client.get("/nowhere/"),
    }


def test_the_policy_allows_files_of_this_site_only(pages: dict[str, Any]) -> None:
    for response in pages.values():
        policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
        assert policy["script-src"] == "'self'"
        assert policy["style-src"] == "'self'"
        assert policy["connect-src"] == "'self'"
        assert policy["img-src"] == "'self' data:"
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"


def test_no_cache_keeps_what_was_made_for_somebody(pages: dict[str, Any]) -> None:
    assert all("no-store" in pages[name]["Cache-Control"] for name in ("empty", "conversation"))


def test_no_page_has_inline_scripts_or_styles(pages: dict[str, Any]) -> None:
    for name, response in pages.items():
        content = response.content.decode()
        assert not INLINE.search(content), name
        assert not FOREIGN.search(content), name


@pytest.mark.parametrize(
    "template", ["400.html", "403.html", "403_csrf.html", "404.html", "413.html", "500.html", "503.html"]
)
def test_error_pages_need_nothing_to_be_shown(template: str) -> None:
    html = render_to_string(template)
    assert "Switchyard" in html
    assert not INLINE.search(html)


def test_scripts_never_build_code_from_text() -> None:
    for script in (settings.BASE_DIR / "chatsite/static/js").glob("*.js"):
        assert not re.search(r"\beval\(|new Function|document\.write|setTimeout\(['\"]", script.read_text()), (
            script.name
        )


def test_pages_are_compressed_and_their_length_tells_nothing(client: Client, alice: Any) -> None:
    client.force_login(alice)
    addresses = ("/", f"/c/{rows.turn(alice).conversation_id}/", "/search/?q=Hello")
    for address in addresses:
        answers = [client.get(address, headers={"Accept-Encoding": "gzip, br"}) for _ in range(8)]
        assert {answer["Content-Encoding"] for answer in answers} == {"gzip"}
        assert "<!doctype html>" in gzip.decompress(answers[0].content).decode()
        assert len({len(answer.content) for answer in answers}) > 1  # the same page, and yet
    assert "Content-Encoding" not in client.get("/")
