"""The spine: a turn gets a decision, a prompt, and a queued completion. Runs in the light worker."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from django.db import transaction

from chatsite.chat.models import Message, Turn
from router import evidence
from router.decision import UnknownRouteError, decide, message_without_command
from router.models import Decision
from router.policy import Choice, Policy, Request, RouteSpec
from router.revisions import NoLiveRevisionError, live_policy
from workers import prompts
from workers.encoder import encode
from workers.errors import WorkerError
from workers.events import Kind
from workers.jobs import Job
from workers.leases import Lease
from workers.models import Completion, Model
from workers.stream import StreamWriter


class NoModelError(WorkerError):
    """No enabled model of the route exists. `code` names the words for it."""

    code = "no_model"


def answer(turn: Turn, lease: Lease) -> None:
    """Decide the turn's route and queue the completion that answers it, or close the turn with the reason."""
    writer = StreamWriter(turn.pk, 0, lease.key, lease.cancellation)
    if turn.cancel_requested_at:
        if turn.close(Job.Status.CANCELLED):
            writer.event(Kind.CANCELLED, length=0)
        return
    history = _history(turn.message)
    request = _request(turn, history)
    try:
        decision, choice, policy = _decide(request)
    except UnknownRouteError as error:  # switched off since the message was accepted
        if turn.close(Job.Status.FAILED, error_code="unknown_route", error_detail=str(error)):
            writer.event(Kind.FAILED, code="unknown_route")
        return
    try:
        with transaction.atomic():
            completion = _queue_completion(turn, decision, policy.route(decision.route), history)
            if not turn.close(Job.Status.DONE, decision=decision, completion=completion):
                transaction.set_rollback(True)
                return
        writer.event(Kind.DECIDED, route=decision.route)
    except WorkerError as error:
        if turn.close(Job.Status.FAILED, decision=decision, error_code=error.code, error_detail=str(error)):
            writer.event(Kind.DECIDED, route=decision.route)
            writer.event(Kind.FAILED, code=error.code)
    writer.flush(5)
    _complete_evidence(decision, choice, request, policy)


def warm_up() -> None:
    """Load the encoder and the live revision, so that the first message does not wait for them."""
    encode(["Loads the weights."])
    with contextlib.suppress(NoLiveRevisionError):
        live_policy(encode)


def _decide(request: Request) -> tuple[Decision, Choice, Policy]:
    began = time.perf_counter()
    policy = live_policy(encode)
    choice = decide(request, policy, encode)
    duration_ms = (time.perf_counter() - began) * 1000
    return _store(choice, policy, duration_ms), choice, policy


def _complete_evidence(decision: Decision, choice: Choice, request: Request, policy: Policy) -> None:
    """Add what only “Why?” needs, when nobody waits for it any more."""
    decision.evidence = evidence.complete(choice, request, policy, encode)
    decision.save(update_fields=["evidence"])


def _request(turn: Turn, history: list[dict[str, str]]) -> Request:
    previous = history[-1]["content"] if history else ""
    return Request(text=turn.message.text, wanted_route=turn.wanted_route, context=previous)


def _store(choice: Choice, policy: Policy, duration_ms: float) -> Decision:
    return Decision.objects.create(
        revision_id=policy.revision,
        route=choice.route,
        role=choice.role,
        strategy=choice.strategy,
        score=choice.score,
        threshold=choice.threshold,
        scores=choice.scores,
        evidence=choice.evidence,
        duration_ms=duration_ms,
    )


def _queue_completion(turn: Turn, decision: Decision, route: RouteSpec, history: list[dict[str, str]]) -> Completion:
    first, *others = _models(route)
    prompt = prompts.build(
        decision.role,
        message=message_without_command(turn.message.text),
        history=history,
        template=route.prompt_template,
        labels=route.labels,
        context_window=first.context_window,
        max_output_tokens=first.max_output_tokens,
    )
    completion = Completion.objects.create(
        reply_id=turn.pk,
        role=decision.role,
        model=first,
        fallbacks=[model.pk for model in others],
        prompt=prompt.messages,
        options={**route.options, **prompt.options},
    )
    completion.enqueue_on_commit()
    return completion


def _models(route: RouteSpec) -> list[Model]:
    """The route's models that are switched on, in order of preference. Raises `NoModelError`."""
    usable = Model.objects.filter(is_enabled=True, provider__is_enabled=True).select_related("provider")
    found = usable.in_bulk(route.model_ids)
    models = [found[pk] for pk in route.model_ids if pk in found]
    if not models:
        raise NoModelError(f"The route {route.name} has no model that is switched on.")
    return models


def _history(message: Message) -> list[dict[str, str]]:
    """What was said before this message on its branch, oldest first; answers that never came are left out."""
    by_id: dict[Any, Message] = {
        entry.pk: entry
        for entry in message.conversation.messages.select_related("turn__completion").filter(
            created_at__lt=message.created_at
        )
    }
    path: list[dict[str, str]] = []
    parent_id = message.parent_id
    while parent_id in by_id:
        entry = by_id[parent_id]
        text = entry.text if entry.role == Message.Role.USER else _answer_text(entry)
        if text:
            path.append({"role": entry.role, "content": text})
        parent_id = entry.parent_id
    return path[::-1]


def _answer_text(reply: Message) -> str:
    completion = reply.turn.completion if hasattr(reply, "turn") else None
    return completion.text if completion else ""
