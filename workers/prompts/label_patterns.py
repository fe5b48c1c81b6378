"""The signs by which an instruction names labels. `workers.prompts.labels` reads instructions with them.

Patterns with words in them are made for folded text (`wording.fold`, `wording.fold_in_place`), those with brackets,
quotation marks and letters for the text as it is.
"""

from __future__ import annotations

import re

from workers.prompts.wording import any_of, word

# --- Lists -----------------------------------------------------------------------------------------------------------

_COMMA = rf"\s*(?:[,;|،]|{any_of('or_unspaced')})\s*(?:{any_of('or', 'and')}\s+)?"
SEPARATOR = re.compile(rf"{_COMMA}|\s+(?:vs\.?|versus|{any_of('or')}|o|u(?=\s+h?o))\s+")
# Dutch says “or” with a word that means something else in English.
DUTCH_SEPARATOR = re.compile(rf"{_COMMA}|\s+(?:vs\.?|{any_of('or')}|o|of)\s+")
IS_DUTCH = word("dutch")
SLASH = re.compile(r"\s*/\s*")
AND = re.compile(rf"\s+{any_of('and')}\s+")
BETWEEN_LABELS = re.compile(rf"[\s,/|;、]*(?:{any_of('or', 'and')}|o|u|of|vs\.?)?[\s,]*")

BRACKETS = re.compile(r"\[([^\[\]]{3,600})\]|\(([^()]{3,300})\)|\{([^{}]{3,600})\}")
BRACKETED_EACH = re.compile(r"(?:\[[^\[\]\n]{1,40}\]\s*){2,}")
BRACKETED = re.compile(r"\[([^\[\]\n]{1,40})\]")
PARENTHESIS = re.compile(r"\([^()]*\)")
ASIDE = re.compile(r"\s*(?:e\.?g|i\.?e|for example|z\.b|max|one|just|only)\b")
QUOTED = re.compile(
    r"\"([^\"\n]{1,40})\"|“([^”\n]{1,40})”|„([^“”\n]{1,40})[“”]|«\s?([^»\n]{1,40}?)\s?»|「([^」\n]{1,40})」|"
    r"(?<!\w)'([^'\n]{1,40})'(?!\w)|`([^`\n]{1,40})`"
)
# “is it a) a question b) a complaint”
LETTERED = re.compile(r"(?<!\w)\(?([a-hA-H1-9])\)\s*(.{2,60}?)(?=[,;]?\s+(?:or\s+)?\(?[a-hA-H1-9]\)|[?:\n\"]|$)")
LIST_LINE = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)])\s+(.+?)\s*$", re.MULTILINE)
DESCRIBED = re.compile(r"^(.{1,40}?)\s*(?::|=| – | — | - )\s*(\S.{2,})$")
# “O for opinion and F for fact”, “1 if it is an attack”, “1=resus”
CODED = re.compile(
    r"(?<![\w-])\"?([A-Z]|\d{1,2}|yes|no|[A-Z]{2,12})\"?\s*(?:=|for|if|when)\s*([^,.;()\n]{3,60}?)"
    r"(?=\s*(?:,|;|\.|\)|$|\s(?:and|or)\s))"
)

# --- What comes before a list of labels ---------------------------------------------------------------------------------

_NOUN = any_of("label_nouns")
LABEL_NOUN = word("label_nouns")
SORTS = word("sorting")
ANNOUNCED = re.compile(
    rf"{_NOUN}\s*(?:\w+\s*)?[:=：]\s*|{_NOUN}\s+(?:are|sind|sont|son|sono)\s+|"
    rf"\b(?:use|using|with)(?: the)? {_NOUN}\s*:?\s+|"
    r"\b(?:one|any|either) of(?: (?:these|the following))?(?: \w+)?\s*[:=]?\s*|\bfrom(?: the (?:list|set))?\s*[:=]\s*|"
    rf"\b{any_of('replies')}(?: (?:only|just|exactly|one|from|between|among|either))*\s*[:=]?\s+|"
    rf"\b{any_of('label_prepositions')}\s+(?:(?:either|one of|the following|these|the|two|three|four|entweder|die|den)\s+)*"
    rf"(?:(?:{_NOUN}|groups?|piles|lists|gruppen|groupes|grupos|gruppi)\b)?\s*[:,]?\s*"
)
# Things to classify follow, not labels: “label each: ...”
SEVERAL_FOLLOW = re.compile(r"\b(?:each|these|those|following|items?|them|all)\W*$")

