"""Reads the labels that an instruction names.

labels: [bug, question, docs]                  listed
classify as billing, technical or other        announced
is this urgent or can it wait?                 offered
rate the tone from 1 (hostile) to 5 (warm)     a scale
is this spam?                                  implied
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any

from workers.prompts import label_patterns as patterns
from workers.prompts.known_labels import KnownLabel, ends_in_generic_noun, is_negation, known, label_sets, plain_name
from workers.prompts.wording import fold, fold_in_place, word_count

Label = dict[str, Any]  # {"name": str, "description"?: str, "examples"?: [str]}

MAX_LABELS = 200
_MAX_LABEL_WORDS = 6
_MAX_QUOTED_WORDS = 3  # on average; longer quotations are texts
_MAX_WORDS_BEFORE_LIST = 20
_MAX_CONCEPT_WORDS = 4
_NEARBY = 120  # characters between “classify” and “as ...”


class Strength(IntEnum):
    """How clearly an instruction names its labels."""

    IMPLIED = 1
    OFFERED = 2
    LISTED = 3


@dataclass(frozen=True)
class Named:
    """The labels of an instruction and how clearly it names them."""

    labels: tuple[Label, ...]
    strength: Strength


def named_labels(instruction: str) -> Named | None:
    """The labels that `instruction` names or implies, or None. They can be a single one."""
    for strength, read in _READERS:
        labels = read(instruction) or []
        unique = {plain_name(label["name"]): label for label in reversed(labels) if plain_name(label["name"])}
        if unique:
            return Named(tuple(reversed(unique.values())), strength)
    return None


def bare_list(text: str) -> list[Label]:
    """The labels of a text that is nothing but a list of them, as somebody writes who was asked for labels; or none."""
    labels = [] if re.search(r"[:?]", text) else _label_list(text)
    return labels if _are_labels(labels) else []


def label(name: str, description: str = "") -> Label:
    """A label with a tidy name."""
    tidy = name.strip(" \t\n\"'“”„«»「」`*_.?!:¿¡")
    article = patterns.ARTICLE.match(fold_in_place(tidy))
    tidy = tidy[article.end() :].strip() if article else tidy
    return {"name": tidy, "description": description.strip()} if description.strip() else {"name": tidy}


def _label_list(text: str) -> list[Label]:
    """`text`, which is nothing but a list of labels, taken apart. Each can have a description behind a colon."""
    lines = [match[1] for match in patterns.LIST_LINE.finditer(text)] or text.strip().split("\n")
    if len(lines) > 1:
        return [_described(line) for line in lines if line.strip()]
    return [label(part) for part in _split(text.strip().strip("[](){}."), text)]


def _described(line: str) -> Label:
    match = patterns.DESCRIBED.match(line.strip())
    return label(match[1], match[2]) if match else label(line)


def _split(text: str, instruction: str) -> list[str]:
    """`text`, a part of `instruction`, at its commas and “or”s, else at its slashes."""
    is_dutch = patterns.IS_DUTCH.search(fold(instruction))
    parts = _cut_at(patterns.DUTCH_SEPARATOR if is_dutch else patterns.SEPARATOR, text)
    parts = [part for part in parts if re.search(r"\w", part)]
    return parts if len(parts) > 1 else patterns.SLASH.split(text)


def _cut_at(separator: re.Pattern[str], text: str) -> list[str]:
    """Like `separator.split(text)`, for a pattern made for folded text."""
    cuts = [match.span() for match in separator.finditer(fold_in_place(text))]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _are_labels(labels: Sequence[Label]) -> bool:
    names = [label["name"] for label in labels]
    return len(names) > 1 and all(
        name and word_count(name) <= _MAX_LABEL_WORDS and not re.search(r"[.!?]\s", name) for name in names
    )


# --- Lists -----------------------------------------------------------------------------------------------------------


def _in_lines(instruction: str) -> list[Label] | None:
    """“Labels:\\n- bug: something is broken\\n- docs”"""
    lines = list(patterns.LIST_LINE.finditer(instruction))
    if len(lines) < 2 or not re.search(r"[:?]\s*$", instruction[: lines[0].start()]):
        return None
    labels = [_described(line[1]) for line in lines]
    return labels if _are_labels(labels) else None


def _coded(instruction: str) -> list[Label] | None:
    """“O for opinion and F for fact”"""
    labels = [label(name, description) for name, description in patterns.CODED.findall(instruction)]
    return labels if len(labels) > 1 else None


def _lettered(instruction: str) -> list[Label] | None:
    """“a) a question b) a complaint c) something else”"""
    labels = [label(re.sub(r",?\s+or$", "", name)) for _, name in patterns.LETTERED.findall(instruction)]
    return labels if _are_labels(labels) else None


def _in_brackets(instruction: str) -> list[Label] | None:
    """“[refund, exchange]”, “(high/low)”, “[a] [b]”"""
    if each := patterns.BRACKETED_EACH.search(instruction):
        return [label(name) for name in patterns.BRACKETED.findall(each[0])]
    for match in patterns.BRACKETS.finditer(instruction):
        content = next(group for group in match.groups() if group is not None)
        folded = fold(content)
        if any((patterns.ASIDE.match(folded), patterns.SCALE.fullmatch(folded), patterns.YES_NO.fullmatch(folded))):
            continue
        labels = _label_list(content)
        if _are_labels(labels):
            return labels
    return None


def _in_quotes(instruction: str) -> list[Label] | None:
    """“'fast', 'slow' or 'neither'”"""
    found = list(patterns.QUOTED.finditer(instruction))
    gaps = (instruction[left.end() : right.start()] for left, right in pairwise(found))
    if len(found) < 2 or not all(patterns.BETWEEN_LABELS.fullmatch(fold_in_place(gap)) for gap in gaps):
        return None
    labels = [label(next(group for group in match.groups() if group)) for match in found]
    words = sum(word_count(entry["name"]) for entry in labels)
    return labels if _are_labels(labels) and words <= _MAX_QUOTED_WORDS * len(labels) else None


def _announced(instruction: str) -> list[Label] | None:
    """What follows “labels:”, “classify as”, “sort into”, “choose one of” and the like."""
    folded = fold_in_place(instruction)
    for match in patterns.ANNOUNCED.finditer(folded):
        rest = instruction[match.end() :]
        has_colon = match[0].rstrip().endswith((":", "=", "："))
        listed = re.split(r"[.?!](?:\s|$)|\n", rest)[0] if has_colon else _before_right_edge(rest)
        labels = [label(part) for part in _split_with_and(listed, instruction)]
        nearby = folded[max(0, match.start() - _NEARBY) : match.end()]
        if _are_labels(labels) and (has_colon or patterns.SORTS.search(nearby)):
            return _without_shared_noun(labels)
    return None


def _before_right_edge(text: str) -> str:
    edge = patterns.RIGHT_EDGE.search(fold_in_place(text))
    return text[: edge.start()] if edge else text


def _split_with_and(listed: str, instruction: str) -> list[str]:
    """Like `_split`, where “and” separates too, if no “or” does: “into kitchen, bath and garage”."""
    parts = _split(listed, instruction)
    has_or = len(parts) > len(re.split(r"[,;|/、،]", listed))
    return parts if has_or else [*parts[:-1], *_cut_at(patterns.AND, parts[-1])]


def _known_list(instruction: str) -> list[Label] | None:
    """“positive, negative, neutral”: nothing but labels that are known to belong together."""
    labels = [label(part) for part in _split(instruction, instruction)]
    return labels if _are_labels(labels) and all(known([entry["name"] for entry in labels])) else None


def _trailing_list(instruction: str) -> list[Label] | None:
    """“What emotion is it? joy, anger, fear”"""
    before, mark, listed = re.sub(r"[.?!\s]+$", "", instruction).rpartition(":" if ":" in instruction[:-1] else "?")
    labels = [label(part) for part in _split(listed, instruction)]
    is_request = 0 < word_count(before) <= _MAX_WORDS_BEFORE_LIST and not patterns.SEVERAL_FOLLOW.search(fold(before))
    return labels if mark and is_request and "\n" not in listed.strip() and _are_labels(labels) else None


# --- Choices ---------------------------------------------------------------------------------------------------------


def _offered(instruction: str) -> list[Label] | None:
    """The alternatives of “is this A, B or C?”, found from their separators outwards."""
    if match := patterns.TWO_WHICH.search(fold_in_place(instruction)):
        return [label(instruction[slice(*match.span(group))]) for group in (1, 2)]
    for clause in _clauses(patterns.PARENTHESIS.sub(" ", instruction)):
        parts = _split(clause, instruction)
        separators = re.sub(r"[,;،]", "", "".join(_gaps(clause, parts)))
        if len(parts) < 2 or not separators.strip() or re.search(r"\band/or\b|https?:|\bw/", clause):
            continue
        others = [label(part)["name"] for part in parts[1:]]
        others[-1] = _before_right_edge(f" {others[-1]} ").strip()
        names = [_first_of_choice(parts[0], [name for name in others if name] or [""]), *others]
        labels = [label(name) for name in names if name and name not in patterns.NO_LABEL]
        if _are_labels(labels):
            return _without_shared_noun(labels)
    return None


def _clauses(instruction: str) -> list[str]:
    """The pieces of an instruction in which a choice may stand, last first: that is where it usually is."""
    return [piece for piece in reversed(patterns.CLAUSE_END.split(instruction)) if piece.strip()]


def _gaps(clause: str, parts: list[str]) -> Iterator[str]:
    """What stands between `parts`, which `clause` was split into."""
    position = 0
    for part in parts:
        start = clause.index(part, position)
        yield clause[position:start]
        position = start + len(part)


def _first_of_choice(before: str, others: list[str]) -> str:
    """The first label out of all that stands before the first separator."""
    phrase = _without_opening(before.strip())
    edge = patterns.LEFT_EDGE.match(fold_in_place(phrase))
    tail = phrase[edge.end() :].strip() if edge else phrase
    longest = max(word_count(name) for name in others)
    # Two alternatives can differ in length (“a complete sentence or a fragment”), more of them rarely do.
    most = longest if len(others) > 1 else max(longest, 2 if edge else 3)
    words = tail.split()
    return " ".join(words[-longest:]) if len(words) > most else tail


def _without_opening(phrase: str) -> str:
    """Without “please”, “is”, “tell me” and the like in front."""
    opening = patterns.OPENING.match(fold_in_place(phrase))
    return phrase[opening.end() :] if opening else phrase


def _without_shared_noun(labels: list[Label]) -> list[Label]:
    """“alcoholic or non alcoholic drinks” are “alcoholic” and “non alcoholic”."""
    first, last = labels[0]["name"].split(), labels[-1]["name"].split()
    is_longer = len(last) == len(first) + 1 or last[:-1][-len(first) :] == first
    is_plural = last[-1].endswith("s") and not first[-1].endswith("s")
    if len(last) < 2 or not is_longer or not (is_plural or ends_in_generic_noun(" ".join(last))):
        return labels
    names = [*(label["name"] for label in labels[:-1]), " ".join(last[:-1])]
    return [label(name, f"{name} {last[-1]}") for name in names]


def _scale(instruction: str) -> list[Label] | None:
    """The steps of “from 1 (hostile) to 5 (warm)”; stars if nothing is said about their meaning."""
    folded = fold(instruction)
    match = patterns.SCALE.search(folded)
    if not match or not patterns.SCALE_WORD.search(folded):
        return None
    low, high = sorted((int(match[1]), int(match[3])))
    if not 2 <= high - low + 1 <= 11:
        return None
    steps = range(low, high + 1)
    if (low, high) == (1, 5) and not (match[2] or match[4] or patterns.HOW_MUCH.search(folded)):
        return [label(f"{step} star" if step == 1 else f"{step} stars") for step in steps]
    meanings = {int(match[1]): match[2] or "", int(match[3]): match[4] or ""}
    return [label(str(step), meanings.get(step, "")) for step in steps]


# --- One label, or none ----------------------------------------------------------------------------------------------


def _yes_or_no(instruction: str) -> list[Label] | None:
    """“clickbait y/n”, “spam or not”, “does this break the rules, yes or no?”"""
    if not patterns.YES_NO.search(fold_in_place(instruction)):
        before = _cut_at(patterns.OR_NOT, instruction)
        return _against_the_rest(_concept("".join(before))) if len(before) > 1 else None
    concept = _concept("".join(_cut_at(patterns.YES_NO, instruction)).strip(" ?:,-/()."))
    if concept and all(known([concept])):
        return _against_the_rest(concept)
    return [label("yes", concept), label("no", f"not {concept}" if concept else "")]


def _implied(instruction: str) -> list[Label] | None:
    """Labels for a question that names none, or one: “is this spam?”, “what is the sentiment?”"""
    folded = fold_in_place(instruction)
    if match := patterns.FIND_THE.search(folded) or patterns.WHICH_ARE.search(folded):
        return _against_the_rest(instruction[slice(*match.span(1))])
    for labels in label_sets():
        if any(re.search(rf"(?<!\w){re.escape(asked)}(?!\w)", folded) for asked in labels.asks):
            return [_with_description(name, labels.find(name)) for name in labels.implies]
    is_this, concept = bool(patterns.IS_THIS.search(folded)), _concept(instruction)
    is_known = all(known([concept])) and (is_this or word_count(folded) <= 3)
    return _against_the_rest(concept) if is_known or (is_this and word_count(concept) <= _MAX_CONCEPT_WORDS) else None


def _with_description(name: str, known_label: KnownLabel | None) -> Label:
    return label(name, known_label.description if known_label else "")


def _concept(instruction: str) -> str:
    """What a yes-or-no question asks about: “spam” in “is this spam?”."""
    match = patterns.IS_THIS.search(fold_in_place(instruction))
    phrase = (
        instruction[slice(*match.span(match.lastindex or 0))]
        if match
        else _without_opening(instruction.strip(" ¿?¡:!.,-"))
    )
    concept = re.sub(r"\s+to (?:you|me)$", "", label(phrase)["name"])
    names = [
        name for name in re.findall(r"\w[\w-]+", concept) if any(fold(name) in group.by_name for group in label_sets())
    ]
    return names[-1] if len(names) == 1 and word_count(concept) > 1 else concept


def _against_the_rest(concept: str) -> list[Label] | None:
    """A label and its opposite."""
    name = label(concept)["name"]
    if not name or word_count(name) > _MAX_LABEL_WORDS + 2:
        return None
    if is_negation(name):
        return [label(name.split(maxsplit=1)[-1]), label(name)]
    return [label(name), {"name": f"not {name}"}]


_READERS = (
    (Strength.LISTED, _in_lines),
    (Strength.LISTED, _coded),
    (Strength.LISTED, _lettered),
    (Strength.LISTED, _in_brackets),
    (Strength.LISTED, _in_quotes),
    (Strength.LISTED, _announced),
    (Strength.OFFERED, _scale),
    (Strength.OFFERED, _yes_or_no),
    (Strength.OFFERED, _offered),
    (Strength.OFFERED, _known_list),
    (Strength.IMPLIED, _trailing_list),
    (Strength.IMPLIED, _implied),
)
