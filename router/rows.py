"""Rows of JSONL files: one JSON object a line, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class RowError(ValueError):
    """A row that cannot be used. The text names the file, the row and what is wrong."""


def read_rows(path: Path, *fields: str) -> Iterator[dict[str, Any]]:
    """The rows of a file, one at a time, each with a string in all `fields`. Raises `RowError` or `OSError`."""
    with path.open("rb") as lines:  # split at line feeds only: a text may hold other line separators
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _row(line, fields, f"Row {number} of {path.name}")


def _row(line: bytes, fields: tuple[str, ...], name: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RowError(f"{name} is not JSON in UTF-8: {error}") from error
    if not isinstance(row, dict):
        raise RowError(f"{name} is not a JSON object.")
    for field in fields:
        if not isinstance(row.get(field), str):
            raise RowError(f"{name} has no text in the field “{field}”.")
    return row
