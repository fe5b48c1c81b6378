"""MiniLM's transformer as plain functions, so that its linear maps can be exchanged for tuned or for smaller ones.

BERT (Devlin et al. 2019) with six layers. A *change* of low rank is added to each of a layer's four linear maps
(LoRA, Hu et al. 2021, arXiv:2106.09685): a matrix of few rows, "a", and one of few columns, "b", whose product has
the shape of the map's weights. So a model that was tuned for a task is kept as a megabyte beside weights that
everybody has, and costs no more to run than the weights themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

HEADS = 12
MAPS = ("inputs", "output", "up", "down")

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Linear:
    """Weights (to x from) and bias of a linear map."""

    weight: Tensor
    bias: Tensor

    def __call__(self, states: Tensor) -> Tensor:
        return functional.linear(states, self.weight, self.bias)


class SmallLinear:
    """A linear map in integers of eight bits, about three times as fast as in floats.

    Every row of weights has a scale of its own, and so has every token's state, when it comes (Yao et al. 2022,
    "ZeroQuant"): with one scale for all tokens a single large number would cost the others their precision.
    """

    def __init__(self, linear: Linear) -> None:
        self._scale = linear.weight.abs().amax(1) / 127
        self._weight = torch.round(linear.weight / self._scale[:, None]).to(torch.int8).t().contiguous()
        self._bias = linear.bias

    def __call__(self, states: Tensor) -> Tensor:
        scale = states.abs().amax(-1, keepdim=True) / 127
        numbers = torch.round(states / scale).to(torch.int8)
        products = torch._int_mm(numbers.flatten(0, -2), self._weight).view(*states.shape[:-1], -1)
        return torch.addcmul(self._bias, products * scale, self._scale)


@dataclass(frozen=True)
class Layer:
    """`inputs` makes queries, keys and values at once; `up` and `down` are the two maps of the feed-forward part."""

    inputs: Map
    output: Map
    up: Map
    down: Map
    after_attention: Map
    after_feed_forward: Map


@dataclass(frozen=True)
class Transformer:
    """The embeddings of words and of positions, their norm, and the layers."""

    words: Tensor
    positions: Tensor
    norm: Map
    layers: Sequence[Layer]

    def states(self, ids: Tensor, mask: Tensor | None = None, drop: Map = lambda states: states) -> Tensor:
        """The last layer's state of every token: (texts, tokens) to (texts, tokens, 384).

        `mask` is true for tokens, false for padding. `drop` is dropout while training.
        """
        texts, tokens = ids.shape
        states = drop(self.norm(functional.embedding(ids, self.words) + self.positions[:tokens]))
        seen = None if mask is None else mask[:, None, None, :]
        for layer in self.layers:
            query, key, value = layer.inputs(states).view(texts, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
            heard = heard.transpose(1, 2).reshape(texts, tokens, -1)
            states = layer.after_attention(states + drop(layer.output(heard)))
            states = layer.after_feed_forward(states + drop(layer.down(functional.gelu(layer.up(states)))))
        return states


def transformer(model: Any, exchange: Callable[[str, Linear], Map]) -> Transformer:
    """The transformer of a BERT of Hugging Face; `exchange` gives what replaces a linear map of a name."""
    embeddings = model.embeddings
    return Transformer(
        words=embeddings.word_embeddings.weight.detach(),
        positions=(embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]).detach(),
        norm=embeddings.LayerNorm,
        layers=[_layer(layer, f"layer.{number}", exchange) for number, layer in enumerate(model.encoder.layer)],
    )


def changed(changes: Mapping[str, Tensor]) -> Callable[[str, Linear], SmallLinear]:
    """For `transformer`: adds the changes to the weights, then makes them small."""

    def exchange(name: str, linear: Linear) -> SmallLinear:
        weight = linear.weight + changes[f"{name}.b"] @ changes[f"{name}.a"]
        return SmallLinear(Linear(weight, linear.bias))

    return exchange


def _layer(layer: Any, name: str, exchange: Callable[[str, Linear], Map]) -> Layer:
    attention = layer.attention
    parts = (attention.self.query, attention.self.key, attention.self.value)
    inputs = Linear(
        torch.cat([part.weight.detach() for part in parts]), torch.cat([part.bias.detach() for part in parts])
    )
    maps = (inputs, *map(_linear, (attention.output.dense, layer.intermediate.dense, layer.output.dense)))
    exchanged = {each: exchange(f"{name}.{each}", linear) for each, linear in zip(MAPS, maps, strict=True)}
    return Layer(**exchanged, after_attention=attention.output.LayerNorm, after_feed_forward=layer.output.LayerNorm)


def _linear(module: Any) -> Linear:
    return Linear(module.weight.detach(), module.bias.detach())
