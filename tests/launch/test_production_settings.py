"""In production, what the environment tells to be missing or unsafe stops the start with a sentence."""

from __future__ import annotations

import ast
import os
import runpy
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from environs.exceptions import EnvError

from tests.launch.production import GOOD, SECRET, given, python
from tests.processes import ROOT

SHOWN = (
    "from chatsite import settings; "
    "print(settings.ALLOWED_ORIGINS, settings.DATABASES['default']['PASSWORD'], settings.ENCRYPTION_KEYS)"
)
OPTIONS = "from chatsite import settings; print(settings.DATABASES['default']['OPTIONS'])"
BROKER = (
    "from chatsite.settings import *; print(CELERY_BROKER_URL, CELERY_WORKER_DISABLE_PREFETCH, CELERY_TASK_ACKS_LATE, "
    "f'first={RETRY_PRIORITY} then={CELERY_TASK_DEFAULT_PRIORITY}', *CELERY_BROKER_USE_SSL.items())"
)


def test_lists_and_addresses_are_read_as_people_write_them(tmp_path: Path) -> None:
    done = python("-c", SHOWN, folder=tmp_path, **GOOD, ENCRYPTION_KEYS=f"{SECRET}a, {SECRET}b,")
    origins = ["https://chat.example.org", "https://chat.example.com:8443"]
    assert done.stdout.strip() == f"{origins} p@ss {[f'{SECRET}a', f'{SECRET}b']}"


def test_without_encryption_keys_the_secret_key_serves(tmp_path: Path) -> None:
    assert f"['{SECRET}']" in python("-c", SHOWN, folder=tmp_path, **GOOD, ENCRYPTION_KEYS="").stdout


def test_a_database_that_says_nothing_any_more_is_given_up_and_its_address_may_have_options(tmp_path: Path) -> None:
    url = f"{GOOD['DATABASE_URL']}?sslmode=verify-full&connect_timeout=9"
    options = ast.literal_eval(python("-c", OPTIONS, folder=tmp_path, **{**GOOD, "DATABASE_URL": url}).stdout)
    assert options["sslmode"] == "verify-full"
    assert options["connect_timeout"] == "9"
    assert options["tcp_user_timeout"] <= 10_000


