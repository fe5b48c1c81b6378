"""Texts and tables as they are, in whatever encoding."""

from __future__ import annotations

import codecs
import csv
import io
import itertools

from charset_normalizer import from_bytes

from workers.reading import MOST_CHARACTERS, UnreadableError

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_GUESSED_BYTES = 100_000  # enough to know an encoding by
_MOST_NAME_CHARACTERS = 40
_MOST_COLUMNS = 200


def decode(content: bytes) -> str:
    """The text of `content`. Raises `UnreadableError` for what is no text."""
    for bom, encoding in _BOMS.items():
        if content.startswith(bom):
            return content.decode(encoding, "replace")
    if b"\0" in content:
        raise UnreadableError("file_broken")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        best = from_bytes(content[:_GUESSED_BYTES]).best()
        if best is None:
            raise UnreadableError("file_broken") from None
        return content.decode(best.encoding, "replace")


def read_text(content: bytes) -> tuple[str, None]:
    """A text, and that it has no pages."""
    return decode(content), None


def read_table(content: bytes) -> tuple[str, None]:
    """A table with a line for each row, as a list; where it has a header, each row names its columns."""
    text = decode(content)[: 2 * MOST_CHARACTERS]
    csv.field_size_limit(2 * MOST_CHARACTERS)
    rows = csv.reader(io.StringIO(text, newline=""), _dialect(text))
    filled = ([" ".join(cell.split()) for cell in row[:_MOST_COLUMNS]] for row in rows)
    kept = (row for row in filled if any(row))
    first = next(kept, [])
    if not _is_header(first):
        return "\n".join(map(_line, itertools.chain([first], kept))), None
    if len(first) == 1:
        return "\n".join(map(_line, kept)), None
    return "\n".join(_line(_named(first, row)) for row in kept), None


def _dialect(text: str) -> type[csv.Dialect]:
    try:
        return csv.Sniffer().sniff(text[:10_000], ",;\t|")
    except csv.Error:
        return csv.excel


def _line(cells: list[str]) -> str:
    return "- " + " | ".join(filter(None, cells))


def _named(header: list[str], row: list[str]) -> list[str]:
    pairs = itertools.zip_longest(header, row, fillvalue="")
    return [f"{name}: {cell}" if name else cell for name, cell in pairs if cell]


def _is_header(row: list[str]) -> bool:
    """Short names, each once, no numbers and no sentences."""
    are_names = all(
        0 < len(name) <= _MOST_NAME_CHARACTERS and not any(map(str.isdigit, name[:1])) and name[-1] not in ".!?"
        for name in row
    )
    is_terse = all(len(name.split()) <= 3 for name in row)
    return bool(row) and are_names and is_terse and len(set(row)) == len(row)
