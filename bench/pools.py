"""CPU seconds per 1,000 tokens for reading many of a provider's streams: a thread for each, or one event loop.

    python -m bench.pools --streams 64 [--model ttft50-itl10-n300] [--rounds 3]

Both make the request by the HTTP client of the SDK and read the answer by `workers.backends.chat_chunks`. The threads
are those of the product: deadlines, cancelling and the choice of addresses come with them; the loop has none of that.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Callable

from tests import settings  # noqa: F401  (an environment of the bench's own)

import django  # isort: skip

django.setup()

import httpx2  # noqa: E402
import uvloop  # noqa: E402

from bench.upstream import setting  # noqa: E402
from tests import processes  # noqa: E402
from tests.environment import free_port  # noqa: E402
from workers.backends.base import Cancellation, Run  # noqa: E402
from workers.backends.chat_chunks import AnswerReader  # noqa: E402
from workers.backends.openai_compatible import OpenAICompatibleBackend  # noqa: E402

MESSAGES = [{"role": "user", "content": "Go on"}]


def by_threads(base_url: str, model: str, streams: int) -> list[str]:
    """The answers, read by a thread each."""
    run = Run(role="generate", prompt=MESSAGES, identifier=model, base_url=base_url, max_output_tokens=10_000)
    backend = OpenAICompatibleBackend()
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append("".join(backend.stream(run, Cancellation()))))
        for _ in range(streams)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def by_loop(base_url: str, model: str, streams: int) -> list[str]:
    """The answers, read by coroutines of one event loop."""

    async def one(client: httpx2.AsyncClient) -> str:
        answer = AnswerReader("upstream")
        body = {"model": model, "messages": MESSAGES, "stream": True}
        async with client.stream("POST", f"{base_url}/chat/completions", json=body) as response:
            return "".join([answer.feed(received) async for received in response.aiter_raw()])

    async def everything() -> list[str]:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
            return await asyncio.gather(*(one(client) for _ in range(streams)))

    return uvloop.run(everything())


def cpu_seconds(read: Callable[[str, str, int], list[str]], base_url: str, model: str, streams: int) -> float:
    """Per 1,000 tokens, of this process alone."""
    began = time.process_time()
    answers = read(base_url, model, streams)
    used = time.process_time() - began
    tokens = int(setting(model, "n", 64))
    assert [answer.count(" ") for answer in answers] == [tokens] * streams
    return used * 1000 / (tokens * streams)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--model", default="ttft50-itl10-n300")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    port = free_port()
    base_url = f"http://127.0.0.1:{port}/v1"
    upstream = processes.Process("-m", "bench.upstream", "--port", str(port))
    try:
        processes.wait_until(lambda: _listens(base_url), 30, "the upstream")
        for read in (by_threads, by_loop):
            times = [cpu_seconds(read, base_url, options.model, options.streams) for _ in range(options.rounds)]
            print(f"{read.__name__}: {statistics.median(times):.4f} CPU seconds per 1,000 tokens")
    finally:
        upstream.stop()


def _listens(base_url: str) -> bool:
    try:
        return bool(by_loop(base_url, "ttft0-itl0-n1", 1))
    except httpx2.HTTPError:
        return False


if __name__ == "__main__":
    main()
