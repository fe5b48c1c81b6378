"""Server-sent events from bytes, as they arrive from the network.

After "Interpreting an event stream" of the HTML standard; only the `data` field is of use to us.
"""

from __future__ import annotations

import codecs

from workers.errors import StreamCutError

MAX_EVENT_BYTES = 1_000_000


class EventSplitter:
    """Gives the data of each event, however its bytes were cut into pieces."""

    def __init__(self) -> None:
        self._line = bytearray()  # the beginning of a line that has not ended yet
        self._data: list[bytes] = []  # lines of an event that has not ended yet
        self._data_bytes = 0
        self._ended_with_cr = False
        self._is_at_start = True

    def feed(self, received: bytes) -> list[bytes]:
        """The events that end in `received`. Raises `StreamCutError` for one over `MAX_EVENT_BYTES`."""
        if self._ended_with_cr and received:
            self._ended_with_cr = False
            received = received.removeprefix(b"\n")  # the second half of a CR LF
        if b"\n" not in received and b"\r" not in received:
            self._line += received
            self._check_size()
            return []
        self._ended_with_cr = received.endswith(b"\r")
        lines = (bytes(self._line) + received).splitlines()
        self._line = bytearray() if received.endswith((b"\n", b"\r")) else bytearray(lines.pop())
        events = [event for line in lines if (event := self._end_line(line)) is not None]
        self._check_size()
        return events

    def _end_line(self, line: bytes) -> bytes | None:
        """Take in one line; an empty one ends the event and gives its data, if there is any."""
        if self._is_at_start:
            self._is_at_start = False
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            self._data_bytes += len(line)
            self._check_size()
        elif not line and self._data:
            event = b"\n".join(self._data)
            self._data.clear()
            self._data_bytes = 0
            return event or None
        return None

    def _check_size(self) -> None:
        if len(self._line) + self._data_bytes > MAX_EVENT_BYTES:
            raise StreamCutError(f"One piece of the answer is longer than {MAX_EVENT_BYTES:,} bytes.")
