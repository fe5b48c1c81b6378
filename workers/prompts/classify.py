"""Which labels a message is to be classified with, and what is to get one.

A message that names no labels takes those of the route, and one that goes on (“and this one: ...”) those of the
conversation; one that holds no text means a text of the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from workers.errors import InputError
from workers.prompts import references, templates
from workers.prompts.attached import Attached, one_text
from workers.prompts.condensing import fitted
from workers.prompts.items import items
from workers.prompts.label_patterns import WHICH_NOUN
from workers.prompts.labelled import read, without_long_runs
from workers.prompts.labels import MAX_LABELS, Label, Named, Strength, bare_list
from workers.prompts.parts import Parts
from workers.prompts.prompt import Message, Prompt
from workers.prompts.wording import fold, word_count

_LIST_OF_ONE = re.compile(
    r"\b(?:labels?|categor(?:y|ies)|classes|tags|options)\s*+[:=]\s*+(?:\[\s*+)?[^\[\]\n,/|;.:]{1,40}?\s*(?:\]|\n|\.|$)",
    re.IGNORECASE,
)
_NO_NOUN = {"one", "ones", "these", "those", "them"}
_SHOWN_EXAMPLES = 3
_MOST_WORDS_ABOUT_FILES = 20  # what is said beside files without naming labels: “which of these?”


def build(
    message: str,
    history: Sequence[Message] = (),
    *,
    attached: Sequence[Attached] = (),
    template: str = "",
    labels: Sequence[Label] = (),
    context_window: int = 0,
    max_output_tokens: int = 0,
) -> Prompt:
    """The prompt of the `classify` role. Options: `labels` ({name, description?, examples?}) and, if several things
    are to be classified, `items`.

    `labels` are those of the route. Raises `InputError`: `one_label`, `no_labels`, `too_many_labels`, `nothing_to_classify`.
    """
    message = without_long_runs(message.replace("\r\n", "\n").strip())
    # Where the route has labels, a customer's “by card or in cash?” names none.
    named, parts = read(message, Strength.LISTED if labels else Strength.IMPLIED)
    if typed := _asked_for(message, named, history):
        named, parts = typed, Parts(message, "")
    chosen = list(named.labels if named else labels or _earlier_labels(history))
    _check(chosen, message)
    if len(chosen) > max(MAX_LABELS, len(labels)):
        raise InputError("too_many_labels", f"The message names {len(chosen)} labels.")
    own = parts.text if named or not attached or word_count(parts.text) > _MOST_WORDS_ABOUT_FILES else ""
    text = one_text(own, attached) or _referred_to(parts.instruction, history)
    if not re.search(r"\w", text):
        raise InputError("nothing_to_classify", "The message names labels, but nothing to classify.")
    options: dict[str, Any] = {"labels": _with_noun(chosen, parts.instruction)}
    if several := items(parts.instruction, text):
        options["items"] = several
    system = templates.system_message("classify", template, labels=_in_words(chosen))
    text, share = fitted(text, parts.instruction, system, context_window, max_output_tokens)
    return Prompt([*system, {"role": "user", "content": text}], options, share)


def _asked_for(message: str, named: Named | None, history: Sequence[Message]) -> Named | None:
    """A message that is only a list of labels, where the one before had none and was not answered."""
    is_answer = bool(history) and history[-1]["role"] == "user" and (not named or named.strength == Strength.IMPLIED)
    labels = bare_list(message) if is_answer else []
    return Named(tuple(labels), Strength.LISTED) if labels else None


def _earlier_labels(history: Sequence[Message]) -> Sequence[Label]:
    """The labels that the person named last."""
    own = (message["content"].strip() for message in reversed(history) if message["role"] == "user")
    named = (read(content)[0] for content in own)
    return next((found.labels for found in named if found and len(found.labels) > 1), ())


def _check(labels: Sequence[Label], message: str) -> None:
    if not labels:
        raise InputError("no_labels", "The message names no labels and the route has none.")
    is_against_the_rest = len(labels) == 2 and labels[1]["name"] == f"not {labels[0]['name']}"
    if len(labels) == 1 or (is_against_the_rest and _LIST_OF_ONE.search(message)):
        raise InputError("one_label", f"One label is no choice: {labels[0]['name']}.")


def _referred_to(instruction: str, history: Sequence[Message]) -> str:
    """The text that is meant where the message has none: what was pasted or answered before."""
    meant = references.referent(instruction, history)
    return (read(meant)[1].text or meant) if meant else ""


def _with_noun(labels: Sequence[Label], instruction: str) -> list[Label]:
    """“Which animal is wild or tame” is about a wild animal and a tame one."""
    noun = WHICH_NOUN.search(fold(instruction))
    if not noun or noun[1] in _NO_NOUN:
        return list(labels)
    return [{"description": f"{entry['name']} {noun[1]}", **entry} for entry in labels]


def _in_words(labels: Sequence[Label]) -> str:
    """The labels as a list for a chat model."""
    lines: list[str] = []
    for entry in labels:
        lines.append(f"- {entry['name']}" + (f": {entry['description']}" if entry.get("description") else ""))
        lines += [f"  for example: {example}" for example in (entry.get("examples") or [])[:_SHOWN_EXAMPLES]]
    return "\n".join(lines)
