"""A fast OpenAI-compatible upstream that stamps its tokens, so that delay, loss and order can be read off at the end.

The model's name says what it does: `ttft50-itl10-n200` waits 50 ms, then sends 200 tokens, one every 10 ms. A token is
`t<number>@<microseconds of the monotonic clock> `.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time

import orjson

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def setting(model: str, name: str, default: float) -> float:
    found = re.search(rf"(?:^|-){name}(\d+)", model)
    return float(found[1]) if found else default


def chunk(model: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    body = {"object": "chat.completion.chunk", "model": model, "choices": [{"index": 0, "delta": delta}]}
    body["choices"][0]["finish_reason"] = finish  # type: ignore[index]
    return frame(b"data: " + orjson.dumps(body) + b"\n\n")


def frame(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])  # type: ignore[index]
            request = orjson.loads(await reader.readexactly(length))
            await stream(writer, request["model"])
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def stream(writer: asyncio.StreamWriter, model: str) -> None:
    loop = asyncio.get_running_loop()
    count, gap = int(setting(model, "n", 64)), setting(model, "itl", 10) / 1000
    writer.write(HEAD + chunk(model, {"role": "assistant", "content": ""}))
    due = loop.time() + setting(model, "ttft", 0) / 1000
    for number in range(count):
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += gap
        writer.write(chunk(model, {"content": f"t{number}@{time.monotonic_ns() // 1000} "}))
        await writer.drain()
    usage = {"prompt_tokens": 8, "completion_tokens": count, "total_tokens": count + 8}
    last = b"data: " + orjson.dumps({"model": model, "choices": [], "usage": usage}) + b"\n\n"
    writer.write(chunk(model, {}, "stop") + frame(last) + frame(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100)
    asyncio.run(main(parser.parse_args().port))
