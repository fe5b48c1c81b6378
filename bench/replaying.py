"""How long people wait for a route while the time machine runs, and while it does not.

    python -m bench.replaying --messages 200 --pace 0.25

Starts a whole installation of its own on loopback (Redis, web, light worker, embedded worker, background worker at the
lowest priority, reaper) over a database with stored decisions. One tab sends messages at a steady pace; blocks
without and with a running replay take turns, so that whatever else the machine does hits both. The time is that from
the sent frame to the frame that says the route. Prints one JSON object and ends everything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import websockets  # noqa: E402
from asgiref.sync import sync_to_async  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from chatsite.chat.models import Conversation, Message, Turn  # noqa: E402
from chatsite.routing import replaying  # noqa: E402
from chatsite.routing.models import Replay  # noqa: E402
from chatsite.routing.queue import BACKGROUND  # noqa: E402
from router.models import Decision, Route  # noqa: E402
from router.rows import read_rows  # noqa: E402
from tests import processes  # noqa: E402
from tests.sessions import session_of  # noqa: E402

STORED = 5000
BLOCK = 25
LIMIT_SECONDS = 540
AT_LOWEST_PRIORITY = "import os, sys; os.nice(19); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


def texts() -> list[str]:
    paths = sorted((processes.ROOT / "router" / "data" / "messages").glob("*.jsonl"))
    rows = [list(read_rows(path, "text")) for path in paths]
    return [str(row["text"]) for kinds in zip(*rows, strict=False) for row in kinds]  # the roles take turns


def prepare(user: Any) -> None:
    """The default routes, thousands of decided messages, and a draft that sends some of them elsewhere."""
    call_command("load_defaults", verbosity=0)
    pool, conversation, now = texts(), Conversation.objects.create(user=user), timezone.now()
    sent = [
        Message(conversation=conversation, role="user", user=user, text=pool[number % len(pool)])
        for number in range(STORED)
    ]
    replies = [Message(conversation=conversation, role="assistant", parent=message) for message in sent]
    facts = {"revision_id": 1, "route": "generate", "role": "generate", "strategy": "default", "duration_ms": 1}
    decisions = [Decision(**facts) for _ in sent]
    for model, rows in ((Message, sent), (Message, replies), (Decision, decisions)):
        model._default_manager.bulk_create(rows)  # type: ignore[arg-type]
    Turn.objects.bulk_create(
        Turn(reply=reply, message=message, conversation=conversation, decision=decision, status="done", finished_at=now)
        for reply, message, decision in zip(replies, sent, decisions, strict=True)
    )
    Route.objects.get(name="classify").rules.create(kind="pattern", value="^w", position=0)


@contextmanager
def background_worker() -> Iterator[None]:
    """As the Procfile starts it: only the processor time that nobody else wants."""
    celery = ["-m", "celery", "-A", "chatsite", "worker", "-Q", BACKGROUND, "--pool", "threads", "--concurrency", "4"]
    process = processes.Process(
        "-c", AT_LOWEST_PRIORITY, *celery, "--without-gossip", "--without-mingle", OMP_NUM_THREADS="1"
    )
    try:
        processes.wait_until(lambda: processes.says_it_serves(process.pid, BACKGROUND), 60, "the background worker")
        yield
    finally:
        process.stop()


class Replaying:
    """Keeps a replay running from `begin` to `end`."""

    def __init__(self, user: Any) -> None:
        self._user = user
        self.done = 0

    def begin(self) -> None:
        replay = replaying.start(self._user, revision=None, newest=STORED)
        processes.wait_until(lambda: Replay.objects.get(pk=replay.pk).done, 120, "the first messages of a replay")

    def end(self) -> None:
        replay = Replay.objects.latest("created_at")
        assert replay.is_open, "The replay ended before its block. Store more messages."
        replay.cancel()
        replay.refresh_from_db()
        self.done += replay.done
        time.sleep(2 * replaying.SAVE_SECONDS)  # until the worker has noticed


async def block(socket: Any, pool: list[str], pace: float) -> list[float]:
    """Send messages at a steady pace; milliseconds until each had its route."""
    waits = []
    for text in pool:
        began = time.monotonic()
        waits.append(await route_of(socket, text))
        await asyncio.sleep(max(0.0, began + pace - time.monotonic()))
    return waits


async def route_of(socket: Any, text: str) -> float:
    client_id, reply = str(uuid.uuid4()), ""
    began = time.monotonic()
    await socket.send(json.dumps({"type": "send", "client_id": client_id, "text": text}))
    async for raw in socket:
        frame = json.loads(raw)
        if frame["type"] == "accepted" and frame["client_id"] == client_id:
            reply = frame["reply"]
            await socket.send(json.dumps({"type": "attach", "reply": reply}))
        if frame["type"] in ("decided", "finished") and frame["reply"] == reply:
            break
    return (time.monotonic() - began) * 1000


async def measure(user: Any, session: str, messages: int, pace: float) -> dict[str, Any]:
    pool, replay = texts(), Replaying(user)
    waits: dict[bool, list[float]] = {False: [], True: []}
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
    url, origin = f"ws://127.0.0.1:{settings.PORT}/ws/", settings.ALLOWED_ORIGINS[0]
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        websockets.connect(url, additional_headers=headers, origin=origin, max_size=None) as socket,  # type: ignore[arg-type]
    ):
        await block(socket, pool[:10], pace)  # whatever happens once
        for number in range(0, messages, BLOCK):
            for is_replaying in (False, True):
                if is_replaying:
                    await sync_to_async(replay.begin)()
                waits[is_replaying] += await block(socket, pool[number : number + BLOCK], pace)
                if is_replaying:
                    await sync_to_async(replay.end)()
    return figures(waits[False], waits[True]) | {"replayed_meanwhile": replay.done}


def figures(without: list[float], during: list[float]) -> dict[str, Any]:
    before, after = percentiles(without), percentiles(during)
    return {
        "messages": len(without),
        "without_ms": before,
        "with_ms": after,
        "ratio": {name: round(after[name] / before[name], 3) for name in before},
    }


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--pace", type=float, default=0.25, help="seconds from one message to the next")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    user = get_user_model().objects.create_user("bench")
    prepare(user)
    with ExitStack() as stack:
        stack.enter_context(processes.web(settings.PORT))
        stack.enter_context(processes.worker("route", concurrency=4))
        stack.enter_context(processes.worker("embedded", concurrency=2))
        stack.enter_context(background_worker())
        stack.enter_context(processes.reaper())
        found = asyncio.run(measure(user, session_of(user), options.messages, options.pace))
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
