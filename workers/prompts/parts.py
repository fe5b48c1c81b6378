"""Takes a message apart into what is asked and the text that it is asked about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from workers.prompts.wording import is_courtesy, word_count

# An instruction is short. What is longer is text, whatever words it uses.
MAX_INSTRUCTION_WORDS = 70
_HEAD_CHARACTERS = 700
_TAIL_CHARACTERS = 400

_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "»": "«", "「": "」", "『": "』"}
_OPENING = re.compile(r"(?:(?<=[\s:(?!：？！。])|^)(?:[\"“„「『](?=\S)|«)|(?<=[\u3040-\u9fff])[「『]")
_BETWEEN_QUOTATIONS = re.compile(
    r"[\s,;.&/|+*•–—-]*(?:\(?[\da-zA-Z][.):]\s*)?(?:(?:and|und|et|y|e|en|or)\b)?[\s,*•–—-]*"
)
_FENCE = re.compile(r"^```[\w+-]*\n(.+?)```|^\"\"\"(.+?)\"\"\"", re.DOTALL | re.MULTILINE)
_TAG = re.compile(r"^<(\w{1,20})>[ \t]*\n", re.MULTILINE)
_MOST_TAGS = 20  # that are looked at: each without an end is looked for through the whole message
_ABBREVIATIONS = "".join(rf"(?<!{short})" for short in (r"\bvs", r"\b[MD]r", r"\bMrs", r"\bSt", r"\bca", r"\bNo"))
# Where an instruction can end, or begin.
_CUT = re.compile(
    rf"""
      [:：](?=\s|[^\x00-\x7f/]|["'])|(?<=[^\d\W]):(?=\w)                       # behind a colon, but not in 10:30
    | {_ABBREVIATIONS}(?<!\b[A-Z])(?<![eiz]\.[geB])[.?!…؟]+["')»”」]*(?=\s|$)    # behind a sentence
    | [。？！] | \n+                                                              # or a line
    | \](?=\s)(?!\s*\[)                                                         # or a list in brackets
    | [^\S\n](?:-+>|=+>|→|—|–|--?)(?=\s)                                         # or a dash or an arrow
    | ,?\s(?=["“„«「『](?:[^\s"”“»」』]+\s+){{4}})                                # before a quotation of some length
    """,
    re.VERBOSE,
)
_CLAUSE_END = re.compile(r"[.?!:：。？！\n]")
_RULE = re.compile(r"^\s*(?:[=*_~#-]{3,}|<[^<>]{1,20}>)\s*$")
_TEXT_MARK = re.compile(
    r"^\s*(?:\W{0,3}(?:the |here is the |here's the )?(?:text|article|passage|paragraph|message|input|content|body|"
    r"document|items?|sentence|artikel|texte|texto|testo|nachricht|mensaje|tekst))\s*[:：=]\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parts:
    """What is asked, and about which text. Either may be empty."""

    instruction: str
    text: str


@dataclass(frozen=True)
class Quoted:
    """A message of which a part is quoted: what surrounds it, the quotations, and the sentence that runs into them."""

    around: str
    quotations: tuple[str, ...]
    carrier: str


def paragraphs(message: str) -> list[str]:
    """What blank lines or rules (`---`, `===`) separate."""
    return [part for part in re.split(r"\n\s*\n|\n\s*[=*_~-]{3,}\s*\n", message) if part.strip()]


def quoted(message: str) -> Quoted | None:
    """The quotations of `message`, if they stand in one block: one after the other with nothing said between them."""
    if fenced := min(filter(None, (_between_fences(message), _between_tags(message))), default=None):
        return _quoted(message, *fenced)
    opening = _OPENING.search(message)
    if not opening:
        return None
    start, closing = opening.start(), _QUOTES[opening[0]]
    if end := _end_of_nesting(message, start, closing):
        return _quoted(message, start, end, message[start + 1 : end - 1].strip())
    found, end = _listed(message, start, opening[0], closing)
    return _quoted(message, start, end, *found) if found and closing not in message[end:] else None


def _between_fences(message: str) -> tuple[int, int, str] | None:
    """The first text between fences: where it begins and ends with them, and what it is."""
    fence = _FENCE.search(message)
    return (*fence.span(), (fence[1] or fence[2]).strip("\n")) if fence else None


def _between_tags(message: str) -> tuple[int, int, str] | None:
    """As `_between_fences`, for lines such as `<text>` and `</text>`."""
    for opening in islice(_TAG.finditer(message), _MOST_TAGS):
        end = re.compile(rf"\n[ \t]*</{opening[1]}>[ \t]*$", re.MULTILINE)
        if closing := end.search(message, opening.end() + 1):
            return opening.start(), closing.end(), message[opening.end() : closing.start()].strip("\n")
    return None


def _quoted(message: str, start: int, end: int, *quotations: str) -> Quoted:
    before = message[:start].rstrip(" \t")
    runs_in = before[-1:].isalnum()
    carrier = f"{_CLAUSE_END.split(before)[-1]} this {_CLAUSE_END.split(message[end:])[0]}" if runs_in else ""
    return Quoted(_without(message, start, end), quotations, carrier)


def _without(message: str, start: int, end: int) -> str:
    """`message` with “this” in the place of a quotation, so that it still reads as a sentence."""
    before, after = message[:start].strip(), message[end:].strip()
    if not re.search(r"\w", after):
        return before
    return f"{before} this {after}" if re.search(r"\w", before) else after.lstrip(" ,;:.-–—→>=")


def _end_of_nesting(message: str, start: int, closing: str) -> int:
    """Where the quotation from `start` ends if it has quotations inside; 0 if it has none."""
    following = message.find(message[start], start + 1)
    is_nested = following > 0 and message[following - 1] in ' \n\t("' and message[following + 1 : following + 2].strip()
    last = message.rfind(closing)
    return last + 1 if is_nested and last > following and not re.match(r"\w", message[last + 1 :]) else 0


def _listed(message: str, start: int, opening: str, closing: str) -> tuple[list[str], int]:
    """The quotations from `start` on that only separators divide, and where the last of them ends."""
    found: list[str] = []
    end = start
    while message[start : start + 1] == opening:
        close = message.find(closing, start + 1)
        if closing == "“" and (curly := message.find("”", start + 1)) > 0:
            close = min(position for position in (close, curly) if position > 0)
        if close < 0:
            return [], start
        found.append(message[start + 1 : close].strip())
        end = close + 1
        separator = _BETWEEN_QUOTATIONS.match(message, end)
        start = separator.end() if separator else end
    return [quotation for quotation in found if quotation], end


def head_cuts(message: str) -> Iterator[Parts]:
    """Every place near the start where an instruction could end, shortest instruction first."""
    for match in _CUT.finditer(message[:_HEAD_CHARACTERS]):
        head, rest = message[: match.end()], message[match.end() :]
        if word_count(head) > MAX_INSTRUCTION_WORDS:
            return
        if rest.strip():
            yield Parts(head.strip(), rest)


def tail_cuts(message: str) -> Iterator[Parts]:
    """Every place near the end where an instruction could begin, shortest instruction first."""
    offset = max(0, len(message) - _TAIL_CHARACTERS)
    for match in reversed(list(_CUT.finditer(message[offset:]))):
        rest, tail = message[: offset + match.end()], message[offset + match.end() :]
        if word_count(tail) > MAX_INSTRUCTION_WORDS // 2:
            return
        if re.search(r"\w", tail) and rest.strip():
            yield Parts(tail.strip(), rest)


def clean(text: str) -> str:
    """`text` without what only wraps it: rules, a “Text:” before it, quotation marks or a fence around it."""
    lines = text.strip().split("\n")
    while lines and (_RULE.match(lines[0]) or not lines[0].strip()):
        lines.pop(0)
    while lines and (_RULE.match(lines[-1]) or not lines[-1].strip() or is_courtesy(lines[-1])):
        lines.pop()
    return _unwrapped(_TEXT_MARK.sub("", "\n".join(lines), count=1).strip())


def _unwrapped(text: str) -> str:
    block = quoted(text)
    if block and not block.around.strip(" .,:;") and len(block.quotations) == 1:
        return block.quotations[0]
    if text.startswith(">") and all(line.startswith(">") or not line.strip() for line in text.split("\n")):
        return re.sub(r"^>[ \t]?", "", text, flags=re.MULTILINE)
    return text
