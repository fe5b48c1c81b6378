"""Classification with labels that are only known when the message comes, by the embedded MiniLM.

**Zero-shot.** A text and each label are embedded, and the nearest label wins (Yin et al. 2019, as a bi-encoder).
A label is read through its name in a few short sentences and its one-line description; everyday labels are read
through texts of their kind instead (`workers.prompts.known_labels`), which raised the accuracy on SST-2 from 0.61 to
0.76. Probabilities are a softmax of the cosines at a temperature fitted for calibration on labelled data.

**Few-shot.** Where labels have examples, a logistic regression on their embeddings is fitted and multiplied with the
zero-shot probabilities (a product of experts: Hinton 2002). A handful of examples alone is worse than none, so the
zero-shot score is never thrown away.

**What fits no label.** A label whose cosine stays below `FITS_FROM` does not fit. “Other” and the “not” of a lone
“is this X?” stand for exactly that, so they get that cosine as their score.

Long texts are read in windows whose embeddings are averaged. Texts of more than `MAX_WINDOWS` windows are read at
places spread evenly over them, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers import batching, encoder, markdown
from workers.backends.base import Backend, Cancellation, Deltas, Outcome, Run
from workers.errors import InputError
from workers.prompts.known_labels import KnownLabel, is_catch_all, is_negation, known
from workers.prompts.wording import word_count

if TYPE_CHECKING:
    import numpy as np

FITS_FROM = 0.15  # cosine
MAX_WINDOWS = 64
_WINDOW_CHARACTERS = 900  # about 200 tokens
_SHARPNESS = 15.0  # the softmax's inverse temperature, and the weight of zero-shot beside the examples
_REGULARISATION = 5.0  # C of the logistic regression
_NAME_FORMS = ("{}", "This is {}.", "This text is about {}.")
_DESCRIPTION_BESIDE_TYPICAL = 0.5
_THING_WORDS = 4  # a text this short is the name of a thing, not a text about it
_CENTRING = 0.5  # how much of a label's average over a list of things is no news about any of them
_MIN_LIST = 4
_MAX_COLUMNS = 6
_MAX_REMEMBERED = 5000  # readings of labels and their examples, of 1.5 kB each
_remembered: dict[tuple[str, ...], np.ndarray] = {}


@dataclass(frozen=True)
class Reading:
    """One thing that was classified: the labels with their probabilities, best first, and whether any fits."""

    text: str
    scores: tuple[tuple[str, float], ...]
    fits: bool

    @property
    def best(self) -> str:
        return self.scores[0][0]

    def as_data(self) -> dict[str, Any]:
        """What a program gets."""
        scores = [{"label": label, "score": round(score, 4)} for label, score in self.scores]
        return {"scores": scores, "fits": self.fits, "best": self.best}


class ZeroShotBackend(Backend):
    """Plays the `classify` role with the options `labels` and `items` of `workers.prompts.classify`."""

    def stream(self, run: Run, cancellation: Cancellation) -> Deltas:
        """Yields the answer as Markdown. Raises `InputError` if there are fewer than two labels or no text."""
        labels = run.options.get("labels", [])
        items = run.options.get("items") or []
        windows, total = _windows(run.text)
        readings = classify(items or [run.text], labels, cancellation)
        if cancellation.is_set():
            return Outcome()
        yield _table_of_items(readings, labels) if items else _table(readings[0])
        if not items and total > len(windows):
            yield f"\n\n*The text is very long: {len(windows)} passages spread over all of it were read.*"
        result = {"items": [{"text": reading.text, **reading.as_data()} for reading in readings]}
        return Outcome(
            prompt_tokens=encoder.count_tokens(windows),
            completion_tokens=0,
            result=result if items else readings[0].as_data(),
        )


def classify(
    texts: Sequence[str], labels: Sequence[dict[str, Any]], cancellation: Cancellation | None = None
) -> list[Reading]:
    """How well each of `labels` ({name, description?, examples?}) fits each of `texts`; empty if cancelled.

    Raises `InputError`: `one_label`, `no_labels`, `nothing_to_classify`.
    """
    if len(labels) < 2:
        raise InputError("one_label" if labels else "no_labels", "Classification takes at least two labels.")
    if not any(char.isalnum() for text in texts for char in text):
        raise InputError("nothing_to_classify", "There is no text to classify.")
    vectors = _embed_texts(texts, cancellation)
    prototypes = _prototypes(labels)
    if vectors is None:
        return []
    names = [label["name"] for label in labels]
    cosines = vectors @ prototypes.T
    fits = _fits(cosines, names)
    log_odds = _SHARPNESS * _with_rests(_centred(cosines, texts), names) + _by_example(vectors, labels, prototypes)
    return [
        Reading(text, _ranked(names, row), bool(fit))
        for text, row, fit in zip(texts, _softmax(log_odds), fits, strict=True)
    ]


# --- The texts ---------------------------------------------------------------------------------------------------


def _windows(text: str) -> tuple[list[str], int]:
    """The windows of `text` that are read, and how many it has."""
    pieces = [text[start : start + _WINDOW_CHARACTERS] for start in range(0, len(text), _WINDOW_CHARACTERS)] or [""]
    if len(pieces) <= MAX_WINDOWS:
        return pieces, len(pieces)
    step = len(pieces) / MAX_WINDOWS
    return [pieces[int(index * step)] for index in range(MAX_WINDOWS)], len(pieces)


def _embed_texts(texts: Sequence[str], cancellation: Cancellation | None) -> np.ndarray | None:
    """One unit vector per text, the mean of its windows; None if cancelled in between."""
    import numpy as np

    windows = [(index, window) for index, text in enumerate(texts) for window in _windows(text)[0]]
    embedded = batching.encode([window for _, window in windows], cancellation)
    if embedded is None:
        return None
    vectors = np.zeros((len(texts), encoder.DIMENSIONS), dtype=np.float32)
    np.add.at(vectors, [index for index, _ in windows], embedded)
    return _unit(vectors)


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


# --- The labels --------------------------------------------------------------------------------------------------


def _prototypes(labels: Sequence[dict[str, Any]]) -> np.ndarray:
    """One unit vector per label: the weighted sum of how it can be read."""
    import numpy as np

    found = known([label["name"] for label in labels])
    views = [_views(label, entry) for label, entry in zip(labels, found, strict=True)]
    means = _means([texts for view in views for _, texts in view])
    return _unit(np.vstack([np.sum([weight * means[texts] for weight, texts in view], axis=0) for view in views]))


def _views(label: dict[str, Any], known_label: KnownLabel | None) -> list[tuple[float, tuple[str, ...]]]:
    """The texts that a label is read through, in groups with their weights."""
    name = label["name"].replace("_", " ")
    views = [(1.0, known_label.says if known_label else tuple(form.format(name) for form in _NAME_FORMS))]
    description = label.get("description", "")
    if description and not (known_label and description == known_label.description):
        weight = _DESCRIPTION_BESIDE_TYPICAL if known_label else 1.0
        views.append((weight, (description, f"{name}: {description}")))
    return views


def _means(groups: list[tuple[str, ...]]) -> dict[tuple[str, ...], np.ndarray]:
    """The direction of each group of texts. The same labels come again and again, so they are remembered."""
    import numpy as np

    if len(_remembered) > _MAX_REMEMBERED:
        _remembered.clear()
    means = _remembered.copy()  # another thread may clear them
    missing = [group for group in dict.fromkeys(groups) if group not in means]
    vectors = iter(batching.encode([text for group in missing for text in group]))
    for group in missing:
        means[group] = _remembered[group] = _unit(np.sum([next(vectors) for _ in group], axis=0))
    return means


# --- The scores --------------------------------------------------------------------------------------------------


def _centred(cosines: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """In a list of things, what a label has in common with all of them tells little about each."""
    is_list = len(texts) >= _MIN_LIST and all(word_count(text) <= _THING_WORDS for text in texts)
    return cosines - _CENTRING * (cosines.mean(axis=0) - cosines.mean()) if is_list else cosines


def _rest_of(names: Sequence[str]) -> list[int]:
    """The labels that stand for what is left over: “other”, and “not X” where X is not an everyday label."""
    found = known(names)
    return [
        index
        for index, name in enumerate(names)
        if found[index] is None and (is_catch_all(name) or (is_negation(name) and len(names) == 2))
    ]


def _with_rests(cosines: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Left-over labels get the cosine from which on a label fits, or the middle between the things of a list."""
    rests = _rest_of(names)
    if not rests or len(rests) == len(names):
        return cosines
    others = [index for index in range(len(names)) if index not in rests]
    nearest = cosines[:, others].max(axis=1)
    is_list = len(cosines) >= _MIN_LIST
    scores = cosines.copy()
    scores[:, rests] = (nearest.max() + nearest.min()) / 2 if is_list and len(others) == 1 else FITS_FROM
    return scores


