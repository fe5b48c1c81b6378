"""A TCP proxy in front of a server, which can be slow, break connections, or fall silent without closing any."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65536


class Proxy:
    """`with Proxy(port) as proxy:` forwards `proxy.port` to `port`, in a thread of its own.

    `delay_seconds` holds up every piece; `reset_share` of the pieces break their connection; while `is_silent` nothing
    passes, as if a router dropped the packets: connections stay open, and new ones get no answer. `lose` does that to
    the connections that are open now, and to no later one.
    """

    def __init__(self, target: int, seed: int = 0) -> None:
        self.delay_seconds = 0.0
        self.reset_share = 0.0
        self.is_silent = False
        self.resets = 0
        self.port = 0
        self._opened = 0
        self._lost = 0  # of those that have been opened, the first so many
        self._target = target
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def lose(self) -> None:
        self._lost = self._opened

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._opened += 1
        number = self._opened
        await self._heard(number)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, far_writer)
        await asyncio.gather(self._pass(number, reader, far_writer, ends), self._pass(number, far_reader, writer, ends))

    async def _pass(
        self,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, ...],
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(CHUNK_BYTES):
                await self._heard(number)
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if self._chance.random() < self.reset_share:
                    self.resets += 1
                    break
                writer.write(piece)
                await writer.drain()
        for end in ends:
            end.transport.abort()

    async def _heard(self, number: int) -> None:
        while self.is_silent or number <= self._lost:
            await asyncio.sleep(0.05)
