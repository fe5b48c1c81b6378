"""The text of a Word document. Only its own XML is read; nothing is unpacked to a disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import IO

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from workers.reading import UnreadableError

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_BODY = "word/document.xml"
_MOST_ENTRIES = 2_000
_MOST_BYTES = 100_000_000  # unpacked
_MOST_RATIO = 200  # what text really packs to is a tenth
_SMALL = 1_000_000


def read(content: bytes) -> tuple[str, None]:
    """The text of the document's body, and that nobody has laid it out in pages."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check(archive)
        with archive.open(_BODY) as body:
            return "".join(_text(_Bounded(body))), None


def _check(archive: zipfile.ZipFile) -> None:
    """Raises `UnreadableError` for what claims to unpack to too much. Archives in the archive stay packed."""
    entries = archive.infolist()
    if not {_BODY, "[Content_Types].xml"} <= {entry.filename for entry in entries}:
        raise UnreadableError("file_broken")
    for entry in entries:
        if entry.file_size > _SMALL and entry.file_size > _MOST_RATIO * max(entry.compress_size, 1):
            raise UnreadableError("file_bomb")
    if len(entries) > _MOST_ENTRIES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
        raise UnreadableError("file_bomb")


class _Bounded:
    """A file that ends its reader where it turns out to be longer than it may be, whatever its header claims."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = _MOST_BYTES

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(min(count, 65_536) if count > 0 else 65_536)
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableError("file_bomb")
        return data


def _text(body: _Bounded) -> Iterator[str]:
    style = ""
    try:
        for event, element in iterparse(body, events=("start", "end"), forbid_dtd=True):
            tag = element.tag.removeprefix(_WORD)
            if event == "start":
                continue
            if tag == "pStyle":
                style = element.get(f"{_WORD}val") or ""
            elif tag == "p":
                yield from _paragraph(element, style)
                style = ""
                element.clear()
            elif tag == "tr":
                yield "\n"
    except DefusedXmlException:  # entities: XXE, a billion laughs
        raise UnreadableError("file_bomb") from None


def _paragraph(paragraph: object, style: str) -> Iterator[str]:
    if style.startswith("Heading") and style[7:8].isdigit():
        yield "\n" + "#" * int(style[7]) + " "
    elif style.startswith("List"):
        yield "- "
    for part in paragraph.iter():  # type: ignore[attr-defined]
        tag = part.tag.removeprefix(_WORD)
        if tag == "t":
            yield part.text or ""
        elif tag == "tab":
            yield "\t"
        elif tag in ("br", "cr"):
            yield "\n"
    yield "\n\n" if not style.startswith("List") else "\n"