def _fits(cosines: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Whether any label fits; where one stands for the rest, it does."""
    import numpy as np

    return np.ones(len(cosines), dtype=bool) if _rest_of(names) else cosines.max(axis=1) >= FITS_FROM


def _by_example(vectors: np.ndarray, labels: Sequence[dict[str, Any]], prototypes: np.ndarray) -> np.ndarray:
    """Log probabilities by logistic regression on the labels' examples; zeros if fewer than two labels have any.

    A label without examples is represented by its zero-shot vector.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    examples = [[text for text in label.get("examples", []) if text.strip()] for label in labels]
    if sum(map(bool, examples)) < 2:
        return np.zeros((len(vectors), len(labels)))
    means = _means([(text,) for texts in examples for text in texts])
    points = np.vstack(
        [
            np.vstack([means[text,] for text in texts]) if texts else prototypes[[index]]
            for index, texts in enumerate(examples)
        ]
    )
    targets = np.repeat(np.arange(len(labels)), [max(1, len(texts)) for texts in examples])
    model = LogisticRegression(C=_REGULARISATION, class_weight="balanced", max_iter=1000)
    return model.fit(points, targets).predict_log_proba(vectors)


def _softmax(log_odds: np.ndarray) -> np.ndarray:
    import numpy as np

    exponentials = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _ranked(names: Sequence[str], probabilities: np.ndarray) -> tuple[tuple[str, float], ...]:
    pairs = zip(names, (float(value) for value in probabilities), strict=True)
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))


