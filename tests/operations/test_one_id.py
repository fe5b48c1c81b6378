"""One id from the browser to the provider and back, through every process and over the death of one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils.datastructures import CaseInsensitiveMapping
from websockets.sync import client
from websockets.typing import Origin

from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.conftest import Connect
from tests.environment import free_port
from tests.operations.collector import Collector, Span
from tests.sessions import session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def _until(socket: client.ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=60))
        if frame["type"] == kind:
            return frame


def _until_text(socket: client.ClientConnection) -> None:
    """Some of it may be there before it is watched."""
    while True:
        frame = json.loads(socket.recv(timeout=60))
        if frame["type"] == "delta" or frame.get("tail"):
            return


def _said(process: processes.Process, reply_id: str) -> str:
    """The messages of a process that are about the reply."""
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    return "\n".join(line["message"] for line in lines if line.get("reply_id") == reply_id)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def test_one_id_goes_with_a_message_through_every_process(
    defaults: None, alice: Any, provider: FakeProvider, collector: Collector, connect: Connect
) -> None:
    connect("gate3-tokens6")
    port = free_port()
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(alice)}"}
    site = f"http://127.0.0.1:{port}"
    form: dict[str, Any] = {"LOG_FORMAT": "json", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    form["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    with (
        processes.web(port, **form, PORT=str(port)) as web,
        processes.worker("route", **form) as light,
        processes.worker("remote", **form) as doomed,
        processes.reaper(**form) as reaper,
        client.connect(f"ws://127.0.0.1:{port}/ws/", origin=Origin(site), additional_headers=cookie) as socket,
    ):
        socket.send(json.dumps({"type": "send", "client_id": str(uuid.uuid4()), "text": "Hi", "route": "generate"}))
        reply_id = _until(socket, "accepted")["reply"]
        socket.send(json.dumps({"type": "attach", "reply": reply_id}))
        _until_text(socket)
        doomed.kill()
        with processes.worker("remote", **form) as successor:
            provider.release()
            finished = _until(socket, "finished")
            processes.wait_until(
                lambda: {"socket send", "completion"} <= {span.name for span in collector.of(uuid.UUID(reply_id).hex)},
                what="the spans of the answer",
            )
    assert finished["status"] == "done"
    told = [CaseInsensitiveMapping(request.headers)["X-Request-ID"] for request in provider.chats]
    assert told == [reply_id, reply_id]
    assert "is accepted" in _said(web, reply_id)
    assert "Decided: generate" in _said(light, reply_id)
    assert "attempt 2 begins" in _said(reaper, reply_id)
    assert "is done" in _said(successor, reply_id)
    _check_trace(collector.of(uuid.UUID(reply_id).hex), uuid.UUID(reply_id))


def _check_trace(trace: list[Span], reply_id: uuid.UUID) -> None:
    """One tree over three processes, whose first span can be told from the reply's id."""
    named = {span.name: span for span in trace}
    assert set(named) == {"socket send", "queue wait", "turn", "decide", "completion", "call model"}
    first = named["socket send"]
    assert (first.parent_id, first.span_id) == ("", reply_id.hex[16:])
    assert named["turn"].parent_id == named["completion"].parent_id == named["queue wait"].parent_id == first.span_id
    assert named["decide"].parent_id == named["turn"].span_id
    assert named["call model"].parent_id == named["completion"].span_id
    assert named["decide"].attributes["route"] == "generate"
    assert named["call model"].attributes["gen_ai.request.model"] == "gate3-tokens6"
    assert named["call model"].attributes["gen_ai.usage.output_tokens"] == 5
    assert named["completion"].attributes["attempt"] == 2
    assert len({named[name].instance for name in ("socket send", "turn", "completion")}) == 3
    waits = {(span.attributes["queue"], span.attributes["attempt"]) for span in trace if span.name == "queue wait"}
    assert waits >= {("route", 1), ("remote", 2)}
