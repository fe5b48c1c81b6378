"""How much a worker answers when many ask at once, with and without batches.

    python -m bench.batching --seconds 5 --at-once 1 4 16

Calls the backends in threads, as a worker does, and prints one JSON object: requests per second, processor time of each
(which means something on a busy machine too), and the median and the slowest tenth of what one takes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

import django

django.setup()

from tests.tiny_models import build_causal_model  # noqa: E402
from workers import encoder  # noqa: E402
from workers.backends import causal_batch, extractive, zero_shot  # noqa: E402
from workers.backends.base import Cancellation, Run  # noqa: E402
from workers.backends.causal import CausalBackend  # noqa: E402

LABELS = [{"name": "praise"}, {"name": "complaint"}, {"name": "question"}]
MESSAGES = [f"The room on floor {number} was lovely, but the lift was out of order again." for number in range(97)]
SENTENCES = [
    f"On day {number} the harbour was closed after a storm had torn {number} cranes from their rails."
    for number in range(60)
]


def classification(number: int) -> None:
    zero_shot.classify([MESSAGES[number % len(MESSAGES)]], LABELS)


def summary(number: int) -> None:
    extractive.summarise(" ".join(SENTENCES[number % 20 :]), {})


def measured(work: Callable[[int], None], at_once: int, seconds: float) -> dict[str, float]:
    """Requests per second, and the time of one, while `at_once` threads ask one after the other."""
    took: list[float] = []
    end = time.monotonic() + seconds

    def ask(number: int) -> None:
        while (began := time.monotonic()) < end:
            work(number)
            took.append(time.monotonic() - began)
            number += at_once

    threads = [threading.Thread(target=ask, args=[number]) for number in range(at_once)]
    began, cpu_began = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return {
        "per_second": round(len(took) / (time.monotonic() - began), 1),
        "cpu_ms": round(1000 * (time.process_time() - cpu_began) / len(took), 1),
        "p50_ms": round(1000 * took[len(took) // 2], 1),
        "p90_ms": round(1000 * took[int(len(took) * 0.9)], 1),
    }


def embedded(at_once: list[int], seconds: float) -> dict[str, Any]:
    alone = lambda texts, cancellation=None: encoder.encode(texts)  # noqa: E731
    found: dict[str, Any] = {}
    for work in (classification, summary):
        work(0)
        for number in at_once:
            with patch("workers.batching.encode", alone):
                before = measured(work, number, seconds)
            found[f"{work.__name__} {number} at once"] = {"alone": before, "together": measured(work, number, seconds)}
    return found


def generation(at_once: list[int], seconds: float) -> dict[str, Any]:
    """Answers of 48 tokens by a causal model of 31 million parameters with random weights."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        model = build_causal_model(Path(folder), positions=2048, never_ends=True, hidden_size=512, layers=8)
        for name, can_batch in (("alone", lambda model: False), ("together", causal_batch.can_batch)):
            with patch("workers.backends.causal_batch.can_batch", can_batch):
                backend = CausalBackend()
                ask = partial(answer, backend, str(model))
                ask(0)
                for number in at_once:
                    found.setdefault(f"generation {number} at once", {})[name] = measured(ask, number, seconds)
    return found


def answer(backend: CausalBackend, identifier: str, number: int) -> None:
    prompt = [{"role": "user", "content": MESSAGES[number % len(MESSAGES)]}]
    run = Run("generate", prompt, identifier=identifier, context_window=2048, max_output_tokens=48)
    for _ in backend.stream(run, Cancellation()):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--kinds", nargs="+", default=["embedded", "generation"])
    options = parser.parse_args()
    kinds = {"embedded": embedded, "generation": generation}
    found: dict[str, Any] = {}
    for kind in options.kinds:
        found |= kinds[kind](options.at_once, options.seconds)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
