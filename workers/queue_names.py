"""The queues of models: one for each kind of work, and one more for each worker group that an admin names.

Cheap work never waits behind expensive work: what the built-in models do takes milliseconds to a second, an answer of a
local model minutes, and an answer of a remote one no processor at all. So each kind has a queue and workers of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings

EMBEDDED = "embedded"
LOCAL = "local"
REMOTE = "remote"
DEFAULT_GROUP = "default"

# How many tasks one worker runs at once. Remote ones only wait; local ones take turns on the processor.
_SLOTS = {EMBEDDED: 8, LOCAL: 4, REMOTE: 64}
KINDS = tuple(_SLOTS)


def queue_of(kind: str, group: str) -> str:
    """The queue of a kind of work: `local` for the default (empty) group, `local-gpu` for the group `gpu`."""
    return f"{kind}-{group}" if group else kind


def kind_of(queue: str) -> str:
    """The kind of work of a queue of models."""
    return queue.partition("-")[0]


def is_for_models(queue: str) -> bool:
    """Whether completions wait in `queue`."""
    return kind_of(queue) in _SLOTS


def start_hint(queue: str) -> str:
    """A sentence that says how to start a worker of `queue`; empty for queues that are not of models."""
    return f"In the project's folder: {start_command(queue)}" if is_for_models(queue) else ""


def start_command(queue: str) -> str:
    """What to type in the project's folder to start a worker of a queue of models."""
    python = Path(sys.executable)
    if python.is_relative_to(settings.BASE_DIR):
        python = python.relative_to(settings.BASE_DIR)
    slots = _SLOTS[kind_of(queue)]
    return (
        f"{python} -m celery --quiet -A chatsite worker -Q {queue} -n {queue}@%h --pool threads --concurrency {slots} "
        "--without-gossip --without-mingle --without-heartbeat"
    )
