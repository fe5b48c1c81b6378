"""Causal language models of the `transformers` library, run by our own workers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import Any

import torch
from django.conf import settings
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from workers.backends.base import Backend, Cancellation, Deltas, Outcome, Run
from workers.backends.causal_batch import row_of
from workers.backends.causal_models import CausalModel, load
from workers.backends.loaded import LoadedModels
from workers.backends.sampling import sampling
from workers.backends.token_text import StopText, TokenText
from workers.errors import BackendUnavailableError, ContextTooLongError, ProviderTimeoutError, WorkerError

logger = logging.getLogger(__name__)

_AT_WORK = object()
LOWEST_TEMPERATURE = 0.01  # below it, sampling overflows and would always take the likeliest token anyway


class CausalBackend(Backend):
    """Runs `run.identifier`, a repository of the hub (at `run.revision`) or a local folder.

    Sampling options that are not given are those that the model's authors published with it; a model that
    comes without any takes the likeliest token each time. A `seed` makes an answer repeatable, whatever else is
    written at the same time, but for models that cannot write several answers together.
    """

    def __init__(self) -> None:
        self._models = LoadedModels(load)

    def is_ready(self, run: Run) -> bool:
        return self._models.is_ready(run.identifier, run.revision)

    def get_ready(self, run: Run, cancellation: Cancellation) -> None:
        with self._use(run, cancellation):
            pass

    def stream(self, run: Run, cancellation: Cancellation) -> Deltas:
        options = sampling(run)
        with self._use(run, cancellation) as loaded:
            if loaded is None:
                return Outcome()
            return (yield from _answer(loaded, run, options, cancellation))

    def _use(self, run: Run, cancellation: Cancellation) -> AbstractContextManager[CausalModel | None]:
        return self._models.use(run.identifier, run.revision, cancellation, is_kept=run.is_warm)


def _answer(loaded: CausalModel, run: Run, options: dict[str, Any], cancellation: Cancellation) -> Deltas:
    tokens = loaded.encode(run.prompt)
    prompt_tokens = tokens["input_ids"].shape[1]
    window = min(run.context_window, loaded.context_window or run.context_window)
    if prompt_tokens >= window:
        raise ContextTooLongError(
            f"The prompt has {prompt_tokens:,} tokens; {run.identifier} takes {window:,}, answer included."
        )
    options["max_tokens"] = min(options["max_tokens"], window - prompt_tokens)
    generation = _Generation(loaded, tokens, options)
    cancellation.on_set(generation.stop)
    try:
        yield from generation.deltas()
    finally:
        generation.stop()
        generation.join()
    return Outcome(
        prompt_tokens=prompt_tokens,
        completion_tokens=generation.tokens_written,
        was_cut_short=generation.tokens_written == options["max_tokens"] and not generation.came_to_an_end,
    )


class _Generation:
    """One answer being written, in the batch of its model or by a thread of its own; `deltas` reads along."""

    def __init__(self, loaded: CausalModel, tokens: Any, options: dict[str, Any]) -> None:
        self._pieces: SimpleQueue[Any] = SimpleQueue()  # of text; `_AT_WORK`; None: there is no more to come
        self._stopping = threading.Event()
        self._error: WorkerError | None = None
        self._writer = _Writer(loaded, options.get("stop", []), self._pieces.put)
        self._max_tokens = options["max_tokens"]
        self._is_over = threading.Event()
        arguments = _generate_options(options, prompt_tokens=tokens["input_ids"].shape[1])
        if loaded.batch:
            loaded.batch.submit(row_of(loaded.model, self, tokens["input_ids"], options.get("seed"), arguments))
        else:
            threading.Thread(
                target=self._generate,
                args=(loaded.model, {**tokens, **arguments}, options.get("seed")),
                name="generation",
                daemon=True,
            ).start()

    @property
    def tokens_written(self) -> int:
        return len(self._writer.token_text)

    @property
    def came_to_an_end(self) -> bool:
        """The model or a stop string ended the answer, not the limit."""
        return self._writer.has_end_token or self._writer.stop_text.is_found

    def deltas(self) -> Any:
        """Yield the text. Raises what the thread raised, and `ProviderTimeoutError` when it is silent."""
        seconds = settings.FIRST_TOKEN_TIMEOUT_SECONDS
        while not self._stopping.is_set():
            try:
                piece = self._pieces.get(timeout=seconds)
            except Empty:
                raise ProviderTimeoutError(f"The model wrote nothing for {seconds:g} seconds.") from None
            if piece is None:
                break
            if piece is _AT_WORK:
                continue
            seconds = settings.BETWEEN_TOKENS_TIMEOUT_SECONDS
            if piece:
                yield piece
        if self._error and not self._stopping.is_set():
            raise self._error

    def stop(self) -> None:
        """End the answer after the token that is being computed, and wake the reader at once."""
        self._stopping.set()
        self._pieces.put(None)

    def join(self) -> None:
        self._is_over.wait()

    @property
    def is_stopped(self) -> bool:
        return self._stopping.is_set()

    def expect_more(self) -> None:
        """Prompts are being read, this one or those before it: whoever waits for a token waits on."""
        self._pieces.put(_AT_WORK)

    def receive(self, token: int) -> bool:
        """Take a token from the batch. True: there are enough of them."""
        self._writer.add([token])
        return self.came_to_an_end or self.tokens_written >= self._max_tokens

    def end(self, error: Exception | None) -> None:
        """Nothing more is written; an error is for the thread that reads."""
        if error is None:
            self._writer.end()
        elif isinstance(error, torch.OutOfMemoryError):
            self._error = BackendUnavailableError("The worker's memory is too small for this prompt.")
            self._error.__cause__ = error
        else:  # whatever it is, another model of the route may answer
            logger.error("A model failed while it wrote", exc_info=error)
            said = " ".join(str(error).split())[:300]
            self._error = WorkerError(f"The model failed while it wrote: {type(error).__name__}: {said}")
            self._error.__cause__ = error
        self._pieces.put(None)
        self._is_over.set()

    def _generate(self, model: Any, arguments: dict[str, Any], seed: int | None) -> None:
        criteria = [_StopWhen(lambda: self.is_stopped or self._writer.stop_text.is_found)]
        try:
            if seed is not None:
                torch.manual_seed(seed)
            model.generate(**arguments, streamer=self._writer, stopping_criteria=criteria)
        except Exception as error:
            self.end(error)
        else:
            self.end(None)


class _Writer(BaseStreamer):
    """Takes the tokens from `generate` and delivers their text; an empty piece says that a token came."""

    def __init__(self, loaded: CausalModel, stops: list[str], deliver: Callable[[str], None]) -> None:
        self.token_text = TokenText(loaded.tokenizer)
        self.stop_text = StopText([*stops, *loaded.stops])
        self.has_end_token = False
        self._end_tokens = _end_tokens(loaded.model.generation_config.eos_token_id)
        self._deliver = deliver
        self._has_prompt = False
        self._has_ended = False

    def put(self, value: torch.Tensor) -> None:
        if not self._has_prompt:  # comes first, in one piece
            self._has_prompt = True
            return
        self.add(value.flatten().tolist())

    def add(self, tokens: list[int]) -> None:
        """Take the next tokens of the answer."""
        for token in tokens:
            self.has_end_token = token in self._end_tokens
            self._deliver(self.stop_text.add(self.token_text.add(token)))

    def end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._deliver(self.stop_text.add(self.token_text.finish()) + self.stop_text.finish())


class _StopWhen(StoppingCriteria):
    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **_: Any) -> Any:
        return torch.full((input_ids.shape[0],), self._is_over(), dtype=torch.bool, device=input_ids.device)


class _Penalties(LogitsProcessor):
    """Frequency and presence penalties as the OpenAI API defines them, over the answer so far."""

    def __init__(self, frequency: float, presence: float, prompt_tokens: int) -> None:
        self._frequency = frequency
        self._presence = presence
        self._prompt_tokens = prompt_tokens

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        written = input_ids[:, self._prompt_tokens :]
        counts = torch.zeros_like(scores).scatter_add_(1, written, torch.ones_like(written, dtype=scores.dtype))
        return scores - self._frequency * counts - self._presence * (counts > 0)


def _generate_options(options: dict[str, Any], prompt_tokens: int) -> dict[str, Any]:
    """Sampling options as `generate` knows them. Temperature 0 takes the likeliest token each time."""
    arguments: dict[str, Any] = {"max_new_tokens": options["max_tokens"]}
    temperature, top_p = options.get("temperature"), options.get("top_p")
    if top_p == 0 or (temperature is not None and temperature < LOWEST_TEMPERATURE):
        arguments |= {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    elif temperature is not None or top_p is not None:
        given = {"temperature": temperature, "top_p": top_p}
        arguments |= {"do_sample": True, **{name: value for name, value in given.items() if value is not None}}
    frequency, presence = options.get("frequency_penalty", 0), options.get("presence_penalty", 0)
    if frequency or presence:
        arguments["logits_processor"] = [_Penalties(frequency, presence, prompt_tokens)]
    return arguments


def _end_tokens(configured: int | list[int] | None) -> set[int]:
    return set(configured) if isinstance(configured, list) else {configured} if configured is not None else set()
