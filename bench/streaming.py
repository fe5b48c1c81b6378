"""From the provider's token to the browser's frame: delay, integrity, processor time and memory.

    python -m bench.streaming --streams 64 --rounds 3 --model ttft50-itl10-n200
    python -m bench.streaming --idle 4000

Starts an installation of its own on loopback (Redis, web, light worker, remote worker, reaper, and an upstream that
stamps its tokens), chats over real sockets, each with a person of its own, prints one JSON object and ends everything.
All of it shares the machine's processors, the load and the upstream too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import django

from bench import production  # noqa: F401  (must come before the settings)

django.setup()

import orjson  # noqa: E402
import uvloop  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from bench.measuring import cpu_seconds, memory_mib, percentiles  # noqa: E402
from bench.sockets import Socket  # noqa: E402
from bench.upstream import setting  # noqa: E402
from chatsite.chat.models import Turn  # noqa: E402
from router.models import Route  # noqa: E402
from router.revisions import publish  # noqa: E402
from tests import processes  # noqa: E402
from tests.environment import free_port  # noqa: E402
from tests.sessions import session_of  # noqa: E402
from workers.connections import client  # noqa: E402
from workers.models import Model, Provider  # noqa: E402

TOKEN = re.compile(rb"t(\d+)@(\d+) ")
SHOWN = re.compile(r"t(\d+)@\d+")
OPENING_AT_ONCE = 50


def prepare(port: int, model: str, people: int) -> list[str]:
    """A database with the default routes, the upstream's model behind `generate`, and a session for each person."""
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("load_defaults", verbosity=0)
    provider = Provider.objects.create(name="Upstream", kind="openai", base_url=f"http://127.0.0.1:{port}/v1")
    row = Model.objects.create(provider=provider, name=model, identifier=model, max_output_tokens=10_000)
    Route.objects.get(name="generate").route_models.create(model=row)
    publish(None, "benchmark")
    return [session_of(get_user_model().objects.create_user(f"person {number}")) for number in range(people)]


@contextmanager
def installation(upstream_port: int, slots: int = 256) -> Iterator[dict[str, int]]:
    """Every process of an installation, by name."""
    with ExitStack() as stack:
        upstream = processes.Process("-m", "bench.upstream", "--port", str(upstream_port))
        stack.callback(upstream.stop)
        yield {
            "web": stack.enter_context(processes.web(settings.PORT)).pid,
            "worker-route": stack.enter_context(processes.worker("route", concurrency=4)).pid,
            "worker-remote": stack.enter_context(processes.worker("remote", concurrency=slots)).pid,
            "reaper": stack.enter_context(processes.reaper()).pid,
            "redis": client().info("server")["process_id"],
            "upstream": upstream.pid,
            "load": os.getpid(),
        }


async def open_socket(session: str) -> Socket:
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    return await Socket.open(settings.PORT, "/ws/", Cookie=cookie, Origin=settings.ALLOWED_ORIGINS[0])


class Stream:
    """One tab that asks and watches; remembers when each token came, and counts what is missing, doubled or astray."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.added_ms: list[float] = []
        self.first_ms: list[float] = []
        self.wrong = 0

    async def run(self, rounds: int, tokens: int) -> None:
        socket = await open_socket(self.session)
        for _ in range(rounds):
            await self._ask(socket, tokens)
        socket.close()

    async def _ask(self, socket: Socket, tokens: int) -> None:
        client_id = str(uuid.uuid4())
        began = time.monotonic()
        socket.send(orjson.dumps({"type": "send", "client_id": client_id, "text": "Go on", "route": "generate"}))
        reply, text, expected = "", b"", 0
        while raw := await socket.receive():
            frame = orjson.loads(raw)
            if frame["type"] == "error":
                raise RuntimeError(frame["text"])
            if frame["type"] == "accepted" and frame["client_id"] == client_id:
                reply = frame["reply"]
                socket.send(orjson.dumps({"type": "attach", "reply": reply}))
            if frame.get("reply") != reply:
                continue
            if frame["type"] in ("delta", "snapshot"):
                now_us = time.monotonic_ns() // 1000
                text += (frame.get("text", "") or frame.get("tail", "")).encode()
                if not expected:
                    self.first_ms.append((time.monotonic() - began) * 1000)
                for match in TOKEN.finditer(text):
                    self.wrong += int(match[1]) != expected
                    expected += 1
                    self.added_ms.append((now_us - int(match[2])) / 1000)
                text = text[text.rfind(b" ") + 1 :]
            if frame["type"] == "finished":  # what had not been streamed by then came with it
                shown = list(map(int, SHOWN.findall(frame["html"])))
                self.wrong += frame["status"] != "done" or shown != list(range(tokens))
                return
        raise RuntimeError("The socket was closed.")


async def stream_all(streams: list[Stream], rounds: int, tokens: int) -> float:
    """Everybody asks at once, then again when their answer is complete; how many seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(600):
        await asyncio.gather(*(stream.run(rounds, tokens) for stream in streams))
    return time.monotonic() - began


