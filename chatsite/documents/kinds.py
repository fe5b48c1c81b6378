"""Which files can be read: told by their name, and held against how they begin."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from chatsite.chat.refusals import RefusedError
from chatsite.documents.models import Attachment

Kind = Attachment.Kind

_SOURCES = (
    *(
        "txt",
        "text",
        "log",
        "json",
        "jsonl",
        "yaml",
        "yml",
        "xml",
        "toml",
        "ini",
        "cfg",
        "conf",
        "sql",
        "sh",
        "tex",
        "rst",
    ),
    *(
        "py",
        "js",
        "ts",
        "css",
        "java",
        "c",
        "h",
        "cpp",
        "hpp",
        "cs",
        "go",
        "rs",
        "rb",
        "php",
        "swift",
        "kt",
        "r",
        "srt",
    ),
)
KINDS: dict[str, str] = {
    **dict.fromkeys(_SOURCES, Kind.TEXT),
    **dict.fromkeys(("md", "markdown"), Kind.MARKDOWN),
    **dict.fromkeys(("csv", "tsv"), Kind.CSV),
    **dict.fromkeys(("html", "htm", "xhtml"), Kind.HTML),
    "pdf": Kind.PDF,
    "docx": Kind.DOCX,
}
ACCEPTED = ",".join(f".{ending}" for ending in KINDS)

_HEAD_BYTES = 1024
_NO_TEXT = (
    b"%PDF-",
    b"PK\x03\x04",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"MZ",
    b"\x7fELF",
    b"RIFF",
    b"\xd0\xcf\x11\xe0",
    b"\x1f\x8b",
)
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # text in two or four bytes a character, which has NULs
_MOST_NAME = 120


def kind_of(name: str, head: bytes) -> str:
    """The kind of a file of this name that begins like this. Raises `RefusedError`: `file_type`, `file_is_other`."""
    kind = KINDS.get(PurePosixPath(name).suffix.lower().removeprefix("."))
    if kind is None:
        raise RefusedError("file_type")
    head = head[:_HEAD_BYTES]
    if kind == Kind.PDF:
        is_right = b"%PDF-" in head
    elif kind == Kind.DOCX:
        is_right = head.startswith(b"PK\x03\x04")
    else:
        is_right = not head.startswith(_NO_TEXT) and (b"\0" not in head or head.startswith(_WIDE))
    if not is_right:
        raise RefusedError("file_is_other")
    return kind


def clean_name(name: str) -> str:
    """The last part of `name`, without characters that nobody sees or that turn it round, cut to size.

    Its letters are put together, as people type them. A Mac can hand them over in pieces, then no search finds them.
    """
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    seen = "".join(each for each in last if unicodedata.category(each)[0] != "C" or each == "\u200d")
    seen = " ".join(seen.split()).strip(". ") or "file"
    path = PurePosixPath(seen)
    return seen if len(seen) <= _MOST_NAME else path.stem[: _MOST_NAME - len(path.suffix) - 1] + "…" + path.suffix[-20:]
