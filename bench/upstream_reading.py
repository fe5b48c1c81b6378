"""CPU seconds per 1,000 tokens for reading a provider's stream: the SDK's own decoding against ours.

    python -m bench.upstream_reading [--tokens 2000] [--delay-ms 0] [--rounds 5]

The provider runs in a process of its own and writes each token by itself, as providers do. Rounds alternate.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import django
import openai

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django.setup()

from workers.backends.base import Cancellation, Run  # noqa: E402  (needs the settings)
from workers.backends.openai_compatible import OpenAICompatibleBackend  # noqa: E402

SERVE = (
    "import threading; from tests.backends.fake_provider import FakeProvider\n"
    "with FakeProvider() as provider: print(provider.base_url, flush=True); threading.Event().wait()"
)


def by_sdk(base_url: str, model: str) -> int:
    """Tokens read with the SDK's objects."""
    sdk = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)
    stream = sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}], stream=True)
    return sum(1 for chunk in stream if chunk.choices and chunk.choices[0].delta.content)


def by_us(base_url: str, model: str) -> int:
    """Tokens read with our backend."""
    prompt = [{"role": "user", "content": "Hello"}]
    run = Run(role="generate", prompt=prompt, identifier=model, base_url=base_url, max_output_tokens=10_000)
    return "".join(OpenAICompatibleBackend().stream(run, Cancellation())).count(" ")


def cpu_seconds(read: Callable[[str, str], int], base_url: str, tokens: int, delay_ms: int) -> float:
    """Per 1,000 tokens, of this process alone."""
    started = time.process_time()
    assert read(base_url, f"tokens{tokens}" + (f"-delay{delay_ms}" if delay_ms else "")) == tokens
    return (time.process_time() - started) * 1000 / tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--delay-ms", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    server = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        base_url = server.stdout.readline().strip()
        for read in (by_sdk, by_us):
            read(base_url, "tokens1")
        times = [
            [cpu_seconds(read, base_url, options.tokens, options.delay_ms) for read in (by_sdk, by_us)]
            for _ in range(options.rounds)
        ]
    finally:
        server.kill()
    sdk, ours = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"CPU per 1,000 tokens, median of {options.rounds}:")
    print(f"SDK {sdk:.4f} s, ours {ours:.4f} s, {sdk / ours:.1f} times less")


if __name__ == "__main__":
    main()