def streaming(pids: dict[str, int], sessions: list[str], model: str, rounds: int) -> dict[str, Any]:
    count = int(setting(model, "n", 64))
    uvloop.run(stream_all([Stream(sessions[0])], 2, count))  # loads what is loaded at first use
    warm_up = set(Turn.objects.values_list("pk", flat=True))
    streams = [Stream(session) for session in sessions]
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    wall = uvloop.run(stream_all(streams, rounds, count))
    used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    first = [ms for stream in streams for ms in stream.first_ms]
    added = [ms for stream in streams for ms in stream.added_ms]
    total = len(streams) * rounds * count
    return {
        "streams": len(streams),
        "model": model,
        "answers": len(streams) * rounds,
        "wrong_tokens_or_answers": sum(stream.wrong for stream in streams),
        "tokens_per_second": round(total / wall),
        "streamed": round(len(added) / total, 3),
        "first_token_ms": percentiles(first),
        "first_token_after_the_upstreams_ms": percentiles([ms - setting(model, "ttft", 0) for ms in first]),
        "waited_for_a_route_ms": percentiles(waits_for_a_route(warm_up)),
        "added_per_token_ms": percentiles(added),
        "cpu_seconds_per_1000_tokens": {name: round(s / total * 1000, 4) for name, s in used.items()},
        "cpu_seconds_per_1000_tokens_in_all": round(sum(used.values()) / total * 1000, 4),
        "cores_busy": round(sum(used.values()) / wall, 2),
        "memory_mib": {name: memory_mib(pid) for name, pid in pids.items()},
    }


async def hold_idle(pid: int, sessions: list[str]) -> dict[str, Any]:
    """Open a socket for each session, hold them all, and ask some whether they live."""
    limit = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(session: str) -> Socket:
        async with limit:
            return await open_socket(session)

    warm_up = await asyncio.gather(*map(open_one, sessions[:OPENING_AT_ONCE]))
    await asyncio.sleep(2)
    before, began = memory_mib(pid), time.monotonic()
    sockets = await asyncio.gather(*map(open_one, sessions))
    opened = time.monotonic() - began
    await asyncio.sleep(5)
    busy = cpu_seconds(pid)
    await asyncio.sleep(5)
    busy, after = (cpu_seconds(pid) - busy) / 5, memory_mib(pid)
    round_trips = [await round_trip_ms(socket) for socket in sockets[:: max(1, len(sockets) // 200)]]
    for socket in [*warm_up, *sockets]:
        socket.close()
    return {
        "idle_sockets": len(sockets),
        "kib_per_socket": round((after - before) * 1024 / len(sockets), 1),
        "opened_per_second": round(len(sockets) / opened),
        "web_cores_busy_while_idle": round(busy, 3),
        "ping_ms": percentiles(round_trips),
    }


async def round_trip_ms(socket: Socket) -> float:
    began = time.monotonic()
    socket.send(b'{"type": "ping"}')
    async with asyncio.timeout(30):
        while raw := await socket.receive():
            if orjson.loads(raw)["type"] == "pong":
                return (time.monotonic() - began) * 1000
    raise RuntimeError("The socket was closed.")


def waits_for_a_route(without: set[Any]) -> list[float]:
    """From the saved message to a light worker that takes it, of every turn."""
    times = Turn.objects.exclude(pk__in=without).values_list("queued_at", "started_at")
    return [(started - queued).total_seconds() * 1000 for queued, started in times if started]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="ttft50-itl10-n200")
    parser.add_argument("--idle", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the processes would outlive the bench
    port = free_port()
    sessions = prepare(port, options.model, options.idle or options.streams)
    with installation(port) as pids:
        if options.idle:
            figures = uvloop.run(hold_idle(pids["web"], sessions))
        else:
            figures = streaming(pids, sessions, options.model, options.rounds)
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
