"""During a deployment old workers run beside new ones. What they cannot do waits for one that can."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.conftest import Connect
from workers.jobs import Job
from workers.models import Completion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

# A worker of a version that did not know the task yet, or whose task did not take the second argument yet.
OLD = """
import sys
from chatsite.celery import app
app.loader.import_default_modules()
app.tasks.pop("workers.complete")
if sys.argv[1] == "fewer-arguments":
    @app.task(name="workers.complete")
    def complete(completion_id): raise AssertionError("never gets this far")
app.worker_main(f"worker -Q remote -n {sys.argv[1]}@test --pool threads --concurrency 1 --without-mingle".split())
"""


@contextmanager
def _old_worker(kind: str) -> Iterator[Callable[[str], None]]:
    """A worker process, as a function that waits until it has said something."""
    process = processes.Process("-c", OLD, kind)
    try:
        yield lambda words: processes.wait_until(lambda: words in process.log.read_text(), 60, f"“{words}”")
    finally:
        process.kill()


def test_a_task_that_old_workers_do_not_know_waits_for_a_new_one(
    defaults: None, provider: FakeProvider, connect: Connect
) -> None:
    (model,) = connect("tokens5")
    completion = Completion.objects.create(
        reply_id=uuid.uuid4(), role="generate", model=model, prompt=[{"role": "user", "content": "Hello"}]
    )
    completion.publish()
    with processes.reaper():
        with _old_worker("no-such-task") as said:
            said("unregistered task of type 'workers.complete'")
        with _old_worker("fewer-arguments") as said:
            said("takes 1 positional argument but 2 were given")
        with processes.worker("remote"):
            processes.wait_until(
                lambda: not Completion.objects.get(pk=completion.pk).is_open, 60, "the answer of a new worker"
            )
    completion.refresh_from_db()
    assert (completion.status, completion.attempt) == (Job.Status.DONE, 1)
    assert completion.text == "t0 t1 t2 t3 t4 "
