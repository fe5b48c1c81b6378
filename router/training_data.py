"""What the classifier is fitted on: the project's own messages, and more files where the person has them.

Instructions, written ones and ones drawn from patterns, are joined with passages here. Each passage that is drawn
gets an instruction of every role, so that nothing but the instruction tells the roles apart.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from router.patterns import Patterns
from router.rows import read_rows

ROLES = ("summarise", "classify", "generate")
OWN_DATA = Path(__file__).parent / "data"

JOINED_PASSAGES = 4000  # with written instructions, and as many with patterns
PATTERNS_ALONE = 800  # of each role
UNASKED_SHARE = 0.2
DIALOGUE_SHARE = 0.15
FRAGMENT_SHARE = 0.1
LONGER_SHARE = 0.2
FOREIGN_SHARE = 0.15
TYPO_SHARE = 0.3
CONTEXT_SHARE = 0.15
AFTER_SHARE = 0.7
EXTRA_GENERATE_ROWS = 3000
# A long text of these kinds, sent without a word, is nothing that one would want shortened.
NO_PROSE = frozenset({"code", "data", "log", "list", "form", "table"})
PROSE_CHARACTERS = 300

BEFORE = (
    *["{instruction}\n\n{passage}"] * 4,
    *["{instruction}\n{passage}"] * 3,
    *["{instruction} {passage}"] * 2,
    '{instruction}\n\n"{passage}"',
    '{instruction} "{passage}"',
    "{instruction}\n```\n{passage}\n```",
    "{instruction}\n---\n{passage}",
    "{instruction} >> {passage}",
    "{instruction}\nText: {passage}",
)
AFTER = (
    *["{passage}\n\n{instruction}"] * 5,
    *["{passage}\n{instruction}"] * 3,
    "{passage} {instruction}",
    '"{passage}" {instruction}',
    '"{passage}"\n\n{instruction}',
    "```\n{passage}\n```\n{instruction}",
    "{passage}\n---\n{instruction}",
    "Text: {passage}\n\n{instruction}",
)
NAMES = (
    "Ana",
    "Ben",
    "Chloe",
    "Deniz",
    "Emma",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Kira",
    "Leo",
    "Mona",
    "Tariq",
    "Yuki",
)

_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+")


@dataclass(frozen=True)
class Sample:
    """A message with its role. Samples of one `group` share their words, so folds never separate them.

    `weight` is how much it counts beside others of its source.
    """

    text: str
    role: str
    group: str
    source: str
    context: str = ""
    weight: float = 1.0


def own_samples(seed: int, folder: Path = OWN_DATA) -> list[Sample]:
    """Everything written for the project: whole messages, bare instructions, instructions joined with passages."""
    rng = random.Random(seed)  # noqa: S311 (not for secrets)
    messages = _read_folder(folder / "messages", "text", "role", "lang")
    instructions = _read_folder(folder / "instructions", "text", "role", "lang", "place")
    texts = _read_folder(folder / "passages", "text", "kind", "lang")
    passages = _Passages(texts, messages, rng)
    patterns = Patterns(folder / "patterns.toml", rng)
    return [
        *_messages(messages, rng),
        *(Sample(row["text"], row["role"], row["text"], "instruction") for row in instructions),
        *_joined(_Written(instructions, rng), passages, rng),
        *_joined(_Drawn(patterns), passages, rng),
        *_alone(patterns, rng),
        *_about(_read_folder(folder / "questions", "passage", "text", "role"), texts, rng),
    ]


def extra_samples(path: Path, seed: int) -> list[Sample]:
    """The rows of a file whose licence lets the result ship: Dolly's, where the label is beyond doubt.

    Most of Dolly is of the role `generate`; an equal number of each of its categories is drawn.
    """
    rng = random.Random(seed)  # noqa: S311
    by_category: dict[str, list[Sample]] = defaultdict(list)
    for row in read_rows(path, "text", "role"):
        if row.get("source") == "dolly" and row.get("clear") is True:
            by_category[row["category"]].append(Sample(row["text"], row["role"], row["id"], "dolly"))
    generate = [category for category, rows in sorted(by_category.items()) if rows[0].role == "generate"]
    for category in generate:
        rows = by_category[category]
        by_category[category] = rng.sample(rows, min(len(rows), EXTRA_GENERATE_ROWS // len(generate)))
    return [sample for category in sorted(by_category) for sample in by_category[category]]


def data_hash(samples: Sequence[Sample]) -> str:
    """A fingerprint of the samples in their order."""
    lines = (json.dumps(asdict(sample), sort_keys=True) for sample in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read_folder(folder: Path, *fields: str) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.jsonl")) for row in read_rows(path, *fields)]


def _messages(rows: Sequence[dict[str, Any]], rng: random.Random) -> Iterator[Sample]:
    """Each message, and some of them once more as they look when typed in a hurry."""
    contexts = [row["context"] for row in rows if row.get("context")]
    for row in rows:
        text, role, context = row["text"], row["role"], row.get("context", "")
        if not context and contexts and len(text.split()) > 6 and rng.random() < CONTEXT_SHARE:
            context = rng.choice(contexts)  # a message that speaks for itself keeps its role after any answer
        yield Sample(text, role, text, "message", context)
        if len(text) < PROSE_CHARACTERS and rng.random() < TYPO_SHARE:
            yield Sample(hurried(text, rng), role, text, "message", context)


def _joined(instructions: _Written | _Drawn, passages: _Passages, rng: random.Random) -> Iterator[Sample]:
    for _ in range(JOINED_PASSAGES):
        language = instructions.language()
        passage = passages.draw(language)
        for role in ROLES:
            row = instructions.draw(role, language)
            yield Sample(_join(row["text"], row["place"], passage.text, rng), role, row["group"], "joined")
        if passage.is_prose and rng.random() < UNASKED_SHARE:
            # Long prose without an instruction: a shorter version is the most useful first answer.
            yield Sample(passage.text, "summarise", passage.text, "unasked")


def _join(instruction: str, place: str, passage: str, rng: random.Random) -> str:
    if rng.random() < TYPO_SHARE:
        instruction = hurried(instruction, rng)
    if place not in ("before", "after"):
        place = rng.choice(("before", "after"))
    frame = rng.choice(BEFORE if place == "before" else AFTER)
    return frame.format(instruction=instruction, passage=passage)


def _alone(patterns: Patterns, rng: random.Random) -> Iterator[Sample]:
    for role in ROLES:
        for _ in range(PATTERNS_ALONE):
            drawn = patterns.alone(role)
            text = hurried(drawn.text, rng) if rng.random() < TYPO_SHARE else drawn.text
            yield Sample(text, role, drawn.pattern, "pattern")


def _about(rows: Sequence[dict[str, Any]], texts: Sequence[dict[str, Any]], rng: random.Random) -> Iterator[Sample]:
    """What is asked about one passage alone, with that passage."""
    for row in rows:
        [passage] = [text["text"] for text in texts if text["text"].startswith(row["passage"])]
        place = "after" if rng.random() < AFTER_SHARE else "before"
        yield Sample(_join(row["text"], place, passage, rng), row["role"], passage, "about")


def hurried(text: str, rng: random.Random) -> str:
    """`text` as it looks when typed in a hurry: lower case, no full stop, up to two slips of the finger."""
    if rng.random() < 0.5:
        text = text.lower()
    if rng.random() < 0.4:
        text = text.rstrip(".:!?…") or text
    letters = list(text)
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        if len(letters) > 4:
            _slip(letters, rng)
    return "".join(letters)


def _slip(letters: list[str], rng: random.Random) -> None:
    place = rng.randrange(1, len(letters) - 1)
    match rng.randrange(3):
        case 0:
            del letters[place]
        case 1:
            letters[place], letters[place - 1] = letters[place - 1], letters[place]
        case _:
            letters.insert(place, letters[place])


class _Deck:
    """Rows drawn in random order, each once before any comes again."""

    def __init__(self, rows: Sequence[dict[str, Any]], rng: random.Random) -> None:
        self._rows = rows
        self._rng = rng
        self._left: list[dict[str, Any]] = []

    def draw(self) -> dict[str, Any]:
        if not self._left:
            self._left = self._rng.sample(self._rows, len(self._rows))
        return self._left.pop()


class _Written:
    """Written instructions; the languages come as often as the authors used them."""

    def __init__(self, rows: Sequence[dict[str, Any]], rng: random.Random) -> None:
        self._rng = rng
        by_key: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_key[row["role"], row["lang"]].append({**row, "group": row["text"]})
        self._decks = {key: _Deck(rows_of_key, rng) for key, rows_of_key in by_key.items()}
        self._languages = [row["lang"] for row in rows if all((role, row["lang"]) in by_key for role in ROLES)]

    def language(self) -> str:
        return self._rng.choice(self._languages)

    def draw(self, role: str, language: str) -> dict[str, Any]:
        return self._decks[role, language].draw()


class _Drawn:
    """Instructions drawn from patterns, most of which are English."""

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns

    def language(self) -> str:
        return "en"

    def draw(self, role: str, language: str) -> dict[str, Any]:
        drawn = self._patterns.beside_a_passage(role)
        return {"text": drawn.text, "place": drawn.place, "group": drawn.pattern}


@dataclass(frozen=True)
class _Passage:
    text: str
    is_prose: bool


class _Passages:
    """Texts to join instructions with: the written ones, pieces and rows of them, and made-up dialogues."""

    def __init__(
        self, passages: Sequence[dict[str, Any]], messages: Sequence[dict[str, Any]], rng: random.Random
    ) -> None:
        self._rng = rng
        languages = sorted({row["lang"] for row in passages})
        self._decks = {
            language: _Deck([row for row in passages if row["lang"] == language], rng) for language in languages
        }
        self._lines = [
            row["text"]
            for row in messages
            if row["role"] == "generate" and row["lang"] == "en" and len(row["text"]) < 90 and "\n" not in row["text"]
        ]

    def draw(self, language: str) -> _Passage:
        if self._rng.random() < DIALOGUE_SHARE:
            return _Passage(self._dialogue(), is_prose=False)
        if language not in self._decks or self._rng.random() < FOREIGN_SHARE:
            language = "en"
        deck = self._decks[language]
        rows = [deck.draw()]
        while self._rng.random() < LONGER_SHARE:
            rows.append(deck.draw())
        text = "\n\n".join(row["text"] for row in rows)
        if self._rng.random() < FRAGMENT_SHARE:
            text = self._fragment(text)
        is_prose = len(text) > PROSE_CHARACTERS and not any(row["kind"] in NO_PROSE for row in rows)
        return _Passage(text, is_prose)

    def _dialogue(self) -> str:
        speakers = self._rng.sample(NAMES, self._rng.choice((2, 2, 2, 3)))
        count = self._rng.randint(2, 9)
        return "\n".join(f"{self._rng.choice(speakers)}: {self._rng.choice(self._lines)}" for _ in range(count))

    def _fragment(self, text: str) -> str:
        sentences = _SENTENCE_END.split(text)
        start = self._rng.randrange(len(sentences))
        return " ".join(sentences[start : start + self._rng.choice((1, 1, 2))])
