"""How long and in which form a person wants a summary."""

from __future__ import annotations

import re
from typing import Any

from workers.prompts.wording import NUMBER, any_of, fold, number, word

_ADJECTIVES = rf"(?:[ -]{any_of('short_adjectives')}){{0,2}}"
_COUNTED = {
    "words": re.compile(rf"({NUMBER})[ -]?{any_of('words')}\b"),
    "bullets": re.compile(
        rf"({NUMBER}){_ADJECTIVES}[ -](?:of the )?(?:most important |main |key )?{any_of('points')}\b"
    ),
    "sentences": re.compile(rf"({NUMBER}){_ADJECTIVES}[ -]?{any_of('sentences')}\b"),
}
_COUNTED_UNSPACED = {
    "words": re.compile(r"(\d{1,4})\s?(?:字|글자|자 )"),
    "bullets": re.compile(rf"({NUMBER})\s?(?:个?要点|點|点|ポイント|가지|개)"),
    "sentences": re.compile(rf"({NUMBER})\s?(?:句|行|文|줄|문장)"),
}
_BULLETS = re.compile(rf"{word('bullets').pattern}|{any_of('bullets_unspaced')}")
_HEADLINE = re.compile(rf"{word('headline').pattern}|标题|見出し|제목")
_SHORT, _DETAILED = word("short"), word("detailed")
_SHARES = {
    "half": 0.5, "halfte": 0.5, "moitie": 0.5, "mitad": 0.5, "meta": 0.5, "metade": 0.5, "helft": 0.5, "halften": 0.5,
    "third": 1 / 3, "drittel": 1 / 3, "tiers": 1 / 3, "tercio": 1 / 3, "terzo": 1 / 3, "quarter": 0.25, "viertel": 0.25,
}  # fmt: skip
_SHARE = re.compile(
    rf"\b(?!half an? page|half page)(?:{'|'.join(_SHARES)})\b|\b(\d{{1,2}}) ?(?:%|percent|prozent|pour cent|por ciento)"
)


def wish(instruction: str) -> dict[str, Any]:
    """What `instruction` says about the summary, as options of the `summarise` role; empty if it says nothing.

    `form` (`bullets` or `headline`), `sentences`, `words` and `bullets` (numbers), `share` (of the text's length),
    `length` (`short` or `detailed`).
    """
    folded = fold(instruction)
    found = _counted(folded)
    if "bullets" in found or _BULLETS.search(folded):
        found["form"] = "bullets"
    elif _HEADLINE.search(folded):
        found["form"] = "headline"
    if not found.keys() & {"sentences", "words", "bullets"}:
        found |= _relative(folded)
    return found


def _counted(folded: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for patterns in (_COUNTED, _COUNTED_UNSPACED):
        for name, pattern in patterns.items():
            match = pattern.search(folded)
            if match and number(match[1]) > 0 and name not in found:
                found[name] = number(match[1])
    return found


def _relative(folded: str) -> dict[str, Any]:
    if match := _SHARE.search(folded):
        share = int(match[1]) / 100 if match[1] else _SHARES[match[0]]
        return {"share": share} if share > 0 else {}
    if _SHORT.search(folded):
        return {"length": "short"}
    return {"length": "detailed"} if _DETAILED.search(folded) else {}


def in_words(wish: dict[str, Any]) -> str:
    """The wish as a sentence for a chat model."""
    form = {"bullets": "a bulleted list", "headline": "one headline"}.get(wish.get("form", ""), "plain sentences")
    limits = [
        f"at most {wish[unit]} {noun}"
        for unit, noun in (("sentences", "sentences"), ("bullets", "points"), ("words", "words"))
        if unit in wish
    ]
    if "share" in wish:
        limits.append(f"about {wish['share']:.0%} of the text's length")
    if "length" in wish:
        limits.append(wish["length"])
    return f"Write {', '.join([form, *limits])}."
