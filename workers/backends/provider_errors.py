"""What a provider's refusal means: HTTP statuses and error objects to `workers.errors`.

The texts are for admins. They carry at most the provider's own one-line message, never headers, bodies or keys.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import openai

from workers import secrets
from workers.errors import (
    BackendUnavailableError,
    ContextTooLongError,
    ProviderRefusedError,
    RateLimitedError,
    StreamCutError,
    UnknownModelError,
    WorkerError,
)

MAX_MESSAGE_CHARACTERS = 200
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|(length|window|size) of the context|(prompt|input).{0,20}too long"
    r"|too many (input )?tokens|inputs\W{1,3}(tokens|must have)|token count.{0,30}exceeds"
    r"|maximum (prompt|model) length",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,200}(not found|not exist|unknown|not available)|(no such|unknown) model", re.IGNORECASE
)


def status_error(host: str, error: openai.APIStatusError, api_key: str) -> WorkerError:
    """The error that an HTTP status from `host` stands for."""
    headers = error.response.headers
    is_page = isinstance(error.body, str) and "json" not in headers.get("content-type", "")
    said = "" if is_page else _message(error.body, api_key)
    return _error(host, error.status_code, error.code or error.type or "", said, retry_after(headers))


def reported_error(host: str, error: object) -> WorkerError:
    """The error that `host` reports in the middle of a stream."""
    details = error if isinstance(error, Mapping) else {"message": error}
    code = str(details.get("code") or details.get("type") or "")
    status = int(code) if re.fullmatch(r"[1-5]\d\d", code) else _STATUS_OF_CODE.get(code, 500)
    return _error(host, status, code, _message(details, ""), 1.0)


def no_stream_error(host: str, kind: str, body: bytes) -> WorkerError:
    """What a response means that is no stream of events although it began well; `kind` is its content type."""
    with suppress(ValueError, RecursionError):
        answer = json.loads(body)
        if isinstance(answer, Mapping) and answer.get("error"):
            return reported_error(host, answer["error"])
    if kind.startswith(("text/html", "application/json")):
        return ProviderRefusedError(
            f"{host} does not answer with a stream of events. Is the base URL right, up to and including its /v1?"
        )
    return StreamCutError(f"{host} ended the answer before it began.")


_STATUS_OF_CODE = {
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "content_filter": 400,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
}


def _error(host: str, status: int, code: str, message: str, retry_after_seconds: float) -> WorkerError:
    said = f": {message}" if message else "."
    if status == 401:  # without the message: it tends to repeat a part of the key
        return ProviderRefusedError(f"{host} does not accept the key (401). Enter it again.")
    if status == 404 or code == "model_not_found" or (status in (400, 422) and _NO_MODEL.search(message)):
        return UnknownModelError(f"{host} does not know this model, or the base URL is a wrong one ({status}){said}")
    if status == 429 and code != "insufficient_quota":
        return RateLimitedError(f"{host} asks for fewer requests (429){said}", retry_after_seconds)
    if status == 413 or code.startswith(("context_length", "exceed_context")) or _TOO_LONG.search(message):
        return ContextTooLongError(f"{host} cannot take a prompt this long ({status}){said}")
    if status in (408, 504):
        return BackendUnavailableError(f"{host} gave up waiting for its model ({status}){said}")
    if status >= 500:
        return BackendUnavailableError(f"{host} has a failure of its own ({status}){said}")
    if status < 400:
        return ProviderRefusedError(f"{host} redirects to another address ({status}). Enter the final one.")
    return ProviderRefusedError(f"{host} refuses the request ({status}){said}")


def _message(body: Any, api_key: str) -> str:
    """The provider's message as one short line, without the key."""
    found = _said(body)
    line = " ".join(found[:4000].split())
    line = "".join(character for character in line if character.isprintable())
    if api_key:
        line = line.replace(api_key, secrets.MASK)
    line = secrets.masked(line)
    return line if len(line) <= MAX_MESSAGE_CHARACTERS else line[: MAX_MESSAGE_CHARACTERS - 1] + "…"


_SAID_UNDER = ("message", "detail", "error", "msg")


def _said(body: Any) -> str:
    """The words in an error object, however servers wrap them: in objects, in lists, or in nothing at all."""
    for _ in range(5):
        if isinstance(body, list):
            body = body[:1] and body[0]
        elif isinstance(body, Mapping):
            body = next((body[name] for name in _SAID_UNDER if body.get(name)), "")
    return body if isinstance(body, str) else ""


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, from `Retry-After` as a number or a date (RFC 9110, 10.2.3); 1 if it says neither."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value) if value[:1].isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 1.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 1.0
