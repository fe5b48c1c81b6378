"""What a message without a text of its own refers to in its conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.prompts.prompt import Message
from workers.prompts.wording import any_of, fold, word, word_count

_PASTED_WORDS = 40  # a message of a person that is at least this long holds a text, not only a wish

_CONVERSATION = re.compile(rf"{word('conversation').pattern}|{any_of('conversation_unspaced')}")
_PASTED, _MORE = word("pasted"), word("more")


def is_to_conversation(instruction: str) -> bool:
    """Whether all that was said is meant: “what we discussed so far”."""
    return bool(_CONVERSATION.search(fold(instruction)))


def is_to_more(instruction: str) -> bool:
    """Whether more is wanted than the last answer holds: “in more detail”."""
    return bool(_MORE.search(fold(instruction)))


def referent(instruction: str, history: Sequence[Message]) -> str:
    """The earlier message that `instruction` means, or an empty string.

    That is the last answer, unless the words point at something the person pasted or no answer was given yet.
    """
    answer = next((message["content"] for message in reversed(history) if message["role"] == "assistant"), "")
    pasted = last_pasted(history)
    if pasted and (not answer.strip() or _PASTED.search(fold(instruction))):
        return pasted
    return answer if answer.strip() else last_said(history)


def last_pasted(history: Sequence[Message]) -> str:
    """The last message of the person that is long enough to hold a text, or an empty string."""
    own = (message["content"] for message in reversed(history) if message["role"] == "user")
    return next((content for content in own if word_count(content) >= _PASTED_WORDS), "")


def last_said(history: Sequence[Message]) -> str:
    """The last message that says anything, or an empty string."""
    return next((message["content"] for message in reversed(history) if message["content"].strip()), "")


def transcript(history: Sequence[Message]) -> str:
    """The conversation as one text, each speaker named in a line of its own."""
    names = {"user": "User:", "assistant": "Assistant:"}
    return "\n\n".join(
        f"{names[message['role']]}\n{message['content'].strip()}"
        for message in history
        if message["role"] in names and message["content"].strip()
    )
