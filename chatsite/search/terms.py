"""What somebody looks for: words, of which the beginning is enough, and phrases in quotation marks."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST_CHARACTERS = 200
MOST_TERMS = 12

_TERM = re.compile(r'["“„]([^"”“]*)["”“]|(\S+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Term:
    """Words that stand side by side; with `is_prefix`, the last of them may go on."""

    words: tuple[str, ...]
    is_prefix: bool

    @property
    def pattern(self) -> str:
        """A regular expression that finds the term in a folded text."""
        words = r"[\W_]+".join(map(re.escape, self.words))
        return r"(?<![^\W_])" + words + (r"[^\W_]*" if self.is_prefix else r"(?![^\W_])")


class _Folding(dict[int, str]):
    """Each character in small and without its diacritics, as one character, so that places stay the same."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = unicodedata.normalize("NFD", character)[0].lower()
        self[code] = folded if len(folded) == 1 else character
        return self[code]


_folding = _Folding()


def fold(text: str) -> str:
    """The text in small letters and without diacritics, as long as it was."""
    return text.translate(_folding)


def parse(text: str) -> list[Term]:
    """The terms of what somebody typed; what has no letter and no digit is none."""
    terms = []
    for match in _TERM.finditer(text[:MOST_CHARACTERS]):
        phrase, word = match.groups()
        if words := tuple(_WORD.findall(fold(phrase if phrase is not None else word))):
            terms.append(Term(words, is_prefix=phrase is None))
    return terms[:MOST_TERMS]
