"""Labels that people use every day: recognised by many names, and described by texts of their kind.

The labels themselves are in `known_labels.toml`, written for the project.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from workers.prompts.wording import fold, word

_PATH = Path(__file__).with_name("known_labels.toml")
_NEGATION = re.compile(
    r"^(?:not|non|no|nicht|kein\w*|pas|sans|nao|niet|geen|inte|nie|не)(?: an?| (?:de|eine?n?))?[ -]+"
)
_ARTICLE = re.compile(
    r"^(?:an?|the|eine?n?|der|die|das|une?|le|la|l'|el|los|las|il|lo|uno|uma?|o|het|een|de) ?(?<=[ '])"
)
_GENERIC_NOUN = re.compile(
    r" (?:sentiment|review|tone|message|mail|e-?mail|text|one|class|category|label|light|feedback|comment|opinion)s?$"
)
_CATCH_ALLS = word("catch_alls")


@dataclass(frozen=True)
class KnownLabel:
    """What the project knows about a label."""

    name: str
    description: str
    without: str = ""
    aliases: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelSet:
    """Labels that belong together, and the words that ask for them without naming them."""

    name: str
    asks: tuple[str, ...]
    implies: tuple[str, ...]
    labels: dict[str, KnownLabel]  # by folded name or alias
    by_name: dict[str, KnownLabel] = field(default_factory=dict)

    def find(self, name: str) -> KnownLabel | None:
        """The label that `name` means, also as “not spam” or “a positive review”."""
        plain = plain_name(name)
        if found := self.labels.get(plain) or self.labels.get(_GENERIC_NOUN.sub("", plain)):
            return found
        negated = _NEGATION.sub("", plain)
        opposite = self.labels.get(negated) or self.labels.get(_GENERIC_NOUN.sub("", negated))
        if negated != plain and opposite and opposite.without:
            return self.by_name[opposite.without]
        return None


def plain_name(name: str) -> str:
    """A label as it is looked up: folded, without article or punctuation."""
    return _ARTICLE.sub("", re.sub(r"[_\s]+", " ", fold(name)).strip(" .,:;!?\"'()[]{}*`-"))


def is_negation(name: str) -> bool:
    """Whether `name` says what something is not: “not urgent”."""
    return bool(_NEGATION.match(plain_name(name).replace("-", " ", 1)))


def is_catch_all(name: str) -> bool:
    """Whether `name` is for what fits no other label: “other”."""
    return bool(_CATCH_ALLS.fullmatch(plain_name(name)))


def ends_in_generic_noun(name: str) -> bool:
    """Whether the last word of `name` says no more than that it is a label: “positive sentiment”."""
    return bool(_GENERIC_NOUN.search(plain_name(name)))


def known(names: Sequence[str]) -> list[KnownLabel | None]:
    """For each of `names` what is known about it, all from the one set that knows most of them.

    A set that knows a single one among several, or two names as the same label, is no help.
    """
    best: list[KnownLabel | None] = [None] * len(names)
    for labels in label_sets():
        found = [None if is_catch_all(name) and not labels.find(name) else labels.find(name) for name in names]
        recognised = [label for label in found if label]
        specific = sum(not is_catch_all(name) for name in names)
        is_consistent = len({label.name for label in recognised}) == len(recognised)
        if is_consistent and len(recognised) >= min(2, specific) and len(recognised) > sum(map(bool, best)):
            best = found
    return best


@cache
def label_sets() -> tuple[LabelSet, ...]:
    """All sets, in the order of the file."""
    with _PATH.open("rb") as file:
        return tuple(_label_set(name, table) for name, table in tomllib.load(file).items())


def _label_set(name: str, table: dict) -> LabelSet:
    by_name = {
        label: KnownLabel(
            label,
            entry["description"],
            entry.get("without", ""),
            tuple(entry.get("aliases", ())),
            tuple(entry["says"].strip().split("\n")),
        )
        for label, entry in table.items()
        if isinstance(entry, dict)
    }
    labels = {plain_name(key): entry for entry in by_name.values() for key in (entry.name, *entry.aliases)}
    return LabelSet(name, tuple(table["asks"]), tuple(table["implies"]), labels, by_name)
