"""A file that somebody hands in: JSON, or a zip archive with it. Nothing of it is believed before it is looked at."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.translation import gettext as _

from chatsite.chat.numbers import size

MAX_BYTES = 50_000_000  # of the file
MAX_EXPANDED_BYTES = 200_000_000  # of what is in it
MAX_RATIO = 200  # text is never packed tighter
MAX_MEMBERS = 50_000  # pictures and the like, which nobody looks at
# Of one conversation, which is in memory as a whole: a list or an object of two characters takes a hundred bytes there.
MAX_CONVERSATION_BYTES = 50_000_000
MAX_CONVERSATION_PARTS = 2_000_000  # lists and objects

_MEMBER = re.compile(r"(?:.*/)?conversations[\w.-]*\.json", re.IGNORECASE)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_TITLE = re.compile(rb'"title"\s*:\s*("(?:[^"\\]|\\.)*+")', re.DOTALL)
# A string that is never closed goes on to the end: to look for one at each of its quotes would take quadratic time.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class FileError(Exception):
    """What is the matter with a file, in words for the person who has handed it in."""


def check(name: str, head: bytes, length: int) -> None:
    """Look at a file before it is kept. Raises `FileError`."""
    if length > MAX_BYTES:
        raise FileError(
            _("{name} is too large: {size}, and a file can have {limit}. A zip archive of it is smaller.").format(
                name=name, size=size(length), limit=size(MAX_BYTES)
            )
        )
    if not (_is_zip(head) or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")):
        raise FileError(_("{name} is neither a JSON file nor a zip archive.").format(name=name))


@dataclass(frozen=True)
class Broken:
    """A conversation that cannot be read, with its title as far as one can tell, and why, in words."""

    title: str
    why: str


def conversations(content: bytes) -> Iterator[dict[str, Any] | Broken]:
    """The conversations of a file, one after the other, as the data that stands there. Raises `FileError`."""
    is_any = False
    for text in _texts(content):
        for raw in _objects(text):
            is_any = True
            yield _parsed(raw)
    if not is_any:
        raise FileError(_("There are no conversations in the file."))


def _parsed(raw: bytes) -> Any:
    """The data of an object; `Broken` if it is none. Half of a pair of surrogates, which is no character and could not
    be stored, becomes the mark of what is none.
    """
    if len(raw) > MAX_CONVERSATION_BYTES or raw.count(b"[") + raw.count(b"{") > MAX_CONVERSATION_PARTS:
        return Broken(_title(raw), _("It is far larger than a conversation can be."))
    with contextlib.suppress(orjson.JSONDecodeError):
        return orjson.loads(raw)
    with contextlib.suppress(orjson.JSONDecodeError):
        return orjson.loads(_ESCAPE.sub(_whole, raw))
    return Broken(_title(raw), _("It is broken: it is no valid JSON."))


def _title(raw: bytes) -> str:
    title = _TITLE.search(raw)
    try:
        return str(orjson.loads(_ESCAPE.sub(_whole, title[1]))) if title else ""
    except orjson.JSONDecodeError:
        return ""


def _whole(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape["half"] else escape[0]


def _objects(text: bytes) -> Iterator[bytes]:
    """The objects in the outermost list, each of them small beside the file, and the list itself never in memory."""
    depth = start = list_depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if not list_depth and mark == b"[" and depth <= 2:
                list_depth = depth
            elif list_depth and depth == list_depth + 1:
                start = token.start()
        elif mark in (b"]", b"}"):
            if list_depth and depth == list_depth + 1 and mark == b"}":
                yield text[start : token.end()]
            depth -= 1
            if list_depth and depth < list_depth:
                return
    raise FileError(_("The file breaks off, or it is no JSON file of conversations."))


def _texts(content: bytes) -> Iterator[bytes]:
    if not _is_zip(content):
        yield content
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from _members(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise FileError(_("The zip archive is broken.")) from error
    except RuntimeError as error:  # what zipfile says of a password
        raise FileError(_("The zip archive has a password. Unpack it, and hand in conversations.json.")) from error


def _members(archive: zipfile.ZipFile) -> Iterator[bytes]:
    members = archive.infolist()
    wanted = sorted((one for one in members if _MEMBER.fullmatch(one.filename)), key=lambda one: one.filename)
    if len(members) > MAX_MEMBERS or not wanted:
        raise FileError(_("There is no conversations.json in the zip archive."))
    left = MAX_EXPANDED_BYTES
    for member in wanted:
        if member.file_size > max(MAX_RATIO * member.compress_size, 1_000_000):
            raise FileError(_("The zip archive unpacks to suspiciously much, so it is not read."))
        with archive.open(member) as opened:
            text = opened.read(left + 1)  # whatever size the archive claims
        left -= len(text)
        if left < 0:
            raise FileError(
                _("What is in the zip archive is too large: it can have up to {limit}.").format(
                    limit=size(MAX_EXPANDED_BYTES)
                )
            )
        yield text


def _is_zip(content: bytes) -> bool:
    return content[:4] in (b"PK\x03\x04", b"PK\x05\x06")
