"""Sockets that do not read, and very many of them: rows 30 and 31."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import socket
import time
from contextlib import suppress

import psutil
from django.conf import settings

from faults.installation import Hit, Installation, installation
from faults.recording import Record, Scaled
from faults.runs import Load, no_fault, perform, sessions
from faults.tabs import Tab, tabs

AT_ONCE = 50


def test_row_30_somebody_does_not_read(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    """One byte a second, of answers that come fast; the others do not notice, and the reader can come back."""
    slow_session = sessions(11)[10]
    grown_mib: list[float] = []
    closed: list[bool] = []

    async def read_slowly(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        memory = psutil.Process(made.webs[0].process.pid).memory_info
        before = memory().rss
        async with tabs([slow_session], made.ports, seed) as (slow,):
            replies = [await slow.ask("Go on") for _ in range(2)]
            reader = _attach_without_reading(made.ports[0], slow_session, replies)
            try:
                for _ in range(scaled(60, 15)):
                    await asyncio.sleep(1)
                    grown_mib.append((memory().rss - before) / 2**20)
                    with suppress(OSError):
                        reader.recv(1)
            finally:
                closed.append(_is_closed(reader))
                reader.close()
            for reply in replies:
                await slow.until_finished(reply)
            opened[0].replies.update(slow.replies)
        return [Hit(time.monotonic(), {"reader"})]

    load = Load(tabs=10, each=scaled(8, 2), tokens=3000, gap_ms=2)
    with installation(remotes=1, concurrency=32) as made:
        run = perform(made, upstream, load, read_slowly, seed)
    grown = {"web grew MiB": round(max(grown_mib)), "was closed": int(closed[0])}
    record(30, "a reader of one byte a second", {**run.figures(), **grown})
    run.must_be_clean()
    assert max(grown_mib) < 50


def _attach_without_reading(port: int, session: str, replies: list[str]) -> socket.socket:
    """A socket whose buffers are as small as they can be, watching these replies."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        "GET /ws/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Origin: {settings.ALLOWED_ORIGINS[0]}",
        f"Cookie: {settings.SESSION_COOKIE_NAME}={session}",
    ]
    raw.sendall("\r\n".join([*head, "", ""]).encode())
    time.sleep(1)
    for reply in replies:
        text = f'{{"type": "attach", "reply": "{reply}"}}'.encode()
        raw.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)  # masked with zeros
    raw.setblocking(False)
    return raw


def _is_closed(raw: socket.socket) -> bool:
    """Whether the server has ended the connection; what is still in the buffers is read away."""
    with suppress(OSError):
        while received := raw.recv(65536):
            if received[-4:-2] == b"\x88\x02":
                return True
        return True
    return False


def test_row_31_tabs_come_and_go(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    async def come_and_go(made: Installation, keys: list[str], count: int) -> None:
        async def one(number: int) -> None:
            for _ in range(count // AT_ONCE):
                async with Tab(keys[number % len(keys)], made.ports):
                    pass

        await asyncio.gather(*(one(number) for number in range(AT_ONCE)))

    with installation(remotes=1) as made:
        web = psutil.Process(made.webs[0].process.pid)
        keys = sessions(10)
        asyncio.run(come_and_go(made, keys, 10 * AT_ONCE))  # what is made once is made
        before = (web.num_fds(), web.memory_info().rss)
        count = scaled(10_000, 1_000)
        asyncio.run(come_and_go(made, keys, count))
        time.sleep(3)
        fds, mib = web.num_fds() - before[0], (web.memory_info().rss - before[1]) / 2**20
        run = perform(made, upstream, Load(tabs=10, tokens=10), no_fault, seed)
    grown = {"connections": count, "descriptors": fds, "web grew MiB": round(mib)}
    record(31, "tabs come and go", {**run.figures(), **grown})
    run.must_be_clean()
    assert abs(fds) <= 20
    assert mib < 30
