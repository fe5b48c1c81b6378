"""What a model is given: the full list of messages, and what its role needs besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": ...}


@dataclass(frozen=True)
class Prompt:
    """`messages` ends with the text that the role works on and starts with the system message, if there is one.

    `share` says how much of what the person sent is in it; below 1 it was condensed.
    """

    messages: list[Message]
    options: dict[str, Any] = field(default_factory=dict)
    share: float = 1.0


def alternating(messages: Sequence[Message]) -> list[Message]:
    """The same conversation for strict templates: system text joins the person's, and no role comes twice in a row."""
    roles = [{**message, "role": "user" if message["role"] == "system" else message["role"]} for message in messages]
    return [
        {"role": role, "content": "\n\n".join(message["content"] for message in group)}
        for role, group in groupby(roles, key=lambda message: message["role"])
    ]
