"""The reaper on duty makes rounds for whoever listens, and nothing that a listener does stops it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from workers import reaper
from workers.connections import client
from workers.reaper import Reaper, on_duty

pytestmark = pytest.mark.django_db(transaction=True)


class Listener:
    """Counts the rounds; raises on each if it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.rounds = threading.Semaphore(0)

    def hear(self, **_: Any) -> None:
        self.rounds.release()
        if self.error:
            raise self.error


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    on_duty.connect(listener.hear)
    try:
        yield listener
    finally:
        on_duty.disconnect(listener.hear)


@contextmanager
def running() -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Reaper().run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "SCAN_SECONDS", 0.05)
    monkeypatch.setattr(reaper, "ROUND_SECONDS", 0.05)


def test_a_listener_that_raises_stops_neither_the_others_nor_the_next_round() -> None:
    with listening(Listener(ValueError("broken"))) as broken, listening(Listener()) as sound, running():
        for _ in range(2):
            assert broken.rounds.acquire(timeout=20)
            assert sound.rounds.acquire(timeout=20)


def test_a_reaper_that_is_not_on_duty_makes_no_rounds() -> None:
    client().set("reaper", "somebody else")
    with listening(Listener()) as listener, running():
        assert not listener.rounds.acquire(timeout=0.5)
        client().delete("reaper")
        assert listener.rounds.acquire(timeout=20)
    assert not client().exists("reaper"), "the next one would have to wait"
