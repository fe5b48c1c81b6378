"""Plain-text helpers that reading a message needs whatever the role: folding, words by idea, numbers, courtesy."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

# Words for small numbers in the languages whose instructions we read.
_NUMBER_WORDS = {
    1: "one a an single ein eine einem einen einer un une uno una um uma een één jeden bir один одно одна",
    2: "two couple zwei deux dos due dois duas twee dwa два две",
    3: "three few drei trois tres tre três drie trzy три",
    4: "four vier quatre cuatro quattro quatro cztery четыре",
    5: "five fünf cinq cinco cinque vijf pięć пять",
    6: "six sechs seis sei zes sześć шесть",
    7: "seven sieben sept siete sette sete zeven siedem семь",
    8: "eight acht huit ocho otto oito osiem восемь",
    9: "nine neun neuf nueve nove negen dziewięć девять",
    10: "ten zehn dix diez dieci dez tien dziesięć десять",
    12: "twelve zwölf douze doce dodici doze twaalf",
    15: "fifteen fünfzehn quinze quince quindici vijftien",
    20: "twenty zwanzig vingt veinte venti vinte twintig",
    50: "fifty fünfzig cinquante cincuenta cinquanta cinquenta vijftig",
    100: "hundred hundert cent cien cento cem honderd",
}
_UNSPACED_NUMBERS = {"两": 2, "한": 1, "두": 2, "세": 3} | dict(zip("一二三四五六七八九十", range(1, 11), strict=True))
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # scripts without spaces between words

_LONG_WORD = 60  # letters


def fold(text: str) -> str:
    """Lower case, Latin letters without accents, plain apostrophes, single spaces: what words are looked up in."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    plain = re.sub(r"(?<=[a-z])[\u0300-\u036f]+", "", decomposed)
    return " ".join(unicodedata.normalize("NFC", plain).replace("’", "'").split())


def fold_in_place(text: str) -> str:
    """Like `fold`, but every character stays in its place, so that what is found can be cut out of `text`."""
    return "".join(_folded_character(char) for char in text)


@cache
def _folded_character(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0]
    lower = (base if base.isascii() else char).lower()
    return "'" if lower == "’" else lower if len(lower) == 1 else char


def any_of(*ideas: str) -> str:
    """A pattern for the words of `ideas` (tables of `vocabulary.toml`) in all languages, to be used on folded text."""
    entries = (words for idea in ideas for words in _vocabulary()[idea].values())
    return "(?:" + "|".join(part for words in entries for part in re.split(r"\s+\|\s+|\n", words)) + ")"


def word(*ideas: str) -> re.Pattern[str]:
    """Finds a word of `ideas` anywhere in folded text."""
    return re.compile(rf"(?<!\w){any_of(*ideas)}(?!\w)")


@cache
def _vocabulary() -> dict[str, dict[str, str]]:
    with Path(__file__).with_name("vocabulary.toml").open("rb") as file:
        return tomllib.load(file)


_NUMBERS = {fold(name): value for value, names in _NUMBER_WORDS.items() for name in names.split()} | _UNSPACED_NUMBERS
# A number as a pattern, for folded text: digits, or one of the words above.
NUMBER = r"(?:\d{1,4}|" + "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True)) + ")"


def number(name: str) -> int:
    """The value of what `NUMBER` matched."""
    return int(name) if name.isdigit() else _NUMBERS[name]


def word_count(text: str) -> int:
    """Words, where a script has them; about two characters a word where it has no spaces.

    An endless word counts as many, so that what has few words is also short.
    """
    if unspaced := len(_UNSPACED.findall(text)):
        return unspaced // 2 + len(text.split())
    return max(len(re.findall(r"\w+(?:['’-]\w+)*", text)), len(text) // _LONG_WORD)


def sentences(message: str) -> list[str]:
    """A rough split of a short message; texts are split by `workers.sentences`."""
    return [part for part in re.split(r"(?<=[.?!:])\s+|(?<=[。？！])|\n", message) if part.strip()]


_COURTESY = re.compile(rf"^{any_of('courtesy')}(?: in advance| im voraus)?\W*$")


def is_courtesy(text: str) -> bool:
    """Whether `text` is nothing but a please or thank-you."""
    return bool(_COURTESY.match(fold(text)))