@pytest.mark.parametrize(
    ("broker", "told"),
    [
        ("", "redis://:secret@redis:6379/0 True False first=0 then=5"),
        ("redis://:other@queues:6379/0", "redis://:other@queues:6379/0 True False first=0 then=5"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock True False first=0 then=5"),
        ("amqp://me:secret@rabbitmq/", "amqp://me:secret@rabbitmq/ False True first=5 then=0"),
        (
            "rediss://:other@queues/0",
            "rediss://:other@queues/0 True False first=0 then=5 ('ssl_cert_reqs', <VerifyMode.CERT_REQUIRED: 2>)",
        ),
        (
            "amqps://me:secret@rabbitmq/chat",
            "amqps://me:secret@rabbitmq/chat False True first=5 then=0 "
            "('cert_reqs', <VerifyMode.CERT_REQUIRED: 2>) ('server_hostname', 'rabbitmq')",
        ),
    ],
)
def test_one_setting_chooses_the_broker(tmp_path: Path, broker: str, told: str) -> None:
    done = python("-c", BROKER, folder=tmp_path, **GOOD, BROKER_URL=broker)
    assert done.stdout.strip() == told, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "", "Set SECRET_KEY"),
        ("SECRET_KEY", "short", "SECRET_KEY is too short"),
        ("SECRET_KEY", f"django-insecure-{SECRET}", "SECRET_KEY can be guessed"),
        ("SECRET_KEY", "ab" * 40, "SECRET_KEY can be guessed"),
        ("DEBUG", "1", "DEBUG is on and ALLOWED_ORIGINS names https://chat.example.org"),
        ("ENCRYPTION_KEYS", "short", "A key of ENCRYPTION_KEYS is too short"),
        ("ALLOWED_ORIGINS", "", "Set ALLOWED_ORIGINS"),
        ("ALLOWED_ORIGINS", "*", "exact origins"),
        ("ALLOWED_ORIGINS", "https://*.example.org", "exact origins"),
        ("ALLOWED_ORIGINS", "https://.example.org", "exact origins"),
        ("ALLOWED_ORIGINS", "https://chat.example.org/", "exact origins"),
        ("ALLOWED_ORIGINS", "https://", "exact origins"),
        ("ALLOWED_ORIGINS", "https://chat.example.org:x", "exact origins"),
        ("ALLOWED_ORIGINS", "https://[chat.example.org", "exact origins"),
        ("ALLOWED_ORIGINS", "https://bücher.example.org", "as browsers send them (xn--…)"),
        ("REDIS_URL", "", "Set REDIS_URL"),
        ("REDIS_URL", "redis://redis:6379/0", "REDIS_URL has no password"),
        ("REDIS_URL", "nonsense", "REDIS_URL takes redis://"),
        ("REDIS_URL", "redis://:sec[ret@redis:6379/0", "REDIS_URL takes redis://"),
        ("BROKER_URL", "amqp://rabbitmq/", "BROKER_URL has no password"),
        ("BROKER_URL", "redis://redis/", "BROKER_URL has no password"),
        ("BROKER_URL", "kafka://me:secret@kafka", "BROKER_URL takes redis://"),
        ("BROKER_URL", "amqp://me:secret@rabbitmq:x/", "BROKER_URL takes redis://"),
        ("DATABASE_URL", "mysql://me@db/chat", "DATABASE_URL takes postgresql://"),
        ("DATABASE_URL", "postgresql://me@db:x/chat", "DATABASE_URL takes postgresql://"),
        ("DATABASE_URL", "postgresql://me:sec[ret@db/chat", "DATABASE_URL takes postgresql://"),
        ("DATABASE_URL", "postgresql://me:s@c/ret@db/chat", "in the password @ is %40 and / is %2F"),
        ("DATABASE_URL", "postgresql://me:secret@db", "DATABASE_URL takes postgresql://"),
        ("EMAIL_URL", "smtp://[mail", "EMAIL_URL takes smtp://"),
        ("LEASE_SECONDS", "0", '"LEASE_SECONDS" invalid'),
        ("MAX_ATTEMPTS", "0", '"MAX_ATTEMPTS" invalid'),
        ("MESSAGE_MAX_BYTES", "50000000", '"MESSAGE_MAX_BYTES" invalid'),
        ("PROVIDER_PRIVATE_HOSTS", "10.0.0.5:8080, http://ollama:11434", "PROVIDER_PRIVATE_HOSTS takes host:port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT takes an address"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "OTEL_EXPORTER_OTLP_ENDPOINT takes an address"),
        ("EMAIL_FROM", "Chat", "EMAIL_FROM takes one address"),
        ("EMAIL_FROM", "Chat, the team <chat@example.org>", "EMAIL_FROM takes one address"),
        ("PORT", "0", '"PORT" invalid'),
        ("LOG_LEVEL", "LOUD", '"LOG_LEVEL" invalid'),
    ],
)
def test_what_is_missing_or_unsafe_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setattr(os, "environ", given(tmp_path, **{**GOOD, name: value}))
    with pytest.raises((ImproperlyConfigured, EnvError)) as stopped:
        runpy.run_path(str(ROOT / "chatsite" / "settings.py"))
    assert sentence in str(stopped.value)


@pytest.mark.parametrize(
    ("options", "environ", "sentence"),
    [
        ([], {**GOOD, "SECRET_KEY": ""}, "Set SECRET_KEY: with DEBUG=0 it has no default. See docs/settings.md."),
        ([], {"PORT": "x"}, 'Environment variable "PORT" invalid: Not a valid integer.'),
        ([], {"SQLITE_PATH": ""}, "The database cannot be used: no such table"),  # that of VAR_DIR, which is new
        (["-S"], {}, "This Python has no package django. Use .venv/bin/python"),
    ],
)
def test_commands_end_with_the_sentence_alone(
    tmp_path: Path, options: list[str], environ: dict[str, str], sentence: str
) -> None:
    done = python(*options, "manage.py", "sign_in_link", folder=tmp_path, **environ)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
