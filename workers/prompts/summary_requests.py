"""Recognises a sentence that asks for a summary, in the languages of `vocabulary.toml`."""

from __future__ import annotations

import re

from workers.prompts.wording import NUMBER, any_of, fold, word, word_count

_MAX_WORDS = 60
_MAX_WEAK_WORDS = 30
_TERSE_WORDS = 6

_CUES = any_of("summary_verbs", "summary_nouns")
_UNSPACED = r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]"
_LENGTH = (
    rf"(?:{any_of('smaller')}|(?:in|to|into|auf|en|em|na|w|under) (?:about |max |at most |hochstens )?{NUMBER} "
    rf"(?:{any_of('short_adjectives')} )?(?:{any_of('sentences')}|{any_of('words')}|{any_of('points')}|paragraphs?))"
)
# “Ok, so now ...” before the actual request
_FILLER = rf"^(?:[^\w]*{any_of('fillers')}[\s,!.:-]+)*"

_ASKS = re.compile(rf"(?<!\w){any_of('asking')}(?!\w)|{_FILLER}{any_of('imperatives')}(?= )|[请帮]|してください|해줘")
_OPENS = re.compile(rf"{_FILLER}{any_of('summary_verbs')}(?!\w)|{_FILLER}{_LENGTH}\W*(?:please|pls|plz|bitte)?\W*$")
_OPENS_WEAKLY = re.compile(rf"{_FILLER}{any_of('weak_summary_verbs')}(?!\w)")
_CUE = re.compile(rf"(?<!\w){_CUES}(?!\w)|{_UNSPACED}.*{_CUES}|{_CUES}(?={_UNSPACED})")
_WEAK_CUE = re.compile(rf"(?<!\w)(?:{any_of('weak_summary_verbs')}|{_LENGTH})(?!\w)")
_NAMES_TEXT = re.compile(rf"(?<!\w)(?:{any_of('places')}|{any_of('these')} ?(?:\w+ ){{0,3}}?{any_of('texts')})(?!\w)")
_POINTS_AT_TEXT = re.compile(rf"{_NAMES_TEXT.pattern}|(?<!\w){any_of('it')}(?!\w)")
_QUESTION = re.compile(
    r"^\W*(?:what|what's|whats|which|how|where|was|welche|quels?|quelles?|cuales|que|quali|wat|welke)\b.*[?:]\W*$"
)
_IS_ONLY_CUE = re.compile(
    rf"^\W*(?:(?:short|brief|quick|concise) (?:summary|overview)\b.{{0,60}}|minutes|{_CUES})\W{{0,3}}$"
)
_DISCOURSE = re.compile(rf"^{any_of('discourse')}\b")
# “Abstract”, “Summary of the year”: what stands over a text
_IS_HEADING = re.compile(rf"{word('headings').pattern}|\b(?:of|von|der|des|del|de|du|di|van)\b")


def asks(stretch: str) -> bool:
    """Whether `stretch` asks for anything."""
    return bool(_ASKS.search(fold(stretch)))


def points_at_text(stretch: str) -> bool:
    """Whether `stretch` speaks of a text: “the article below”."""
    return bool(_NAMES_TEXT.search(fold(stretch)))


def asks_for_summary(stretch: str) -> bool:
    """Whether `stretch`, a sentence or two of a message, asks for a summary."""
    folded = fold(stretch)
    if not folded or word_count(folded) > _MAX_WORDS:
        return False
    if _IS_ONLY_CUE.match(folded) or _OPENS.search(folded):
        return not _sums_up(folded)
    if _CUE.search(folded):
        return not _DISCOURSE.match(folded) and _is_request(folded)
    return word_count(folded) <= _MAX_WEAK_WORDS and bool(_WEAK_CUE.search(folded)) and _asks_weakly(folded)


def _sums_up(folded: str) -> bool:
    """“In short, the plan failed.” opens like a request, but goes on like a text."""
    return bool(_DISCOURSE.match(folded)) and word_count(folded) > _TERSE_WORDS - 1 and folded[-1] not in "?:"


def _is_request(folded: str) -> bool:
    return bool(
        _ASKS.search(folded)
        or _QUESTION.match(folded)
        or (word_count(folded) <= _TERSE_WORDS and not _IS_HEADING.search(folded))
        or folded[-1] in ":?：？"
        or (_POINTS_AT_TEXT.search(folded) and word_count(folded) <= _MAX_WEAK_WORDS)
    )


def _asks_weakly(folded: str) -> bool:
    opens = bool(_OPENS_WEAKLY.search(folded)) and bool(_POINTS_AT_TEXT.search(folded))
    asks_at_all = bool(_ASKS.search(folded)) and not _DISCOURSE.match(folded)
    return opens or asks_at_all or word_count(folded) <= _TERSE_WORDS
