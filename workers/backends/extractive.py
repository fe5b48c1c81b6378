"""Summaries made of the text's own sentences, chosen by the embedded MiniLM. It never invents a word.

A sentence is good if it is near the centre of the text (centroid: Radev et al. 2004, here the mean of the sentence
embeddings, longer sentences weighing more), near what the person asked about, early in the text, and unlike those
that were chosen before (maximal marginal relevance: Carbonell & Goldstein 1998). The weights were chosen with
`bench/models.py` on abstracts and encyclopaedia passages; they are flat around these values.

Every sentence is read. Beyond `MAX_CANDIDATES` sentences the text is cut into sections of equal size, and each
section sends those of its sentences that hold most of its characteristic words (the same centroid, of TF-IDF
vectors) to MiniLM. So a text of any size takes bounded time and memory, and each part of it has its chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers import batching, encoder, markdown
from workers.backends.base import Backend, Cancellation, Deltas, Outcome, Run
from workers.errors import InputError
from workers.prompts.wording import word_count
from workers.sentences import Sentence, split

if TYPE_CHECKING:
    import numpy as np

MAX_CANDIDATES = 320
_SECTIONS = 64
_POSITION_WEIGHT = 0.1
_FOCUS_WEIGHT = 0.6
_RELEVANCE_WEIGHT = 0.8  # against redundancy
_FULL_LENGTH = 30  # words from which on a longer sentence weighs no more
_MIN_WORDS = 6  # fewer are a heading or a scrap
_SCRAP_PENALTY = 0.5
_HEADLINE_WORDS = 14
_DEFAULT_LENGTHS = ((3, 1), (9, 2), (30, 3), (100, 4), (300, 5), (1000, 6))  # (up to sentences, choose)
_LONGEST = 8
# Words, or single characters in scripts that put no spaces between words.
_WORD = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]{3,}"

ALREADY_SHORT = "*This is short already, so nothing was left out.*"


@dataclass(frozen=True)
class Summary:
    """The chosen sentences in the text's order, and how many there were to choose from."""

    sentences: tuple[str, ...]
    total: int
    is_list: bool

    def markdown(self) -> Iterator[str]:
        """The summary piece by piece, a sentence or a bullet each."""
        for index, sentence in enumerate(self.sentences):
            if self.is_list:
                yield ("\n" if index else "") + f"- {markdown.escape(sentence)}"
            else:
                yield _space_before(sentence, index) + markdown.escape(sentence)


class ExtractiveBackend(Backend):
    """Plays the `summarise` role on any text, with the options of `workers.prompts.wishes`."""

    def stream(self, run: Run, cancellation: Cancellation) -> Deltas:
        """Yields the summary as Markdown, a sentence at a time. Raises `InputError` if there is no text."""
        summary = summarise(run.text, run.options, cancellation)
        if cancellation.is_set():
            return Outcome()
        yield from summary.markdown()
        if len(summary.sentences) == summary.total <= 2:
            yield f"\n\n{ALREADY_SHORT}"
        return Outcome(
            prompt_tokens=encoder.count_tokens([run.text]),
            completion_tokens=encoder.count_tokens(summary.sentences),
            result={"sentences": summary.total, "chosen": len(summary.sentences)},
        )


def summarise(text: str, wish: dict[str, Any], cancellation: Cancellation | None = None) -> Summary:
    """The summary of `text` as `wish` has it (see `workers.prompts.wishes`); empty if cancelled in between.

    Raises `InputError` (`nothing_to_summarise`) if `text` holds no letter or digit.
    """
    sentences = [sentence for sentence in split(text) if any(char.isalnum() for char in sentence.text)]
    if not sentences:
        raise InputError("nothing_to_summarise", "The text holds no words.")
    focus = wish.get("focus", "")
    candidates = _candidates(sentences, focus)
    embedded = batching.encode([*(sentences[index].text for index in candidates), focus], cancellation)
    if embedded is None:
        return Summary((), len(sentences), is_list=False)
    vectors = embedded[:-1]
    scores = _scores(sentences, candidates, vectors, embedded[-1] if focus else None)
    chosen = _within_wish([sentences[index] for index in candidates], _ranked(scores, vectors), len(sentences), wish)
    texts = tuple(text for _, text in sorted(chosen))
    is_list = wish.get("form") == "bullets" or not _reads_as_prose([sentences[candidates[at]] for at, _ in chosen])
    return Summary(texts, len(sentences), is_list and wish.get("form") != "headline")


def _candidates(sentences: Sequence[Sentence], focus: str) -> list[int]:
    """The sentences that MiniLM looks at: each text once, and no more than `MAX_CANDIDATES`."""
    first: dict[str, int] = {}
    for index, sentence in enumerate(sentences):
        first.setdefault(sentence.text.casefold(), index)
    unique = sorted(first.values())
    return unique if len(unique) <= MAX_CANDIDATES else _best_of_sections(sentences, unique, focus)


