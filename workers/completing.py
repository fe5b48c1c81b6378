"""One attempt of a completion, from the claimed row to its final state."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import redis
from django.utils import timezone
from kombu.exceptions import OperationalError

from workers import failures, presence, tracing
from workers.attempts import close_persistently
from workers.backends import backend_for, run_of
from workers.backends.base import Cancellation, Outcome
from workers.errors import InputError, RateLimitedError, UnknownModelError, WorkerError
from workers.events import Kind
from workers.jobs import Job, ended
from workers.leases import Lease
from workers.models import Completion, Model, Role, answered
from workers.prompts.generate import refitted
from workers.retrying import budget_of
from workers.stream import StreamWriter

logger = logging.getLogger(__name__)

TRIES_PER_MODEL = 3
PAUSE_SECONDS = 0.5  # before the second try of a model; doubled for the third
LONGEST_PAUSE_SECONDS = 30.0  # a Retry-After beyond this sends us to the next model
FLUSH_SECONDS = 30.0


@dataclass
class _Answer:
    """What one try has brought so far."""

    model: Model | None  # none if it has been deleted since
    pieces: list[str] = field(default_factory=list)
    first_token_at: datetime | None = None
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def run(completion: Completion, lease: Lease) -> None:
    """Run the completion's model, or the next one of its route, and write the result."""
    writer = StreamWriter(completion.reply_id, completion.attempt, lease.cancellation)
    if completion.cancel_requested_at:
        lease.cancellation.set()
    tries: list[_Answer] = []
    try:
        is_ours = _answer(completion, tries, writer, lease.cancellation)
    except WorkerError as error:
        logger.warning("Completion %s failed: %s: %s", completion.pk, error.code, error)
        longest = _longest(completion, tries)
        facts = {"error_code": error.code, "error_detail": str(error)[:2000], "text": longest.text}
        if close_persistently(completion, Job.Status.FAILED, **facts):
            _show(longest, tries, writer)
            writer.event(Kind.FAILED, code=error.code)
            ended.send_robust(sender=Completion, job=completion)
    else:
        if is_ours:
            _finish(completion, tries, writer, lease.cancellation)
    writer.flush(FLUSH_SECONDS)


def _finish(completion: Completion, tries: list[_Answer], writer: StreamWriter, cancellation: Cancellation) -> None:
    """Store the answer first, then tell the readers: the row is what they fetch."""
    if cancellation.is_set() and cancellation.reason != "cancelled":
        logger.info("Completion %s attempt %d gave way: %s", completion.pk, completion.attempt, cancellation.reason)
        return
    status = Job.Status.CANCELLED if cancellation.is_set() else Job.Status.DONE
    answer = tries[-1] if status == Job.Status.DONE else _longest(completion, tries)
    outcome, model = answer.outcome, answer.model
    stored = close_persistently(
        completion,
        status,
        text=answer.text,
        result=outcome.result,
        was_cut_short=outcome.was_cut_short,
        answered_by=model,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        cost=model.cost_of(outcome.prompt_tokens or 0, outcome.completion_tokens or 0) if model else 0,
        first_token_at=answer.first_token_at,
    )
    if stored:
        logger.info(
            "Completion %s is %s: %s characters by %s, %s prompt and %s completion tokens",
            *(completion.pk, status, len(answer.text), model, outcome.prompt_tokens, outcome.completion_tokens),
        )
        _show(answer, tries, writer)
        writer.event(Kind.DONE if status == Job.Status.DONE else Kind.CANCELLED, length=len(answer.text))
        ended.send_robust(sender=Completion, job=completion)
        answered.send_robust(sender=Completion, completion=completion)


def _longest(completion: Completion, tries: list[_Answer]) -> _Answer:
    """Readers see what one try has written until a later one is as long: that stays if the answer is never whole.

    An earlier attempt's may be that one too.
    """
    text, name = completion.written_in(completion.attempt - 1)
    longest = max(reversed(tries), key=lambda answer: len(answer.text), default=_Answer(None))
    return longest if len(longest.text) >= len(text) else _Answer(Model.objects.filter(name=name).first(), [text])


def _show(answer: _Answer, tries: list[_Answer], writer: StreamWriter) -> None:
    """Have the stream end with it, as the row does."""
    if answer.text and tries[-1:] != [answer]:
        writer.event(Kind.RESET, model=answer.model.name if answer.model else "")
        writer.delta(answer.text)


def _answer(completion: Completion, tries: list[_Answer], writer: StreamWriter, cancellation: Cancellation) -> bool:
    """Try the route's models in order; the last one's error is the completion's. False: it is not ours to end any more.

    `completion` names the next attempt then, and whatever is asked of this one, to stop for instance, comes too late.
    What each try brings is in `tries`.
    """
    models = _models(completion)
    writer.event(Kind.STARTED, attempt=completion.attempt, model=models[0].name)
    for place, model in enumerate(models):
        if place:
            writer.event(Kind.RESET, model=model.name)
        try:
            _try_model(model, completion, tries, writer, cancellation)
            return True
        except InputError:
            raise
        except WorkerError as error:
            logger.warning("Model %s did not answer %s: %s", model, completion.pk, error)
            if model is models[-1]:
                raise
            if not cancellation.is_set() and _pass_on(completion, models[place + 1]):
                return False
    raise AssertionError("unreachable: the last model returns or raises")


