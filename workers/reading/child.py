"""The process that reads one file: bytes come in, a JSON object goes out. See `workers.reading`."""

from __future__ import annotations

import json
import os
import resource
import sys

from workers.reading import MEMORY_BYTES, MOST_CHARACTERS, TIME_SECONDS, UnreadableError, docx, markup, pdf, plain
from workers.reading.cleaning import clean

READERS = {
    "text": plain.read_text,
    "markdown": plain.read_text,
    "csv": plain.read_table,
    "html": markup.read,
    "pdf": pdf.read,
    "docx": docx.read,
}


def main() -> None:
    """Read standard input as the kind that the command line names."""
    _limit()
    try:
        found = _found(sys.argv[1], sys.stdin.buffer.read())
    except UnreadableError as error:
        found = {"error": error.code}
    except (MemoryError, RecursionError):
        found = {"error": "file_bomb"}
    except Exception as error:  # whatever a parser makes of what is no such file
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        found = {"error": "file_broken"}
    json.dump(found, sys.stdout, ensure_ascii=True)


def _found(kind: str, content: bytes) -> dict[str, object]:
    text, pages = READERS[kind](content)
    text = clean(text)
    if not any(map(str.isalnum, text)):
        raise UnreadableError("file_without_text")
    return {"text": text[:MOST_CHARACTERS], "pages": pages, "is_cut": len(text) > MOST_CHARACTERS}


def _limit() -> None:
    os.nice(10)  # answers go first
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_SECONDS, TIME_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
