"""The database is away, locked, or its disk is full: rows 17 and 18."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, connections
from django.http import Http404
from django.test import override_settings

from chatsite.chat import branches, turns
from chatsite.documents import attachments
from chatsite.documents.models import Attachment
from faults.installation import Hit, Installation, installation
from faults.pages import Browser
from faults.recording import Record, Scaled
from faults.runs import Load, perform, sessions, until_busy
from faults.tabs import Tab
from tests.environment import RedisServer, free_port
from workers.connections import client

IS_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
DISK_MIB = 20


def running(made: Installation) -> set[str]:
    return set().union(*(part.running() for part in made.remotes))


@pytest.mark.database
def test_row_17_the_database_is_away_when_answers_end(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    """It is taken away a moment before the answers end, so that their ends have to wait for it."""

    async def take_away(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        await asyncio.sleep(3)
        hit = Hit(time.monotonic(), running(made))
        if IS_SQLITE:
            await asyncio.to_thread(_lock_sqlite, scaled(15, 15))
        else:
            from faults.settings import postgres

            await asyncio.to_thread(postgres.stop)
            await asyncio.sleep(scaled(20, 8))
            await asyncio.to_thread(postgres.start)
        return [hit]

    load = Load(tabs=scaled(100, 10), tokens=60, gap_ms=100)
    with installation(remotes=2, concurrency=64) as made:
        run = perform(made, upstream, load, take_away, seed)
    record(17, "database locked" if IS_SQLITE else "database stopped", run.figures())
    run.must_be_clean()
    assert run.busy_hits


@pytest.mark.database
def test_who_sends_files_and_who_releases_them_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a message are held while others of it are read, and one of those ends as the message is sent."""
    person = get_user_model()._default_manager.create(username="sender")
    turns.submit(person, text="An answer that is open")
    files = [attachments.add(person, SimpleUploadedFile(f"{name}.txt", name.encode())) for name in "abcd"]
    reading = _when_sending(monkeypatch, attachments, "attach", lambda: _read(files[0]))
    turns.submit(person, text="Summarise these", files=[str(file.pk) for file in files[1:]])
    reading.result()
    Attachment.release_held(person.pk)  # as the reaper does where somebody was passed over
    assert Attachment.all_open().filter(released_at=None).count() == 1


@pytest.mark.database
def test_a_file_that_is_taken_away_while_it_is_sent_stays_with_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    person = get_user_model()._default_manager.create(username="sender")
    file = attachments.add(person, SimpleUploadedFile("a.txt", b"Words."))
    removing = _when_sending(
        monkeypatch, attachments, "attach", lambda: attachments.remove(person, attachment_id=file.pk)
    )
    sent = turns.submit(person, text="Summarise this", files=[str(file.pk)]).message
    with pytest.raises(Http404):
        removing.result()
    assert Attachment.objects.get().message == sent


@pytest.mark.database
def test_of_two_tabs_that_send_at_once_one_comes_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    person = get_user_model()._default_manager.create(username="sender")
    conversation = turns.submit(person, text="First").conversation
    send = partial(turns.submit, person, conversation_id=conversation.pk)
    sending = _when_sending(monkeypatch, turns, "admit", lambda: send(text="In the other tab"))
    send(text="In this tab")
    sending.result()
    conversation.refresh_from_db()
    assert len(branches.Tree(conversation).branch()) == conversation.messages.count() == 6


def _when_sending(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, do: Callable[[], Any]) -> Future[Any]:
    """`do`, in another transaction, when a message that is sent has come to this function.

    The message waits until it is done, or waits for the message; in SQLite it does that from the beginning.
    """
    function, pool, result = getattr(module, name), ThreadPoolExecutor(1), Future[Any]()

    def function_and_more(*arguments: Any) -> Any:
        monkeypatch.undo()
        done = function(*arguments)
        pool.submit(_fulfil, result, do)
        while not IS_SQLITE and not result.done() and not _somebody_waits():
            time.sleep(0.01)
        return done

    monkeypatch.setattr(module, name, function_and_more)
    return result


