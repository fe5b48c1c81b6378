"""A fast OpenAI-compatible upstream that stamps its tokens, so that delay, loss and order can be read off at the end.

The model's name says what it does: `ttft50-itl10-n200` waits 50 ms, then sends 200 tokens, one every 10 ms, each in a
write of its own. A token is `t<number>@<microseconds of the monotonic clock> `.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from typing import Any

import orjson
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = re.compile(rb"content-length: (\d+)", re.I)


def setting(model: str, name: str, default: float) -> float:
    """The number after `name` in a model's name."""
    found = re.search(rf"(?:^|-){name}(\d+)", model)
    return float(found[1]) if found else default


def event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def chunk(model: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": model, "choices": [choice]})


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    """One connection of a client: requests one after the other, a timer for each token."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if blank and length and len(body) >= int(length[1]):
            self._received = b""
            self._begin(orjson.loads(body)["model"])

    def _begin(self, model: str) -> None:
        self._model, self._number = model, 0
        self._count, self._gap = int(setting(model, "n", 64)), setting(model, "itl", 10) / 1000
        self._before, self._after = chunk(model, {"content": "|"}).split(b"|")
        self._transport.write(HEAD + framed(chunk(model, {"role": "assistant", "content": ""})))
        self._wait_until(self._loop.time() + setting(model, "ttft", 0) / 1000)

    def _wait_until(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._send_token)

    def _send_token(self) -> None:
        token = b"t%d@%d " % (self._number, time.monotonic_ns() // 1000)
        self._transport.write(framed(self._before + token + self._after))
        self._number += 1
        if self._number < self._count:
            self._wait_until(self._due + self._gap)
        else:
            self._end()

    def _end(self) -> None:
        usage = {"prompt_tokens": 8, "completion_tokens": self._count, "total_tokens": self._count + 8}
        last = [chunk(self._model, {}, "stop"), event({"model": self._model, "choices": [], "usage": usage})]
        self._transport.write(b"".join(map(framed, [*last, b"data: [DONE]\n\n"])) + b"0\r\n\r\n")


async def main(host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, host, port, backlog=2048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100)
    uvloop.run(main(**vars(parser.parse_args())))
