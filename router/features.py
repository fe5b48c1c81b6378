"""What the role classifier sees of a message: hashed n-grams of its ends, and its shape. Numbers only, no state.

What is asked for stands at the beginning or at the end of a message, often beside a long paste. So the first and
the last sentence are read on their own, and the first and last words around them once more with less weight; the
cost is the same for ten words and for ten thousand. N-grams are hashed instead of looked up (the hashing trick,
Weinberger et al. 2009), so there is no vocabulary to store and every language is read alike.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

# Another number for every change of what a vector means: a classifier fits one version only.
VERSION = 1

BUCKET_BITS = 18
BUCKETS = 1 << BUCKET_BITS

WINDOW_WORDS = 40
WINDOW_CHARACTERS = 400  # a window of a language without spaces, or of one endless word
SENTENCE_WORDS = 20
CONTEXT_WORDS = 8
SHAPE_CHARACTERS = 2000
EXCERPT_WORDS = 20

WORD_GRAMS = (1, 2)
CHARACTER_GRAMS = (3, 4, 5)

# Where an n-gram stands, and how much all n-grams of that place weigh together.
PLACES = {"window": 0.3, "sentences": 1.0, "context": 0.5}

_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_SENTENCE_END = re.compile(r"\n+|(?<=[.!?:])\s+|(?<=[。！？：])|(?<=[^\w\s]{3})\s+")
_QUOTED = re.compile(r"[\"“„«「'`]{1,3}([^\"“”„«»「」`]{15,})[\"”“»」`']")
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIXER = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Vector:
    """A sparse vector: ascending indices and their values."""

    indices: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """The pieces of a message that are read, cleaned: both ends, the first and last sentence, the context."""

    window: tuple[str, ...]
    sentences: tuple[str, ...]
    context: tuple[str, ...]


def read(text: str, context: str = "") -> Reading:
    """The pieces of a message, and of the answer before it, that its role is told from."""
    window = _window(text, WINDOW_WORDS, WINDOW_CHARACTERS)
    opening, closing = _sentences(window[0]), _sentences(window[-1])
    sentences = (_first_words(opening[0], SENTENCE_WORDS), _last_words(closing[-1], SENTENCE_WORDS))
    before = _first_words(context[:WINDOW_CHARACTERS], CONTEXT_WORDS)
    return Reading(
        window=tuple(map(_clean, window)),
        sentences=tuple(map(_clean, sentences)),
        context=(_clean(before),) if before else (),
    )


def vectorise(text: str, context: str = "") -> Vector:
    """A message as the classifier sees it. Any string works, also an empty one."""
    reading = read(text, context)
    indices, values = [], []
    for place, weight in PLACES.items():
        pieces = getattr(reading, place)
        for grams in (_word_grams(pieces, place), _character_grams(pieces, place)):
            buckets, counts = np.unique(_buckets(grams), return_counts=True)
            damped = 1 + np.log(counts)
            indices.append(buckets)
            values.append(weight * damped / max(1.0, math.sqrt(float(damped @ damped))))
    indices.append(np.arange(BUCKETS, DIMENSIONS))
    values.append(np.array(list(shape(text, context).values())))
    return _merge(np.concatenate(indices), np.concatenate(values))


def word_indices(text: str) -> dict[str, list[int]]:
    """The words that are read of a message, with the indices that each has in its vector."""
    reading = read(text)
    found: dict[str, list[int]] = {}
    for place in ("window", "sentences"):
        for word in dict.fromkeys(_WORD.findall(" ".join(getattr(reading, place)))):
            if word.isalnum():
                found.setdefault(word, []).extend(_buckets(_word_grams_of_size(word, 1, place)).tolist())
    return found


def excerpt(text: str) -> str:
    """What of a message is embedded: all of a short one, both ends of a long one."""
    return " … ".join(_window(text, EXCERPT_WORDS, EXCERPT_WORDS * 8))


def _merge(indices: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Vector:
    """One entry an index: n-grams of different places may share a bucket."""
    unique, inverse = np.unique(indices, return_inverse=True)
    return Vector(unique, np.bincount(inverse, weights=values).astype(np.float32))


# --- Reading ----------------------------------------------------------------------------------------------------


def _window(text: str, words: int, characters: int) -> tuple[str, ...]:
    """The whole text if it is short, else its first and its last words."""
    text = text.strip()
    if len(text) <= 2 * characters and len(text.split()) <= 2 * words:
        return (text,)
    return _first_words(text[:characters], words), _last_words(text[-characters:], words)


def _first_words(text: str, count: int) -> str:
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text if len(ends) <= count else text[: ends[count - 1]]


def _last_words(text: str, count: int) -> str:
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    return text if len(starts) <= count else text[starts[-count] :]


def _sentences(text: str) -> list[str]:
    """Sentences, as far as punctuation shows them; pieces without a letter or digit do not count."""
    pieces = [piece for piece in _SENTENCE_END.split(text) if any(map(str.isalnum, piece))]
    return pieces or [text]


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


# --- Hashing ------------------------------------------------------------------------------------------------------


def _word_grams(pieces: Iterable[str], place: str) -> Hashes:
    return _concatenate(_word_grams_of_size(piece, size, place) for piece in pieces for size in WORD_GRAMS)


def _word_grams_of_size(text: str, size: int, place: str) -> Hashes:
    return _grams(_word_hashes(text), size, f"word {place}")


def _character_grams(pieces: Iterable[str], place: str) -> Hashes:
    return _concatenate(
        _grams(points, size, f"character {place}") for points in map(_code_points, pieces) for size in CHARACTER_GRAMS
    )


def _word_hashes(text: str) -> Hashes:
    hashes = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(text)]
    return np.array(hashes, dtype=np.uint64)


def _code_points(text: str) -> Hashes:
    return np.frombuffer(f" {text} ".encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)


def _grams(units: Hashes, size: int, salt: str) -> Hashes:
    """The hash of every run of `size` units: a polynomial modulo 2^64, then mixed so that its high bits are good."""
    count = max(0, len(units) - size + 1)
    hashes = np.full(count, zlib.crc32(f"{salt} {size}".encode()), dtype=np.uint64)
    for offset in range(size):
        hashes = hashes * _GOLDEN + units[offset : offset + count] + np.uint64(1)
    for _ in range(2):
        hashes = (hashes ^ (hashes >> _HALF)) * _MIXER
    return hashes ^ (hashes >> _HALF)


def _buckets(hashes: Hashes) -> npt.NDArray[np.int64]:
    return (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def _concatenate(parts: Iterable[Hashes]) -> Hashes:
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


# --- Shape --------------------------------------------------------------------------------------------------------


def shape(text: str, context: str = "") -> dict[str, float]:
    """What a message looks like from afar, as numbers around 0 to 1."""
    text = text.strip()
    size = len(text)
    sample = text if size <= 2 * SHAPE_CHARACTERS else f"{text[:SHAPE_CHARACTERS]}\n{text[-SHAPE_CHARACTERS:]}"
    lines = [line.strip() for line in sample.split("\n") if line.strip()] or [""]
    paragraphs = [paragraph for paragraph in _PARAGRAPH_END.split(sample) if paragraph.strip()] or [""]
    first, last, length = lines[0], lines[-1], max(1, len(sample))
    is_split = len(paragraphs) > 1
    return {
        "characters": math.log1p(size) / 6,
        "words": math.log1p(size / 6 if size > len(sample) else len(sample.split())) / 4,
        "lines": math.log1p(len(lines)) / 2,
        "is_tiny": float(size < 15),
        "is_short": float(size < 40),
        "is_long": float(size > 300),
        "is_very_long": float(size > 1000),
        "questions": math.log1p(sample.count("?") + sample.count("？")),
        "first_line_asks": float("?" in first),
        "last_line_asks": float(last.endswith(("?", "？"))),
        "first_line_ends_in_colon": float(first.endswith((":", "："))),
        "last_line_ends_in_colon": float(last.endswith((":", "："))),
        "first_line_has_colon": float(":" in first),
        "commas_in_first_line": math.log1p(first.count(",")) / 2,
        "slashes_in_first_line": math.log1p(first.count("/") + first.count("|")),
        "quoted_share": sum(map(len, _QUOTED.findall(sample))) / length,
        "is_fenced": float("```" in sample),
        "longest_paragraph_share": max(map(len, paragraphs)) / length if is_split else 0.0,
        "first_line_is_short": float(len(lines) > 1 and len(first) < 80),
        "last_line_is_short": float(len(lines) > 1 and len(last) < 80),
        "first_paragraph_is_short": float(is_split and len(paragraphs[0]) < 150),
        "last_paragraph_is_short": float(is_split and len(paragraphs[-1]) < 150),
        "digits": 3 * sum(map(str.isdigit, sample)) / length,
        "symbols": 5 * sum(character in "{}()[]<>=;_\\#" for character in sample) / length,
        "has_context": float(bool(context)),
        "context_is_short": float(0 < len(context) < 60),
    }


SHAPE: Sequence[str] = tuple(shape(""))
DIMENSIONS = BUCKETS + len(SHAPE)
