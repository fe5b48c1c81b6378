"""Splits any text into sentences: prose in any language, lists, chats, logs, tables, code, or one endless line.

The boundaries within a paragraph come from the `sentencex` library. What happens here is around it: which lines
belong together, what is prose, and what to do with a “sentence” of a million letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sentencex

MAX_CHARACTERS = 500  # a longer sentence is split at commas, then at spaces, then anywhere
_HARD_BREAK = 50  # a line at least this long may have been broken by an e-mail program
_WINDOW = 4_000  # characters given to the splitter at a time: some of its rules are quadratic

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_TABLE_ROW = re.compile(r"^\s*\|.*\||^[^|]*\|[^|]*\||\t[^\t]*\t|^\s*[+|=-]{4,}\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+•–·◦▪]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+", re.IGNORECASE)
_HEADING = re.compile(r"^\s*#{1,6}\s+|^\s*(?:[=*_~-]\s*){3,}$")
_SPEAKER = re.compile(r"^\s*(?:\[[^\]]{1,40}\]\s*)?[\w .'@-]{1,30}:\s|^\s*\[?\d{1,2}[:.]\d{2}")
_QUOTE_MARK = re.compile(r"^\s*(?:>\s?)+")
_ENDS = re.compile(r"[.!?…。！？؟।:;；：][\"'”’»)\]」』*_]*\s*$")
# After one of these a number is no list item: “... under section / 7. This requirement ...”, with a hard line break.
_EXPECTS_NUMBER = re.compile(
    r"(?:\b(?:sections?|articles?|paragraphs?|clauses?|chapters?|pages?|steps?|versions?|and|or|to|of|in|by|than"
    r"|Abschnitt|Absatz|Artikel|Seite|und|oder|von|et|ou|de|y)|§)$",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"(?<=[,;:，、；：،])\s*|\s(?=[–—-]\s)")

# Common short words by which the language of a text is told; the splitter needs it for abbreviations and dates.
_FUNCTION_WORDS = {
    "en": "the of and to in is that it was for with as on are this",
    "de": "der die und das ist nicht ein eine mit von dem den auf sich zu",
    "fr": "le la les des et est une que pour dans qui pas sur du avec",
    "es": "el la los las de y que en una por con para no se del",
    "it": "il la di che e un una per non con del della sono gli più",
    "pt": "o a os as de e que em uma para com não do da por",
    "nl": "de het een en van is niet dat op te zijn met voor aan er",
}


@dataclass(frozen=True)
class Sentence:
    """A sentence as it stands in the text, but for line breaks. `is_prose` is false for headings, code and tables."""

    text: str
    is_prose: bool = True

    @property
    def is_finished(self) -> bool:
        """Whether it ends like a sentence."""
        return bool(_ENDS.search(self.text[-20:]))


def split(text: str) -> list[Sentence]:
    """The sentences of `text` in their order. Nothing is lost but white space and list and quotation marks."""
    language = _language(text)
    return [
        Sentence(piece, is_prose)
        for block, is_prose in _blocks(text)
        for sentence in _segments(language, block)
        for piece in _pieces(sentence)
    ]


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Stretches that hold whole sentences: lines, joined where one goes on in the next."""
    lines: list[str] = []
    is_code = False
    for line in text.splitlines():
        if _FENCE.match(line):
            is_code = not is_code
        is_prose = not (is_code or _FENCE.match(line) or _TABLE_ROW.search(line) or _HEADING.match(line))
        if lines and not (is_prose and _goes_on(lines[-1], line)):
            yield " ".join(lines), True
            lines = []
        if is_prose:
            lines.append(_unmarked(line, is_first=not lines))
        else:
            yield _HEADING.sub("", line), False
    yield " ".join(lines), True


def _goes_on(line: str, following: str) -> bool:
    """Whether a sentence that began in `line` continues in `following`: a text with hard line breaks."""
    start = following.lstrip("> \t")[:1]
    if start.isdigit() and len(line) > _HARD_BREAK and _EXPECTS_NUMBER.search(line):
        return True
    if not start.isalpha() or _ITEM.match(following):
        return False
    is_long, is_finished = len(line) > _HARD_BREAK, bool(_ENDS.search(line[-20:]))
    if _SPEAKER.match(following) and (is_finished or not is_long or start.isupper()):
        return False  # “Ann: hi there”, but not the second line of “... or if / you modify it: ...”
    if is_finished:
        return is_long and line[-1] not in ":;" and not _SPEAKER.match(line)
    return is_long or (start.islower() and len(line) > _HARD_BREAK // 2)


def _unmarked(line: str, is_first: bool) -> str:
    """`line` without quotation marks and, where a stretch begins, without the mark of a list."""
    line = _QUOTE_MARK.sub("", line)
    return (_ITEM.sub("", line) if is_first else line).strip()


def _segments(language: str, block: str) -> Iterator[str]:
    """The splitter's sentences, a window at a time; what a window cuts off is read again with the next one."""
    start = 0
    while start < len(block):
        found = sentencex.segment(language, block[start : start + _WINDOW])
        if start + _WINDOW < len(block) and len(found) > 1:
            found = found[:-1]
        yield from found
        start += sum(map(len, found)) or _WINDOW


def _pieces(sentence: str) -> Iterator[str]:
    """`sentence` without spare white space, in pieces of bounded length."""
    text = " ".join(sentence.split())
    while len(text) > MAX_CHARACTERS:
        cut = _last_cut(text[:MAX_CHARACTERS])
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text


def _last_cut(text: str) -> int:
    clauses = [match.start() for match in _CLAUSE_END.finditer(text) if match.start() > MAX_CHARACTERS // 4]
    return (
        clauses[-1]
        if clauses
        else text.rfind(" ", MAX_CHARACTERS // 4)
        if " " in text[MAX_CHARACTERS // 4 :]
        else len(text)
    )


def _language(text: str) -> str:
    words = re.findall(r"\w+", text[:20_000].casefold())
    counts = {code: sum(word in own for word in words) for code, own in _WORD_SETS.items()}
    return max(counts, key=lambda code: counts[code])


_WORD_SETS = {code: frozenset(words.split()) for code, words in _FUNCTION_WORDS.items()}
