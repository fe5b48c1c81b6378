"""The text of a PDF. Pictures of text, as scanners make them, hold none."""

from __future__ import annotations

import io
import logging

from pypdf import PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

from workers.reading import MOST_CHARACTERS, MOST_PAGES, UnreadableError

logging.disable(logging.CRITICAL)  # what it finds odd in a file is nobody's concern


def read(content: bytes) -> tuple[str, int]:
    """The text and the number of pages."""
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("file_locked")
        return _text(reader)
    except LimitReachedError:
        raise UnreadableError("file_bomb") from None
    except PyPdfError:
        raise UnreadableError("file_broken") from None


def _text(reader: PdfReader) -> tuple[str, int]:
    parts: list[str] = []
    length = 0
    for number, page in enumerate(reader.pages, 1):
        if number > MOST_PAGES:
            raise UnreadableError("file_with_too_many_pages")
        if length <= MOST_CHARACTERS:
            parts.append(page.extract_text())
            length += len(parts[-1])
    return "\n\n".join(parts), len(parts) if length <= MOST_CHARACTERS else len(reader.pages)
