"""How good the router, the classifier and the summariser are on a file of examples, as figures in plain data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from django.db import DatabaseError

from router import metrics
from router.artefact import SHIPPED
from router.decision import UnknownRouteError, decide_for_anybody
from router.defaults import default_snapshot
from router.policies import NoLiveRevisionError, live_policy
from router.policy import Policy, Request
from router.rows import RowError, read_rows
from workers.backends.base import Backend, Cancellation, Outcome, Run
from workers.errors import InputError
from workers.models import Role

ROUGE = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l"}


def evaluate_router(path: Path) -> dict[str, Any]:
    """Decides every message (`text`, `role`) with the live revision, or with the defaults if there is none.

    Raises `RowError` or `OSError`.
    """
    from workers.encoder import encode

    policy = _policy()
    truth, predictions, durations = [], [], []
    decide_for_anybody(Request("A first message, which loads the encoder."), policy, encode)
    for number, row in enumerate(read_rows(path, "text", "role"), start=1):
        if row["role"] not in Role.values:
            raise RowError(f"Row {number} of {path.name} has the role “{row['role']}”; use {', '.join(Role.values)}.")
        began = time.perf_counter()
        predictions.append(_role(row, policy))
        durations.append((time.perf_counter() - began) * 1000)
        truth.append(row["role"])
    _check_not_empty(truth, path)
    return {
        **metrics.scores(truth, predictions, Role.values),
        "revision": policy.revision or None,
        "count": len(truth),
        "time_ms": {
            "p50": round(metrics.percentile(durations, 0.5), 3),
            "p95": round(metrics.percentile(durations, 0.95), 3),
        },
        "predictions": predictions,
    }


def evaluate_classifier(path: Path) -> dict[str, Any]:
    """Labels every `text` with the built-in classifier, out of the labels that occur in the file.

    Raises `RowError` or `OSError`.
    """
    from workers.backends.zero_shot import ZeroShotBackend

    rows = list(read_rows(path, "text", "label"))
    _check_not_empty(rows, path)
    truth = [row["label"] for row in rows]
    labels = sorted(set(truth))
    if len(labels) < 2:
        raise RowError(f"{path.name} has a single label, “{labels[0]}”: there is nothing to tell apart.")
    options = {"labels": [{"name": label} for label in labels]}
    backend = ZeroShotBackend()
    predictions = [_best_label(backend, row["text"], options) for row in rows]
    return {**metrics.scores(truth, predictions, labels), "count": len(rows), "predictions": predictions}


def evaluate_summariser(path: Path) -> dict[str, Any]:
    """Summarises every `text` (as its `instruction` asks, if there is one) and compares with its `references`.

    ROUGE F1 with stemming, the best reference counting for each metric, mean over the rows (Lin 2004).
    Raises `RowError` or `OSError`.
    """
    from rouge_score.rouge_scorer import RougeScorer

    from workers.backends.extractive import ExtractiveBackend

    scorer, backend = RougeScorer(list(ROUGE), use_stemmer=True), ExtractiveBackend()
    found: dict[str, list[float]] = {name: [] for name in ROUGE}
    outputs = []
    for number, row in enumerate(read_rows(path, "text"), start=1):
        references = _references(row, f"Row {number} of {path.name}")
        outputs.append(_summary(backend, row))
        for name, score in scorer.score_multi(references, outputs[-1]).items():
            found[name].append(score.fmeasure)
    _check_not_empty(outputs, path)
    means = {ROUGE[name]: round(fmean(values), 4) for name, values in found.items()}
    return {**means, "count": len(outputs), "outputs": outputs}


def _policy() -> Policy:
    from router.compiling import compile_policy
    from workers.encoder import encode

    try:
        return live_policy(encode)
    except (NoLiveRevisionError, DatabaseError):  # a bare clone: nothing published, or not even a table
        return compile_policy(default_snapshot(), SHIPPED.read_bytes(), encode)


def _role(row: Mapping[str, Any], policy: Policy) -> str:
    from workers.encoder import encode

    context = row.get("context")
    request = Request(row["text"], context=context if isinstance(context, str) else "")
    try:
        return decide_for_anybody(request, policy, encode).role
    except UnknownRouteError:  # people are told so; here some role has to be counted
        return policy.default_route.role


def _best_label(backend: Backend, text: str, options: dict[str, Any]) -> str:
    prompt = [{"role": "user", "content": text}]
    try:
        _, outcome = _run(backend, Run(role=Role.CLASSIFY, prompt=prompt, options=options))
    except InputError:  # no text: no label is right
        return ""
    return str(outcome.result["best"])


def _summary(backend: Backend, row: Mapping[str, Any]) -> str:
    from workers.prompts.summarise import build

    message = f"{row['instruction']}\n\n{row['text']}" if row.get("instruction") else row["text"]
    try:
        prompt = build(message)
        return _run(backend, Run(role=Role.SUMMARISE, prompt=prompt.messages, options=prompt.options))[0]
    except InputError:  # nothing to summarise is an empty summary
        return ""


def _run(backend: Backend, run: Run) -> tuple[str, Outcome]:
    """The text that a backend writes, and how it ended."""
    deltas, pieces = backend.stream(run, Cancellation()), []
    while True:
        try:
            pieces.append(next(deltas))
        except StopIteration as end:
            return "".join(pieces), end.value


def _references(row: Mapping[str, Any], name: str) -> list[str]:
    references = row.get("references")
    if not isinstance(references, list) or not references or not all(isinstance(each, str) for each in references):
        raise RowError(f"{name} has no list of texts in the field “references”.")
    return references


def _check_not_empty(rows: Sequence[Any], path: Path) -> None:
    if not rows:
        raise RowError(f"{path.name} has no rows.")
