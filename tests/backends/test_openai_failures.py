"""A provider that refuses, hangs, cuts off or talks nonsense: a typed error that tells nothing it should not."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.backends.fake_provider import FakeProvider
from tests.backends.reading import read, read_until_error
from workers.backends.base import Cancellation, Run
from workers.backends.openai_compatible import OpenAICompatibleBackend
from workers.backends.provider_errors import retry_after
from workers.errors import (
    BackendUnavailableError,
    ContextTooLongError,
    ProviderRefusedError,
    ProviderTimeoutError,
    RateLimitedError,
    StreamCutError,
    UnknownModelError,
    WorkerError,
)

RunOf = Callable[..., Run]
KEY = "canary-1f2e3d4c5b6a"
FAILURES: dict[str, type[WorkerError]] = {
    "cut3": StreamCutError,
    "cut0": StreamCutError,
    "stop3": StreamCutError,
    "marker3": StreamCutError,
    "garbage3": StreamCutError,
    "longline": StreamCutError,
    "gzip": StreamCutError,
    "json": ProviderRefusedError,
    "page": ProviderRefusedError,
    "endless": StreamCutError,
    "hugeerror": StreamCutError,
    "failing3": BackendUnavailableError,
    "filtered": ProviderRefusedError,
    "toolong": ContextTooLongError,
    "redirect": ProviderRefusedError,
    "limited7": RateLimitedError,
    "error400": ProviderRefusedError,
    "error401": ProviderRefusedError,
    "error403": ProviderRefusedError,
    "error404": UnknownModelError,
    "error408": BackendUnavailableError,
    "error413": ContextTooLongError,
    "error500": BackendUnavailableError,
    "error503": BackendUnavailableError,
    "error504": BackendUnavailableError,
}
backend = OpenAICompatibleBackend()


@pytest.mark.parametrize("model", FAILURES)
def test_every_failure_has_its_error(run_of: RunOf, model: str) -> None:
    with pytest.raises(WorkerError) as raised:
        read(backend, run_of(model, max_output_tokens=20))
    assert type(raised.value) is FAILURES[model]


@pytest.mark.parametrize("model", FAILURES)
def test_no_error_shows_the_key(run_of: RunOf, model: str) -> None:
    with pytest.raises(WorkerError) as raised:
        read(backend, run_of(model, api_key=KEY, max_output_tokens=20))
    assert KEY not in "".join(traceback.format_exception(raised.value))
    assert len(str(raised.value)) < 400
    assert "\n" not in str(raised.value)


def test_the_providers_own_message_is_passed_on(run_of: RunOf) -> None:
    with pytest.raises(ProviderRefusedError, match="Simulated failure 403"):
        read(backend, run_of("error403"))


@pytest.mark.parametrize(
    ("status", "body", "expected", "said"),
    [
        (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 9"}, ContextTooLongError, "must be <= 9"),
        (400, {"error": "The model 'x' does not exist"}, UnknownModelError, "'x' does not exist"),
        (400, [{"error": {"code": 400, "message": "Key not valid"}}], ProviderRefusedError, "Key not valid"),
        (422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, ProviderRefusedError, "Field required"),
        (400, {"error": {"message": "The input token count (9) exceeds the most"}}, ContextTooLongError, "count"),
        (429, {"error": {"message": "Too many tokens, please wait."}}, RateLimitedError, "please wait"),
        (200, {"error": "Unexpected endpoint (POST /x)"}, BackendUnavailableError, "Unexpected endpoint"),
        (400, [[[[[[]]]]]], ProviderRefusedError, "400"),
        (400, {"message": 7, "error": None}, ProviderRefusedError, "400"),
    ],
)
def test_an_error_is_read_in_whatever_it_is_wrapped(
    run_of: RunOf, status: int, body: Any, expected: type[WorkerError], said: str
) -> None:
    prompt = [{"role": "user", "content": json.dumps(body)}]
    with pytest.raises(WorkerError, match=said) as raised:
        read(backend, run_of(f"body{status}", prompt=prompt))
    assert type(raised.value) is expected


def test_what_came_before_the_cut_was_delivered(run_of: RunOf) -> None:
    text, error = read_until_error(backend, run_of("cut3"))
    assert isinstance(error, StreamCutError)
    assert text == "t0 t1 t2 "


@pytest.mark.parametrize(("model", "text"), [("hang", ""), ("hang3", "t0 t1 t2 "), ("comments", "")])
def test_silence_times_out(run_of: RunOf, settings: Any, model: str, text: str) -> None:
    settings.FIRST_TOKEN_TIMEOUT_SECONDS = settings.BETWEEN_TOKENS_TIMEOUT_SECONDS = 0.2
    read_so_far, error = read_until_error(backend, run_of(model))
    assert isinstance(error, ProviderTimeoutError)
    assert read_so_far == text


def test_a_slow_reader_does_not_make_the_provider_late(provider: FakeProvider, run_of: RunOf, settings: Any) -> None:
    settings.BETWEEN_TOKENS_TIMEOUT_SECONDS = 0.2
    deltas = backend.stream(run_of("gate2-tokens4"), Cancellation())
    text = next(deltas)
    provider.release()
    Cancellation().wait(0.3)  # the reader is busy for longer than the provider may be silent
    assert text + "".join(deltas) == "t0 t1 t2 t3 "


def test_a_failure_that_passes_is_retryable(run_of: RunOf) -> None:
    run = run_of("error500-times2")
    for _ in range(2):
        with pytest.raises(BackendUnavailableError):
            read(backend, run)
    assert read(backend, run)[0] == "t0 t1 t2 t3 t4 "


def test_the_error_knows_how_long_to_wait(run_of: RunOf) -> None:
    with pytest.raises(RateLimitedError) as raised:
        read(backend, run_of("limited7"))
    assert raised.value.retry_after_seconds == 7


def test_retry_after_may_be_a_date_or_nonsense() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < retry_after({"retry-after": date}) <= 60
    for nonsense in ("", "soon", "nan", "-5", "1e999", "1 2"):
        assert retry_after({"retry-after": nonsense}) == 1
    assert retry_after({}) == 1


def test_a_port_where_nobody_listens_is_unavailable(run_of: RunOf) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        run = replace(run_of("tokens1"), base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(BackendUnavailableError, match="cannot be reached"):
            read(backend, run)


def test_a_name_that_does_not_exist_is_unavailable(run_of: RunOf) -> None:
    with pytest.raises(BackendUnavailableError, match="cannot be resolved"):
        read(backend, replace(run_of("tokens1"), base_url="http://nowhere.invalid/v1"))


def test_a_server_that_is_no_web_server_is_unavailable(run_of: RunOf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"220 mail.example.org ESMTP\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(BackendUnavailableError):
            read(backend, replace(run_of("x"), base_url=f"http://127.0.0.1:{server.getsockname()[1]}/v1"))


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "a\nb", "schlüssel", "a\x00"])
def test_a_key_that_cannot_be_a_header_is_refused(provider: FakeProvider, run_of: RunOf, key: str) -> None:
    with pytest.raises(ProviderRefusedError) as raised:
        read(backend, run_of("tokens1", api_key=key))
    assert key not in str(raised.value)
    assert not provider.requests
