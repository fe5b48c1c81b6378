"""A provider for tests: a real HTTP server that speaks the OpenAI chat-completions protocol.

What it does is chosen by the name of the model: parts joined with `-`, of which a number says when or how often.

    tokens20        twenty tokens, "t0 t1 t2 "… (5 without it)     delay5        5 ms before each token
    echo            the text of the last message as the answer     thinking3     three tokens of thinking first
    hang            accepts the request and says nothing           hang3         falls silent after 3 tokens
    cut3            drops the connection after 3 tokens            stop3         ends cleanly, without finish reason
    marker3         the same with an end marker                    garbage3      a line that is not JSON
    gate, gate3     waits for `release()` or POST /gate/release    failing3      reports an error in the stream
    error500        any status; with times2 for the first two      limited7      429 with Retry-After: 7; times2 too
    multibyte       tokens of several bytes, one byte at a time    longline      a line of 10 MB
    length          finish reason "length"                         filtered      stopped by the content filter
    comments        comments for ever                              endless       tokens for ever
    lingers         keeps the response open after its end          nofinish      no end at all after the finish reason
    nousage         refuses `stream_options`                       newname       wants `max_completion_tokens`
    toolong         400 context_length_exceeded                    redirect      302
    gzip            says that the answer is compressed             json          answers without streaming
    hugeerror       500 with an endless body              body400         any status; the last message as JSON body
    page            200 with a page of HTML               strict          wants user and assistant in turns

It records each request: `body`, `headers`, and two events: `fell_silent` when it hangs or waits at the gate, and
`hung_up` when the client has closed early.
"""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LISTED_MODELS = ["small", "large"]
WAIT_SECONDS = 20


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    client_port: int
    fell_silent: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


