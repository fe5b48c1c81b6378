"""An answer that a test writes itself, character by character, in a real page."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from chatsite.chat import presenting
from chatsite.chat.live import LiveReply
from chatsite.chat.models import Turn
from tests.pages import rows
from workers.events import Event, Kind, Offset

# What the page takes for its socket. It hears what the test says in the page itself, so that nothing depends on how
# fast anything comes over a wire.
SOCKET = """
class Spoken extends EventTarget {
  constructor() {
    super();
    globalThis.spoken = this;
    setTimeout(() => this.dispatchEvent(new Event("open")));
  }
  say(frames) {
    for (const frame of frames) this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }
  send(text) {
    const { type } = JSON.parse(text);
    if (type === "attach") this.isAttached = true;
    if (type === "ping") this.say([{ type: "pong" }]);
  }
  close() {}
}
globalThis.WebSocket = Spoken;
"""
SAY = "(frames) => spoken.say(frames)"
# Says the frames of one character after the other; the browser draws them after every `seen` ones.
WRITE = """async ([characters, seen]) => {
  const picture = () => new Promise(requestAnimationFrame);
  for (const [place, frames] of characters.entries()) {
    spoken.say(frames);
    if (place % seen && place < characters.length - 1) continue;
    await picture();
    await picture();
  }
}"""


class WrittenAnswer:
    """What a page hears over its socket, said by the test, made by what makes it on the site."""

    def __init__(self, page: Page, turn: Turn) -> None:
        self._page = page
        self._turn = turn
        self._live = LiveReply(turn.pk, "en")
        self._text = ""
        self._sequence = 0

    def begin(self) -> None:
        """Tell the page, which watches the reply, that it is being written."""
        self._page.evaluate(SAY, self._frames(Kind.STARTED))

    def write(self, text: str, seen: int = 3) -> None:
        """A delta for each character, as a slow model writes; the browser draws a picture after every `seen` ones."""
        characters = []
        for character in text:
            characters.append(self._frames(Kind.DELTA, text=character, position=len(self._text)))
            self._text += character
        self._page.evaluate(WRITE, [characters, seen])

    def finish(self) -> None:
        """The last frame, with the whole article."""
        completion = self._turn.completion
        assert completion
        completion.status, completion.text = "done", self._text
        html = presenting.render_reply(self._turn)
        finished = {"type": "finished", "reply": str(self._turn.pk), "status": "done", "html": html}
        self._page.evaluate(WRITE, [[[finished]], 1])

    def _frames(self, kind: str, **content: Any) -> list[dict[str, Any]]:
        self._sequence += 1
        return self._live.receive([Event(Offset(1, self._sequence), kind, **content)])


def begin_answer(page: Page, user: Any) -> WrittenAnswer:
    """A page with an answer that has begun."""
    turn = rows.turn(user, "Write.", "", status="running")
    page.add_init_script(SOCKET)
    page.goto(f"/c/{turn.conversation_id}/")
    page.wait_for_function("() => globalThis.spoken?.isAttached")
    written = WrittenAnswer(page, turn)
    written.begin()
    return written
