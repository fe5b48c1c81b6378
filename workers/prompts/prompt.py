"""What a model is given: the full list of messages, and what its role needs besides."""

from __future__ import annotations

from dataclasses import dataclass, field
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
