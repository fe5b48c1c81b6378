"""An address that leads inside, or is none, is refused when it is entered."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.admin.conftest import AdminClient, errors
from workers.models import Provider

FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:a9fe:a9fe]/v1",
    "http://2130706433/v1",
    "http://0177.0.0.1/v1",
    "http://0x7f.1/v1",
    "http://127.1/v1",
    "http://127.0.0.1\\@1.1.1.1/v1",
    "http://[64:ff9b::7f00:1]/v1",
    "http://[2002:7f00:1::]/v1",
    "http://100.64.0.1/v1",
    "http://10.0.0.5:6379/v1",
    "http://user:secret@example.org/v1",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
    "ftp://example.org/v1",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "https://1.1.1.1/v1?api-version=preview",
    "https://1.1.1.1/v1#models",
    "example.org/v1",
    "http://",
    "",
]


@override_settings(PROVIDER_PRIVATE_HOSTS=[])
@pytest.mark.parametrize("address", FORBIDDEN)
def test_it_is_refused(ada: AdminClient, address: str) -> None:
    page = ada.submit("/admin/workers/provider/add/", name="Acme", base_url=address)
    assert "base_url" in errors(page)
    assert not Provider.objects.filter(name="Acme").exists()


def test_the_reason_says_what_an_operator_can_do(ada: AdminClient) -> None:
    page = ada.submit("/admin/workers/provider/add/", name="Acme", base_url="http://10.0.0.5:8080/v1")
    assert "PROVIDER_PRIVATE_HOSTS=10.0.0.5:8080" in errors(page)


def test_a_model_of_our_own_has_no_address(ada: AdminClient) -> None:
    page = ada.submit(
        "/admin/workers/provider/add/", name="Ours", kind="transformers", base_url="http://127.0.0.1:9/v1"
    )
    assert "Leave this empty" in errors(page)
