"""Embeddings for many at once: the same vectors as alone, in fair shares, and nobody disturbs the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.processes import wait_until
from workers import batching, encoder
from workers.backends.base import Cancellation
from workers.batching import BATCH_TOKENS, RUNNERS, _Batcher, _Request

LONG = "A long sentence about the harbour, the cranes and the ships that wait outside in the rain. " * 6


class Gate:
    """An embedding that waits until it may begin, and notes what it was given: the first token of each text."""

    def __init__(self) -> None:
        self.may_begin = threading.Event()
        self.batches: list[list[int]] = []

    def wait_for_batches(self, number: int) -> None:
        wait_until(lambda: len(self.batches) == number)

    def __call__(self, encodings: list[list[int]]) -> Any:
        self.batches.append([encoding[0] for encoding in encodings])
        assert self.may_begin.wait(30)
        if any(encoding[0] == 13 for encoding in encodings):
            raise MemoryError
        return np.array([[float(encoding[0])] * encoder.DIMENSIONS for encoding in encodings])


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def batcher(gate: Gate) -> _Batcher:
    """One that computes nothing yet: each of its runners waits for the gate."""
    batcher = _Batcher(gate)
    for number in range(1, RUNNERS + 1):
        ask(batcher, [[900]])
        gate.wait_for_batches(number)
    gate.batches.clear()
    return batcher


def ask(batcher: _Batcher, encodings: list[list[int]]) -> _Request:
    """Hand in a request; `is_over` says when it is answered."""
    request = _Request(encodings)
    batcher.submit(request)
    return request


def test_the_vectors_are_those_of_each_text_alone() -> None:
    texts = ["short", LONG, "", "another one", "🎉", LONG[:200]]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: batching.encode([text, LONG]), texts))
    alone = encoder.encode([*texts, LONG])
    for index, vectors in enumerate(together):
        assert vectors is not None
        np.testing.assert_allclose(vectors, [alone[index], alone[-1]], atol=1e-5)


def test_nothing_is_nothing() -> None:
    vectors = batching.encode([])
    assert vectors is not None
    assert vectors.shape == (0, encoder.DIMENSIONS)


def test_what_has_come_together_is_computed_together(batcher: _Batcher, gate: Gate) -> None:
    requests = [ask(batcher, [[number]]) for number in range(1, 9)]
    gate.may_begin.set()
    for request in requests:
        assert request.is_over.wait(30)
    assert gate.batches == [[1, 2, 3, 4, 5, 6, 7, 8]]
    assert [request.vectors[0, 0] for request in requests] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_who_asks_for_little_does_not_wait_behind_who_asks_for_much(batcher: _Batcher, gate: Gate) -> None:
    book = ask(batcher, [[1] * 250] * 100)
    sentence = ask(batcher, [[2] * 10])
    gate.may_begin.set()
    assert book.is_over.wait(30)
    assert sentence.is_over.wait(30)
    (shared,) = [batch for batch in gate.batches if 2 in batch]
    assert shared in gate.batches[:RUNNERS]
    assert shared.count(1) == BATCH_TOKENS // 2 // 250


def test_who_gives_up_does_not_disturb_the_others(batcher: _Batcher, gate: Gate) -> None:
    gone = ask(batcher, [[1]] * 10)
    stays = ask(batcher, [[2]])
    gone.give_up()
    gate.may_begin.set()
    assert stays.is_over.wait(30)
    assert gate.batches == [[2]]
    assert gone.result() is None


def test_a_failure_reaches_those_of_the_batch_and_not_the_next_ones(batcher: _Batcher, gate: Gate) -> None:
    bad = ask(batcher, [[13]])
    gate.may_begin.set()
    with pytest.raises(MemoryError):
        bad.result()
    good = ask(batcher, [[1]]).result()
    assert good is not None
    assert good[0, 0] == 1


def test_a_cancelled_request_gives_nothing() -> None:
    cancellation = Cancellation()
    cancellation.set()
    assert batching.encode(["anything"], cancellation) is None
