"""What a message that asks for a summary is about, and how long the summary should be.

People write the instruction before the text, after it or on both sides, quote the text or not, or refer to the
conversation. Only a short stretch that clearly asks for something is taken for an instruction; whatever else there
is stays in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from workers.errors import InputError
from workers.prompts import references, templates, wishes
from workers.prompts.attached import Attached, one_text
from workers.prompts.condensing import fitted
from workers.prompts.parts import MAX_INSTRUCTION_WORDS, Parts, clean, head_cuts, paragraphs, quoted, tail_cuts
from workers.prompts.prompt import Message, Prompt
from workers.prompts.summary_requests import asks, asks_for_summary, points_at_text
from workers.prompts.wording import any_of, fold, is_courtesy, sentences, word, word_count

_MIN_TEXT_WORDS = 6  # fewer words beside an instruction are part of it
_MAX_QUESTION_WORDS = 45
_MIN_QUOTED_WORDS = 8
_MAX_WISH_WORDS = 30
_MAX_REMARK_WORDS = 20
_PERSONAL = word("personal")
_REST_OF_LINE = re.compile(r"(?<!\n)[^\S\n]*[a-zß-ÿ]\S*(?: \S+){0,5}[^\S\n]*\n")
_QUESTION = re.compile(rf"^{any_of('questions')}\b(?!,)")
_EMPTY_WORD = re.compile(rf"^{any_of('empty_words')}$")


def build(
    message: str,
    history: Sequence[Message] = (),
    *,
    attached: Sequence[Attached] = (),
    template: str = "",
    labels: Sequence[dict[str, Any]] = (),
    context_window: int = 0,
    max_output_tokens: int = 0,
) -> Prompt:
    """The prompt of the `summarise` role. Options: see `wishes.wish`, and `focus`, what the summary is to be about.

    Raises `InputError` (`nothing_to_summarise`) if there is no text in the message or the conversation.
    """
    parts = _about(message, attached) if attached else separate(message, has_history=bool(history))
    text = parts.text or _referred_to(parts.instruction, history)
    if not text.strip():
        raise InputError("nothing_to_summarise", "The message holds no text and refers to none.")
    options = wishes.wish(parts.instruction)
    if parts.text and (focus := _focus(parts)):
        options["focus"] = focus
    system = templates.system_message("summarise", template, wish=wishes.in_words(options))
    text, share = fitted(text, parts.instruction, system, context_window, max_output_tokens)
    return Prompt([*system, {"role": "user", "content": text}], options, share)


def _about(message: str, attached: Sequence[Attached]) -> Parts:
    """What is asked about files: a short message is all instruction, a long one has a text of its own as well."""
    own = Parts(message, "") if word_count(message) <= MAX_INSTRUCTION_WORDS else separate(message)
    return Parts(own.instruction, one_text(own.text, attached))


def separate(message: str, *, has_history: bool = False) -> Parts:
    """The instruction of `message` and the text to summarise, of which nothing is lost.

    Within a conversation a short message with no request in it is a wish too: “half that length”.
    """
    message = message.replace("\r\n", "\n").strip()
    if parts := _around_quotation(message):
        return parts
    if _is_all_instruction(message, has_history):
        return Parts(message, "")
    head, rest = _head(message)
    tail, text = _tail(rest)
    if not head and not tail:
        head, text = _request_beside(message)
    elif not tail:
        tail, text = _wish_below(text)
    if not head and not tail:
        return Parts("", message)
    text = clean(text)
    if not re.search(r"\w\W+\w|[^\x00-\x7f]{4}", text):
        return Parts(message, "")
    return Parts("\n".join(part for part in (head, tail) if part), text)


def _is_all_instruction(message: str, has_history: bool) -> bool:
    """A message that only asks: “summarise the article below”, with nothing below."""
    if word_count(message) > 45 or len(paragraphs(message)) > 1 or re.search(r"[:：](?=\s*\S)", message):
        return False
    parts = sentences(message)
    if any(asks_for_summary(sentence) for sentence in parts):
        return not any(_is_text(sentence) for sentence in parts)
    return _is_brief_wish(message, has_history)


def _is_brief_wish(message: str, has_history: bool) -> bool:
    """“half that length”, “two lines for my boss?”, “find a name for the text below”"""
    words, is_wish = word_count(message), bool(wishes.wish(message))
    if words <= _MAX_WISH_WORDS and asks(message) and points_at_text(message):
        return True
    if not has_history:
        return is_wish and (words <= 5 or (words <= 12 and (asks(message) or message.endswith(("?", "？")))))
    refers = references.is_to_conversation(message) or is_wish or asks(message)
    return words <= 12 or (words <= _MAX_WISH_WORDS and refers)


def _is_text(sentence: str) -> bool:
    """Whether a sentence beside a request is neither part of it nor a remark on it."""
    return word_count(sentence) >= _MIN_TEXT_WORDS and not (
        asks_for_summary(sentence) or wishes.wish(sentence) or is_courtesy(sentence) or _PERSONAL.search(fold(sentence))
    )


def _around_quotation(message: str) -> Parts | None:
    """`Shorten this: "..."`: quotations that hold the text, with a short request around them."""
    block = quoted(message)
    words = sum(map(word_count, block.quotations)) if block else 0
    if block is None or words < _MIN_QUOTED_WORDS or word_count(block.around) > min(60, words * 2):
        return None
    return Parts(block.around, "\n".join(block.quotations)) if _is_request_around(block.around) else None


def _is_request_around(around: str) -> bool:
    """Whether something is asked around a quotation, and nothing is said there that belongs to the text."""
    parts = sentences(around)
    asked = [asks_for_summary(part) or asks(part) or bool(_QUESTION.match(fold(part))) for part in parts]
    return any(asked) and not any(_is_text(part) for part, is_asked in zip(parts, asked, strict=True) if not is_asked)


def _head(message: str) -> tuple[str, str]:
    """The instruction that `message` opens with, if it does, and the rest."""
    previous = 0
    for cut in head_cuts(message):
        end = len(message) - len(cut.text)
        newest = message[previous:end]
        previous = end
        if asks_for_summary(newest) and word_count(cut.instruction) <= max(15, word_count(cut.text)):
            return _continued(message, end)
    return "", message


def _continued(message: str, end: int) -> tuple[str, str]:
    """Where the instruction that was found up to `end` really ends: “... Keep it short, it is for my boss:”"""
    # What is left of the line in lower case goes on with the sentence: "A title for my post? something calm".
    if rest_of_line := _REST_OF_LINE.match(message, end):
        end = rest_of_line.end()
    while message[:end].rstrip()[-1:] not in ":：" and not re.match(r"\s*\n\s*\n", message[end:]):
        following = next(iter(head_cuts(message[end:])), None)
        if following is None or not _goes_on(following.instruction):
            break
        end = len(message) - len(following.text)
    return message[:end].strip(), message[end:]


def _goes_on(stretch: str) -> bool:
    if is_courtesy(stretch) or asks_for_summary(stretch):
        return True
    is_about_the_wish = stretch.rstrip()[-1:] in ":：" or bool(wishes.wish(stretch))
    return word_count(stretch) <= 14 and is_about_the_wish and bool(_PERSONAL.search(fold(stretch)))


def _tail(message: str) -> tuple[str, str]:
    """The instruction that `message` ends with, if it does, and what comes before it."""
    if word_count(message) < _MIN_TEXT_WORDS:
        return "", message
    body = _without_courtesy(message)
    found = Parts("", message)
    for cut in tail_cuts(body):
        newest = cut.instruction.removesuffix(found.instruction)
        if is_courtesy(newest) and not found.instruction:
            continue
        if asks_for_summary(newest) and word_count(cut.text) >= _MIN_TEXT_WORDS:
            found = cut
        elif found.instruction:
            break
    return _with_its_line(found)


def _with_its_line(tail: Parts) -> tuple[str, str]:
    """A remark before the request in its line belongs to it: “I have no time to read this. What is it about?”"""
    text, newline, remark = tail.text.rstrip().rpartition("\n")
    is_remark = tail.instruction and newline and not tail.text.endswith("\n") and word_count(remark) <= 14
    if is_remark and _PERSONAL.search(fold(remark)):
        return f"{remark.strip()} {tail.instruction}", text
    return tail.instruction, tail.text


def _without_courtesy(message: str) -> str:
    lines = message.rstrip().split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or is_courtesy(lines[-1])):
        lines.pop()
    return "\n".join(lines)


def _request_beside(message: str) -> tuple[str, str]:
    """A question or a wish in a paragraph of its own before or after a much longer text."""
    blocks = paragraphs(message)
    if len(blocks) == 1:
        blocks = [line for line in message.split("\n") if line.strip()]
    if len(blocks) < 2 or sum(block.rstrip().endswith("?") for block in blocks) > 1:
        return "", message
    first = blocks[0], message.split(blocks[0], 1)[1]
    last = blocks[-1], message.rsplit(blocks[-1], 1)[0]
    for request, rest in (first, last):
        if _is_beside_the_text(request) and word_count(rest) >= 2 * word_count(request):
            return request.strip(), rest
    return "", message


def _wish_below(text: str) -> tuple[str, str]:
    """The second half of an instruction that stands on both sides of the text: “... no more than 40 words.”"""
    blocks = paragraphs(_without_courtesy(text))
    if len(blocks) > 1 and _is_beside_the_text(blocks[-1]):
        return blocks[-1].strip(), text.rsplit(blocks[-1], 1)[0]
    return "", text


def _is_beside_the_text(paragraph: str) -> bool:
    """“What is X?”, asked of a text, or “fit this in one line”."""
    folded, words = fold(paragraph), word_count(paragraph)
    if "\n" in paragraph.strip():
        return False
    is_question = folded.endswith("?") or (bool(_QUESTION.match(folded)) and not folded.endswith(","))
    has_size = bool(wishes.wish(paragraph).keys() & {"sentences", "words", "bullets", "share"})
    is_wish = has_size and (asks(paragraph) or bool(_PERSONAL.search(folded)) or not folded.endswith("."))
    return (is_question and words <= _MAX_QUESTION_WORDS) or (is_wish and words <= _MAX_REMARK_WORDS)


def _referred_to(instruction: str, history: Sequence[Message]) -> str:
    """The text that an instruction without one means."""
    if references.is_to_conversation(instruction):
        return references.transcript(history)
    if references.is_to_more(instruction) and (source := _source(history)):
        return source
    meant = references.referent(instruction, history)
    return separate(meant).text or meant


def _source(history: Sequence[Message]) -> str:
    """The text that the last summary was made from."""
    pasted = references.last_pasted(history)
    return separate(pasted).text if pasted else ""


def _focus(parts: Parts) -> str:
    """What the instruction says beyond asking for a summary, as far as the text speaks of it."""
    in_text = set(re.findall(r"\w{4,}", fold(parts.text)))
    shared = (term for term in re.findall(r"[\w'’-]+", parts.instruction) if fold(term) in in_text)
    return " ".join(term for term in shared if not _EMPTY_WORD.match(fold(term)))
