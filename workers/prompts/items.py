"""Several things to classify in one message: “cat, shark, dolphin”, a list in lines, quotations, numbered sentences."""

from __future__ import annotations

import re

from workers.prompts.parts import quoted
from workers.prompts.wording import fold, word, word_count

MAX_ITEMS = 200
_MAX_ITEM_WORDS = 6  # of a thing in a list with commas; a line or a quotation can be longer

_SEVERAL = word("several")
_MARK = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,3}[.):]|\(?[A-Za-z][.):])\s+")
_INLINE_NUMBER = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
_LIST_MARK = re.compile(r"^\s*(?:items?|list|the \w+ are|here are my options|words?)\s*:\s*", re.IGNORECASE)
_COMMA = re.compile(
    r"\s*[,;、،]\s*(?:(?:and|or|und|oder|et|ou|y|o|e|en)\s+)?|\s+(?:and|or|und|et|y)\s+(?=\S+(?: \S+){0,3}$)"
)


def items(instruction: str, text: str) -> list[str]:
    """The things in `text`, if `instruction` is asked of each of them; an empty list if `text` is one thing."""
    wants_several = bool(_SEVERAL.search(fold(instruction)))
    for read in (_quotations, _lines, _numbered, _listed):
        found = [item for item in read(text, wants_several) if item]
        if 2 <= len(found) <= MAX_ITEMS:
            return found
    return []


def _quotations(text: str, wants_several: bool) -> list[str]:
    block = quoted(text)
    return list(block.quotations) if block and not re.search(r"\w", _LIST_MARK.sub("", block.around)) else []


def _lines(text: str, wants_several: bool) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    are_marked = all(_MARK.match(line) for line in lines)
    are_short = wants_several and all(word_count(line) <= 2 * _MAX_ITEM_WORDS for line in lines)
    return [_MARK.sub("", line).strip(" \"'") for line in lines] if are_marked or are_short else []


def _numbered(text: str, wants_several: bool) -> list[str]:
    parts = _INLINE_NUMBER.split(text)
    return [part.strip(" ,;\"'") for part in parts[1:]] if not parts[0].strip() else []


def _listed(text: str, wants_several: bool) -> list[str]:
    listed = _LIST_MARK.sub("", text.strip()).rstrip(" .?!")
    parts = [part.strip(" \"'.“”") for part in _COMMA.split(" ".join(listed.split()))]
    is_list = all(0 < word_count(part) <= _MAX_ITEM_WORDS for part in parts) and not re.search(r"[.!?]\s", listed)
    # A sentence with commas is a text; a list has several short things, or the instruction says so.
    is_terse = len(parts) > 2 and sum(map(word_count, parts)) <= 2.2 * len(parts)
    return parts if is_list and (wants_several or is_terse) else []
