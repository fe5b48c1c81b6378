"""Requests to providers go to permitted addresses only, and carry nothing that is not theirs."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.backends.fake_provider import FakeProvider
from tests.backends.reading import read
from workers import addresses
from workers.backends import calls
from workers.backends.base import Run
from workers.backends.openai_compatible import OpenAICompatibleBackend
from workers.errors import BackendUnavailableError, ProviderRefusedError

RunOf = Callable[..., Run]
backend = OpenAICompatibleBackend()
INSIDE = [
    "http://169.254.169.254/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[fd00::1]/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://192.0.0.8/",
    "http://224.0.0.1/",
]
NO_PROVIDER = [
    "http://127.0.0.1:1\\@1.1.1.1/",
    "file:///etc/passwd",
    "gopher://1.1.1.1/",
    "ftp://1.1.1.1/",
    "unix:/run/redis.sock",
    "http://user:secret@1.1.1.1/",
    "http://1.1.1.1/ x",
    "http://1.1.1.1/\r\nHost: x",
    "http://[1.1.1.1/",
    "http://1.1.1.1:99999/",
    "http://",
    "//1.1.1.1/",
    "",
]


@pytest.mark.parametrize("url", INSIDE + NO_PROVIDER)
def test_private_and_strange_addresses_are_forbidden(settings: Any, run_of: RunOf, url: str) -> None:
    settings.PROVIDER_PRIVATE_HOSTS = []
    with pytest.raises(addresses.ForbiddenAddressError):
        addresses.check_url(url)
    with pytest.raises(ProviderRefusedError):
        read(backend, replace(run_of("x"), base_url=url))


@pytest.mark.parametrize("url", ["https://1.1.1.1/v1", "http://[2606:4700:4700::1111]:8080/v1"])
def test_public_addresses_are_permitted(settings: Any, url: str) -> None:
    settings.PROVIDER_PRIVATE_HOSTS = []
    addresses.check_url(url)


def test_an_operator_can_permit_a_host_and_port(settings: Any) -> None:
    settings.PROVIDER_PRIVATE_HOSTS = ["10.0.0.1:8080", "[::1]:*"]
    addresses.check_url("http://10.0.0.1:8080/v1")
    addresses.check_url("http://[::1]:1234/v1")
    with pytest.raises(addresses.ForbiddenAddressError, match=r"10\.0\.0\.1:80"):
        addresses.check_url("http://10.0.0.1/v1")


def test_a_name_that_has_changed_since_the_check_gains_nothing(
    provider: FakeProvider, run_of: RunOf, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PROVIDER_PRIVATE_HOSTS = []
    answers = ["93.184.216.34", "127.0.0.1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: _resolved(answers.pop(0)))
    url = f"http://rebinding.example:{provider.port}/v1"
    addresses.check_url(url)
    with pytest.raises(ProviderRefusedError, match="not a public address"):
        read(backend, replace(run_of("tokens1"), base_url=url))
    assert not provider.requests


def test_every_address_of_a_name_is_tried(
    provider: FakeProvider, run_of: RunOf, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PROVIDER_PRIVATE_HOSTS = ["several.example:*"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: _resolved("::1", "127.0.0.2", "127.0.0.1"))
    url = f"http://several.example:{provider.port}/v1"
    assert read(backend, replace(run_of("tokens1"), base_url=url))[0] == "t0 "


def test_a_redirect_is_not_followed(provider: FakeProvider, run_of: RunOf) -> None:
    with pytest.raises(ProviderRefusedError, match="redirects"):
        read(backend, run_of("redirect"))
    assert len(provider.requests) == 1


def test_the_environment_changes_nothing(
    provider: FakeProvider, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "OPENAI_API_KEY": "canary",
        "OPENAI_ADMIN_KEY": "canary",
        "OPENAI_ORG_ID": "canary",
        "OPENAI_PROJECT_ID": "canary",
        "OPENAI_CUSTOM_HEADERS": "X-Canary: canary\nAuthorization: canary",
    }.items():
        monkeypatch.setenv(name, value)
    read(backend, run_of("tokens1"))
    read(backend, run_of("tokens1", api_key="right"))
    without_key, with_key = ({**request.headers} for request in provider.chats)
    assert "canary" not in str(without_key) + str(with_key)
    assert "authorization" not in {name.lower() for name in without_key}
    assert with_key["authorization"] == "Bearer right"
    assert not [name for name in with_key if "stainless" in name.lower()]


@pytest.fixture
def trusting_anew() -> Iterator[Callable[[], None]]:
    """Makes this process look again whom to trust, as another one would; and so it does at the end."""
    yield calls._trust.cache_clear
    calls._trust.cache_clear()


def test_a_certificate_must_be_for_the_name_that_was_entered(
    run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusting_anew: Callable[[], None]
) -> None:
    certificate = _certificate_for("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting_anew()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with FakeProvider(tls) as provider:
        url = f"https://localhost:{provider.port}/v1"
        assert read(backend, replace(run_of("tokens1"), base_url=url))[0] == "t0 "
        with pytest.raises(BackendUnavailableError, match="certificate"):
            read(backend, replace(run_of("tokens1"), base_url=url.replace("localhost", "127.0.0.1")))
        monkeypatch.delenv("SSL_CERT_FILE")
        trusting_anew()
        with pytest.raises(BackendUnavailableError, match="certificate"):
            read(backend, replace(run_of("tokens1"), base_url=url + "/"))


def _resolved(*found: str) -> list[tuple[Any, ...]]:
    kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in found]
    return [(kind, socket.SOCK_STREAM, 6, "", (address, 0)) for kind, address in zip(kinds, found, strict=True)]


def _certificate_for(name: str, folder: Path) -> Path:
    """A file with a key and a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