# --- The edges of a choice ------------------------------------------------------------------------------------------------

CLAUSE_END = re.compile(r"(?<=[?!.;])\s+|\n+|:\s+|\s(?:-+>|--?|–|—)\s")
LEFT_EDGE = re.compile(rf".*\b{any_of('left_of_labels')}\s+(?=\S)", re.DOTALL)
OPENING = re.compile(rf"(?:{any_of('opening_labels')}\b[\s,:]*)+")
RIGHT_EDGE = re.compile(rf"\s*(?:[.?!:;؟？。，]|\s{any_of('right_of_labels')}\b|\s(?:-+>?|→|—|–)(?:\s|$)|\s\(|\n)")
ARTICLE = re.compile(rf"{any_of('label_articles')}\s+(?=\S)")
# What is left of “who is this aimed at, ...” when its last word is taken for a label.
NO_LABEL = frozenset(
    {"at", "it", "is", "this", "that", "these", "those", "them", "they", "be", "of", "here", "you", "me"}
)

# --- Questions that name one label, or none -------------------------------------------------------------------------------

YES_NO = re.compile(rf"(?<!\w){any_of('yes_or_no')}(?!\w|\s*/)")
OR_NOT = re.compile(rf"\s+{any_of('or_not')}(?!\w| \w)")
_THIS = rf"{any_of('subjects')}(?:\s+{any_of('around_subjects')})*\s+([^?:.!\n]{{2,60}}?)\s*"
# “is this X?”, “tell me if this is X”, or “this X?”
IS_THIS = re.compile(
    rf"(?:(?:^|[.,:;?!\n]\s*|\b(?:if|whether|ob|si|que)\s+){any_of('copulas')}\s+|\b(?:if|whether|ob|si)\s+){_THIS}"
    rf"(?:[?:？؟.!]|$)|^{_THIS}[?？؟]"
)
WHICH_ARE = re.compile(
    r"\bwhich(?: ones?)?(?: of)?(?: (?:these|those|the following|them|the below|the \w+ (?:in this list|below)))?"
    r"(?: \w+){0,3}?\s+(?:is|are|was|were|would be|can be|could be|count as|qualify as|belong to|grow|live|contain|have|"
    r"has|won)\s+(?:considered |regarded as )?([^?:\n]{2,60}?)\s*(?:\?|:|-|–|$)"
)
FIND_THE = re.compile(
    r"^\W*(?:identify|find|pick|spot|choose|select) (?:the|all(?: the)?|every) ([\w -]{2,30}?) (?:from|in|on|among) "
    r"(?:the|this) (?:following )?list\b"
)
TWO_WHICH = re.compile(
    r"\b(?:which|who) [\w ]{0,40}?(?:is|are|were) (.{2,40}?),? and (?:which|who) "
    r"(?:(?:ones? )?(?:is|are|were|would be) )?(.{2,40}?)(?=[?:.\n]|$)"
)
WHICH_NOUN = re.compile(r"\bwhich (\w{3,20})(?: \w+)? (?:is|are)\b")

# “from 1 (hostile) to 5 (warm)”
_STEP, _MEANING = r"(\d{1,2})", r"(?:\s*\(([^)]{2,40})\))?"
SCALE = re.compile(rf"(?<![\d.]){_STEP}{_MEANING}\s*{any_of('scale_to')}\s*{_STEP}(?!\d|[.,]\d|%){_MEANING}")
SCALE_WORD = re.compile(rf"{word('scales').pattern}|星|별점")
HOW_MUCH = re.compile(r"\bhow (?!many)\w+ ")
