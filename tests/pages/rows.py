"""Conversations in any state, as rows, without the processes that would bring them there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from chatsite.chat.models import Conversation, Message, Turn
from router.models import Classifier, Decision, Revision
from workers.jobs import Job
from workers.models import Completion, Model, Provider

ROUTES = [
    {
        "name": name,
        "title": title,
        "description": "",
        "role": name,
        "threshold": 0.5,
        "is_default": name == "generate",
        "models": [],
        "prompt_template": "",
        "options": {},
        "labels": [],
        "rules": [],
    }
    for name, title in (("summarise", "Summary"), ("classify", "Classification"), ("generate", "Chat"))
]


def revision() -> Revision:
    """The live revision; one of three routes where nothing is published."""
    if live := Revision.objects.filter(is_live=True).first():
        return live
    classifier, _ = Classifier.objects.get_or_create(sha256="0" * 64, defaults={"content": b""})
    return Revision.objects.create(number=7, snapshot={"routes": ROUTES}, classifier=classifier, is_live=True)


def model(name: str = "Small model") -> Model:
    provider, _ = Provider.objects.get_or_create(name="Some server", kind="openai", base_url="http://127.0.0.1:9/v1")
    return Model.objects.get_or_create(name=name, identifier=name, defaults={"provider": provider})[0]


def decision(**fields: Any) -> Decision:
    defaults = {"route": "generate", "role": "generate", "strategy": "classifier", "duration_ms": 3.25}
    return Decision.objects.create(**{"revision": revision(), **defaults, **fields})


def completion(reply: Message, status: str, **fields: Any) -> Completion:
    sent_at = reply.created_at
    times: dict[str, Any] = {"queued_at": sent_at}
    if status != Job.Status.QUEUED:
        times["started_at"] = sent_at + timedelta(milliseconds=20)
    if status not in Job.OPEN:
        times |= {
            "first_token_at": sent_at + timedelta(milliseconds=340),
            "finished_at": sent_at + timedelta(seconds=2.5),
        }
    return Completion.objects.create(
        reply_id=reply.pk, prompt=[], status=status, **{"role": "generate", "model": model(), **times, **fields}
    )


def turn(
    user: Any,
    text: str = "Hello",
    answer: str = "Hello to you.",
    *,
    status: str = Job.Status.DONE,
    conversation: Conversation | None = None,
    parent: Message | None = None,
    decided: dict[str, Any] | None = None,
    **fields: Any,
) -> Turn:
    """A message and its reply. `decided` describes the decision, `fields` the completion."""
    now = timezone.now()
    conversation = conversation or Conversation.objects.create(user=user, title=text[:60])
    message = Message.objects.create(
        conversation=conversation, parent=parent, role=Message.Role.USER, text=text, user=user, created_at=now
    )
    return reply(message, answer, status=status, decided=decided, **fields)


def reply(
    message: Message,
    answer: str = "",
    *,
    status: str = Job.Status.DONE,
    decided: dict[str, Any] | None = None,
    **fields: Any,
) -> Turn:
    """Another answer to a message."""
    answered = Message.objects.create(
        conversation=message.conversation, parent=message, role=Message.Role.ASSISTANT, created_at=timezone.now()
    )
    return Turn.objects.create(
        reply=answered,
        message=message,
        conversation=message.conversation,
        decision=decision(**(decided or {})),
        completion=completion(answered, status, text=answer, **fields),
        status=Job.Status.DONE,
        started_at=answered.created_at,
        finished_at=answered.created_at,
    )


def undecided(user: Any, status: str = Job.Status.QUEUED, decided: dict[str, Any] | None = None, **fields: Any) -> Turn:
    """A turn without a completion: waiting for its decision, or failed with or after it."""
    answered = turn(user)
    completion, answered.completion = answered.completion, None
    answered.decision = decision(**decided) if decided else None
    answered.status = status
    if status in Job.OPEN:
        answered.finished_at = None
    for name, value in fields.items():
        setattr(answered, name, value)
    answered.save()
    assert completion
    completion.delete()
    return answered


def long_conversation(user: Any, turns: int = 500) -> Conversation:
    """A conversation of `turns` questions and as many answers, "Question 0", "Answer 0" and so on."""
    conversation = Conversation.objects.create(user=user, title=f"{turns} questions")
    began, by, live = timezone.now() - timedelta(days=1), model(), revision()
    messages: list[Message] = []
    for number in range(2 * turns):
        is_answer = number % 2 == 1
        messages.append(
            Message(
                conversation=conversation,
                parent=messages[-1] if messages else None,
                role=Message.Role.ASSISTANT if is_answer else Message.Role.USER,
                text="" if is_answer else f"Question {number // 2}",
                user=None if is_answer else user,
                created_at=began + timedelta(seconds=number),
            )
        )
    Message.objects.bulk_create(messages)
    answers = messages[1::2]
    facts = {"route": "generate", "role": "generate", "strategy": "classifier", "duration_ms": 3.25, "revision": live}
    decisions = Decision.objects.bulk_create(Decision(**facts) for _ in answers)
    completions = Completion.objects.bulk_create(
        Completion(
            reply_id=answer.pk,
            prompt=[],
            role="generate",
            model=by,
            status=Job.Status.DONE,
            finished_at=began,
            text=f"Answer {number}\n\n" + "- A point of it, in some words.\n" * (number % 7),
        )
        for number, answer in enumerate(answers)
    )
    Turn.objects.bulk_create(
        Turn(
            reply=answer,
            message=question,
            conversation=conversation,
            decision=decided,
            completion=completed,
            status=Job.Status.DONE,
            finished_at=began,
        )
        for question, answer, decided, completed in zip(messages[::2], answers, decisions, completions, strict=True)
    )
    return conversation
