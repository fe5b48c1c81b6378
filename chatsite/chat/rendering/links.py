"""Links that say where they lead, and pictures as links, so that a page never requests anything for a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from markdown_it.token import Token

_HOST_LIKE = re.compile(r"[\w-]+\.[a-z]{2,}", re.IGNORECASE)


def honest_links(tokens: Iterable[Token]) -> list[Token]:
    """The inline `tokens` with pictures as links, and the host after a link whose text suggests another."""
    return list(_with_hosts(_pictures_as_links(tokens)))


def _pictures_as_links(tokens: Iterable[Token]) -> Iterator[Token]:
    is_in_link = False
    for token in tokens:
        if token.type in ("link_open", "link_close"):
            is_in_link = token.nesting == 1
        if token.type != "image":
            yield token
            continue
        text = _text(_plain(token.children or []) or "image")
        if is_in_link:
            yield text
        else:
            yield Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", ""), "class": "picture"})
            yield text
            yield Token("link_close", "a", -1)


def _with_hosts(tokens: Iterable[Token]) -> Iterator[Token]:
    href = label = ""
    for token in tokens:
        yield token
        if token.type == "link_open":
            href, label = str(token.attrs.get("href", "")), ""
        elif token.type == "link_close":
            if hint := _host_hint(href, label):
                yield _text(hint)
        else:
            label += token.content


def _host_hint(href: str, label: str) -> str:
    """“ (real.host)” if `label` looks like an address but not this one, or hides characters; otherwise nothing."""
    try:
        host = urlsplit(href).hostname or ""
    except ValueError:
        return ""
    hides_characters = any(unicodedata.category(character) == "Cf" for character in label)
    if not host or not (hides_characters or _HOST_LIKE.search(label)):
        return ""
    shown = label.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    is_honest = not hides_characters and re.split(r"[/?#:@ ]", shown, maxsplit=1)[0] == host.removeprefix("www.")
    return "" if is_honest else f" ({host})"


def _plain(tokens: Iterable[Token]) -> str:
    return "".join(token.content or _plain(token.children or []) for token in tokens).strip()


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
