"""A WebSocket client that costs next to nothing, because the load shares its processors with what is measured."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from typing import Any, Self

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Socket(asyncio.Protocol):
    """One connection, after RFC 6455: whole messages, no extensions. Use `Socket.open`."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._is_open = False

    @classmethod
    async def open(cls, port: int, path: str, **headers: str) -> Self:
        """Connect to this machine. Raises `ConnectionError` if the server does not switch protocols."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, "", ""]).encode()
        _, socket = await asyncio.get_running_loop().create_connection(lambda: cls(request), "127.0.0.1", port)
        if await socket.receive() is None:
            raise ConnectionError("The server did not open a WebSocket.")
        return socket

    async def receive(self) -> bytes | None:
        """The next text message; None when the connection has ended."""
        return await self._messages.get()

    def send(self, message: bytes) -> None:
        self._write(TEXT, message)

    def close(self) -> None:
        self._write(CLOSE, b"")
        self._transport.close()

    # --- the connection ----------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self._messages.put_nowait(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_open:
            head, blank, rest = self._received.partition(b"\r\n\r\n")
            if not blank:
                return
            self._is_open, self._received = head.startswith(b"HTTP/1.1 101"), rest
            self._messages.put_nowait(b"" if self._is_open else None)
        while frame := self._next_frame():
            opcode, payload = frame
            if opcode == TEXT:
                self._messages.put_nowait(payload)
            elif opcode == PING:
                self._write(PONG, payload)
            elif opcode == CLOSE:
                self._transport.close()

    def _next_frame(self) -> tuple[int, bytes] | None:
        received = self._received
        if len(received) < 2:
            return None
        start, length = 2, received[1] & 127
        if length > 125:
            start = 4 if length == 126 else 10
            if len(received) < start:
                return None
            length = int.from_bytes(received[2:start], "big")
        if len(received) < start + length:
            return None
        self._received = received[start + length :]
        return received[0] & 15, received[start : start + length]

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._transport.is_closing():
            return  # whoever reads will hear of it
        length = len(payload)
        size = struct.pack("!B", 128 | length) if length < 126 else struct.pack("!BH", 128 | 126, length)
        self._transport.write(bytes([128 | opcode]) + size + bytes(4) + payload)  # masked with zeros
