"""Every text of the interface in the language of the person, and a catalogue that lacks none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages import Catalog
from django.conf import settings
from django.test import Client
from django.utils import translation

from chatsite.accounts.models import Preferences
from scripts import messages
from tests.pages import rows
from tests.sessions import session_of

GERMAN = messages.LOCALE / "de" / "LC_MESSAGES" / "django.po"
IN_GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.8"}


@pytest.fixture(autouse=True)
def _in_english_again() -> Iterator[None]:
    yield
    translation.activate(settings.LANGUAGE_CODE)  # what a request chooses stays with its thread


@pytest.fixture(scope="module")
def german() -> Catalog:
    return messages.read(GERMAN)


def ids(catalogue: Catalog) -> set[Any]:
    return {(message.context, str(message.id)) for message in catalogue if message.id}


# --- The catalogue --------------------------------------------------------------------------------------------


def test_every_text_has_a_translation_and_no_translation_is_left_over(german: Catalog) -> None:
    wanted = ids(messages.collected())
    assert (None, "New conversation") in wanted, "the texts of templates and code are found"
    assert wanted - ids(german) == set(), "run make messages, and translate"
    assert ids(german) - wanted == set(), "run make messages"
    assert messages.untranslated(german) == []


def test_what_is_compiled_is_what_is_written(german: Catalog) -> None:
    assert GERMAN.with_suffix(".mo").read_bytes() == messages.compiled(german), "run make messages"


def forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, tuple | list) else (text,)


def test_translations_keep_what_is_filled_in_and_bring_no_markup_of_their_own(german: Catalog) -> None:
    for message in german:
        if not message.id:
            continue
        originals, translations = forms(message.id), forms(message.string)
        for pattern in (r"%\(\w+\)s", r"{\w*}", r'["<>&]'):
            wanted = {tuple(sorted(re.findall(pattern, text))) for text in originals}
            assert {tuple(sorted(re.findall(pattern, text))) for text in translations} <= wanted, message.id


# --- Whose language it is ---------------------------------------------------------------------------------------


def page(client: Client, address: str = "/", **headers: Any) -> str:
    return client.get(address, follow=True, **headers).content.decode()


def test_a_page_is_in_the_language_that_the_browser_asks_for(client: Client, alice: Any) -> None:
    assert '<html lang="en" dir="ltr">' in page(client)
    german = page(client, **IN_GERMAN)
    assert '<button class="text-button" name="language" value="en" lang="en">English</button>' in german
    assert '<html lang="de" dir="ltr">' in german
    assert "Anmelden" in german
    assert '<html lang="en"' in page(client, HTTP_ACCEPT_LANGUAGE="fr")
    client.force_login(alice)
    rows.revision()
    assert "Was kann ich für Sie tun?" in page(client, **IN_GERMAN)
    assert "Hier ist nichts" in page(client, "/nowhere/", **IN_GERMAN)


def test_a_choice_holds_in_this_browser_and_comes_along_to_the_next(client: Client, alice: Any) -> None:
    client.force_login(alice)
    rows.revision()
    turn = rows.turn(alice)
    address = f"/c/{turn.conversation_id}/"
    assert client.post("/language/", {"language": "de", "next": address})["Location"] == address
    assert "Neue Unterhaltung" in page(client, address)
    another = Client()
    another.post("/sign-in/", {"username": "alice", "password": "the rain in Spain"})
    assert "Neue Unterhaltung" in page(another)
    another.post("/language/", {"language": "en"})
    assert "New conversation" in page(another, **IN_GERMAN)
    assert Preferences.objects.get(user=alice).language == "en"


def test_before_signing_in_one_can_choose_too(client: Client) -> None:
    client.post("/language/", {"language": "de", "next": "/sign-in/"})
    assert "Anmelden" in page(client)


@pytest.mark.parametrize("language", ["", "xx", "../../etc", "de" * 50])
def test_what_is_no_language_changes_nothing(client: Client, alice: Any, language: str) -> None:
    client.force_login(alice)
    assert client.post("/language/", {"language": language, "next": "https://elsewhere.example/"})["Location"] == "/"
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
    assert not Preferences.objects.exists()
    assert client.get("/language/").status_code == 405


def test_the_admin_stays_in_one_language(client: Client, admin: Any) -> None:
    client.cookies[settings.SESSION_COOKIE_NAME] = session_of(admin)
    content = page(client, "/admin/", **IN_GERMAN)
    assert 'lang="en"' in content
    assert "Abmelden" not in content


def test_figures_are_written_as_in_the_language(client: Client, alice: Any, settings: Any) -> None:
    settings.MESSAGE_MAX_BYTES = 1_500_000
    client.force_login(alice)
    assert "Up to 1.5 MB" in page(client)
    assert "Bis zu 1,5 MB" in page(client, **IN_GERMAN)
