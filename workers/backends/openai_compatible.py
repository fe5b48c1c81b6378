"""Models behind any server that speaks the OpenAI chat-completions protocol.

The `openai` SDK makes the request; the bytes of the response are read by `workers.backends.chat_chunks`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import httpx2
import openai
from django.conf import settings

from workers.backends.base import Backend, Cancellation, Deltas, Outcome, Run
from workers.backends.calls import Call, client
from workers.backends.chat_chunks import AnswerReader
from workers.backends.provider_errors import no_stream_error, status_error
from workers.backends.sampling import sampling
from workers.errors import (
    BackendUnavailableError,
    ProviderRefusedError,
    ProviderTimeoutError,
    StreamCutError,
    UnknownModelError,
    WorkerError,
)
from workers.prompts.generate import estimated_tokens
from workers.prompts.prompt import alternating

# A token comes in a chunk of 200 to 1,000 bytes; whoever sends more than this does not know when to stop.
BYTES_PER_TOKEN = 4_000
BYTES_BESIDES = 1_000_000  # headers and error messages
LIST_BYTES = 8_000_000  # the longest list of models that is read
USAGE_SECONDS = 1.0  # how long the usage and the end marker may take after the finish reason
LAST_BYTES_SECONDS = 0.1  # and the end of the response after the end marker
CHECK_TOKENS = 8
NAMES_SHOWN = 10
_STRICT_ROLES = re.compile(r"roles must alternate|system role (is )?not supported|only user and assistant roles", re.I)
ERROR_BYTES = 10_000  # of a response that is no answer: what is read of it


class OpenAICompatibleBackend(Backend):
    """Runs `run.identifier` at `run.base_url`.

    An answer is complete when its `finish_reason` has come. Cancelling shuts the socket that is being waited
    for, and closing the generator closes the connection: either way the provider sees that nobody listens.
    """

    def __init__(self) -> None:
        # What models have refused, so that the next request to them goes without it.
        self._refused: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def stream(self, run: Run, cancellation: Cancellation) -> Deltas:
        sdk = client(run.base_url, run.api_key)
        allowance = BYTES_BESIDES + BYTES_PER_TOKEN * run.max_output_tokens
        call = _call(sdk, settings.FIRST_TOKEN_TIMEOUT_SECONDS, allowance)
        cancellation.on_set(call.hang_up)
        try:
            response = self._request(sdk, run, call)
            try:
                return (yield from _read(response, call, cancellation))
            finally:
                call.detach()
                response.close()
        except WorkerError:
            if cancellation.is_set():
                return Outcome()
            raise

    def check(self, run: Run) -> str:
        """One sentence about the provider: what it offers and, if `run` names a model, that it answers."""
        offer = _offer(list_models(run, settings.FIRST_TOKEN_TIMEOUT_SECONDS))
        if not run.identifier:
            return f"The provider can be reached. {offer}"
        try:
            return f"{super().check(replace(run, max_output_tokens=CHECK_TOKENS))} {offer}"
        except UnknownModelError as error:
            raise UnknownModelError(f"{error} {offer}") from None

    def _request(self, sdk: openai.OpenAI, run: Run, call: Call) -> httpx2.Response:
        """Send the prompt; again without it if the server refuses something that can be left out."""
        known = self._refused[run.base_url, run.identifier]
        refused = known.copy()
        while True:
            try:
                with call:
                    # Not `sdk.chat.completions.create`, which looks at every message of the prompt against its types.
                    response = sdk.post(
                        "/chat/completions",
                        body=_body(run, refused),
                        options={"headers": _headers(run)},
                        cast_to=object,
                        stream=True,
                        stream_cls=openai.Stream[object],
                    ).response
            except openai.APIStatusError as error:
                newly = _refused_parts(error) - refused
                if not newly:
                    raise status_error(call.host, error, run.api_key) from None
                refused |= newly
            except (openai.APIConnectionError, httpx2.HTTPError):
                raise BackendUnavailableError(f"{call.host} ended the connection without an answer.") from None
            else:
                known |= refused  # only what has helped: an error may name anything that was sent
                return response


def _call(sdk: openai.OpenAI, seconds: float, allowance: int) -> Call:
    return Call(sdk.base_url.netloc.decode(), seconds, allowance)


def _body(run: Run, refused: set[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": run.identifier,
        "messages": run.prompt,
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling(run),
    }
    body["max_tokens"] = _with_room(run, body["max_tokens"])
    if "roles" in refused:
        body["messages"] = alternating(run.prompt)
    if "stream_options" in refused:
        del body["stream_options"]
    if "max_tokens" in refused:  # OpenAI's newer models know it by another name
        body["max_completion_tokens"] = body.pop("max_tokens")
    return body


def _with_room(run: Run, wanted: int) -> int:
    """As many of the wanted tokens as the window has room for beside the prompt: many servers refuse to give more.

    A prompt is made to leave half of the window, or all that the model may write.
    """
    half = run.context_window // 2
    if wanted <= half:
        return wanted
    return min(wanted, max(half, run.context_window - sum(map(estimated_tokens, run.prompt))))


def _headers(run: Run) -> dict[str, str]:
    return {"X-Request-ID": run.request_id} if run.request_id else {}


def _refused_parts(error: openai.APIStatusError) -> set[str]:
    """What of a request the server says it cannot take, of that which we can do without or put in another way."""
    refused = set()
    if _STRICT_ROLES.search(str(error.body)):  # whatever its status: it comes from the template of the model
        refused.add("roles")
    if error.status_code not in (400, 422):
        return refused
    if "stream_options" in str(error.body):
        refused.add("stream_options")
    if "max_completion_tokens" in str(error.body):
        refused.add("max_tokens")
    return refused


def _read(response: httpx2.Response, call: Call, cancellation: Cancellation) -> Deltas:
    """Yield the text as it comes. What follows the finish reason may be late or missing; the answer stands."""
    answer = AnswerReader(call.host)
    beginning = b""
    try:
        for received in response.iter_raw():
            text = answer.feed(received)
            if not answer.has_begun:
                beginning = (beginning + received)[:ERROR_BYTES]
            if cancellation.is_set():
                break
            if text:
                yield text
                call.begin()
            if answer.finish_reason:
                call.detach()
                call.expect_within(LAST_BYTES_SECONDS if answer.has_end_marker else USAGE_SECONDS)
            elif answer.is_progressing:
                call.expect_within(settings.BETWEEN_TOKENS_TIMEOUT_SECONDS)
    except (ProviderTimeoutError, StreamCutError):
        if not answer.finish_reason:
            raise
    except httpx2.HTTPError:
        pass  # the connection broke; whether the answer was complete by then is decided below
    if not cancellation.is_set():
        if not answer.has_begun:
            raise no_stream_error(call.host, response.headers.get("content-type", ""), beginning)
        _check_finish(answer.finish_reason, call.host)
    return Outcome(
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        was_cut_short=answer.finish_reason == "length",
    )


def _check_finish(finish_reason: str, host: str) -> None:
    if not finish_reason:
        raise StreamCutError(f"{host} stopped in the middle of the answer.")
    if finish_reason == "content_filter":
        raise ProviderRefusedError(f"The content filter of {host} stopped the answer.")
    if finish_reason in ("error", "abort"):
        raise StreamCutError(f"{host} gave up in the middle of the answer.")


def list_models(run: Run, seconds: float) -> list[str]:
    """The names that the provider lists within `seconds`; empty if it does not list any, which is no fault.

    Raises `workers.errors.WorkerError` if it cannot be reached or does not accept the key.
    """
    sdk = client(run.base_url, run.api_key)
    call = _call(sdk, seconds, LIST_BYTES)
    try:
        with call:
            return sorted(str(model.id)[:80] for model in sdk.models.list().data)
    except openai.APIStatusError as error:
        if error.status_code in (401, 403):
            raise status_error(call.host, error, run.api_key) from None
        return []
    except (openai.APIConnectionError, httpx2.HTTPError):
        raise BackendUnavailableError(f"{call.host} ended the connection without an answer.") from None
    except (openai.OpenAIError, AttributeError, TypeError, ValueError):
        return []


def _offer(names: list[str]) -> str:
    if not names:
        return "It does not list its models."
    shown = ", ".join(names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"It offers {shown}{more}."
