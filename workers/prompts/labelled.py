"""Takes a message apart into the labels that it names and what is to get one.

The labels can stand before the text or after it. Any text has an “or” or a list in brackets somewhere, so every way
of taking the message apart is judged, and the clearest one counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from workers.prompts.known_labels import is_catch_all, known
from workers.prompts.label_patterns import LABEL_NOUN, LIST_LINE
from workers.prompts.labels import Label, Named, Strength, label, named_labels
from workers.prompts.parts import Parts, clean, head_cuts, paragraphs, quoted, tail_cuts
from workers.prompts.wording import any_of, fold, is_courtesy, word, word_count

_MAX_WORDS_AROUND = 60
_MAX_CHARACTERS_AROUND = 2000  # what has few words and many characters is no instruction
_LONG_INSTRUCTION_WORDS = 25
_MAX_REQUEST_WORDS = 20
_TERSE_WORDS = 8
_APART_BY_QUOTES, _APART_BY_PARAGRAPH, _APART_BY_LINE = 1.5, 1.0, 0.5
_LEAST_CLARITY = 1.5

_ASKS = word("asking_for_labels")
_POINTS_AT_TEXT = word("pointing_at_texts")
_ENDS_LIKE_A_QUESTION = re.compile(r"[?:？：]\W*$|\b(?:is|give it|would give this product|not an?)$")
_OPENS_WITH_REQUEST = re.compile(rf"\W*(?:please |pls )?{any_of('asking_for_labels')}\b")
_GOES_ON = re.compile(rf"\W*(?:{any_of('going_on')}\b[\s,]*)*(?:{any_of('next_one')})?\s*[:：?-]\s*(?=\S)")
_STILL_ASKS = re.compile(rf"{any_of('still_asking')}\b[^\n\"“«]{{0,120}}$")
_ANSWER_LINE = re.compile(r"\n\s*[\w()/ -]{2,40}:\s*$")  # “Answer:”, left open below a text
_LOOSE_MARKS = re.compile(r"^[→>=–—\s-]+(?=\s)|\s*(?:[-=]+>|→|—|–|--?)\s*$")
_EXAMPLE_LINE = re.compile(r"^\s*(.+?)\s*(?:=>|->|→|⇒)\s*([^\n]{0,40}?)\s*$")
_MARK = re.compile(r"\s*(?:(?P<dash>[-*•])|(?P<number>\(?\d{1,3}[.)])|(?P<letter>\(?[A-Za-z][.)]))(?:\s|$)")
_QUOTATION_MARKS = " \"'“”"
_LONG_RUN = re.compile(r"\W{41,}")


def read(message: str, least: Strength = Strength.IMPLIED) -> tuple[Named | None, Parts]:
    """The labels that `message` names at least as clearly as `least`, or None, and what it says besides."""
    message = without_long_runs(message)
    return _example_lines(message) or _from_json(message) or _clearest(message, least)


def without_long_runs(message: str) -> str:
    """Without the middle of long runs of blanks and marks, which say no more than short ones.

    Most patterns for labels look on to the end of a run from each of its characters.
    """
    return _LONG_RUN.sub(lambda run: run[0][:20] + run[0][-20:], message)


def _clearest(message: str, least: Strength) -> tuple[Named | None, Parts]:
    best: tuple[float, Named, Parts] | None = None
    for parts, apart in _candidates(message):
        named = named_labels(parts.instruction) if _is_brief(parts.instruction) else None
        if named is None or named.strength < least:
            continue
        clarity = _clarity(named, parts.instruction, apart)
        if clarity >= _LEAST_CLARITY and (best is None or clarity > best[0]):
            best = clarity, named, parts
    if best:
        return best[1], _tidy(best[2])
    named = named_labels(message) if _is_brief(message) else None
    if named and named.strength >= least and least < Strength.LISTED:
        return named, Parts(message, "")
    return None, _without_request(message)


def _is_brief(stretch: str) -> bool:
    """Whether it can be an instruction. A list of labels in lines, with what they mean, does not make it longer."""
    if len(stretch) > _MAX_CHARACTERS_AROUND:
        return False
    listed = LIST_LINE.search(stretch)
    if listed and LABEL_NOUN.search(fold(stretch[: listed.start()])):
        stretch = LIST_LINE.sub("", stretch)
    return word_count(stretch) <= _MAX_WORDS_AROUND


def _candidates(message: str) -> Iterator[tuple[Parts, float]]:
    """The ways to take `message` apart, likeliest first, and how far the layout sets the instruction apart."""
    block = quoted(message)
    if block and block.around and word_count(block.around) <= _MAX_WORDS_AROUND:
        several = len(block.quotations) > 1
        text = "\n".join(f'"{text}"' for text in block.quotations) if several else block.quotations[0]
        # `spam or not: He said "you won" to me`: the quotation is only a part of the text.
        is_part_of_text = block.carrier and named_labels(block.carrier) is None
        yield Parts(block.around, text), 0.0 if is_part_of_text else _APART_BY_QUOTES
    blocks = paragraphs(message)
    if len(blocks) > 1:
        yield from ((parts, _APART_BY_PARAGRAPH) for parts in _paragraph_splits(message, blocks))
    for cut in head_cuts(message):
        if not _is_within_list(cut.instruction, cut.text):
            yield cut, _APART_BY_LINE * (cut.text.startswith("\n") or message[: -len(cut.text)].endswith("\n"))
    for cut in tail_cuts(message):
        if not _is_within_list(cut.text, cut.instruction):
            yield cut, _APART_BY_LINE * cut.text.endswith("\n")


def _is_within_list(before: str, after: str) -> bool:
    """Whether one list goes on where these two stretches of a message meet, between two of its lines or within one."""
    line = before.rstrip().rpartition("\n")[2]
    last, first = _MARK.match(line), _MARK.match(after.lstrip())
    return bool(last and (last[0] == line or (first and last.lastgroup == first.lastgroup)))


def _paragraph_splits(message: str, blocks: list[str]) -> Iterator[Parts]:
    first, last = blocks[0], blocks[-1]
    if _is_brief(first):
        yield Parts(first.strip(), message.split(first, 1)[1])
    if _is_brief(last):
        yield Parts(last.strip(), message.rsplit(last, 1)[0])


def _clarity(named: Named, instruction: str, apart: float) -> float:
    """How sure it is that `instruction`, which the layout sets `apart` so far, is one."""
    folded = fold(instruction)
    names = [entry["name"] for entry in named.labels]
    are_known = all(found or is_catch_all(name) for name, found in zip(names, known(names), strict=True))
    asks = any(pattern.search(folded) for pattern in (_ASKS, _POINTS_AT_TEXT, LABEL_NOUN))
    ends_like_a_question = bool(_ENDS_LIKE_A_QUESTION.search(folded)) or word_count(folded) <= _TERSE_WORDS - 2
    is_quotation = instruction[0] in '"“„«' or instruction.count('"') % 2
    return (
        named.strength
        + 0.75 * are_known
        + 0.75 * asks
        + max(apart, 0.5 * ends_like_a_question)
        - 1.0 * (not (apart or ends_like_a_question or asks))
        - 1.0 * bool(is_quotation)
        - 0.75 * (word_count(folded) > _LONG_INSTRUCTION_WORDS)
    )


def _tidy(parts: Parts) -> Parts:
    """Without a request on the other side of the text: “Classify each: iron, helium -> metal / nonmetal”."""
    text = _ANSWER_LINE.sub("", clean(_LOOSE_MARKS.sub("", parts.text)))
    if _STILL_ASKS.match(fold(text)) or (text.endswith(":") and "\n" not in text):
        return Parts(f"{parts.instruction}\n{text}", "")
    head = next((cut for cut in head_cuts(text) if _is_no_text(cut.instruction)), None)
    return Parts(parts.instruction, clean(head.text) if head else text)


def _is_no_text(stretch: str) -> bool:
    is_request = word_count(stretch) <= _TERSE_WORDS and stretch.rstrip()[-1:] in ":："
    return is_courtesy(stretch) or (is_request and bool(_ASKS.search(fold(stretch))))


def _without_request(message: str) -> Parts:
    """A message that names no labels, without what only asks to classify or goes on: “and this one: ...”."""
    block = quoted(message)
    if block and word_count(block.around) <= _MAX_REQUEST_WORDS and _asks_or_goes_on(block.around):
        return Parts(block.around, "\n".join(block.quotations))
    if match := _GOES_ON.match(fold(message[:100])):
        return Parts(message[: match.end()].strip(), clean(message[match.end() :]))
    for cut in (*head_cuts(message), *tail_cuts(message)):
        if word_count(cut.instruction) <= _MAX_REQUEST_WORDS and _is_request(cut.instruction):
            return Parts(cut.instruction, clean(cut.text))
    is_request = word_count(message) <= _TERSE_WORDS and _OPENS_WITH_REQUEST.match(fold(message))
    return Parts(message, "") if is_request else Parts("", clean(message))


def _asks_or_goes_on(stretch: str) -> bool:
    folded = fold(stretch)
    return bool(_ASKS.search(folded) or _GOES_ON.match(f"{folded.rstrip(' .:?!')}: x"))


def _is_request(stretch: str) -> bool:
    folded = fold(stretch)
    return bool(_ASKS.search(folded)) and (folded[-1] in ":：?？" or bool(_OPENS_WITH_REQUEST.match(folded)))


def _example_lines(message: str) -> tuple[Named, Parts] | None:
    """`text => LABEL` in lines, the last one open: labels by example."""
    matches = [_EXAMPLE_LINE.match(line) for line in message.split("\n") if line.strip()]
    pairs = [(match[1].strip(_QUOTATION_MARKS), match[2].strip()) for match in matches if match]
    if len(matches) < 3 or len(pairs) < len(matches) or pairs[-1][1]:
        return None
    examples: dict[str, list[str]] = {}
    for text, name in pairs[:-1]:
        examples.setdefault(name, []).append(text)
    labels = tuple({"name": name, "examples": texts} for name, texts in examples.items() if name)
    return (Named(labels, Strength.LISTED), Parts("", pairs[-1][0])) if labels else None


def _from_json(message: str) -> tuple[Named, Parts] | None:
    """`{"labels": [...], "text": "..."}`"""
    try:
        content = json.loads(message) if message.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("labels"), list):
        return None
    by_name = {entry["name"]: entry for entry in map(_label_of, content["labels"]) if entry["name"]}
    labels = tuple(by_name.values())
    text = content.get("text")
    return (Named(labels, Strength.LISTED), Parts("", text)) if labels and isinstance(text, str) else None


def _label_of(entry: Any) -> Label:
    """A label in JSON: its name, or an object as routes have it."""
    if not isinstance(entry, dict):
        return label(str(entry))
    return label(str(entry.get("name", "")), str(entry.get("description") or ""))
