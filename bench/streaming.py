"""From the provider's token to the browser's frame: delay, integrity, processor time and memory.

    python -m bench.streaming --streams 16 --rounds 2 --model ttft50-itl10-n200

Starts a whole installation of its own on loopback (Redis, web, light worker, embedded worker, remote worker, reaper and
an upstream that stamps its tokens), chats over real sockets, prints one JSON object and ends everything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import time
import uuid
from contextlib import ExitStack
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import psutil  # noqa: E402
import websockets  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from chatsite.chat.models import Turn  # noqa: E402
from router.models import Route  # noqa: E402
from router.revisions import publish  # noqa: E402
from tests import processes  # noqa: E402
from tests.environment import free_port  # noqa: E402
from tests.sessions import session_of  # noqa: E402
from workers.models import Model, Provider  # noqa: E402

TOKEN = re.compile(r"t(\d+)@(\d+) ")


def prepare(port: int, model: str) -> str:
    """A database with the default routes, the upstream's model behind `generate`, and a signed-in session."""
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    provider = Provider.objects.create(name="Upstream", kind="openai", base_url=f"http://127.0.0.1:{port}/v1")
    row = Model.objects.create(provider=provider, name=model, identifier=model)
    Route.objects.get(name="generate").route_models.create(model=row)
    publish(None, "benchmark")
    return session_of(get_user_model().objects.create_user("bench"))


class Stream:
    """One tab that asks and watches; remembers when each token came."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.added_ms: list[float] = []
        self.first_ms: list[float] = []
        self.wrong = 0

    async def run(self, rounds: int) -> None:
        headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={self.session}"}
        url = f"ws://127.0.0.1:{settings.PORT}/ws/"
        origin: Any = settings.ALLOWED_ORIGINS[0]
        async with websockets.connect(url, additional_headers=headers, origin=origin, max_size=None) as socket:
            for _ in range(rounds):
                await self._ask(socket)

    async def _ask(self, socket: Any) -> None:
        client_id = str(uuid.uuid4())
        began = time.monotonic()
        await socket.send(json.dumps({"type": "send", "client_id": client_id, "text": "Go on", "route": "generate"}))
        reply, text, expected, is_first = "", "", 0, True
        async for raw in socket:
            frame = json.loads(raw)
            if frame["type"] == "accepted" and frame["client_id"] == client_id:
                reply = frame["reply"]
                await socket.send(json.dumps({"type": "attach", "reply": reply}))
            if frame.get("reply") != reply:
                continue
            if frame["type"] in ("delta", "snapshot"):
                now_us = time.monotonic_ns() // 1000
                text += frame.get("text", "") or frame.get("tail", "")
                for match in TOKEN.finditer(text):
                    self.wrong += int(match[1]) != expected
                    expected = int(match[1]) + 1
                    self.added_ms.append((now_us - int(match[2])) / 1000)
                    if is_first:
                        self.first_ms.append((time.monotonic() - began) * 1000)
                        is_first = False
                text = text[text.rfind(" ") + 1 :]
            if frame["type"] == "finished":
                self.wrong += frame["status"] != "done"
                return


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100) if len(values) > 1 else values * 99
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}


def waits_for_a_route() -> list[float]:
    """From the saved message to a light worker that takes it, of every turn."""
    times = Turn.objects.values_list("queued_at", "started_at")
    return [(started - queued).total_seconds() * 1000 for queued, started in times if started]


def memory_mib(pid: int) -> float:
    return round(psutil.Process(pid).memory_info().rss / 2**20, 1)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="ttft50-itl10-n200")
    options = parser.parse_args()
    port = free_port()
    session = prepare(port, options.model)
    with ExitStack() as stack:
        upstream = processes.Process("-m", "bench.upstream", "--port", str(port))
        stack.callback(upstream.stop)
        pids = {
            "web": stack.enter_context(processes.web(settings.PORT)).pid,
            "worker-route": stack.enter_context(processes.worker("route", concurrency=4)).pid,
            "worker-embedded": stack.enter_context(processes.worker("embedded", concurrency=2)).pid,
            "worker-remote": stack.enter_context(processes.worker("remote", concurrency=64)).pid,
            "reaper": stack.enter_context(processes.reaper()).pid,
        }
        time.sleep(2)  # let start-up work settle before idle memory is read
        idle = {name: memory_mib(pid) for name, pid in pids.items()}
        asyncio.run(Stream(session).run(1))  # the first decision loads the encoder
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        streams = [Stream(session) for _ in range(options.streams)]
        began = time.monotonic()
        asyncio.run(all_of(streams, options.rounds))
        wall = time.monotonic() - began
        tokens = sum(len(stream.added_ms) for stream in streams)
        figures = {
            "streams": options.streams,
            "model": options.model,
            "answers": options.streams * options.rounds,
            "wrong_tokens": sum(stream.wrong for stream in streams),
            "waited_for_a_route_ms": percentiles(waits_for_a_route()),
            "time_to_first_token_ms": percentiles([ms for stream in streams for ms in stream.first_ms]),
            "added_per_token_ms": percentiles([ms for stream in streams for ms in stream.added_ms]),
            "tokens_per_second": round(tokens / wall),
            "cpu_seconds_per_1000_tokens": {
                name: round((cpu_seconds(pid) - before[name]) / tokens * 1000, 4) for name, pid in pids.items()
            },
            "idle_memory_mib": idle,
            "loaded_memory_mib": {name: memory_mib(pid) for name, pid in pids.items()},
        }
        print(json.dumps(figures, indent=2))


async def all_of(streams: list[Stream], rounds: int) -> None:
    async with asyncio.timeout(600):
        await asyncio.gather(*(stream.run(rounds) for stream in streams))


if __name__ == "__main__":
    main()
