"""The prompt of the `generate` role: the conversation, as much of it as the model can take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.errors import ContextTooLongError
from workers.prompts import templates
from workers.prompts.attached import NOTICE, Attached, in_blocks
from workers.prompts.condensing import condense, token_count
from workers.prompts.prompt import Message, Prompt

_TOKENS_PER_MESSAGE = 6  # role and separators
_TOKENS_PER_FILE = 60  # its block and its name
_LEAST_TOKENS = 100  # a text that is cut down to less says nothing
_END_CHARACTERS = 400  # of a long message: there a person says what they want of the rest


def build(
    message: str,
    history: Sequence[Message] = (),
    *,
    attached: Sequence[Attached] = (),
    template: str = "",
    labels: Sequence[dict[str, Any]] = (),
    context_window: int = 4096,
    max_output_tokens: int = 1024,
) -> Prompt:
    """The template, the latest part of `history` that fits, and `message` with its files, condensed if need be.

    Room for `max_output_tokens` is kept free, but never more than half of the window. Raises `ContextTooLongError`
    if nothing of the message fits.
    """
    system = templates.system_message("generate", template)
    if attached or any("</document>" in said["content"] for said in history):
        system = [{"role": "system", "content": "\n\n".join([*(one["content"] for one in system), NOTICE])}]
    room = context_window - min(max_output_tokens, context_window // 2) - sum(map(estimated_tokens, system))
    content, share = _fitted(message, attached, room - _TOKENS_PER_MESSAGE)
    last: Message = {"role": "user", "content": content}
    kept = _latest(history, room - estimated_tokens(last), message)
    return Prompt([*system, *kept, last], share=share)


def refitted(messages: Sequence[Message], context_window: int, max_output_tokens: int) -> list[Message]:
    """A prompt that was built for another window, without the oldest messages that this one has no room for."""
    system = [said for said in messages[:-1] if said["role"] == "system"]
    history, last = messages[len(system) : -1], messages[-1]
    room = context_window - min(max_output_tokens, context_window // 2)
    room -= sum(map(estimated_tokens, [*system, last]))
    return [*system, *_latest(history, room, last["content"]), last]


def estimated_tokens(message: Message) -> int:
    """About how many tokens `message` takes."""
    return token_count(message["content"]) + _TOKENS_PER_MESSAGE


def _fitted(message: str, attached: Sequence[Attached], room: int) -> tuple[str, float]:
    """The message with its files in at most `room` tokens, and the share of them that is left."""
    whole = in_blocks(message, attached)
    if token_count(whole) <= room:
        return whole, 1.0
    files_room = room - token_count(message) - _TOKENS_PER_FILE * len(attached)
    if attached and files_room >= _LEAST_TOKENS * len(attached):
        shares = _shares([token_count(file.text) for file in attached], files_room)
        shorter = [
            Attached(file.name, condense(file.text, message, share), file.kind)
            for file, share in zip(attached, shares, strict=True)
        ]
        return in_blocks(message, shorter), _length(shorter) / _length(attached)
    if room < _LEAST_TOKENS:
        raise ContextTooLongError(f"The message does not fit: there is room for {room} tokens.")
    shorter_text = condensed_message(whole, room)
    return shorter_text, len(shorter_text) / len(whole)


def _length(files: Sequence[Attached]) -> int:
    return sum(len(file.text) for file in files)


def _shares(needed: Sequence[int], room: int) -> list[int]:
    """What of `room` each gets: as much as the others, or all that it needs if that is less."""
    shares = [0] * len(needed)
    for before, index in enumerate(sorted(range(len(needed)), key=needed.__getitem__)):
        shares[index] = min(needed[index], room // (len(needed) - before))
        room -= shares[index]
    return shares


def condensed_message(text: str, room: int) -> str:
    """A long message with its beginning and its end, where a person says what they want, and what fits between."""
    ends = min(_END_CHARACTERS, room // 4)  # no character takes more than a token
    head, middle, tail = text[:ends], text[ends:-ends], text[-ends:]
    room -= token_count(head) + token_count(tail) + _TOKENS_PER_MESSAGE
    return f"{head}{condense(middle, f'{head} {tail}', room)}{tail}"


def _latest(history: Sequence[Message], room: int, question: str) -> list[Message]:
    """The end of `history` that takes at most `room` tokens and begins with the person.

    A file before that is condensed to what is left: people go on asking about it.
    """
    kept: list[Message] = []
    for message in reversed(history):
        content = message["content"]
        left = room - _TOKENS_PER_MESSAGE
        if token_count(content) > left:
            if "</document>" not in content or left < _LEAST_TOKENS:
                break
            content = condense(content, question, left)
        room -= token_count(content) + _TOKENS_PER_MESSAGE
        kept.insert(0, {"role": message["role"], "content": content})
    while kept and kept[0]["role"] != "user":
        kept.pop(0)
    return kept
