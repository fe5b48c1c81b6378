"""Answers of one causal model that are written together: each pass through it gives all of them their next token.

An answer joins when its prompt has been read, in pieces between which the others go on, and leaves when it has ended;
nobody waits for the others to be ready. Shorter ones are filled up on the left, and what fills them is masked. Each has
sampling options, penalties and random numbers of its own.

Models whose cache of the past is not one plain tensor a layer (sliding windows, states) cannot be written so.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList
from transformers.cache_utils import DynamicLayer

PIECE_TOKENS = 256  # of a prompt, between two tokens of those who are being answered


class Answer(Protocol):
    """Whoever reads along. Called in the thread of the batch."""

    @property
    def is_stopped(self) -> bool: ...

    def expect_more(self) -> None:
        """The model is at work on prompts: the first token may still take a while."""

    def receive(self, token: int) -> bool:
        """Take the next token. True: the answer has come to its end."""

    def end(self, error: Exception | None) -> None:
        """There is no more to come."""


def can_batch(model: Any) -> bool:
    """Whether answers of `model` can be written together."""
    takes = inspect.signature(model.forward).parameters
    layers = DynamicCache(config=model.config).layers
    return {"position_ids", "attention_mask"} <= set(takes) and all(type(layer) is DynamicLayer for layer in layers)


@dataclass(eq=False)
class Row:
    """One answer of a batch, with what it has been made of so far."""

    answer: Answer
    tokens: Any  # a tensor of prompt and answer, of the shape (1, n)
    processors: LogitsProcessorList
    is_sampled: bool
    random: torch.Generator | None

    def next_token(self, logits: torch.Tensor) -> bool:
        """Choose it from the model's scores (1, vocabulary), and hand it on. True: the answer is over."""
        scores = self.processors(self.tokens, logits.float())
        if self.is_sampled:
            token = torch.multinomial(scores.softmax(-1), 1, generator=self.random)
        else:
            token = scores.argmax(-1, keepdim=True)
        self.tokens = torch.cat([self.tokens, token], dim=1)
        return self.answer.receive(int(token))


def row_of(model: Any, answer: Answer, tokens: torch.Tensor, seed: int | None, arguments: dict[str, Any]) -> Row:
    """A row whose tokens are chosen as `generate` would choose them with these arguments."""
    penalties = arguments.pop("logits_processor", [])
    config: GenerationConfig = model._prepare_generation_config(None, **arguments)[0]
    model._prepare_special_tokens(config, device=tokens.device)
    processors = model._get_logits_processor(
        config, tokens.shape[1], logits_processor=LogitsProcessorList(penalties), device=tokens.device
    )
    random = torch.Generator(tokens.device).manual_seed(seed) if seed is not None else None
    return Row(answer, tokens, processors, bool(config.do_sample), random)


@dataclass(eq=False)
class _Joining:
    """A row whose prompt is being read."""

    row: Row
    cache: Any  # of `DynamicLayer`s
    read: int = 0


@dataclass(eq=False)
class _Written:
    """The rows that are being written, and what the model remembers of them."""

    rows: list[Row] = field(default_factory=list)
    cache: Any = None  # of `DynamicLayer`s
    mask: torch.Tensor | None = None  # (rows, tokens); 0 where a row is filled up

    def add(self, joining: _Joining) -> None:
        self.rows.append(joining.row)
        mask = torch.ones_like(joining.row.tokens[:, :-1])
        if self.mask is None:
            self.cache, self.mask = joining.cache, mask
        else:
            width = max(self.mask.shape[1], mask.shape[1])
            for layer, new in zip(self.cache.layers, joining.cache.layers, strict=True):
                layer.keys = torch.cat([_filled(layer.keys, width), _filled(new.keys, width)])
                layer.values = torch.cat([_filled(layer.values, width), _filled(new.values, width)])
            self.mask = torch.cat([pad(each, (width - each.shape[1], 0)) for each in (self.mask, mask)])

    def keep(self, places: list[int]) -> None:
        """Let the other rows go, and what was filled up for their sake."""
        if len(places) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in places]
        if not self.rows or self.mask is None:
            self.cache = self.mask = None
            return
        self.mask = self.mask[places]
        needless = int(self.mask.any(dim=0).int().argmax())
        self.mask = self.mask[:, needless:]
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[places, :, needless:], layer.values[places, :, needless:]


