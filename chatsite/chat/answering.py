"""The spine: a turn gets a decision, a prompt, and a queued completion. Runs in the light worker."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from chatsite.chat import access, branches
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.documents import texts
from router import evidence
from router.decision import UnknownRouteError, decide, message_without_command
from router.models import Decision
from router.policies import NoLiveRevisionError, deployment
from router.policy import Choice, Policy, Request, RouteSpec
from workers import prompts, tracing
from workers.encoder import encode
from workers.errors import InputError, WorkerError
from workers.events import Kind
from workers.jobs import Job, ended
from workers.leases import Lease
from workers.models import Completion, Model, Provider
from workers.prompts import Attached, Prompt, Said, one_text
from workers.stream import StreamWriter

logger = logging.getLogger(__name__)

# All that the router reads of the answer before; the decision keeps it, so that it can be derived again.
CONTEXT_CHARACTERS = 400
# What its queue and the prompt for it depend on.
_NEEDED_OF_A_MODEL = ("worker_group", "context_window", "max_output_tokens", "provider__kind")
# Not the prompts, of which each has all that was said before it.
_NEEDED_OF_HISTORY = ("parent", "role", "text", "attachment_count", "turn__completion__text")


class NoModelError(WorkerError):
    """No enabled model of the route exists. `code` names the words for it."""

    code = "no_model"


class WantedModelError(NoModelError):
    """The model that the person chose cannot answer."""

    code = "model_gone"


@dataclass(frozen=True)
class _Decided:
    """A choice, what it was made from, the policy as the person meets it, and how many milliseconds it took."""

    choice: Choice
    request: Request
    policy: Policy
    duration_ms: float

    def store(self, **facts: Any) -> Decision:
        return Decision.objects.create(
            **facts,
            context=self.request.context,
            groups=sorted(self.request.groups),
            revision_id=self.policy.revision,
            route=self.choice.route,
            role=self.choice.role,
            strategy=self.choice.strategy,
            score=self.choice.score,
            threshold=self.choice.threshold,
            scores=self.choice.scores,
            evidence=self.choice.evidence,
            duration_ms=self.duration_ms,
        )


def answer(turn: Turn, lease: Lease) -> None:
    """Decide the turn's route and queue the completion that answers it, or close the turn with the reason."""
    writer = StreamWriter(turn.pk, 0, lease.cancellation)
    if turn.cancel_requested_at:
        _give_way(turn, writer)
        return
    history = _history(turn.message)
    attached = texts.attached_to(turn.message)
    request = _request(turn, history, attached)
    try:
        with tracing.span("decide") as facts:
            decided = _decide(turn.conversation_id, request)
            choice, policy = decided.choice, decided.policy
            facts |= {"route": choice.route, "strategy": choice.strategy, "revision": policy.revision}
    except UnknownRouteError as error:  # switched off since the message was accepted
        if turn.close(Job.Status.FAILED, error_code="unknown_route", error_detail=str(error)):
            _tell_end(turn, writer, Kind.FAILED, code="unknown_route")
        return
    logger.info("Decided: %s by %s, in %.1f ms", choice.route, choice.strategy, decided.duration_ms)
    with transaction.atomic():
        decision = decided.store()
        is_closed = _close(turn, decision, decided, history, attached)
        transaction.set_rollback(not is_closed)
    if not is_closed:
        _give_way(turn, writer)
        return
    writer.event(Kind.DECIDED, route=decision.route)
    if turn.status == Job.Status.FAILED:
        _tell_end(turn, writer, Kind.FAILED, code=turn.error_code)
    writer.flush(5)
    _complete_evidence(decision, decided)
    _decide_in_the_shadow(request, decision)


def _give_way(turn: Turn, writer: StreamWriter) -> None:
    """The person has asked to stop it; or this attempt is not the running one any more, and nothing happens."""
    if turn.close(Job.Status.CANCELLED):
        _tell_end(turn, writer, Kind.CANCELLED, length=0)


def _tell_end(turn: Turn, writer: StreamWriter, kind: str, **facts: Any) -> None:
    writer.event(kind, **facts)
    ended.send_robust(sender=Turn, job=turn)


def warm_up() -> None:
    """Load the encoder and the live revision, so that the first message does not wait for them."""
    encode(["Loads the weights."])
    with contextlib.suppress(NoLiveRevisionError):
        deployment(encode)


def previewed(user: Any, conversation: Conversation | None, text: str, attached: Sequence[Attached] = ()) -> str:
    """The title of the route that a message would take at the end of a conversation; empty if none would."""
    history = _history(_next_message(conversation)) if conversation else []
    request = Request(
        text=one_text(text, attached),
        context=_context(history),
        groups=access.groups_of(user),
        attached=_kinds(attached),
    )
    try:
        decided = _decide(conversation and conversation.pk, request)
    except (UnknownRouteError, NoLiveRevisionError):
        return ""
    return decided.policy.route(decided.choice.route).title


def _next_message(conversation: Conversation) -> Message:
    return Message(conversation=conversation, parent_id=branches.leaf_of(conversation))


def stored_request(turn: Turn, decision: Decision) -> Request:
    """What a decision was made from: `decide` with it, on the decision's revision, gives the same choice again."""
    attached = texts.attached_to(turn.message)
    text, groups = one_text(turn.message.text, attached), frozenset(decision.groups)
    return Request(text, turn.wanted_route, decision.context, groups, _kinds(attached))


def _request(turn: Turn, history: Sequence[Said], attached: Sequence[Attached]) -> Request:
    return Request(
        text=one_text(turn.message.text, attached),
        wanted_route=turn.wanted_route,
        context=_context(history),
        groups=access.groups_of(turn.conversation.user),
        attached=_kinds(attached),
    )


