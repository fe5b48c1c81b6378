"""An answer that a test writes itself, character by character, over the socket of a real page."""

from __future__ import annotations

from typing import Any

import orjson
from playwright.sync_api import Page, WebSocketRoute, expect

from chatsite.chat import presenting
from chatsite.chat.live import LiveReply
from chatsite.chat.models import Turn
from tests.pages import rows
from workers.events import Event, Kind, Offset

NEXT_PICTURE = "() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))"


class WrittenAnswer:
    """What a page hears over its socket, said by the test, made by what makes it on the site."""

    def __init__(self, page: Page, turn: Turn) -> None:
        self._page = page
        self._turn = turn
        self._live = LiveReply(turn.pk, "en")
        self._socket: WebSocketRoute | None = None
        self._text = ""
        self._sequence = 0
        page.route_web_socket("**/ws/", self._opened)

    def _opened(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(self._heard)
        self._tell(self._event(Kind.STARTED))

    def _heard(self, message: str | bytes) -> None:
        """A page that hears nothing for a while takes its socket for dead."""
        if orjson.loads(message)["type"] == "ping":
            self._send({"type": "pong"})

    def write(self, text: str, seen: int = 3) -> None:
        """A delta for each character, as a slow model writes; the browser draws a picture after every `seen` ones."""
        for place, character in enumerate(text):
            self._tell(self._event(Kind.DELTA, text=character, position=len(self._text)))
            self._text += character
            if place % seen == 0:
                self._wait_until_shown()
        self._wait_until_shown()

    def _wait_until_shown(self) -> None:
        # The page takes frames in their order, and shows this one in the line that says what it waits for.
        position = str(len(self._text))
        self._send({"type": "position", "reply": str(self._turn.pk), "text": position})
        self._page.wait_for_function(
            "(position) => document.querySelector('.place').textContent === position", arg=position
        )
        self._page.evaluate(NEXT_PICTURE)

    def finish(self) -> None:
        """The last frame, with the whole article."""
        completion = self._turn.completion
        assert completion
        completion.status, completion.text = "done", self._text
        html = presenting.render_reply(self._turn)
        self._send({"type": "finished", "reply": str(self._turn.pk), "status": "done", "html": html})
        self._page.evaluate(NEXT_PICTURE)

    def _event(self, kind: str, **content: Any) -> Event:
        self._sequence += 1
        return Event(Offset(1, self._sequence), kind, **content)

    def _tell(self, event: Event) -> None:
        for frame in self._live.receive([event]):
            self._send(frame)

    def _send(self, frame: dict[str, Any]) -> None:
        assert self._socket
        self._socket.send(orjson.dumps(frame).decode())


def begin_answer(page: Page, user: Any) -> WrittenAnswer:
    """A page with an answer that has begun."""
    turn = rows.turn(user, "Write.", "", status="running")
    written = WrittenAnswer(page, turn)
    page.goto(f"/c/{turn.conversation_id}/")
    expect(page.locator(".reply")).to_have_attribute("data-state", "writing")
    return written