# --- The answer --------------------------------------------------------------------------------------------------


def _table(reading: Reading) -> str:
    best = markdown.escape(reading.best)
    lead = f"**{best}**" if reading.fits else f"None of these labels really fits this text. The nearest is **{best}**."
    rows = [f"| {markdown.cell(label)} | {_percent(score)} |" for label, score in reading.scores]
    return "\n".join([lead, "", "| Label | Score |", "|:--|--:|", *rows])


def _table_of_items(readings: Sequence[Reading], labels: Sequence[dict[str, Any]]) -> str:
    """A row per thing. With few labels each has a column, else the best one is named."""
    names = [label["name"] for label in labels]
    columns = names if len(names) <= _MAX_COLUMNS else []
    header = ["", "Best label", *(columns or ["Score"])]
    lines = [_row(map(markdown.cell, header)), "|:--|:--|" + "--:|" * (len(header) - 2)]
    for reading in readings:
        scores = dict(reading.scores)
        best = f"**{markdown.cell(reading.best)}**" if reading.fits else f"{markdown.cell(reading.best)} (hardly fits)"
        shown = [_percent(scores[name]) for name in columns or [reading.best]]
        lines.append(_row([markdown.cell(reading.text), best, *shown]))
    return "\n".join(lines)


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(score: float) -> str:
    rounded = round(100 * score)
    return "< 1 %" if rounded < 1 else "> 99 %" if rounded > 99 else f"{rounded} %"