def _pass_on(completion: Completion, model: Model) -> bool:
    """Leave it to the workers of the next model, if those are others than we are, and there are any."""
    if model.queue == completion.queue:
        return False
    try:
        if not presence.is_served(model.queue) or not completion.pass_on(model):
            return False
        logger.info("Completion %s is passed on to %s: attempt %d begins", completion.pk, model, completion.attempt)
        completion.publish()
    except (OperationalError, redis.RedisError) as error:
        logger.warning("%s could not be passed on now: %s", completion.pk, error)
    return completion.status == Job.Status.QUEUED


def _models(completion: Completion) -> list[Model]:
    wanted = [completion.model_id, *completion.fallbacks]
    if completion.passed_to_id in wanted:
        wanted = wanted[wanted.index(completion.passed_to_id) :]
    found = {completion.model.pk: completion.model} if completion.model else {}  # as it stood at the claim
    if others := set(wanted) - found.keys():
        found |= Model.objects.select_related("provider").in_bulk(others)
    models = [found[pk] for pk in wanted if pk in found and found[pk].can_answer]
    if not models:
        raise UnknownModelError("The models of this route have been switched off or deleted since.")
    return models


def _try_model(
    model: Model, completion: Completion, tries: list[_Answer], writer: StreamWriter, cancellation: Cancellation
) -> None:
    """Run one model; errors that may pass are tried again from the beginning."""
    budget = budget_of(model.provider_id)
    budget.note_request()
    for tried in range(1, TRIES_PER_MODEL + 1):
        answer = _Answer(model)
        tries.append(answer)
        try:
            with tracing.span("call model", **_traced(model), tried=tried) as facts:
                _stream(model, answer, completion, writer, cancellation)
                facts["gen_ai.usage.input_tokens"] = answer.outcome.prompt_tokens
                facts["gen_ai.usage.output_tokens"] = answer.outcome.completion_tokens
        except WorkerError as error:
            pause = _pause(error, tried)
            if cancellation.is_set():
                return
            if not isinstance(error, InputError):
                failures.note(model.provider.name, error.code)
            if pause is None or not budget.take():
                raise
            logger.info("Model %s: %s; trying again in %.1f s", model, error, pause)
            if cancellation.wait(pause):
                return
            if answer.pieces:
                writer.event(Kind.RESET, model=model.name)
        else:
            return
    raise AssertionError("unreachable: the last try returns or raises")


def _pause(error: WorkerError, tried: int) -> float | None:
    """Seconds until the next try of the same model, or None if there is no point in one."""
    if not error.is_retryable or tried == TRIES_PER_MODEL:
        return None
    if isinstance(error, RateLimitedError):
        return error.retry_after_seconds if error.retry_after_seconds <= LONGEST_PAUSE_SECONDS else None
    return PAUSE_SECONDS * tried


def _stream(
    model: Model, answer: _Answer, completion: Completion, writer: StreamWriter, cancellation: Cancellation
) -> None:
    backend = backend_for(model)
    prompt = _prompt_for(model, completion)
    run = run_of(model, completion.role, prompt, completion.options, request_id=str(completion.reply_id))
    if not backend.is_ready(run):
        writer.event(Kind.LOADING, model=model.name)
        backend.get_ready(run, cancellation)
        writer.event(Kind.LOADED)
    deltas = backend.stream(run, cancellation)
    try:
        while not cancellation.is_set():
            if piece := _storable(next(deltas)):
                answer.first_token_at = answer.first_token_at or timezone.now()
                answer.pieces.append(piece)
                writer.delta(piece)
    except StopIteration as end:
        answer.outcome = end.value
    finally:
        deltas.close()


def _prompt_for(model: Model, completion: Completion) -> list[dict[str, str]]:
    """The prompt, which was built for the first model, or what of it the window of a later one has room for."""
    prompt: list[dict[str, str]] = completion.prompt
    if model.pk == completion.model_id or completion.role != Role.GENERATE:
        return prompt
    return refitted(prompt, model.context_window, model.max_output_tokens)


def _traced(model: Model) -> dict[str, Any]:
    """The names that OpenTelemetry's conventions give to what is called."""
    return {"gen_ai.request.model": model.identifier, "gen_ai.provider.name": model.provider.name}


def _storable(piece: str) -> str:
    """The text without what a database cannot keep: NUL characters, and halves of characters."""
    return piece.replace("\0", "").encode("utf-8", "replace").decode()
