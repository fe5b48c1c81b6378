"""Probes tell the truth about one process, and need no host name, TLS or session."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.testing import HttpCommunicator
from django.conf import settings
from django.db import connection

from chatsite.asgi import application
from chatsite.chat.threads import in_thread
from chatsite.operations import readiness
from tests import processes
from tests.environment import free_port
from tests.launch.production import GOOD, python
from workers.connections import client, looking_key

EVIL = [(b"host", b"evil.example")]


async def _get(path: str, method: str = "GET") -> dict[str, Any]:
    response: dict[str, Any] = await HttpCommunicator(application, method, path, headers=EVIL).get_response(timeout=30)
    return response


async def test_a_living_process_says_so() -> None:
    response = await _get("/healthz")
    assert (response["status"], response["body"]) == (200, b"ok\n")
    assert (b"cache-control", b"no-store") in response["headers"]


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        (b"transfer-encoding", b"chunked", 411),
        (b"content-length", b"51000001", 413),
        (b"content-length", b"9" * 5000, 413),
        (b"content-length", b"-1", 411),
    ],
)
async def test_what_is_too_long_or_does_not_say_how_long_it_is_is_not_read(
    header: bytes, value: bytes, status: int
) -> None:
    host = (b"host", settings.ALLOWED_HOSTS[0].encode())
    request = HttpCommunicator(application, "POST", "/sign-in/", body=b"x", headers=[host, (header, value)])
    assert (await request.get_response(timeout=30))["status"] == status
    assert not request.input_queue.empty()


@pytest.mark.django_db(transaction=True)
async def test_a_process_whose_servers_answer_is_ready() -> None:
    response = await _get("/readyz")
    assert response["status"] == 200
    assert json.loads(response["body"]) == {"database": "ok", "redis": "ok", "migrations": "ok"}


@pytest.mark.django_db(transaction=True)
async def test_a_process_that_has_much_to_do_is_ready() -> None:
    """Whoever takes it out of service gives its load to others, which have as much to do."""
    is_over = threading.Event()
    waiting = [asyncio.ensure_future(in_thread(is_over.wait)()) for _ in range(16)]  # whichever database it is
    await asyncio.sleep(0)  # they begin
    try:
        assert (await _get("/readyz"))["status"] == 200
    finally:
        is_over.set()
    assert all(await asyncio.gather(*waiting))


async def test_probes_are_only_asked() -> None:
    assert (await _get("/healthz", "HEAD"))["body"] == b""
    assert (await _get("/healthz", "POST"))["status"] == 405


@pytest.fixture
def _a_migration_is_missing(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(readiness, "_is_up_to_date", False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = 'elsewhere' WHERE app = 'routing'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = 'routing' WHERE app = 'elsewhere'")


@pytest.mark.usefixtures("_a_migration_is_missing")
async def test_a_process_that_is_newer_than_its_database_is_not_ready() -> None:
    response = await _get("/readyz")
    assert response["status"] == 503
    said = {"database": "ok", "redis": "ok", "migrations": "not all applied: run manage.py migrate"}
    assert json.loads(response["body"]) == said


def _ask(port: int, path: str) -> tuple[int, str]:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asking.request("GET", path)
    response = asking.getresponse()
    return response.status, response.read().decode()


@pytest.mark.processes
def test_a_process_without_its_servers_lives_and_is_not_ready(tmp_path: Path) -> None:
    """In production: neither ALLOWED_ORIGINS nor TLS stands in the way of a probe, and no secret is told."""
    port, nobody = free_port(), free_port()
    servers = {
        "REDIS_URL": f"redis://:secret@127.0.0.1:{nobody}/0",
        "DATABASE_URL": f"postgresql://me:secret@127.0.0.1:{nobody}/x",
    }
    (tmp_path / "with_static_files.py").write_text(
        f"from chatsite.settings import *\nSTATIC_ROOT = {str(tmp_path)!r}\n"
    )
    (tmp_path / "staticfiles.json").write_text('{"version": "1.1", "paths": {"a.css": "a.1.css"}, "hash": ""}')
    site = {"DJANGO_SETTINGS_MODULE": "with_static_files", "PYTHONPATH": str(tmp_path), "VAR_DIR": str(tmp_path)}
    command = ["-m", "uvicorn", "chatsite.asgi:application", "--port", str(port), "--no-access-log"]
    process = processes.Process(*command, "--lifespan", "on", **{**GOOD, **servers, **site})
    try:

        def lives() -> bool:
            try:
                return _ask(port, "/healthz") == (200, "ok\n")
            except OSError:
                assert process.is_running(), process.log.read_text()
                return False

        processes.wait_until(lives, 60, "the web server")
        status, body = _ask(port, "/readyz")
    finally:
        process.stop()
    assert status == 503
    assert set(json.loads(body).values()) == {"does not answer"}
    assert "readyz" not in process.log.read_text()


# --- Containers: deploy/healthcheck.py ----------------------------------------------------------------------------


def _check(*arguments: str, **environ: str) -> tuple[int, str]:
    done = python("deploy/healthcheck.py", *arguments, folder=Path(settings.VAR_DIR), **environ)
    return done.returncode, done.stderr.strip()


def test_a_container_of_workers_is_well_while_one_serves_its_queue() -> None:
    redis = {"REDIS_URL": settings.REDIS_URL}
    away = f"postgresql://me:secret@127.0.0.1:{free_port()}/x"
    with processes.pretended_worker(f"{socket.gethostname()}:1", queues=["remote"]):
        assert _check("worker", "remote", **redis) == (0, "")
        assert _check("worker", "local", **redis) == (1, "No worker process here serves the queue local.")
        assert _check("worker", "remote", **redis, DATABASE_URL=away) == (1, "The database does not answer.")
    with processes.pretended_worker(f"{socket.gethostname()}:1", queues=["remote"], is_draining=True):
        assert _check("worker", "remote", **redis)[0] == 1
    with processes.pretended_worker("another-host:1", queues=["remote"]):
        assert _check("worker", "remote", **redis)[0] == 1


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_container_of_a_reaper_is_well_while_it_looks() -> None:
    redis = {"REDIS_URL": settings.REDIS_URL}
    with processes.reaper():
        processes.wait_until(lambda: client().exists(looking_key(socket.gethostname())), 30, "the reaper to look")
        assert _check("reaper", **redis) == (0, "")
    client().delete(looking_key(socket.gethostname()))
    assert _check("reaper", **redis)[0] == 1


def test_a_container_without_redis_is_not_well() -> None:
    away = {"REDIS_URL": f"redis://:secret@127.0.0.1:{free_port()}/0"}
    assert _check("reaper", **away) == (1, "Redis does not answer.")


@pytest.mark.usefixtures("_web")
def test_a_container_of_the_site_asks_its_own_process() -> None:
    assert _check("web", PORT=str(settings.PORT)) == (0, "")
    assert _check("web", PORT=str(free_port())) == (1, "The web process does not answer.")
