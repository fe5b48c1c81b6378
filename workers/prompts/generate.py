"""The prompt of the `generate` role: the conversation, as much of it as the model can take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from workers.errors import ContextTooLongError
from workers.prompts import templates
from workers.prompts.prompt import Message, Prompt

_CHARACTERS_PER_TOKEN = 3
_TOKENS_PER_MESSAGE = 6  # role and separators
_DENSE = re.compile(r"[^\u0000-\u024f\u0370-\u04ff]")  # neither Latin nor Greek nor Cyrillic: a token each, or more


def build(
    message: str,
    history: Sequence[Message] = (),
    *,
    template: str = "",
    labels: Sequence[dict[str, Any]] = (),
    context_window: int = 4096,
    max_output_tokens: int = 1024,
) -> Prompt:
    """The template, the latest part of `history` that fits, and `message`.

    Room for `max_output_tokens` is kept free, but never more than half of the window. Raises `ContextTooLongError`
    if `message` does not fit by itself.
    """
    system = templates.system_message("generate", template)
    last: Message = {"role": "user", "content": message}
    room = context_window - min(max_output_tokens, context_window // 2) - sum(map(estimated_tokens, [*system, last]))
    if room < 0:
        raise ContextTooLongError(f"The message does not fit into {context_window} tokens.")
    return Prompt([*system, *_latest(history, room), last])


def estimated_tokens(message: Message) -> int:
    """About how many tokens `message` takes, rather too many than too few: no tokeniser is at hand.

    Three letters a token in alphabetic scripts (four are usual in English, fewer in other languages and in code),
    one character a token in all others.
    """
    dense = len(_DENSE.findall(message["content"]))
    alphabetic = len(message["content"]) - dense
    return dense + -(-alphabetic // _CHARACTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE


def _latest(history: Sequence[Message], room: int) -> list[Message]:
    """The end of `history` that takes at most `room` tokens and begins with the person."""
    kept: list[Message] = []
    for message in reversed(history):
        room -= estimated_tokens(message)
        if room < 0:
            break
        kept.insert(0, {"role": message["role"], "content": message["content"]})
    while kept and kept[0]["role"] != "user":
        kept.pop(0)
    return kept
