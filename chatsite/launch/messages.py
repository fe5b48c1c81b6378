"""What a person reads in the terminal: the launcher's own lines, and those of its processes under their names."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from typing import Any

_COLOURS = (36, 33, 35, 32, 34, 31)  # cyan, yellow, magenta, green, blue, red
_BOLD = 1
_NAME_WIDTH = 17  # worker-background


class LaunchError(Exception):
    """The start cannot go on; the text says what to do."""


def say(text: str) -> None:
    """Write one line of the launcher's own."""
    _write(_prefix("switchyard", _BOLD) + text)


class ProcessLog:
    """Takes what one process writes, as circus hands it over in pieces, and writes it line by line under its name.

    Empty lines are left out. A closed terminal must not disturb the processes, so what cannot be written is dropped.
    """

    def __init__(self, name: str, position: int) -> None:
        self._line_start = _prefix(name, _COLOURS[position % len(_COLOURS)])
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def __call__(self, piece: dict[str, Any]) -> None:
        *lines, self._rest = (self._rest + self._decoder.decode(piece["data"])).split("\n")
        for line in filter(str.strip, lines):
            _write(self._line_start + line)


def _prefix(name: str, style: int) -> str:
    text = f"{name:<{_NAME_WIDTH}} | "
    return f"\033[{style}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def _write(line: str) -> None:
    with suppress(OSError):
        print(line, flush=True)
