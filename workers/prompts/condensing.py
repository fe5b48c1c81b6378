"""Makes a text fit that a model could not read in one piece: what matters most stays, word for word and in its order.

A summary would be shorter, but a question may be about any detail. So the text is cut into pieces, and those stay that
have the rarer words of the question, the beginning, where texts say what they are about, and, for the rest, pieces
from everywhere.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from workers.errors import ContextTooLongError
from workers.prompts.wording import fold

GAP = "[…]"
_GAP_TOKENS = 3
_PIECE_CHARACTERS = 600
_MARGIN = 20  # tokens for roles and separators
_LEAST_ROOM = 100
_OPENING_SHARE = 0.2  # of the room, for the beginning
_CHARACTERS_PER_TOKEN = 3
# A token each: what is neither Latin nor Greek nor Cyrillic, and digits with the marks that follow them.
_WHOLE = re.compile(r"[^\u0000-\u024f\u0370-\u04ff]|\d|(?<=\d)[^\w\s]")
_HALF = re.compile(r"[\u0370-\u04ff]")  # Greek and Cyrillic
_WORD = re.compile(r"\w{3,}")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n")


def token_count(text: str) -> int:
    """About how many tokens `text` takes, rather too many than too few: no tokeniser is at hand.

    Three letters a token in Latin script (four are usual in English, fewer in other languages and in code), two in Greek
    and Cyrillic, one character a token in all others and in numbers. Beside the vocabularies of GPT-4 and GPT-4o that
    is 1.3 times too many for English and for code, 1.2 to 1.7 times for tables, JSON and logs.
    """
    whole, half = len(_WHOLE.findall(text)), len(_HALF.findall(text))
    return whole - (-half // 2) - (-(len(text) - whole - half) // _CHARACTERS_PER_TOKEN)


def condense(text: str, question: str, room: int) -> str:
    """The pieces of `text` that matter most for `question`, in at most `room` tokens, with a mark for each gap."""
    tokens = token_count(text)
    if tokens <= room:
        return text
    # So small that one of them fits into little room as well.
    pieces = _pieces(text, min(_PIECE_CHARACTERS, max(1, room * len(text) // (2 * tokens))))
    costs = [token_count(piece) + _GAP_TOKENS for piece in pieces]  # with the gap before it
    room -= _GAP_TOKENS  # at the end
    kept: set[int] = set()
    for index in _opening(costs, int(room * _OPENING_SHARE)) + _ranked(pieces, question):
        if index not in kept and costs[index] <= room:
            kept.add(index)
            room -= costs[index]
    return _joined(pieces, sorted(kept))


def fitted(
    text: str, question: str, system: Sequence[dict[str, str]], context_window: int, max_output_tokens: int
) -> tuple[str, float]:
    """`text`, condensed if it does not fit beside the system message, and the share of it that is left.

    Raises `ContextTooLongError` if the window has no room for any of it; a window of 0 has room for everything.
    """
    if not context_window:
        return text, 1.0
    room = context_window - min(max_output_tokens, context_window // 2)
    room -= sum(token_count(message["content"]) for message in system) + _MARGIN
    if token_count(text) <= room:
        return text, 1.0
    if room < _LEAST_ROOM:
        raise ContextTooLongError(f"The text does not fit: there is room for {room} tokens.")
    shorter = condense(text, question, room)
    return shorter, len(shorter) / len(text)


def _pieces(text: str, most: int) -> list[str]:
    """Paragraphs, and the long ones in pieces of `most` characters that end with a sentence where there is one."""
    pieces: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        piece = ""
        for sentence in _SENTENCE.split(paragraph):
            for start in range(0, max(len(sentence), 1), most):
                part = sentence[start : start + most]
                if piece and len(piece) + len(part) > most:
                    pieces.append(piece)
                    piece = ""
                piece = f"{piece} {part}".strip()
        if piece:
            pieces.append(piece)
    return pieces


def _opening(costs: list[int], room: int) -> list[int]:
    kept = []
    for index, cost in enumerate(costs):
        room -= cost
        if room < 0:
            break
        kept.append(index)
    return kept


def _ranked(pieces: list[str], question: str) -> list[int]:
    """The pieces with the rarest words of the question first; among equals, in an order that is everywhere early."""
    asked = set(_WORD.findall(fold(question)))
    words = [asked & set(_WORD.findall(fold(piece))) for piece in pieces] if asked else [set() for _ in pieces]
    counts = Counter(word for found in words for word in found)
    scores = [sum(math.log(1 + len(pieces) / counts[word]) for word in found) for found in words]
    return sorted(range(len(pieces)), key=lambda index: (-scores[index], _spread(index, len(pieces))))


def _spread(index: int, count: int) -> float:
    """A place between 0 and 1 that sorts neighbours far apart: the bits of `index` in reverse (van der Corput 1935)."""
    bits = max(count - 1, 1).bit_length()
    return int(f"{index:0{bits}b}"[::-1], 2) / (1 << bits)


def _joined(pieces: list[str], kept: list[int]) -> str:
    parts: list[str] = []
    previous = -1
    for index in kept:
        if index != previous + 1:
            parts.append(GAP)
        parts.append(pieces[index])
        previous = index
    if previous + 1 < len(pieces):
        parts.append(GAP)
    return "\n\n".join(parts)
