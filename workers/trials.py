"""Trials: what an admin tries out, done by a worker for real, and kept for ten minutes after that.

The web tier starts one and looks at it until it is finished; it never waits and never calls a model itself.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Self

import orjson
import redis
from celery import Task, shared_task
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from kombu.exceptions import OperationalError

from workers.backends import backend_for, run_of
from workers.connections import client
from workers.errors import UnknownModelError, WorkerError
from workers.models import Model, Provider, Role

logger = logging.getLogger(__name__)

KEEP_SECONDS = 600
KEEP_OPEN_SECONDS = 24 * 3600  # it may wait behind others, or take long
PROGRESS_SECONDS = 0.5
STOPPED = (
    "The worker that did this was stopped before it was done. What it was to do may be done all the same; look, and "
    "start it again if not."
)
_SAMPLES = {
    Role.GENERATE: ("Say hello in one short sentence.", {}),
    Role.SUMMARISE: ("The night train was late again. Nobody in the cold station knew why. Tea helped.", {}),
    Role.CLASSIFY: ("The room was lovely!", {"labels": [{"name": "praise"}, {"name": "complaint"}]}),
}


@dataclass
class Trial:
    """One trial, as it is kept in Redis under its ticket."""

    ticket: str
    asked_by: int
    queue: str
    asked_at: float
    input: dict[str, Any]
    state: str = "waiting"  # then running, then done or failed
    outcome: dict[str, Any] = field(default_factory=dict)
    done: int = 0  # how far it is, of `total`
    total: int = 0
    saved_at: float = 0.0

    @classmethod
    def start(cls, task: Task, queue: str, asked_by: Any, **facts: Any) -> Self:
        """Keep a new trial of the user `asked_by`, and hand it to `task` when the transaction commits.

        Raises `redis.RedisError`.
        """
        trial = cls(secrets.token_urlsafe(16), asked_by.pk, queue, time.time(), facts)
        trial.save()
        transaction.on_commit(partial(trial._publish, task))
        return trial

    @classmethod
    def find(cls, ticket: str) -> Self | None:
        """The trial of a ticket, or None if there is none any more. Raises `redis.RedisError`."""
        kept = client().get(_key(ticket))
        return cls(**orjson.loads(kept)) if kept else None

    def save(self) -> None:
        self.saved_at = time.time()
        keep = KEEP_OPEN_SECONDS if self.is_open else KEEP_SECONDS
        client().set(_key(self.ticket), orjson.dumps(asdict(self)), ex=keep)

    def begin(self) -> None:
        """Say that a worker has taken it."""
        self.state = "running"
        self.save()

    def advance(self, done: int, total: int) -> None:
        """Say how far it is. Cheap to call often."""
        self.done, self.total = done, total
        if time.time() - self.saved_at >= PROGRESS_SECONDS:
            self.save()

    def finish(self, **outcome: Any) -> None:
        self.state, self.outcome = "done", outcome
        self.save()

    def hand_over(self, task: Task) -> None:
        """Have another worker begin it anew, which may take as long as it waits in its queue. Raises as `start`."""
        self.state = "waiting"
        self.save()
        self._publish(task)

    def fail(self, text: str) -> None:
        self.state, self.outcome = "failed", {"text": text}
        self.save()

    def _publish(self, task: Task) -> None:
        try:
            task.apply_async(args=[self.ticket], queue=self.queue)
        except OperationalError:
            logger.exception("A trial could not be handed to the queue %s.", self.queue)
            self.fail("The queue cannot be reached, so no worker hears of this. Is the broker running?")

    @property
    def is_open(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def seconds(self) -> float:
        """For how long it has been going on."""
        return time.time() - self.asked_at

    @property
    def silent_seconds(self) -> float:
        """For how long nothing has been heard of it."""
        return time.time() - self.saved_at


def start_check(provider: Provider, model: Model | None, asked_by: Any) -> Trial:
    """Have a worker call `model`, or only reach the provider if there is none. Raises as `Trial.start`."""
    called = model or Model(provider=provider)
    facts = {"provider": provider.pk, "model": model.pk if model else None}
    return Trial.start(check_model, called.queue, asked_by, **facts)


def attend(
    ticket: str,
    work: Callable[[Trial], dict[str, Any]],
    failure: str,
    refusals: tuple[type[Exception], ...] = (),
    again: Task | None = None,
) -> None:
    """Do the work of a trial, and keep the outcome that it gives, or in words for an admin why there is none.

    The text of `refusals` says it all; of whatever else goes wrong, `failure` names what could not be done. If the work
    changes nothing, `again` is the task that may do it once more, should this process be stopped.
    """
    trial = Trial.find(ticket)
    if trial is None or trial.state != "waiting":  # a broker may deliver a task again whose worker died
        return
    trial.begin()
    _attended[ticket] = trial, again
    try:
        trial.finish(**work(trial))
    except refusals as error:
        trial.fail(str(error))
    except Exception as error:
        logger.exception("%s.", failure)
        trial.fail(f"{failure} ({type(error).__name__}). The log of the worker says more.")
    finally:
        _attended.pop(ticket, None)


_attended: dict[str, tuple[Trial, Task | None]] = {}  # what this process is at


def interrupt_all() -> None:
    """At the end of this process: other workers take what may be done again; of the rest the admin is told."""
    for trial, again in list(_attended.values()):
        if not trial.is_open:
            continue
        try:
            if again:
                trial.hand_over(again)
            else:
                trial.fail(STOPPED)
        except redis.RedisError as error:
            logger.warning("A trial is cut off, and nobody could be told: %s", error)


@shared_task(name="workers.check_model")
def check_model(ticket: str) -> None:
    """Call the model of a trial and keep what came of it."""
    attend(ticket, _called, "The test itself failed", (WorkerError,), again=check_model)


def _called(trial: Trial) -> dict[str, Any]:
    model = _model(trial)
    began = time.perf_counter()
    role = Role.GENERATE if Role.GENERATE in model.roles else Role(min(model.roles))
    sample, options = _SAMPLES[role]
    run = run_of(model, role, [{"role": "user", "content": sample}], options)
    text = backend_for(model).check(run)
    return {"text": text, "seconds": time.perf_counter() - began}


def _key(ticket: str) -> str:
    return f"trial:{ticket}"


def _model(trial: Trial) -> Model:
    try:
        if trial.input["model"]:
            return Model.objects.select_related("provider").get(pk=trial.input["model"])
        return Model(provider=Provider.objects.get(pk=trial.input["provider"]))
    except ObjectDoesNotExist as error:
        raise UnknownModelError("It has been deleted in the meantime.") from error