class FakeProvider:
    """`with FakeProvider() as provider:` serves on `provider.base_url` until the block ends."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.gate = threading.Event()
        self.closing = threading.Event()
        self._arrived = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def release(self) -> None:
        """Let every request that waits at the gate, now or later, go on."""
        self.gate.set()

    def wait_for_requests(self, count: int) -> list[Request]:
        """The chat requests so far, once there are `count` of them."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.chats) >= count, WAIT_SECONDS), "no such request came"
        return self.chats

    @property
    def chats(self) -> list[Request]:
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    def record(self, request: Request) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    provider: FakeProvider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what these tests are about."""


class _HungUpError(Exception):
    """The client has closed the connection, or the test is over."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    request: socket.socket

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._record({})
        if self.path.endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in LISTED_MODELS]})
        else:
            self._error(404, "There is nothing here.")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/gate/release"):
            self.server.provider.release()
            return self._json(200, {})
        self._recorded = self._record(json.loads(body))
        try:
            self._chat(self._recorded)
        except (_HungUpError, ConnectionError):
            self._recorded.hung_up.set()
            self.close_connection = True
        return None

    def _record(self, body: dict[str, Any]) -> Request:
        request = Request(self.path, dict(self.headers), body, self.client_address[1])
        self.server.provider.record(request)
        return request

    # --- Answers -------------------------------------------------------------------------------------------
    def _chat(self, request: Request) -> None:
        self.does = dict(re.findall(r"\b([a-z]+)(\d*)", request.model))
        if refusal := self._refusal(request):
            return self._error(*refusal)
        if self.does.get("hang") == "":
            self._wait(None)
        if self.does.get("gate") == "":
            self._wait(self.server.provider.gate)
        if status := self.does.get("body"):
            return self._json(int(status), json.loads(request.body["messages"][-1]["content"]))
        if "page" in self.does:
            return self._json(200, "<!doctype html>", {"Content-Type": "text/html; charset=utf-8"})
        if "json" in self.does:
            return self._json(200, {"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]})
        self._begin()
        sent = 0
        for token in self._tokens(request):
            self._misbehave(sent)
            if delay := self.does.get("delay"):
                self._wait(None, float(delay) / 1000)
            self._delta({"content": token})
            sent += 1
        self._misbehave(sent)
        return self._end(request)

    def _refusal(self, request: Request) -> tuple[int, str, str, dict[str, str]] | None:
        """Status, message, code and headers, if this request is refused."""
        if "stream_options" in request.body and "nousage" in self.does:
            return 400, "Unrecognized request argument supplied: stream_options", "", {}
        if "max_tokens" in request.body and "newname" in self.does:
            return 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "", {}
        roles = [message["role"] for message in request.body["messages"]]
        if "strict" in self.does and roles != [["user", "assistant"][place % 2] for place in range(len(roles))]:
            return 400, "Conversation roles must alternate user/assistant/user/assistant/...", "", {}
        if "toolong" in self.does:
            message = "This model's maximum context length is 4096 tokens."
            return 400, message, "context_length_exceeded", {}
        if "redirect" in self.does:
            return 302, "", "", {"Location": "http://127.0.0.1:1/v1"}
        if "hugeerror" in self.does:
            self._endless_error()
        asked = sum(earlier.model == request.model for earlier in self.server.provider.requests)
        if asked <= int(self.does.get("times", "1000")):
            if "limited" in self.does:
                return 429, "Slow down.", "rate_limit_exceeded", {"Retry-After": self.does["limited"]}
            if status := self.does.get("error"):
                key = self.headers.get("Authorization", "").removeprefix("Bearer ")
                return int(status), f"Simulated failure {status}.\nYour key was {key}.", "", {}
        return None

    def _tokens(self, request: Request) -> Iterator[str]:
        if "echo" in self.does:
            return iter(re.findall(r"\S+\s*|\s+", request.body["messages"][-1]["content"]))
        word = "é😀" if "multibyte" in self.does else "t"
        count = 10**9 if "endless" in self.does else int(self.does.get("tokens", "5"))
        return (f"{word}{number} " for number in range(count))

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        if "gzip" in self.does:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self._delta({"role": "assistant", "content": ""})
        for number in range(int(self.does.get("thinking", "0"))):
            self._delta({"reasoning_content": f"hm{number} "})
        while "comments" in self.does:
            self._send(b": still here\n\n")
            self._wait(None, 0.01)

    def _misbehave(self, sent: int) -> None:
        """Do what the name says about the moment after `sent` tokens."""
        now = {name for name, number in self.does.items() if number == str(sent)}
        if "hang" in now:
            self._wait(None)
        if "gate" in now:
            self._wait(self.server.provider.gate)
        if "cut" in now:
            self.request.shutdown(socket.SHUT_RDWR)
            raise _HungUpError
        if "stop" in now or "marker" in now:
            self._send(b"data: [DONE]\n\n" if "marker" in now else b"\n")
            self._close_body()
            raise _HungUpError
        if "garbage" in now:
            self._send(b'data: {"choices": [{"del\n\n')
        if "failing" in now:
            self._event({"error": {"message": "The engine has died.", "code": 502}})
        if "longline" in self.does and not sent:
            self._send(b"data: " + b"x" * 10_000_000)

    def _end(self, request: Request) -> None:
        reason = "length" if "length" in self.does else "content_filter" if "filtered" in self.does else "stop"
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if "nofinish" in self.does:
            self._wait(None)
        if request.body.get("stream_options", {}).get("include_usage"):
            self._event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}})
        self._send(b"data: [DONE]\n\n")
        if "lingers" in self.does:
            self._wait(None)
        self._close_body()

    def _delta(self, delta: dict[str, str]) -> None:
        self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _event(self, chunk: dict[str, Any]) -> None:
        self._send(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n")

    # --- Bytes ---------------------------------------------------------------------------------------------
    def _send(self, piece: bytes) -> None:
        pieces = [piece[i : i + 1] for i in range(len(piece))] if "multibyte" in self.does else [piece]
        for part in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def _close_body(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _json(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        self._json(status, {"error": {"message": message, "type": "error", "code": code or None}}, headers)

    def _endless_error(self) -> None:
        self.send_response(500)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            self._send(b"x" * 65536)

    def _wait(self, event: threading.Event | None, seconds: float = 3600.0) -> None:
        """Until `event` is set or the time is over. Raises `_HungUpError` as soon as the client is gone."""
        if seconds > 1:
            self._recorded.fell_silent.set()
        poll = select.poll()
        poll.register(self.request, select.POLLIN)
        step_seconds = min(0.01, seconds)
        for _ in range(max(1, round(seconds / step_seconds))):
            if self.server.provider.closing.is_set():
                raise _HungUpError
            if poll.poll(step_seconds * 1000):
                with suppress(BlockingIOError):
                    if not self.request.recv(1, socket.MSG_PEEK):
                        raise _HungUpError
            if event and event.is_set():
                return
