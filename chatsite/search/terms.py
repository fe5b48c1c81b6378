"""What somebody looks for: words, of which the beginning is enough, and phrases in quotation marks."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST_CHARACTERS = 200
MOST_TERMS = 12

_ACCENTS = re.compile("[\u0300-\u036f]+")  # of letters that are taken apart; other scripts have marks that matter

_RUN = re.compile("[LN][LMN]*")  # of kinds of characters
_TERM = re.compile(r'["“„]([^"”“]*)["”“]|(\S+)')


@dataclass(frozen=True)
class Term:
    """Words that stand side by side, as they were typed; with `is_prefix`, the last of them may go on."""

    words: tuple[str, ...]
    is_prefix: bool

    @property
    def pattern(self) -> str:
        """A regular expression that finds the term in a folded text."""
        words = r"[\W_]+".join(re.escape(fold(word)) for word in self.words)
        return r"(?<![^\W_])" + words + (r"[^\W_]*" if self.is_prefix else r"(?![^\W_])")


class _Folding(dict[int, str]):
    """Each character in small and without its accents, as one character, so that places stay the same.

    What else a character is made of, as a Korean syllable or a Japanese one with its mark, tells it from others.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        without = without_accents(character)
        folded = (without if len(without) == 1 else character).lower()
        self[code] = folded if len(folded) == 1 else character
        return self[code]


_folding = _Folding()


def without_accents(text: str) -> str:
    """The text with its letters taken apart, and no accents."""
    return _ACCENTS.sub("", unicodedata.normalize("NFD", text))


def fold(text: str) -> str:
    """The text in small letters and without accents, as long as it was."""
    return text.translate(_folding)


def parse(text: str) -> list[Term]:
    """The terms of what somebody typed; what has no letter and no digit is none."""
    terms = []
    for match in _TERM.finditer(unicodedata.normalize("NFC", text)[:MOST_CHARACTERS]):
        phrase, word = match.groups()
        if words := _words(phrase if phrase is not None else word):
            terms.append(Term(words, is_prefix=phrase is None))
    return terms[:MOST_TERMS]


def _words(text: str) -> tuple[str, ...]:
    """The runs of letters, digits and the marks that belong to letters, as the vowels of Hindi do."""
    kinds = "".join(unicodedata.category(character)[0] for character in text)
    return tuple(text[run.start() : run.end()] for run in _RUN.finditer(kinds))
