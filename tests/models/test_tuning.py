"""MiniLM tuned to tell labels apart: the same numbers every time, the same answer wherever it is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from workers.encoder import CONTEXT_TOKENS, EDGE_TOKENS, _ends, _model, encode

MESSAGES = [("shorten this", ""), ("is it spam or ham", "Yes."), ("write a poem", "")] * 16
TARGETS = [0, 1, 2] * 16


pytestmark = pytest.mark.xdist_group("tuning")  # one process tunes


def tuned(seed: int = 1) -> dict[str, Any]:
    return encode.tuned(MESSAGES, TARGETS, [1.0] * len(MESSAGES), seed, lambda line: None)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Any]:
    return tuned()


def nothing(tensors: dict[str, Any]) -> dict[str, Any]:
    """Changes that change nothing, and a head that gives the first numbers of the mean state."""
    zeros = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
    return {**zeros, "head.weight": np.eye(*tensors["head.weight"].shape, dtype=np.float16)}


def test_the_same_messages_and_seed_give_the_same_tensors(tensors: dict[str, Any]) -> None:
    again, other = tuned(), tuned(seed=2)
    assert tensors.keys() == again.keys()
    assert all((tensors[name] == again[name]).all() for name in tensors)
    assert any((tensors[name] != other[name]).any() for name in tensors)


def test_the_tensors_are_a_small_file(tensors: dict[str, Any]) -> None:
    assert sum(tensor.nbytes for tensor in tensors.values()) < 2_500_000
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}


def test_without_changes_a_copy_sees_what_minilm_sees(tensors: dict[str, Any]) -> None:
    """Integers of eight bits cost a little precision."""
    import torch

    text = "Could you tell me whether this customer is angry?"
    tokenizer, model = _model()
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0]
    logits = encode.adapted(nothing(tensors))(text, "")
    assert np.allclose(logits, states.mean(0).numpy()[: len(logits)], atol=0.03)


def test_a_message_has_the_same_logits_on_every_thread_and_copy(tensors: dict[str, Any]) -> None:
    first, second = encode.adapted(tensors), encode.adapted(tensors)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda text: first(text, "before"), ["one", "two words"] * 8))
    assert all(
        (logits == second(text, "before")).all() for logits, text in zip(found, ["one", "two words"] * 8, strict=True)
    )


@pytest.mark.parametrize("text", ["", " \n", "\x00", "😀" * 300, "\ud83d", "a" * 100_000, "字" * 5000])
def test_any_string_has_finite_logits(tensors: dict[str, Any], text: str) -> None:
    assert np.isfinite(encode.adapted(tensors)(text, text)).all()


def test_both_ends_of_a_message_and_the_beginning_of_its_context_are_read() -> None:
    start, end = _ends("", "")
    assert _ends("river bank", "")[1:-1] == _ends("river", "")[1:-1] + _ends("bank", "")[1:-1]
    long, context = _ends("river " + "word " * 5000 + "bank", ""), _ends("river", "yes " * 500)
    assert len(long) == 2 * EDGE_TOKENS + 3
    assert long[0] == start
    assert long[1] == _ends("river", "")[1]
    assert long[-2] == _ends("bank", "")[1]
    assert len(context) == CONTEXT_TOKENS + 4
    assert context.count(end) == 2


def test_tensors_of_another_shape_are_refused(tensors: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="other shapes"):
        encode.adapted({**tensors, "layer.0.up.a": np.zeros((16, 5), dtype=np.float16)})
    with pytest.raises(KeyError):
        encode.adapted({"head.weight": tensors["head.weight"], "head.bias": tensors["head.bias"]})
