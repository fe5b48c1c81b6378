"""Web, workers and reaper refuse to start over a Redis or a database that would lose answers, and say what to set."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from chatsite.operations.checks import check_redis
from chatsite.operations.lifespan import lifespan
from tests.environment import RedisServer, free_port
from tests.launch.production import GOOD, given, python
from tests.processes import ROOT

Settings = dict[str, str]
Start = Callable[..., Settings]

CHECK = ("manage.py", "check", "--deploy", "--tag", "start", "--fail-level", "ERROR")
PROCESSES = {
    "web": "-m uvicorn chatsite.asgi:application --port {port} --lifespan on --log-level warning",
    "worker": "-m celery --quiet -A chatsite worker -Q remote -n remote@test --pool threads --concurrency 1",
    "reaper": "manage.py reaper",
}
NO_AOF = "writes no append-only file, so a restart loses what is queued and being written. Set appendonly yes"
EVICTS = "evicts keys when its memory is full (allkeys-lru), and queues and answers are such keys. Set maxmemory-policy"


@pytest.fixture
def production(tmp_path: Path, db: None) -> Iterator[Start]:
    """The settings of a production site whose database is up to date and whose Redis is started with options."""
    servers = []

    def start(*options: str, **more: str) -> Settings:
        port = free_port()
        servers.append(RedisServer(port, str(tmp_path), *options, password="secret"))
        site = {name: value for name, value in GOOD.items() if name != "DATABASE_URL"}
        database = {"SQLITE_PATH": str(settings.DATABASES["default"]["NAME"])}
        return {**site, **database, "REDIS_URL": f"redis://:secret@127.0.0.1:{port}/0", **more}

    yield start
    for server in servers:
        server.kill()


@pytest.mark.processes
def test_no_process_starts_over_what_would_lose_answers(tmp_path: Path, production: Start) -> None:
    environ = production(
        *("--appendonly", "no", "--maxmemory-policy", "allkeys-lru"), SQLITE_PATH=str(tmp_path / "empty.sqlite3")
    )
    starting = {
        name: subprocess.Popen(
            [sys.executable, *command.format(port=free_port()).split()],
            cwd=ROOT,
            env=given(tmp_path, **environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in PROCESSES.items()
    }
    for name, process in starting.items():
        said = process.communicate(timeout=60)[0].replace("\n\tHINT:", "")
        assert process.returncode, name
        assert NO_AOF in said, name
        assert EVICTS in said, name
        assert "The database lacks migrations of this version" in said, name
        assert "Run manage.py migrate first" in said, name


@pytest.mark.django_db(transaction=True)
async def test_a_web_process_in_production_does_not_start_without_static_files(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {"staticfiles": {"BACKEND": "chatsite.static_files.HashedStaticFilesStorage"}}
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        told.append(message)

    await lifespan({"type": "lifespan"}, receive, send)
    (refusal,) = told
    assert refusal["type"] == "lifespan.startup.failed"
    assert "Run manage.py collectstatic first" in refusal["message"]


@pytest.mark.parametrize("option", ["colour=blue", "socket_timeout=long"])
def test_an_option_that_no_redis_takes_is_told(settings: Any, option: str) -> None:
    settings.REDIS_URL = f"{settings.REDIS_URL}?{option}"
    (refusal,) = [message for message in check_redis() if message.is_serious()]
    assert refusal.hint == "Correct what follows the question mark in REDIS_URL."


def test_good_servers_pass_every_check_for_deployment(tmp_path: Path, production: Start) -> None:
    done = python("manage.py", "check", "--deploy", "--fail-level", "WARNING", folder=tmp_path, **production())
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_a_developer_is_only_warned(tmp_path: Path, production: Start) -> None:
    environ = production("--appendonly", "no", "--maxmemory-policy", "volatile-lru", DEBUG="1", ALLOWED_ORIGINS="")
    done = python(*CHECK, folder=tmp_path, **environ)
    assert done.returncode == 0, done.stderr
    assert "writes no append-only file" in done.stderr
    assert "evicts keys" in done.stderr


def test_servers_that_are_away_are_waited_for(tmp_path: Path) -> None:
    away = {**GOOD, "REDIS_URL": f"redis://:secret@127.0.0.1:{free_port()}/0"}
    away["DATABASE_URL"] = f"postgresql://me:secret@127.0.0.1:{free_port()}/chat"
    done = python(*CHECK, folder=tmp_path, **away)
    assert done.returncode == 0, done.stderr
    assert "The Redis of REDIS_URL (127.0.0.1) could not be asked, so it was not checked: Error 111" in done.stderr
    assert "The database could not be asked, so it was not checked: connection failed" in done.stderr
    assert "secret" not in done.stderr


def test_an_account_that_is_not_let_in_or_may_not_subscribe_is_told(tmp_path: Path, production: Start) -> None:
    environ = production()
    wrong = environ["REDIS_URL"].replace(":secret", ":another")
    done = python(*CHECK, folder=tmp_path, **environ | {"REDIS_URL": wrong})
    assert done.returncode
    assert "The Redis of REDIS_URL (127.0.0.1) does not let this process in: invalid username-password" in done.stderr
    assert "another" not in done.stderr
    with redis.Redis.from_url(environ["REDIS_URL"]) as admin:
        admin.execute_command("ACL SETUSER limited on >word allkeys +@all resetchannels")
    done = python(
        *CHECK, folder=tmp_path, **environ | {"REDIS_URL": environ["REDIS_URL"].replace(":secret", "limited:word")}
    )
    assert done.returncode
    assert "The Redis of REDIS_URL (127.0.0.1) lets nobody subscribe." in done.stderr
    assert "the channels alive:*" in done.stderr


def test_another_redis_for_the_queues_is_checked_too(tmp_path: Path, production: Start) -> None:
    sound, unsound = production(), production("--appendonly", "no")
    done = python(*CHECK, folder=tmp_path, **sound, BROKER_URL=unsound["REDIS_URL"])
    assert done.returncode
    assert "The Redis of BROKER_URL (127.0.0.1) writes no append-only file" in done.stderr


def test_a_redis_that_is_too_old_is_told(tmp_path: Path, production: Start) -> None:
    class OldRedis(socketserver.StreamRequestHandler):
        """Speaks as much of the protocol as a client needs to hear a version, and says nothing of memory or files."""

        def handle(self) -> None:
            while line := self.rfile.readline():
                words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
                facts = b"redis_version:5.0.14\r\n"
                is_info = words[0].upper() == b"INFO"
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(facts), facts) if is_info else b"-ERR unknown command\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OldRedis) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"redis://127.0.0.1:{server.server_address[1]}/0"
        done = python(*CHECK, folder=tmp_path, **production(DEBUG="1", ALLOWED_ORIGINS=""), BROKER_URL=url)
        server.shutdown()
    assert done.returncode
    assert "The Redis of BROKER_URL (127.0.0.1) is version 5.0.14." in done.stderr
    assert "Upgrade it to 6.2 or later." in done.stderr
    assert "The Redis of BROKER_URL (127.0.0.1) writes no append-only file" in done.stderr
