"""Builds the prompt of a role from a message and its conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from workers.prompts import classify, generate, summarise
from workers.prompts.attached import Attached, in_blocks, one_text
from workers.prompts.prompt import Message, Prompt

__all__ = ["Attached", "Prompt", "Said", "build", "one_text"]


@dataclass(frozen=True)
class Said:
    """An earlier message of the conversation, with its files."""

    role: str
    text: str
    attached: Sequence[Attached] = ()


_BUILDERS = {"summarise": summarise.build, "classify": classify.build, "generate": generate.build}


def build(
    role: str,
    message: str,
    history: Sequence[Said | Message] = (),
    *,
    attached: Sequence[Attached] = (),
    template: str = "",
    labels: Sequence[dict[str, Any]] = (),
    context_window: int = 4096,
    max_output_tokens: int = 1024,
) -> Prompt:
    """The prompt with which a model plays `role` on `message`.

    `history` holds the earlier messages of the conversation, oldest first; `attached` the files of this one. `template`
    and `labels` are the route's. What is too long for `context_window` (0: there is no limit) is condensed. Raises `InputError` if the message lacks
    what the role needs, `ContextTooLongError` if the window has no room for any of it.
    """
    with_files = in_blocks if role == "generate" else one_text
    return _BUILDERS[role](
        message,
        [_message(said, with_files) for said in history],
        attached=[file.neutralised() for file in attached],
        template=template,
        labels=labels,
        context_window=context_window,
        max_output_tokens=max_output_tokens,
    )


def _message(said: Said | Message, with_files: Callable[[str, Sequence[Attached]], str]) -> Message:
    if not isinstance(said, Said):
        return said
    return {"role": said.role, "content": with_files(said.text, [file.neutralised() for file in said.attached])}