def _fulfil(result: Future[Any], do: Callable[[], Any]) -> None:
    try:
        result.set_result(do())
    except Exception as error:
        result.set_exception(error)
    finally:
        connections.close_all()


def _read(file: Attachment) -> None:
    claimed = Attachment.claim(file.pk, 1)
    assert claimed
    assert claimed.close("done", text="Words.")


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone())


def _lock_sqlite(seconds: float) -> None:
    database = sqlite3.connect(settings.DATABASES["default"]["NAME"], timeout=30, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    time.sleep(seconds)
    database.execute("ROLLBACK")
    database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(["mount", *options]).returncode:
        pytest.fail("row 18 mounts a small disk, which takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def database_at(path: Path) -> Iterator[None]:
    """The suite's own process, and those that it starts meanwhile, use another SQLite file."""
    usual = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = str(path)
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = usual


@contextmanager
def redis_at(folder: Path) -> Iterator[str]:
    """Another Redis, which keeps its data there, in the place of the suite's; its address, for processes."""
    server = RedisServer(free_port(), str(folder))
    url = f"redis://127.0.0.1:{server.port}/0"
    try:
        with override_settings(REDIS_URL=url):
            client.cache_clear()
            yield url
    finally:
        client.cache_clear()
        server.kill()


def fill(folder: Path) -> Path:
    """Write until nothing more fits; the file that takes all the room."""
    filling = folder / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (100_000, 1_000, 1):
            try:
                while True:
                    if file.write(b"x" * size) < size:
                        break
            except OSError:
                continue
    return filling


def test_row_18_the_disk_of_the_database_is_full(
    small_disk: Path, seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    path, statuses = small_disk / "switchyard.sqlite3", []

    async def fill_disk(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        await asyncio.sleep(2)
        hit = Hit(time.monotonic(), running(made))
        filling = fill(small_disk)
        for _ in range(30):  # SQLite has some room left in files that it has made before
            statuses.append(await asyncio.to_thread(Browser(key, made.ports[0]).send, "word " * 80_000))
            if statuses[-1] != 302:
                break
        await asyncio.sleep(scaled(20, 3))
        filling.unlink()
        return [hit]

    with database_at(path):
        call_command("migrate", verbosity=0)
        call_command("load_defaults", verbosity=0)
        key = sessions(1, "poster")[0]
        load = Load(tabs=scaled(50, 10), tokens=60, gap_ms=100)
        with installation(remotes=1, concurrency=64) as made:
            run = perform(made, upstream, load, fill_disk, seed)
        run.must_be_clean()
        with connection.cursor() as cursor:
            found = cursor.execute("PRAGMA integrity_check").fetchall()
    figures = {"integrity": found[0][0], "posts meanwhile": str(sorted(set(statuses)))}
    record(18, "disk of the database full", {**run.figures(), **figures})
    assert found == [("ok",)]
    assert set(statuses) & {503, 507}, "the disk was never full"
    assert set(statuses) <= {302, 503, 507}


def test_row_18_the_disk_of_redis_is_full(
    small_disk: Path, seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    """With a Redis of its own, whose append-only file is on the small disk."""

    async def fill_disk(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await asyncio.sleep(5)
        filling = await asyncio.to_thread(fill, small_disk)
        await asyncio.sleep(scaled(20, 6))
        filling.unlink()
        return [Hit(time.monotonic(), {"redis"})]

    load = Load(tabs=scaled(50, 10), tokens=150, gap_ms=100)
    with redis_at(small_disk) as url, installation(remotes=1, concurrency=64, REDIS_URL=url) as made:
        run = perform(made, upstream, load, fill_disk, seed)
        record(18, "disk of Redis full", run.figures())
        run.must_be_clean()
