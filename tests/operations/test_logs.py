"""Lines of the log: readable by programs in production, and never with a secret in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.launch.production import GOOD, python

# Everything that must not be seen contains one of these words.
CANARIES = ("canary", "secret@")
PROGRAM = """
import logging, django
django.setup()
from django.conf import settings
from workers import secrets
from workers.logs import about
log = logging.getLogger("the.test")
stored = secrets.encrypt("an-odd-key:canary-1")
with about(reply_id="0b5e"):
    log.info("The key is %s.", secrets.decrypt(stored))
log.warning("Authorization: Bearer canary-2-bearer, and then {'api-key': 'canary-3-quoted'} is sent")
log.warning("password=canary-4-password sk-canary-5-looks-like-one")
log.warning("%s %s %s", settings.REDIS_URL, settings.SECRET_KEY, settings.DATABASES["default"]["PASSWORD"])
log.warning("The relay was given %s.", settings.EMAIL_HOST_PASSWORD)
log.warning("postgresql://somebody:canary-6-url@db/chat is the address", extra={"note": "Bearer canary-7-extra"})
log.warning("Odd fields", extra={"secret": None, "facts": {"api_key": "canary-9-nested"}, "password": 7})
try:
    raise ValueError("the provider said: your key hf_canary8 is wrong")
except ValueError:
    log.exception("It failed")
logging.getLogger("uvicorn.error").error("A line of the server")
"""


def _lines(folder: Path, **environ: str) -> list[str]:
    secrets = {"SECRET_KEY": "canary-secret-key" * 4, "DATABASE_URL": "postgresql://me:odd%40canary@db/chat"}
    secrets |= {"EMAIL_URL": "smtps://me:mail%40canary@mail.example.org"}
    site = {**GOOD, **secrets, "DJANGO_SETTINGS_MODULE": "chatsite.settings", **environ}
    done = python("-c", PROGRAM, folder=folder, **site)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize("form", ["json", "line"])
def test_no_secret_stands_in_a_line(tmp_path: Path, form: str) -> None:
    text = "\n".join(_lines(tmp_path, LOG_FORMAT=form))
    assert not [word for word in CANARIES if word in text], text
    assert "Authorization: [secret], and then" in text
    assert "://somebody:[secret]@db/chat is the address" in text


def test_in_production_every_line_is_an_object(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in _lines(tmp_path)]
    first, *_, odd, failed, server = lines
    assert first["level"] == "INFO"
    assert first["logger"] == "the.test"
    assert first["reply_id"] == "0b5e"
    assert first["time"].endswith("+00:00")
    assert "reply_id" not in lines[1]
    assert (odd["secret"], odd["password"], odd["facts"]) == (None, 7, "{'api_key': '[secret]'}")
    assert failed["message"] == "It failed"
    assert "ValueError: the provider said" in failed["traceback"]
    assert server["message"] == "A line of the server"


def test_a_developer_reads_lines(tmp_path: Path) -> None:
    first, *_ = _lines(tmp_path, LOG_FORMAT="line")
    assert first.endswith("INFO the.test The key is [secret]. reply_id=0b5e")
