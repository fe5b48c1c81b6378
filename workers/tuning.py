"""Tunes MiniLM to tell labels apart: changes of low rank to its linear maps, and a head (see `workers.minilm`).

One thread and a seed, so the same examples give the same numbers on the same type of processor.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workers.minilm import Linear, Map, transformer

RANK = 32
SCALE = 2.0  # of the changes beside the weights, as in the paper
BATCH = 32
EPOCHS = 2
LEARNING_RATE = 5e-4
WARM_UP = 0.1  # share of the steps
WEIGHT_DECAY = 0.01
DROPOUT = 0.1
SORTED_BATCHES = 16  # batches whose examples are sorted by length together, so that little is padded
REPORT_STEPS = 50

Tensors = dict[str, np.ndarray]


def tune(
    model: Any,
    examples: Sequence[Sequence[int]],
    targets: Sequence[int],
    weights: Sequence[float],
    seed: int,
    report: Callable[[str], None],
) -> Tensors:
    """The changes and the head, in half precision, fitted on examples (token ids) with a target and a weight each."""
    with _alone(seed):
        tuning = _Tuning(model, 1 + max(targets))
        optimiser = torch.optim.AdamW(tuning.parameters.values(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        batches = [batch for epoch in range(EPOCHS) for batch in _batches(examples, random.Random(f"{seed} {epoch}"))]  # noqa: S311
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, len(batches)))
        for step, batch in enumerate(batches, start=1):
            surprise = functional.cross_entropy(
                tuning.logits([examples[index] for index in batch]),
                torch.tensor([targets[index] for index in batch]),
                reduction="none",
            )
            loss = (surprise * torch.tensor([weights[index] for index in batch], dtype=torch.float32)).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(tuning.parameters.values(), 1.0)
            optimiser.step()
            schedule.step()
            if step % REPORT_STEPS == 0 or step == len(batches):
                report(f"Step {step} of {len(batches)}: loss {loss.item():.3f}.")
        return tuning.tensors()


class _Tuning:
    """The numbers that are fitted, and the logits that they give."""

    def __init__(self, model: Any, labels: int) -> None:
        self.parameters: dict[str, Tensor] = {}
        self._transformer = transformer(model, self._changing)
        width = model.config.hidden_size
        self._head = Linear(self._parameter("head.weight", 0.02 * torch.randn(labels, width)),
                            self._parameter("head.bias", torch.zeros(labels)))  # fmt: skip

    def logits(self, examples: Sequence[Sequence[int]]) -> Tensor:
        ids, mask = _padded(examples)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = self._transformer.states(ids, mask, _drop)
        share = (mask / mask.sum(1, keepdim=True)).unsqueeze(-1)
        return self._head(_drop((states.float() * share).sum(1)))

    def tensors(self) -> Tensors:
        """What was fitted; the product of each a and b is the whole change."""
        scales: Mapping[bool, float] = {True: SCALE, False: 1.0}
        return {
            name: (scales[name.endswith(".b")] * value.detach()).half().numpy()
            for name, value in sorted(self.parameters.items())
        }

    def _changing(self, name: str, linear: Linear) -> Map:
        """The map with a change that is nothing at first."""
        to, width = linear.weight.shape
        first = self._parameter(f"{name}.a", torch.randn(RANK, width) / math.sqrt(width))
        second = self._parameter(f"{name}.b", torch.zeros(to, RANK))
        return lambda states: linear(states) + SCALE * functional.linear(functional.linear(states, first), second)

    def _parameter(self, name: str, value: Tensor) -> Tensor:
        self.parameters[name] = value.requires_grad_()
        return value


def _drop(states: Tensor) -> Tensor:
    return functional.dropout(states, DROPOUT)


def _padded(examples: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    width = max(map(len, examples))
    ids = torch.tensor([[*example, *[0] * (width - len(example))] for example in examples])
    lengths = torch.tensor([len(example) for example in examples])
    return ids, torch.arange(width) < lengths[:, None]


def _batches(examples: Sequence[Sequence[int]], rng: random.Random) -> list[list[int]]:
    """Every example once, those of a batch of about the same length."""
    order = rng.sample(range(len(examples)), len(examples))
    pool = BATCH * SORTED_BATCHES
    batches = []
    for start in range(0, len(order), pool):
        by_length = sorted(order[start : start + pool], key=lambda index: len(examples[index]))
        batches += [by_length[first : first + BATCH] for first in range(0, len(by_length), BATCH)]
    rng.shuffle(batches)
    return batches


def _pace(step: int, steps: int) -> float:
    """The share of the learning rate: up to all of it, then down to nothing."""
    warm = max(1, int(WARM_UP * steps))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm))


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """One thread and known random numbers, as sums in another order would differ."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
