"""Reads the text out of a file that somebody uploaded, in a process of its own with narrow limits.

Whoever made the file may have made it to do harm: to fill the memory, to take for ever, to find a mistake in a parser.
So it is parsed by a child that has no environment, no open files and little memory and time, and that is thrown away.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TIME_SECONDS = 30
MEMORY_BYTES = 512 * 1024 * 1024  # a worker has such a child for each of its slots
MOST_PAGES = 500
MOST_CHARACTERS = 1_000_000  # what comes after that is left out, and people are told

ROOT = Path(__file__).resolve().parent.parent.parent


class UnreadableError(Exception):
    """A file that holds no text for us. `code` names the words for it."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class Reading:
    """What was found in a file."""

    text: str
    pages: int | None = None
    is_cut: bool = False


def read(kind: str, content: bytes) -> Reading:
    """The text of a file of a kind (`workers.reading.child.READERS`). Raises `UnreadableError`."""
    command = [sys.executable, "-m", "workers.reading.child", kind]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    try:
        child = subprocess.run(  # noqa: S603  (the kind is one of ours)
            command, input=content, capture_output=True, cwd=ROOT, env=environment, timeout=TIME_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError("file_takes_too_long") from None
    try:
        found = json.loads(child.stdout)
    except ValueError:  # it was killed at one of its limits
        raise UnreadableError("file_takes_too_long" if child.returncode < 0 else "file_broken") from None
    if code := found.get("error"):
        raise UnreadableError(code)
    return Reading(found["text"], found["pages"], found["is_cut"])
