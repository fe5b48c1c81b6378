"""A model of jobs, streams and the reaper for Hypothesis: faults in any order, and what must always hold.

The rows, the streams, the leases and the reaper are the product's. What is modelled is the world around them: workers
that live, freeze and die, a broker that loses and repeats messages, a Redis that forgets, a person who presses stop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatsite.chat import turns
from faults.checking import Replay, replay
from tests.pages import rows
from workers import broker, isolation, reaper
from workers.backends.base import Cancellation
from workers.connections import cancel_key, client, stream_key
from workers.events import Kind
from workers.jobs import Job
from workers.leases import lease_key
from workers.models import Completion
from workers.stream import StreamWriter

FLUSH_SECONDS = 10
ENDS: dict[str, str] = {
    Job.Status.DONE: Kind.DONE,
    Job.Status.FAILED: Kind.FAILED,
    Job.Status.CANCELLED: Kind.CANCELLED,
}
pick = st.integers(min_value=0, max_value=1000)


@dataclass
class Worker:
    """Whoever runs an attempt, or believes so."""

    job: Completion
    cancellation: Cancellation = field(default_factory=Cancellation)
    text: str = ""
    is_frozen: bool = False

    def __post_init__(self) -> None:
        self.lease = lease_key(Completion, self.job.pk, self.job.attempt)
        self.renew()
        self.writer = StreamWriter(self.job.reply_id, self.job.attempt, self.cancellation)

    def renew(self) -> None:
        client().set(self.lease, 1)

    def write(self, kind: str, **data: Any) -> None:
        self.writer.event(kind, **data)
        self.writer.flush(FLUSH_SECONDS)


class Answers(RuleBasedStateMachine):
    """One answer, many workers."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[broker.TaskKey] = []  # what the broker holds; it may hold one twice
        self.workers: list[Worker] = []
        self.final: tuple[str, str] | None = None

    @initialize()
    def somebody_asks(self) -> None:
        self.user, _ = get_user_model().objects.get_or_create(username="model")
        self.turn = rows.turn(self.user, answer="", status=Job.Status.QUEUED)
        assert self.turn.completion
        self.job = self.turn.completion
        self.reaper = reaper.Reaper()
        self.reaper._notice_restart()
        machines[self.key[0]] = self

    @property
    def key(self) -> broker.TaskKey:
        return str(self.job.pk), self.row.attempt

    @property
    def row(self) -> Completion:
        return Completion.objects.get(pk=self.job.pk)

    # --- What happens ------------------------------------------------------------------------------------------

    @rule()
    def publish(self) -> None:
        self.queue.append(self.key)

    @precondition(lambda self: self.queue)
    @rule(number=pick, stays=st.booleans())
    def a_worker_takes_a_task(self, number: int, stays: bool) -> None:
        """A message that stays is delivered again later."""
        key = self.queue[number % len(self.queue)]
        if not stays:
            self.queue.remove(key)
        if job := Completion.claim(*key):
            worker = Worker(job)
            self.workers.append(worker)
            worker.write(Kind.STARTED, attempt=job.attempt)

    @precondition(lambda self: self.queue)
    @rule(number=pick)
    def the_broker_loses_a_message(self, number: int) -> None:
        del self.queue[number % len(self.queue)]

    @precondition(lambda self: self.writing)
    @rule(number=pick, words=st.integers(min_value=1, max_value=3))
    def a_worker_writes(self, number: int, words: int) -> None:
        worker = self.writing[number % len(self.writing)]
        for _ in range(words):
            word = f"{worker.job.attempt}.{len(worker.text)} "
            worker.text += word
            worker.writer.delta(word)
        worker.writer.flush(FLUSH_SECONDS)

    @precondition(lambda self: self.writing)
    @rule(number=pick)
    def a_provider_fails_and_the_next_model_begins(self, number: int) -> None:
        worker = self.writing[number % len(self.writing)]
        worker.text = ""
        worker.write(Kind.RESET, model="another")

    @precondition(lambda self: self.writing)
    @rule(number=pick, status=st.sampled_from([Job.Status.DONE, Job.Status.FAILED]), tells=st.booleans())
    def a_worker_ends_an_answer(self, number: int, status: str, tells: bool) -> None:
        worker = self.writing[number % len(self.writing)]
        if worker.cancellation.reason == "stale":  # as `workers.completing` does
            self.workers.remove(worker)
            return
        if worker.cancellation.is_set():
            status = Job.Status.CANCELLED
        self.workers.remove(worker)
        if worker.job.close(status, text=worker.text) and tells:
            worker.write(ENDS[status], length=len(worker.text))

    @precondition(lambda self: self.writing)
    @rule(number=pick)
    def a_worker_hands_over(self, number: int) -> None:
        worker = self.writing[number % len(self.writing)]
        worker.job.retry()
        self.workers.remove(worker)

    @precondition(lambda self: self.workers)
    @rule(number=pick)
    def a_worker_dies(self, number: int) -> None:
        worker = self.workers.pop(number % len(self.workers))
        client().delete(worker.lease)

    @precondition(lambda self: self.workers)
    @rule(number=pick)
    def a_worker_freezes(self, number: int) -> None:
        worker = self.workers[number % len(self.workers)]
        worker.is_frozen = True
        client().delete(worker.lease)

    @precondition(lambda self: any(worker.is_frozen for worker in self.workers))
    @rule(number=pick)
    def a_worker_thaws(self, number: int) -> None:
        frozen = [worker for worker in self.workers if worker.is_frozen]
        worker = frozen[number % len(frozen)]
        worker.is_frozen = False
        worker.renew()

    @rule()
    def the_reaper_looks(self) -> None:
        self.reaper._patient_until = 0.0
        for _ in range(reaper.SCANS_IN_NO_HAND):
            self.reaper.scan()

    @rule()
    def redis_forgets(self) -> None:
        client().delete(stream_key(self.job.reply_id))
        for worker in self.workers:
            client().delete(worker.lease)
        for worker in self.writing:
            worker.renew()

    @precondition(lambda self: self.writing)
    @rule(number=pick)
    def a_lone_job_ends_its_process(self, number: int) -> None:
        worker = self.writing[number % len(self.writing)]
        if worker.job.runs_alone:
            self.workers.remove(worker)
            isolation.quarantine(worker.job, "poison")

    @rule()
    def somebody_presses_stop(self) -> None:
        turns.stop(self.user, reply_id=self.turn.pk)
        for worker in self.writing:
            worker.cancellation.set("cancelled")

    @property
    def writing(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.is_frozen]

    # --- What must always hold -----------------------------------------------------------------------------------

    @invariant()
    def what_must_always_hold(self) -> None:
        """The replay is in order, one worker at most owns the answer, and the end is the end."""
        if not hasattr(self, "job"):
            return
        assert not Replay(replay(str(self.job.reply_id))).faults
        row = self.row
        owners = [w for w in self.workers if (w.job.attempt, Job.Status.RUNNING) == (row.attempt, row.status)]
        assert len(owners) <= 1
        assert row.deaths < row.attempt
        assert row.deaths <= settings.MAX_ATTEMPTS + reaper.UNWITNESSED_DEATHS
        if not row.is_open:
            assert self.final in (None, (row.status, row.text))
            self.final = (row.status, row.text)

    def teardown(self) -> None:
        """When the faults are over, the answer comes, and the replay is what is stored."""
        if not hasattr(self, "job"):
            return
        for worker in list(self.workers):
            if worker.is_frozen:
                self.workers.remove(worker)
        for _ in range(20):
            if not self.row.is_open:
                break
            self.the_reaper_looks()
            while self.queue and self.row.is_open:
                self.a_worker_takes_a_task(0, stays=False)
            for _ in list(self.writing):
                self.a_worker_ends_an_answer(0, Job.Status.DONE, tells=True)
        row = self.row
        assert not row.is_open, "lost"
        folded = Replay(replay(str(row.reply_id)))
        assert not folded.faults
        if folded.has_ended and row.status == Job.Status.DONE:
            assert folded.text == row.text
        client().delete(stream_key(row.reply_id), cancel_key(row.reply_id))
        del machines[str(row.pk)]


machines: dict[str, Answers] = {}  # by the id of their completion


def explore(monkeypatch: pytest.MonkeyPatch, examples: int, seed: int = 1) -> None:
    """Run that many random histories. Needs a database."""

    def publish(job: Job) -> None:
        machines[str(job.pk)].queue.append((str(job.pk), job.attempt))

    def lost(waiting: dict[str, set[broker.TaskKey]]) -> set[broker.TaskKey]:
        return {key for keys in waiting.values() for key in keys if key not in machines[key[0]].queue}

    monkeypatch.setattr(Job, "publish", publish)
    monkeypatch.setattr(broker, "lost", lost)
    monkeypatch.setattr(reaper, "LOST_AFTER_SECONDS", -1.0)
    monkeypatch.setattr(reaper, "LOOK_SECONDS", 0.0)
    run_state_machine_as_test(
        hypothesis.seed(seed)(Answers),
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
