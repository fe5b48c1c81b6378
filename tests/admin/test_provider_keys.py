"""A provider's key can be written and removed, and is never seen again."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import override_settings

from tests.admin.conftest import CANARY, AdminClient, errors
from workers.models import Provider

ADD = "/admin/workers/provider/add/"


def change(provider: Provider) -> str:
    return f"/admin/workers/provider/{provider.pk}/change/"


def test_a_key_is_stored_encrypted(ada: AdminClient) -> None:
    ada.submit(ADD, name="Acme", base_url="http://127.0.0.1:9/v1", key=CANARY)
    provider = Provider.objects.get(name="Acme")
    assert provider.api_key == CANARY
    assert CANARY not in provider.encrypted_key


def test_a_key_is_on_no_page(ada: AdminClient, keyed_provider: Provider) -> None:
    pages = [
        ada.submit(change(keyed_provider), name="Acme 2", button="_continue"),
        ada.submit(change(keyed_provider), key=CANARY, button="_continue"),
        ada.submit(change(keyed_provider), key=CANARY, name=""),  # shown again with an error
        ada.get("/admin/workers/provider/"),
        ada.get(f"/admin/workers/provider/{keyed_provider.pk}/history/"),
        ada.get(f"/admin/workers/provider/{keyed_provider.pk}/delete/"),
        ada.get("/admin/admin/logentry/"),
        ada.get("/admin/"),
    ]
    keyed_provider.refresh_from_db()
    for page in pages:
        assert page.status_code == 200
        assert CANARY not in page.content.decode()
        assert keyed_provider.encrypted_key not in page.content.decode()
    assert "A key is stored" in pages[0].content.decode()


def test_a_key_is_in_no_record_and_no_dump(ada: AdminClient, keyed_provider: Provider) -> None:
    ada.submit(change(keyed_provider), key=CANARY + "-new")
    assert "Key" in LogEntry.objects.latest("pk").get_change_message()
    dump = io.StringIO()
    call_command("dumpdata", "workers", "admin", stdout=dump)
    assert "Acme" in dump.getvalue()
    assert CANARY not in dump.getvalue()


@override_settings(DEBUG=True)
def test_a_key_is_not_on_the_error_page(
    ada: AdminClient, keyed_provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(Provider, "save", break_down)
    ada.raise_request_exception = False
    page = ada.submit(change(keyed_provider), key=CANARY)
    assert page.status_code == 500
    assert "the disk is full" in page.content.decode()
    assert CANARY not in page.content.decode()


def test_an_empty_field_keeps_the_key(ada: AdminClient, keyed_provider: Provider) -> None:
    ada.submit(change(keyed_provider), name="Renamed")
    keyed_provider.refresh_from_db()
    assert (keyed_provider.name, keyed_provider.api_key) == ("Renamed", CANARY)


def test_a_key_can_be_replaced(ada: AdminClient, keyed_provider: Provider) -> None:
    ada.submit(change(keyed_provider), key="another")
    keyed_provider.refresh_from_db()
    assert keyed_provider.api_key == "another"


def test_a_key_can_be_removed(ada: AdminClient, keyed_provider: Provider) -> None:
    ada.submit(change(keyed_provider), forget_key="on")
    keyed_provider.refresh_from_db()
    assert keyed_provider.encrypted_key == ""


def test_a_key_cannot_be_replaced_and_removed_at_once(ada: AdminClient, keyed_provider: Provider) -> None:
    assert "Either" in errors(ada.submit(change(keyed_provider), forget_key="on", key="another"))


@pytest.mark.parametrize(
    "key", ["two words", "line\nbreak", "line\r\nX-Evil: 1", " padded", "padded\t", "ключ", "a\x7f"]
)
def test_a_key_that_no_header_can_carry_is_refused(ada: AdminClient, key: str) -> None:
    page = ada.submit(ADD, name="Acme", base_url="http://127.0.0.1:9/v1", key=key)
    assert "A key has no spaces" in errors(page)
    assert not Provider.objects.filter(name="Acme").exists()


def test_a_new_address_demands_the_key_again(ada: AdminClient, keyed_provider: Provider) -> None:
    page = ada.submit(change(keyed_provider), base_url="http://127.0.0.1:10/v1")
    assert "Enter the key again" in errors(page)
    keyed_provider.refresh_from_db()
    assert keyed_provider.base_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(("field", "value", "key"), [("key", "another", "another"), ("forget_key", "on", "")])
def test_a_new_address_is_taken_with_a_key_or_without_any(
    ada: AdminClient, keyed_provider: Provider, field: str, value: str, key: str
) -> None:
    ada.submit(change(keyed_provider), base_url="http://127.0.0.1:10/v1", **{field: value})
    keyed_provider.refresh_from_db()
    assert (keyed_provider.base_url, keyed_provider.api_key) == ("http://127.0.0.1:10/v1", key)


def test_a_provider_without_a_key_can_move(ada: AdminClient) -> None:
    provider = Provider.objects.create(name="Open", base_url="http://127.0.0.1:9/v1")
    ada.submit(change(provider), base_url="http://127.0.0.1:10/v1")
    provider.refresh_from_db()
    assert provider.base_url == "http://127.0.0.1:10/v1"


def test_the_kind_cannot_be_changed_later(ada: AdminClient, keyed_provider: Provider) -> None:
    ada.submit(change(keyed_provider), kind="transformers")
    keyed_provider.refresh_from_db()
    assert keyed_provider.kind == "openai"
