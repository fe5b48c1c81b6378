"""Builds the prompt of a role from a message and its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.prompts import classify, generate, summarise
from workers.prompts.prompt import Message, Prompt

__all__ = ["Prompt", "build"]

_BUILDERS = {"summarise": summarise.build, "classify": classify.build, "generate": generate.build}


def build(
    role: str,
    message: str,
    history: Sequence[Message] = (),
    *,
    template: str = "",
    labels: Sequence[dict[str, Any]] = (),
    context_window: int = 4096,
    max_output_tokens: int = 1024,
) -> Prompt:
    """The prompt with which a model plays `role` on `message`.

    `history` holds the earlier messages of the conversation, oldest first. `template` and `labels` are the route's.
    Raises `InputError` if the message lacks what the role needs, `ContextTooLongError` if it is too long for it.
    """
    return _BUILDERS[role](
        message,
        history,
        template=template,
        labels=labels,
        context_window=context_window,
        max_output_tokens=max_output_tokens,
    )
