"""An answer from the chunks of the OpenAI chat-completions protocol.

The SDK would make objects of every chunk, which costs more than the rest of the path together; here the few
fields that matter are taken from the JSON (`bench/upstream_reading.py` measures it).
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from workers.backends.provider_errors import reported_error
from workers.backends.sse import EventSplitter
from workers.errors import StreamCutError

END_MARKER = b"[DONE]"


class AnswerReader:
    """Reads the bytes of a streamed answer.

    `finish_reason` is what makes it an answer: the end marker alone, or the end of the bytes, is what a
    provider's proxy also sends when the model behind it has died.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._events = EventSplitter()
        self._half = ""  # of a character whose other half is in the next piece
        self.has_begun = False  # anything has come that could be a piece of an answer
        self.finish_reason = ""
        self.has_end_marker = False
        self.is_progressing = False  # the last bytes brought a token: of the text, or of the thinking before it
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None

    def feed(self, received: bytes) -> str:
        """The text in `received`. Raises `WorkerError` for garbage and for errors that the provider reports.

        Neither changes an answer that has its finish reason already, also if they come in one piece with it.
        """
        self.is_progressing = False
        text = self._half + "".join([self._read(event) for event in self._events.feed(received)])
        if text.isascii():
            return text
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return _whole(text.removesuffix(self._half))

    def _read(self, event: bytes) -> str:
        self.has_begun = True
        if self.has_end_marker or event.startswith(END_MARKER):
            self.has_end_marker = True
            return ""
        try:
            chunk = _parse(event)
            if (error := chunk.get("error")) and not self.finish_reason:
                raise reported_error(self._host, error)
            if usage := chunk.get("usage"):
                self._count(usage)
            choices = chunk.get("choices")
            return self._choose(choices[0]) if choices else ""
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
            if self.finish_reason:
                return ""
            raise StreamCutError(f"{self._host} sent something that is not a piece of an answer.") from error

    def _choose(self, choice: dict[str, Any]) -> str:
        delta = choice.get("delta") or {}
        content = delta.get("content") or ""
        text = content if isinstance(content, str) else _text_of(content)
        self.finish_reason = self.finish_reason or str(choice.get("finish_reason") or "")
        if content or delta.get("reasoning_content") or delta.get("reasoning"):
            self.is_progressing = True
        return text

    def _count(self, usage: dict[str, Any]) -> None:
        self.prompt_tokens = _count_or_none(usage.get("prompt_tokens"))
        self.completion_tokens = _count_or_none(usage.get("completion_tokens"))


def _text_of(parts: Any) -> str:
    """The text of a content that comes in parts, as Mistral's thinking models send it; their thinking is no text."""
    if not isinstance(parts, list):
        raise TypeError
    return "".join([part["text"] for part in parts if part["type"] == "text"])


def _parse(event: bytes) -> Any:
    try:
        return orjson.loads(event)
    except orjson.JSONDecodeError:  # it does not take halves of characters, which JSON allows
        return json.loads(event)


def _whole(text: str) -> str:
    """The text with halves of characters put together; what is left of them stays as it is."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _count_or_none(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None
