"""The place in a text where something was found, with what was found marked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from chatsite.search.terms import Term, fold

BEFORE, AFTER = 60, 160  # characters around the first place

_MARKUP = re.compile(
    r"\*\*|__|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)|`+"  # emphasis, code
    r"|^#+ |^>+ ?|^[-*] (?:\[[ xX]\] )?"  # headings, quotes, lists
    r"|\[\^\w+\]:?|^[ |:-]{3,}$",  # footnotes, tables
    re.MULTILINE,
)


def excerpt(text: str, terms: Sequence[Term]) -> SafeString:
    """Some words before and after the first place where a term occurs, on one line, as HTML with marks."""
    first = _pattern(terms).search(fold(text))
    place = first.start() if first else 0
    start, end = max(0, place - BEFORE), place + AFTER
    piece = text[start:end]
    if start:
        piece = "…" + piece[piece.find(" ", 0, BEFORE) + 1 :]
    if end < len(text):
        piece = piece[: piece.rfind(" ", AFTER // 2) if " " in piece[AFTER // 2 :] else None] + "…"
    return mark(" ".join(_MARKUP.sub("", piece).replace("|", " ").split()), terms)


def mark(text: str, terms: Sequence[Term]) -> SafeString:
    """The whole text as HTML, with every place marked where a term occurs."""
    html, after = [], 0
    for match in _pattern(terms).finditer(fold(text)):
        html += [escape(text[after : match.start()]), "<mark>", escape(text[match.start() : match.end()]), "</mark>"]
        after = match.end()
    return mark_safe("".join([*html, escape(text[after:])]))  # noqa: S308  (everything of the text is escaped above)


def _pattern(terms: Sequence[Term]) -> re.Pattern[str]:
    return re.compile("|".join(term.pattern for term in terms))
