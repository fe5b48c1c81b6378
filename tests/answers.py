"""Answers outside any conversation, which wait for a worker; and what the fake provider writes."""

from __future__ import annotations

import uuid
from typing import Any

from workers.models import Completion, Model


def words(count: int) -> str:
    """The answer of a model of the fake provider that is called `tokens<count>`."""
    return "".join(f"t{number} " for number in range(count))


def unpublished(model: Model, **fields: Any) -> Completion:
    """One that waits and is in no queue."""
    prompt = [{"role": "user", "content": "Tell me a story"}]
    return Completion.objects.create(reply_id=uuid.uuid4(), role="generate", model=model, prompt=prompt, **fields)


def queued(model: Model, **fields: Any) -> Completion:
    """One that waits in the queue of its model."""
    completion = unpublished(model, **fields)
    completion.publish()
    return completion
