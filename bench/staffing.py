"""Whether as many workers are needed as the operations page says: `python -m bench.staffing`.

Messages come independently of one another, and take times that are spread like the lengths of answers. With more
workers than enough, the page's figure is taken for what comes; then the same messages come to fewer and fewer workers,
until more than 5 of 100 wait for longer than was asked. With DATABASE_URL it runs on PostgreSQL.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import time
import uuid
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from chatsite.operations import advice  # noqa: E402
from chatsite.operations.figures import Waits, figures  # noqa: E402
from tests import processes  # noqa: E402
from tests.environment import free_port  # noqa: E402
from workers.models import Completion, Model, Provider  # noqa: E402

QUEUE = "remote"
LENGTHS = 20  # of answers; their spread is that of an exponential distribution
PROMPT = [{"role": "user", "content": "Hello"}]


def models(port: int, mean_seconds: float) -> list[Model]:
    """Models that answer after times of equal probability: the middles of the twentieths of the distribution."""
    provider = Provider.objects.create(name="Upstream", kind="openai", base_url=f"http://127.0.0.1:{port}/v1")
    times = [-math.log(1 - (number + 0.5) / LENGTHS) * mean_seconds * 1000 for number in range(LENGTHS)]
    names = [f"ttft{milliseconds:.0f}-itl0-n1" for milliseconds in times]
    return [Model.objects.create(provider=provider, name=name, identifier=name) for name in names]


def come(offered: list[Model], per_second: float, seconds: float, seed: int) -> None:
    """Queue completions for `seconds`, at moments and of lengths that depend on the seed alone."""
    chance = random.Random(seed)
    due = began = time.monotonic()
    while (due := due + chance.expovariate(per_second)) < began + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        reply, model = uuid.uuid4(), chance.choice(offered)
        Completion.objects.create(reply_id=reply, role="generate", model=model, prompt=PROMPT).publish()


def with_workers(count: int, options: Any, offered: list[Model]) -> tuple[advice.Staffing, Waits]:
    """What the page says at the end of the load, and what was waited after the first sixth of it."""
    Completion.objects.all().delete()
    with ExitStack() as stack:
        started = [processes.start_worker(QUEUE, concurrency=options.slots) for _ in range(count)]
        for worker in started:
            stack.callback(worker.stop)
        for worker in started:
            processes.wait_for_worker(worker, QUEUE)
        began = timezone.now()
        come(offered, options.per_second, options.seconds, options.seed)
        queue = next(queue for queue in figures().queues if queue.name == QUEUE)
        said = advice.staffing(queue, options.wait)
        open_jobs = Completion.objects.filter(status__in=Completion.OPEN)
        processes.wait_until(lambda: not open_jobs.exists(), 300, "the last answer")
    assert said is not None
    full = Completion.objects.filter(queued_at__gte=began + timedelta(seconds=options.seconds / 6))
    times: Any = full.values_list("queued_at", "started_at")
    return said, Waits.of((started - queued).total_seconds() for queued, started in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-second", type=float, default=4, help="messages")
    parser.add_argument("--answer", type=float, default=3, help="seconds that one takes in the mean")
    parser.add_argument("--wait", type=float, default=2, help="seconds that 95 of 100 may wait")
    parser.add_argument("--slots", type=int, default=2, help="of a worker")
    parser.add_argument("--seconds", type=float, default=120, help="of load for each number of workers")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    port = free_port()
    offered = models(port, options.answer)
    enough = math.ceil(2 * options.per_second * options.answer / options.slots)
    print("| workers | messages | wait p50 | wait p95 | the page then says |\n|---|---|---|---|---|")
    with ExitStack() as stack:
        upstream = processes.Process("-m", "bench.upstream", "--port", str(port))
        stack.callback(upstream.stop)
        said, fewest = 0, enough
        for count in range(enough, 0, -1):
            if count < enough and count > said + 1:
                continue  # far from where it matters
            advised, waits = with_workers(count, options, offered)
            said = said or advised.workers
            row = f"{waits.count} | {waits.p50_seconds:.2f} s | {waits.p95_seconds:.2f} s | {advised.workers}"
            print(f"| {count} | {row} |", flush=True)
            if waits.p95_seconds > options.wait:
                break
            fewest = count
    print(f"\nThe page said {said}; {fewest} were enough: {said / fewest - 1:+.0%}.")


if __name__ == "__main__":
    main()
