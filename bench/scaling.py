"""What one, two and four workers carry: answers or decisions per second, and how long each waited for a slot.

    python -m bench.scaling remote --jobs 128 --slots 16 --model ttft50-itl20-n100
    python -m bench.scaling route --jobs 120

Queues all jobs at once, without web processes and sockets, and starts that many workers before; prints a row of a
Markdown table for each number of them. With DATABASE_URL it runs on PostgreSQL, with TEST_BROKER_URL on RabbitMQ.
`remote` waits for bench/upstream.py, as for any provider: what limits it are slots. `route` computes: what limits it
are processors, so more workers than those make each of them slower.
"""

from __future__ import annotations

import argparse
import os
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ.setdefault("WAITING_IN_ALL", "100000")  # all jobs are queued at once
os.environ.setdefault("LONGEST_WAIT_SECONDS", "100000")
os.environ.setdefault("LONGEST_WAIT_ANSWERS", "100000")

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db.models import QuerySet  # noqa: E402

from bench.measuring import percentiles  # noqa: E402
from chatsite.chat import turns  # noqa: E402
from chatsite.chat.models import Turn  # noqa: E402
from tests import processes  # noqa: E402
from tests.environment import free_port  # noqa: E402
from workers.jobs import Job  # noqa: E402
from workers.models import Completion, Model, Provider  # noqa: E402

QUESTION = "Write a friendly answer to a customer whose parcel has not come for two weeks, number"
Enqueue = Callable[[int], list[uuid.UUID]]

_numbers = count()


def remote_model(identifier: str, port: int) -> Model:
    """The model of the upstream on a port."""
    provider = Provider.objects.create(name="Upstream", kind="openai", base_url=f"http://127.0.0.1:{port}/v1")
    return Model.objects.create(provider=provider, name=identifier, identifier=identifier)


def queue_answers(model: Model, jobs: int) -> list[uuid.UUID]:
    prompt = [{"role": "user", "content": QUESTION}]
    rows = [
        Completion.objects.create(reply_id=uuid.uuid4(), role="generate", model=model, prompt=prompt)
        for _ in range(jobs)
    ]
    for row in rows:
        row.publish()
    return [row.pk for row in rows]


def queue_decisions(jobs: int) -> list[uuid.UUID]:
    """Each by a person of its own, because one person may not ask so much at once."""
    people = [get_user_model().objects.create_user(f"person-{next(_numbers)}") for _ in range(jobs)]
    return [turns.submit(person, text=f"{QUESTION} {place}").pk for place, person in enumerate(people)]


def row_of(kind: type[Job], workers: int, ids: list[uuid.UUID]) -> str:
    """Throughput from the first that was queued to the last that ended, and the waits for a slot."""
    times: Any = kind._default_manager.filter(pk__in=ids).values_list("queued_at", "started_at", "finished_at")
    began = min(queued for queued, _, _ in times)
    ended = max(finished for _, _, finished in times)
    waits = percentiles([(started - queued).total_seconds() for queued, started, _ in times])
    seconds = (ended - began).total_seconds()
    return f"| {workers} | {len(ids) / seconds:.1f} | {waits['p50']:.2f} s | {waits['p95']:.2f} s | {seconds:.1f} s |"


def _is_empty(rows: QuerySet[Any]) -> bool:
    return not rows.exists()


def measure(kind: type[Job], queue: str, slots: int, workers: int, jobs: int, enqueue: Enqueue) -> str:
    """A round of warming up, which loads what the first jobs load, then the round that counts."""
    with ExitStack() as stack:
        started = [processes.start_worker(queue, concurrency=slots) for _ in range(workers)]
        for worker in started:
            stack.callback(worker.stop)
        for worker in started:
            processes.wait_for_worker(worker, queue)
        for number in (workers * slots, jobs):
            ids = enqueue(number)
            open_jobs = kind._default_manager.filter(pk__in=ids, status__in=Job.OPEN)
            processes.wait_until(partial(_is_empty, open_jobs), 300, "the last job")
    return row_of(kind, workers, ids)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("queue", choices=["remote", "route"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--jobs", type=int, default=128)
    parser.add_argument("--slots", type=int, default=0, help="of one worker (default: 16 remote, 4 route)")
    parser.add_argument("--model", default="ttft50-itl20-n100", help="what the upstream does, see bench/upstream.py")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    port = free_port()
    model = remote_model(options.model, port)
    with ExitStack() as stack:
        upstream = processes.Process("-m", "bench.upstream", "--port", str(port))
        stack.callback(upstream.stop)
        print("| workers | per second | wait p50 | wait p95 | all done in |\n|---|---|---|---|---|")
        for workers in options.workers:
            if options.queue == "remote":
                enqueue = partial(queue_answers, model)
                row = measure(Completion, "remote", options.slots or 16, workers, options.jobs, enqueue)
            else:
                row = measure(Turn, "route", options.slots or 4, workers, options.jobs, queue_decisions)
            print(row, flush=True)


if __name__ == "__main__":
    main()
