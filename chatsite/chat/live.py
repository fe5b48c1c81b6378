"""A reply while it is being written: events in, frames for browsers out. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import groupby
from typing import Any
from uuid import UUID

from django.utils import translation

from chatsite.chat.frames import Frame
from chatsite.chat.rendering import BlockRenderer
from workers.events import Event, Kind, Offset

KEPT_FRAMES = 200  # whoever has missed more gets a snapshot, which is shorter


class LiveReply:
    """Folds the events of one reply; keeps the newest frames of the current attempt for those who come back."""

    def __init__(self, reply_id: UUID, language: str) -> None:
        self.reply_id = reply_id
        self.language = language  # of whoever reads it
        self.is_decided = False  # also if a worker was faster than the router's event
        self.is_over = False
        self._offset = Offset(0, 0)
        self._attempt = 0
        self._is_loading = False
        self._renderer = BlockRenderer(str(reply_id))
        # Each with the offset that a tab has had before it.
        self._frames: deque[tuple[Offset, Offset, Frame]] = deque(maxlen=KEPT_FRAMES)

    def receive(self, events: Iterable[Event]) -> list[Frame]:
        """The frames that events mean for whoever watches. Text that came together becomes one frame."""
        frames: list[Frame] = []
        for is_text, group in groupby(events, lambda event: event.kind == Kind.DELTA):
            for together in [list(group)] if is_text else [[event] for event in group]:
                before, self._offset = self._offset, together[-1].offset
                new = self._deltas(together) if is_text else self._frames_of(together[0])
                self._frames.extend((before, self._offset, frame) for frame in new)
                frames += new
        return frames

    def since(self, after: Offset | None) -> list[Frame]:
        """What somebody who has everything up to `after` has missed; a snapshot if that cannot be told."""
        if after is not None and self._frames:
            missed = [(before, frame) for before, offset, frame in self._frames if after < offset]
            if not missed or missed[0][0] == after:
                return [frame for _, frame in missed]
        return [self._snapshot()] if self._attempt else []

    def _frames_of(self, event: Event) -> list[Frame]:
        self.is_decided = True
        match event.kind:
            case Kind.STARTED | Kind.RESET:
                self._frames.clear()
                self._renderer = BlockRenderer(str(self.reply_id))
                self._is_loading = False
                self._attempt = event.offset.attempt
                return [self._frame(event.kind, attempt=self._attempt, model=event.data.get("model", ""))]
            case Kind.LOADING | Kind.LOADED:
                self._is_loading = event.kind == Kind.LOADING
                return [self._frame(event.kind)]
            case Kind.DONE | Kind.FAILED | Kind.CANCELLED:
                self.is_over = True
        return []

    def _deltas(self, events: list[Event]) -> list[Frame]:
        text = "".join([event.text for event in events])
        delta = self._frame("delta", at=events[0].position, text=text)
        with translation.override(self.language):
            blocks = self._renderer.feed(text)
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
