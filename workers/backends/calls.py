"""Calls to providers: the sockets below the HTTP client.

Three things can only be done here. Every connection goes to an address that `workers.addresses` has just
permitted, so a name that leads elsewhere a moment later gains nothing. Every wait, from connecting to the last
byte, ends at the call's deadline, and no call takes in more than its allowance. And another thread can hang up,
whatever the call is waiting for.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, ClassVar, Self

import httpcore2
import httpx2
import openai

from workers import addresses
from workers.errors import BackendUnavailableError, ProviderRefusedError, ProviderTimeoutError, StreamCutError

CONNECT_SECONDS = 5.0
PAUSE_PER_CALL_SECONDS = 0.0001
LONGEST_PAUSE_SECONDS = 0.03
IDLE_CONNECTION_SECONDS = 30.0
IDLE_CONNECTIONS = 20
CLIENTS = 32
# What a provider gets to know. The rest of what the SDK sends describes this machine, or comes from variables
# of its environment that were meant for another provider.
SENT_HEADERS = {
    *(b"host", b"accept", b"content-type", b"content-length", b"user-agent", b"connection", b"x-request-id")
}


class Call:
    """One request and its response: a deadline, an allowance of bytes, and a way to hang up.

    `with call:` makes it the call that this thread's connections belong to, until the response has begun.
    """

    _current = threading.local()
    _receiving: ClassVar[set[Call]] = set()  # those of this process whose answer has begun

    def __init__(self, host: str, seconds: float, allowance: int) -> None:
        self.host = host
        self._allowance = allowance
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._was_hung_up = False
        self.expect_within(seconds)

    def __enter__(self) -> Self:
        Call._current.call = self
        return self

    def __exit__(self, *_: object) -> None:
        del Call._current.call

    @classmethod
    def current(cls) -> Call:
        call: Call = cls._current.call
        return call

    def expect_within(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now."""
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Until the deadline. Raises `ProviderTimeoutError` when it has passed."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.timeout()
        return left

    def timeout(self) -> ProviderTimeoutError:
        return ProviderTimeoutError(f"{self.host} sent no text for {self._seconds:g} seconds.")

    def begin(self) -> None:
        """Its answer has begun: from now on it shares the process's time with the others, until `detach`."""
        Call._receiving.add(self)

    def pause(self) -> None:
        """Let bytes gather before they are read, the longer the more calls are receiving.

        To wake a thread and to hand on what it read costs much the same for one token as for five.
        """
        if self in Call._receiving:
            time.sleep(min(len(Call._receiving) * PAUSE_PER_CALL_SECONDS, LONGEST_PAUSE_SECONDS))

    def take(self, received: int) -> None:
        """Count bytes against the allowance. Raises `StreamCutError` when it is used up."""
        self._allowance -= received
        if self._allowance < 0:
            raise StreamCutError(f"{self.host} sent far more than the answer that was asked for.")

    def use(self, sock: socket.socket) -> None:
        """From now on hanging up means this socket."""
        with self._lock:
            self._socket = sock
            if self._was_hung_up:
                _shut(sock)

    def hang_up(self) -> None:
        """Wake whoever waits for this call, with an error or the end of the stream. From any thread, any time."""
        with self._lock:
            self._was_hung_up = True
            if self._socket:
                _shut(self._socket)

    def detach(self) -> None:
        """The answer is complete: hanging up must not hit the connection's next call."""
        Call._receiving.discard(self)
        with self._lock:
            self._socket = None


