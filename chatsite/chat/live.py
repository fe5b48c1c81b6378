"""A reply while it is being written: events in, frames for browsers out. No I/O."""

from __future__ import annotations

from collections import deque
from typing import Any
from uuid import UUID

from chatsite.chat.rendering import BlockRenderer
from workers.events import Event, Kind, Offset

Frame = dict[str, Any]

KEPT_FRAMES = 200  # whoever has missed more gets a snapshot, which is shorter


class LiveReply:
    """Folds the events of one reply; keeps the newest frames of the current attempt for those who come back."""

    def __init__(self, reply_id: UUID) -> None:
        self.reply_id = reply_id
        self.is_over = False
        self._offset = Offset(0, 0)
        self._attempt = 0
        self._is_loading = False
        self._renderer = BlockRenderer()
        self._frames: deque[tuple[Offset, Frame]] = deque(maxlen=KEPT_FRAMES)

    def receive(self, event: Event) -> list[Frame]:
        """The frames that an event means for whoever watches."""
        self._offset = event.offset
        frames = list(self._frames_of(event))
        self._frames.extend((event.offset, frame) for frame in frames)
        return frames

    def since(self, after: Offset | None) -> list[Frame]:
        """What somebody who has everything up to `after` has missed; a snapshot if that cannot be told."""
        if after is not None and self._frames and not after < self._frames[0][0]:
            return [frame for offset, frame in self._frames if after < offset]
        return [self._snapshot()] if self._attempt else []

    def _frames_of(self, event: Event) -> list[Frame]:
        match event.kind:
            case Kind.STARTED | Kind.RESET:
                self._frames.clear()
                self._renderer = BlockRenderer()
                self._is_loading = False
                self._attempt = event.offset.attempt
                return [self._frame(event.kind, attempt=self._attempt, model=event.data.get("model", ""))]
            case Kind.LOADING | Kind.LOADED:
                self._is_loading = event.kind == Kind.LOADING
                return [self._frame(event.kind)]
            case Kind.DELTA:
                return self._delta(event)
            case Kind.DONE | Kind.FAILED | Kind.CANCELLED:
                self.is_over = True
        return []

    def _delta(self, event: Event) -> list[Frame]:
        delta = self._frame("delta", at=event.position, text=event.text)
        blocks = self._renderer.feed(event.text)
        return [delta, *(self._frame("block", html=block.html, upto=block.upto) for block in blocks)]

    def _snapshot(self) -> Frame:
        renderer = self._renderer
        return self._frame(
            "snapshot",
            attempt=self._attempt,
            is_loading=self._is_loading,
            html=renderer.html,
            tail=renderer.tail,
            length=renderer.length,
        )

    def _frame(self, kind: str, **content: Any) -> Frame:
        return {"type": kind, "reply": str(self.reply_id), "offset": str(self._offset), **content}