class Batch:
    """The answers that one model writes at the moment. Its thread lives as long as there are any."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._new: deque[Row] = deque()
        self._joining: _Joining | None = None
        self._written = _Written()
        self._lock = threading.Lock()
        self._is_running = False

    def submit(self, row: Row) -> None:
        """Have an answer written."""
        with self._lock:
            self._new.append(row)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="generation", daemon=True).start()

    def _run(self) -> None:
        with torch.inference_mode():
            while self._has_work():
                try:
                    self._let_stopped_go()
                    self._read_on()
                    self._write_on()
                except Exception as error:  # there is no memory for all of them, for instance
                    self._give_up(error)

    def _has_work(self) -> bool:
        with self._lock:
            if self._joining is None and self._new:
                self._joining = _Joining(self._new.popleft(), DynamicCache(config=self._model.config))
            self._is_running = self._joining is not None or bool(self._written.rows)
            return self._is_running

    def _let_stopped_go(self) -> None:
        stopped = [row for row in self._written.rows if row.answer.is_stopped]
        for row in stopped:
            row.answer.end(None)
        self._written.keep([place for place, row in enumerate(self._written.rows) if row not in stopped])

    def _read_on(self) -> None:
        """Read the next piece of a prompt; after the last one the row joins the others."""
        joining = self._joining
        if joining is None:
            return
        row, end = joining.row, joining.read + PIECE_TOKENS
        if row.answer.is_stopped:
            self._joining = None
            row.answer.end(None)
            return
        piece = row.tokens[:, joining.read : end]
        try:
            logits = self._pass(piece, joining.cache, torch.ones_like(row.tokens[:, :end]), joining.read)
        except Exception as error:
            self._joining = None
            row.answer.end(error)
            return
        joining.read = end
        with self._lock:
            waiting = [row, *self._new]
        for each in waiting:
            each.answer.expect_more()
        if end >= row.tokens.shape[1]:
            self._joining = None
            if _goes_on(row, logits):
                self._written.add(joining)

    def _write_on(self) -> None:
        """Give each row its next token."""
        written = self._written
        if not written.rows or written.mask is None:
            return
        written.mask = pad(written.mask, (0, 1), value=1)
        last = torch.cat([row.tokens[:, -1:] for row in written.rows])
        logits = self._pass(last, written.cache, written.mask, None)
        written.keep([place for place, row in enumerate(written.rows) if _goes_on(row, logits[place : place + 1])])

    def _give_up(self, error: Exception) -> None:
        """What could not be done for all who are being written was for none of them; nobody is to wait for it."""
        rows, self._written = self._written.rows, _Written()
        for row in rows:
            row.answer.end(error)

    def _pass(self, tokens: torch.Tensor, cache: Any, mask: torch.Tensor, start: int | None) -> torch.Tensor:
        """The scores (rows, vocabulary) of what comes after `tokens`, the first of which stands at `start`."""
        if start is None:
            positions = mask.sum(dim=1, keepdim=True) - 1
        else:
            positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)[None]
        output = self._model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        return output.logits[:, -1]


def _goes_on(row: Row, logits: torch.Tensor) -> bool:
    """Give a row its next token; whether more are to come. What goes wrong in choosing it is its own affair."""
    try:
        is_over = row.next_token(logits)
    except Exception as error:
        row.answer.end(error)
        return False
    if is_over:
        row.answer.end(None)
    return not is_over


def _filled(states: torch.Tensor, width: int) -> torch.Tensor:
    """Keys or values of the shape (rows, heads, tokens, size), filled up on the left."""
    return pad(states, (0, 0, width - states.shape[2], 0))