def _shut(sock: socket.socket) -> None:
    # The method of the plain socket: SSLSocket's own forgets the TLS state that the reading thread is using.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Stream(httpcore2.NetworkStream):
    """A connection. It belongs to the call that wrote to it last."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._socket = sock
        self._call = call

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._call.pause()
        self._socket.settimeout(self._call.seconds_left())
        try:
            received = self._socket.recv(max_bytes)
        except TimeoutError:
            raise self._call.timeout() from None
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error
        self._call.take(len(received))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._call = Call.current()
        self._call.use(self._socket)
        self._socket.settimeout(self._call.seconds_left())
        try:
            self._socket.sendall(buffer)
        except TimeoutError:
            raise self._call.timeout() from None
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname, do_handshake_on_connect=False)
        try:
            wrapped.settimeout(timeout)
            self._call.use(wrapped)
            wrapped.do_handshake()
        except OSError as error:
            wrapped.close()
            raise BackendUnavailableError(f"No secure connection to {self._call.host}: {error}.") from None
        return _Stream(wrapped, self._call)

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # asked of idle connections: then it means that the other side has closed
            return self._socket.fileno() < 0 or bool(_poll(self._socket))
        return self._socket if info == "socket" else None


def _poll(sock: socket.socket) -> list[tuple[int, int]]:
    poll = select.poll()  # not select(), which fails for the 1,024th open file
    poll.register(sock, select.POLLIN)
    return poll.poll(0)


class _Network(httpcore2.NetworkBackend):
    """Opens connections to permitted addresses only."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        call = Call.current()
        try:
            found = addresses.permitted_addresses(host, port)
        except addresses.ForbiddenAddressError as error:
            raise ProviderRefusedError(str(error)) from None
        reason = "its name cannot be resolved"
        for address in found:
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            call.use(sock)
            try:
                sock.settimeout(timeout)
                sock.connect((address, port))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                reason = error.strerror or str(error)
            else:
                return _Stream(sock, call)
        raise BackendUnavailableError(f"{call.host} cannot be reached: {reason}.")


@cache
def _trust() -> ssl.SSLContext:
    """Whom to trust. Honours SSL_CERT_FILE, which is how an operator trusts the authority of a company."""
    return httpcore2.default_ssl_context()


class _Transport(httpx2.HTTPTransport):
    """httpx's own transport, over `_Network`."""

    def __init__(self) -> None:
        super().__init__(verify=_trust(), trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_trust(),
            max_connections=None,  # the worker's threads are the limit
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_CONNECTION_SECONDS,
            network_backend=_Network(),
        )


def prepare() -> None:
    """Load what the first call of a process would otherwise wait for: 0.1 s of a processor."""
    import_module("openai.resources.chat.completions")
    _trust()


@lru_cache(maxsize=CLIENTS)
def client(base_url: str, api_key: str) -> openai.OpenAI:
    """The SDK's client for a provider: no retries, redirects, proxies or environment, connections kept.

    Requests are made inside `with call:`. Raises `ProviderRefusedError` for an address or key that cannot work.
    """
    try:
        addresses.parse_url(base_url)
    except addresses.ForbiddenAddressError as error:
        raise ProviderRefusedError(str(error)) from None
    if not api_key.isascii() or (api_key and not api_key.isprintable()):
        raise ProviderRefusedError("The key has characters that no key has. Enter it again.")
    sent = SENT_HEADERS | {b"authorization"} if api_key else SENT_HEADERS

    def keep_to_the_point(request: httpx2.Request) -> None:
        kept = [(name, value) for name, value in request.headers.raw if name.lower() in sent]
        request.headers = httpx2.Headers([*kept, (b"Accept-Encoding", b"identity")])

    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise ProviderRefusedError(f"This is not a valid address: {error}.") from None
    return openai.OpenAI(
        base_url=url,
        api_key=api_key or "none",
        default_headers={"Authorization": f"Bearer {api_key}"},
        max_retries=0,
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        http_client=httpx2.Client(
            transport=_Transport(),
            trust_env=False,
            follow_redirects=False,
            event_hooks={"request": [keep_to_the_point], "response": [_refuse_encoding]},
        ),
    )


def _refuse_encoding(response: httpx2.Response) -> None:
    """Compressed bytes could grow without limit, and nobody asked for them."""
    if response.headers.get("content-encoding", "identity") != "identity":
        response.close()
        raise StreamCutError("The answer is compressed although that was not asked for.")