def _kinds(attached: Iterable[Attached]) -> frozenset[str]:
    return frozenset(file.kind for file in attached)


def _context(history: Sequence[Said]) -> str:
    return one_text(history[-1].text, history[-1].attached)[:CONTEXT_CHARACTERS] if history else ""


def _decide(conversation_id: Any, request: Request) -> _Decided:
    began = time.perf_counter()
    policy = deployment(encode).policy_for(conversation_id).restricted(request.groups)
    choice = decide(request, policy, encode)
    return _Decided(choice, request, policy, _ms_since(began))


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _complete_evidence(decision: Decision, decided: _Decided) -> None:
    """Add what only “Why?” needs, when nobody waits for it any more; whatever goes wrong, the answer is on its way."""
    try:
        complete = evidence.complete(decided.choice, decided.request, decided.policy, encode)
        if complete != decision.evidence:
            Decision.objects.filter(pk=decision.pk).update(evidence=complete)
    except Exception:
        logger.exception("The evidence of a decision could not be completed")


def _decide_in_the_shadow(request: Request, decision: Decision) -> None:
    """Record what a shadow would have decided. Whatever goes wrong there, nobody's answer suffers."""
    try:
        shadow = deployment(encode).shadow
        if shadow:
            began = time.perf_counter()
            choice = decide(request, shadow, encode)
            _Decided(choice, request, shadow, _ms_since(began)).store(shadow_of=decision)
    except UnknownRouteError:
        return  # the shadow has no such route
    except Exception:
        logger.exception("The shadow could not decide")


def _close(
    turn: Turn, decision: Decision, decided: _Decided, history: Sequence[Said], attached: Sequence[Attached]
) -> bool:
    """Queue the completion that answers the turn, or keep why there is none. False: it is not this attempt's any more.

    False also if somebody has asked to stop it.
    """
    route, groups = decided.policy.route(decision.route), decided.request.groups
    try:
        prompt, completion = _queue_completion(turn, decision, route, groups, history, attached)
    except WorkerError as error:
        return turn.close(Job.Status.FAILED, decision=decision, error_code=error.code, error_detail=str(error))
    return turn.finish(decision=decision, completion=completion, read_share=prompt.share)


def _queue_completion(
    turn: Turn,
    decision: Decision,
    route: RouteSpec,
    groups: frozenset[int],
    history: Sequence[Said],
    attached: Sequence[Attached],
) -> tuple[Prompt, Completion]:
    has_lost_files = turn.message.attachment_count > 0 and not attached
    if has_lost_files and not turn.message.text.strip():
        raise InputError("unreadable_files", "No file could be read, and there is no text.")
    first, *others = _models(route, turn.wanted_model_id, groups)
    try:
        prompt = _prompt(turn.message, decision.role, route, first, history, attached)
    except InputError as error:  # what is missing should have come out of the files
        if has_lost_files:
            raise InputError("unreadable_files", f"No file could be read, and so: {error}") from error
        raise
    completion = Completion.objects.create(
        reply_id=turn.pk,
        person_id=turn.conversation.user_id,
        role=decision.role,
        model=first,
        fallbacks=[model.pk for model in others],
        prompt=prompt.messages,
        options={**route.options, **prompt.options},
    )
    completion.enqueue_on_commit()
    return prompt, completion


def _prompt(
    message: Message,
    role: str,
    route: RouteSpec,
    model: Model,
    history: Sequence[Said],
    attached: Sequence[Attached],
) -> Prompt:
    return prompts.build(
        role,
        message=message_without_command(message.text),
        history=history,
        attached=attached,
        template=route.prompt_template,
        labels=route.labels,
        # What is built in reads texts of any length.
        context_window=0 if model.provider.kind == Provider.Kind.EMBEDDED else model.context_window,
        max_output_tokens=model.max_output_tokens,
    )


def _models(route: RouteSpec, wanted_model: int | None, groups: frozenset[int]) -> list[Model]:
    """The route's models that are switched on and that somebody in these groups may use now, in order of preference.

    The revision has said who may use them when it was published; what was taken away since is taken away at once. If
    the person has chosen one of them, there is no other. Raises `NoModelError`.
    """
    usable = access.usable_models(groups).select_related("provider").order_by()
    found = usable.only(*_NEEDED_OF_A_MODEL).in_bulk(route.model_ids)
    models = [found[pk] for pk in route.model_ids if pk in found]
    if not models:
        raise NoModelError(f"The route {route.name} has no model that is switched on.")
    wanted = [model for model in models if wanted_model in (None, model.pk)]
    if not wanted:
        raise WantedModelError(f"The model that was chosen is none of the route {route.name} any more.")
    return wanted


def _history(message: Message) -> list[Said]:
    """What was said before this message on its branch, oldest first; answers that never came are left out."""
    if message.parent_id is None:
        return []
    entries = Message.objects.filter(conversation=message.conversation_id).select_related("turn__completion")
    by_id: dict[Any, Message] = {entry.pk: entry for entry in entries.only(*_NEEDED_OF_HISTORY)}
    path: list[Message] = []
    parent_id: UUID | None = message.parent_id
    while parent_id in by_id:
        path.append(by_id[parent_id])
        parent_id = path[-1].parent_id
    files = texts.of(path)
    said = (Said(entry.role, _text(entry), files[entry.pk]) for entry in path[::-1])
    return [each for each in said if each.text or each.attached]


def _text(entry: Message) -> str:
    return entry.text if entry.role == Message.Role.USER else _answer_text(entry)


def _answer_text(reply: Message) -> str:
    completion = reply.turn.completion if hasattr(reply, "turn") else None
    return completion.text if completion else ""
