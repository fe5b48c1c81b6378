"""Cancelling lets go of the provider whatever it is doing, and the provider notices."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import psutil
import pytest

from tests.backends.fake_provider import WAIT_SECONDS, FakeProvider
from tests.backends.reading import read, read_until_cancelled
from workers.backends.base import Cancellation, Outcome, Run
from workers.backends.openai_compatible import OpenAICompatibleBackend

RunOf = Callable[..., Run]
backend = OpenAICompatibleBackend()


@pytest.mark.parametrize("model", ["hang", "hang3", "thinking2-hang0"])
def test_cancelling_wakes_a_reader_whom_nothing_reaches(provider: FakeProvider, run_of: RunOf, model: str) -> None:
    def once_silent() -> None:
        assert provider.wait_for_requests(1)[0].fell_silent.wait(WAIT_SECONDS)

    read_until_cancelled(backend, run_of(model), when=once_silent)
    assert provider.chats[0].hung_up.wait(WAIT_SECONDS)


@pytest.mark.parametrize("model", ["comments", "endless"])
def test_cancelling_ends_a_stream_that_goes_on(provider: FakeProvider, run_of: RunOf, model: str) -> None:
    run = run_of(model, max_output_tokens=10**6)
    read_until_cancelled(backend, run, when=lambda: provider.wait_for_requests(1))
    assert provider.chats[0].hung_up.wait(WAIT_SECONDS)


def test_cancelling_on_a_used_connection_works_as_well(provider: FakeProvider, run_of: RunOf) -> None:
    read(backend, run_of("tokens1"))
    read_until_cancelled(backend, run_of("hang"), when=lambda: provider.wait_for_requests(2))
    first, second = provider.chats
    assert first.client_port == second.client_port
    assert second.hung_up.wait(WAIT_SECONDS)


def test_cancelling_while_the_reader_is_busy_ends_the_answer(provider: FakeProvider, run_of: RunOf) -> None:
    cancellation = Cancellation()
    deltas = backend.stream(run_of("gate3"), cancellation)
    next(deltas)
    cancellation.set()
    list(deltas)
    assert provider.chats[0].hung_up.wait(WAIT_SECONDS)


def test_nothing_is_asked_after_a_cancellation(run_of: RunOf) -> None:
    cancellation = Cancellation()
    cancellation.set()
    assert read(backend, run_of("tokens5"), cancellation) == ("", Outcome())


def test_closing_the_generator_closes_the_connection(provider: FakeProvider, run_of: RunOf) -> None:
    deltas = backend.stream(run_of("gate3"), Cancellation())
    next(deltas)
    deltas.close()
    assert provider.chats[0].hung_up.wait(WAIT_SECONDS)


def test_a_late_cancellation_does_not_hit_the_next_call(provider: FakeProvider, run_of: RunOf) -> None:
    cancellation = Cancellation()
    read(backend, run_of("tokens1"), cancellation)
    deltas = backend.stream(run_of("gate3"), Cancellation())
    first = next(deltas)
    cancellation.set()
    provider.release()
    assert first + "".join(deltas) == "t0 t1 t2 t3 t4 "
    assert len({request.client_port for request in provider.chats}) == 1


def test_cancelling_interrupts_a_connection_attempt(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.backends.calls.CONNECT_SECONDS", 60.0)
    with socket.socket() as server, ExitStack() as opened:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        for _ in range(4):  # once the queue is full, the kernel lets further attempts wait
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        before = _attempts(port)
        run = replace(run_of("x"), base_url=f"http://127.0.0.1:{port}/v1")
        read_until_cancelled(backend, run, when=lambda: _wait_for_attempts(port, before + 1))


def test_cancelling_interrupts_a_tls_handshake(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.backends.calls.CONNECT_SECONDS", 60.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_SECONDS)
        run = replace(run_of("x"), base_url=f"https://127.0.0.1:{server.getsockname()[1]}/v1")
        accepted: list[socket.socket] = []

        def take_the_greeting_and_say_nothing() -> None:
            accepted.append(server.accept()[0])
            accepted[0].recv(1)

        read_until_cancelled(backend, run, when=take_the_greeting_and_say_nothing)
        accepted[0].close()


def _attempts(port: int) -> int:
    """Connections from here to `port` that have not been accepted by the kernel yet."""
    mine = psutil.Process().net_connections("tcp")
    return sum(entry.status == psutil.CONN_SYN_SENT and entry.raddr.port == port for entry in mine if entry.raddr)


def _wait_for_attempts(port: int, count: int) -> None:
    for _ in range(2000):
        if _attempts(port) >= count:
            return
        Cancellation().wait(0.01)
    raise AssertionError("no connection was attempted")