def _best_of_sections(sentences: Sequence[Sentence], indices: list[int], focus: str) -> list[int]:
    """The sentences of each section that share most words with the section and with `focus`."""
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    words = HashingVectorizer(token_pattern=_WORD, n_features=2**16, alternate_sign=False)
    weighting = TfidfTransformer()
    weights = weighting.fit_transform(words.transform(sentences[index].text for index in indices))
    asked = weighting.transform(words.transform([focus])).toarray().ravel()
    best: list[int] = []
    for section in np.array_split(np.arange(len(indices)), _SECTIONS):
        centre = np.asarray(weights[section].mean(axis=0)).ravel()
        scores = weights[section] @ (centre + asked) - [_penalty(sentences[indices[at]]) for at in section]
        best += [indices[section[at]] for at in np.argsort(-scores, kind="stable")[: MAX_CANDIDATES // _SECTIONS]]
    return sorted(best)


def _scores(
    sentences: Sequence[Sentence], candidates: list[int], vectors: np.ndarray, focus: np.ndarray | None
) -> np.ndarray:
    """How much each candidate says of the whole, of `focus` if there is one, and how early."""
    import numpy as np

    texts = [sentences[index] for index in candidates]
    lengths = np.array([min(word_count(sentence.text), _FULL_LENGTH) + 0.01 for sentence in texts])
    centroid = lengths @ vectors
    centrality = vectors @ (centroid / np.linalg.norm(centroid))
    earliness = 1 - np.array(candidates) / max(1, len(sentences) - 1)
    scores = (1 - _POSITION_WEIGHT) * centrality + _POSITION_WEIGHT * earliness
    if focus is not None:
        nearness = vectors @ focus
        # On the scale of the scores, so that a sentence on the matter counts in a text that is about something else.
        scaled = scores.min() + np.ptp(scores) * (nearness - nearness.min()) / max(np.ptp(nearness), 1e-9)
        scores = (1 - _FOCUS_WEIGHT) * scores + _FOCUS_WEIGHT * scaled
    return scores - np.array([_penalty(sentence) for sentence in texts])


def _penalty(sentence: Sentence) -> float:
    """Headings, scraps, halves, introductions, code and tables come last, but come if there is nothing else."""
    is_scrap = not sentence.is_prose or word_count(sentence.text) < _MIN_WORDS or sentence.text.endswith((":", "："))
    is_scrap |= sentence.text[:1].islower()  # the second half of something
    letters = sum(char.isalpha() or char.isspace() for char in sentence.text)
    return _SCRAP_PENALTY if is_scrap or letters < 0.7 * len(sentence.text) else 0.0


def _ranked(scores: np.ndarray, vectors: np.ndarray) -> Iterator[int]:
    """Positions, best first, each judged against those before it (maximal marginal relevance)."""
    import numpy as np

    redundancy = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=bool)
    while left.any():
        value = _RELEVANCE_WEIGHT * scores - (1 - _RELEVANCE_WEIGHT) * redundancy
        best = int(np.argmax(np.where(left, value, -np.inf)))
        yield best
        left[best] = False
        redundancy = np.maximum(redundancy, vectors @ vectors[best])


def _within_wish(
    candidates: list[Sentence], ranked: Iterator[int], total: int, wish: dict[str, Any]
) -> list[tuple[int, str]]:
    """As many of `ranked` as the wish allows, with their texts."""
    if wish.get("form") == "headline":
        return _headline(candidates, list(ranked), wish.get("words", _HEADLINE_WORDS))
    limit = _sentence_limit(total, wish)
    words_left = _word_limit(candidates, wish)
    chosen: list[tuple[int, str]] = []
    order = list(ranked) if words_left else [next(ranked) for _ in range(min(limit, len(candidates)))]
    for at in order:
        words = word_count(candidates[at].text)
        if len(chosen) < limit and (words_left is None or words <= words_left):
            chosen.append((at, candidates[at].text))
            words_left = words_left - words if words_left is not None else None
    return chosen or [(order[0], _shortened(candidates[order[0]].text, words_left or 1))]


def _sentence_limit(total: int, wish: dict[str, Any]) -> int:
    if count := wish.get("bullets") or wish.get("sentences"):
        return int(count)
    if "words" in wish or "share" in wish:
        return total
    usual = next((choose for up_to, choose in _DEFAULT_LENGTHS if total <= up_to), _LONGEST)
    if wish.get("form") == "bullets":
        usual += 1
    return {"short": max(1, usual // 2), "detailed": 2 * usual + 1}.get(wish.get("length", ""), usual)


def _word_limit(candidates: list[Sentence], wish: dict[str, Any]) -> int | None:
    if "words" in wish:
        return int(wish["words"])
    if "share" in wish:
        return max(1, round(wish["share"] * sum(word_count(sentence.text) for sentence in candidates)))
    return None


def _headline(candidates: list[Sentence], ranked: list[int], words: int) -> list[tuple[int, str]]:
    """The best sentence that is short enough, else the beginning of the best."""
    short = (at for at in ranked if 3 <= word_count(candidates[at].text) <= words)
    at = next(short, ranked[0])
    return [(at, _shortened(candidates[at].text, words).rstrip(".。"))]


def _shortened(text: str, words: int) -> str:
    """The beginning of `text`, up to `words` words."""
    if word_count(text) <= words:
        return text
    parts = text.split()
    if len(parts) == 1:
        return text[: 2 * words] + "…"
    while len(parts) > 1 and word_count(" ".join(parts)) > words:
        parts.pop()
    return " ".join(parts).rstrip(",;:–- ") + " …"


def _reads_as_prose(chosen: list[Sentence]) -> bool:
    """Whether the sentences can stand in one paragraph: nearly all of them end like sentences."""
    return len(chosen) < 2 or sum(sentence.is_finished for sentence in chosen) >= len(chosen) - 1


def _space_before(sentence: str, index: int) -> str:
    """No space between sentences in scripts that have none."""
    return "" if index == 0 or "\u3040" <= sentence[0] <= "\u9fff" else " "
