"""A browser's tab as `docs/protocol.md` describes it, over a real socket. It notes what it sees, and when."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import random
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import websockets
from django.conf import settings

from workers.events import Offset

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.4, 20.0  # as static/js/socket.js has them

AGAIN_SECONDS = 0.5
FOLDED = ("started", "reset", "snapshot", "delta", "block", "finished")


class Seen(NamedTuple):
    """A frame about a reply, and when it came (monotonic clock)."""

    at: float
    kind: str
    offset: str


@dataclass
class Shown:
    """What the tab shows of one reply."""

    text: str = ""
    offset: Offset | None = None  # of the last frame
    after: str | None = None  # everything up to this offset is shown
    again_up_to: Offset | None = None  # shown at the last interruption: it may be sent again, in other pieces
    status: str = ""  # of a finished one
    html: str = ""
    gaps: int = 0  # deltas that did not fit: fetched again
    disorder: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def receive(self, frame: dict[str, Any]) -> bool:
        """Fold one frame. False means that something is missing, and the tab has to attach from the start."""
        kind = frame["type"]
        self.seen.append(Seen(time.monotonic(), kind, frame.get("offset", "")))
        if self.status and not (kind == "finished" and frame["html"] == self.html):  # the end may be told twice
            self.disorder.append(f"{kind} {frame.get('offset', '')} after the end")
        match kind:
            case "started" | "reset":
                if self._note(frame):  # or it is sent again after an interruption
                    self.text = ""
            case "snapshot":
                self.text = text_of(frame["html"]) + frame["tail"]
                self.offset = Offset.parse(frame["offset"])
                self.after = frame["offset"]
                if frame["length"] != len(self.text) and not frame["html"]:
                    self.disorder.append(f"a snapshot of {len(self.text)} says {frame['length']}")
            case "delta":
                if frame["at"] > len(self.text):
                    self.gaps += 1
                    return False
                self._note(frame)
                known, text = self.text[frame["at"] :], frame["text"]
                if not (known.startswith(text) or text.startswith(known)):
                    self.disorder.append(f"{frame['offset']} contradicts what is shown")
                self.text += text[len(known) :]
            case "block":
                self._note(frame)
            case "finished":
                self.status, self.html = frame["status"], frame["html"]
        return True

    def _note(self, frame: dict[str, Any]) -> bool:
        """Remember where the tab is; whether the frame's offset is a new one."""
        offset = Offset.parse(frame["offset"])
        if offset == self.offset:
            return False
        if self.again_up_to and offset < self.again_up_to:
            return False
        if self.offset and offset < self.offset:
            self.disorder.append(f"{offset} after {self.offset}")
        self.after = str(self.offset) if self.offset else None
        self.offset = offset
        return True


def text_of(markup: str) -> str:
    """The words of an answer's HTML; the suite's models write one paragraph without markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def answer_of(article: str) -> str:
    """The answer's text in the article that a finished reply is shown as."""
    found = re.search(r'<div class="answer" dir="auto">(.*?)</div>', article, re.S)
    return text_of(found[1]).strip() if found else ""


class Tab:
    """One person's tab. `ports` are the web processes that a proxy in front would choose from."""

    def __init__(self, session: str, ports: list[int], chance: random.Random | None = None) -> None:
        self.session = session
        self.ports = ports
        self.replies: dict[str, Shown] = {}
        self.shown_before: list[Shown] = []  # by pages that have been reloaded since
        self.errors: list[dict[str, Any]] = []
        self.opened_at: list[float] = []
        self.heard_at = 0.0  # the last frame
        self.port = 0  # of the web process it is connected to
        self._chance = chance or random.Random(session)
        self._socket: Any = None
        self._failures = 0
        self._news = asyncio.Condition()
        self._accepted: dict[str, str] = {}
        self._unsent: dict[str, dict[str, Any]] = {}
        self._task: asyncio.Task[None] | None = None

    # --- What a person does ------------------------------------------------------------------------------------

    async def ask(self, text: str, seconds: float = 60, client_id: str = "", **fields: Any) -> str:
        """Send a message until it is accepted, as the composer does; the id of its reply."""
        client_id = client_id or str(uuid.uuid4())
        self._unsent[client_id] = {"type": "send", "client_id": client_id, "text": text, "route": "generate", **fields}
        await self._send(self._unsent[client_id])
        await self.until(lambda: client_id in self._accepted, seconds, "the message to be accepted")
        return self._accepted[client_id]

    async def say(self, **frame: Any) -> None:
        await self._send(frame)

    async def watch(self, reply: str) -> None:
        """Show a reply, unless it is shown."""
        if reply not in self.replies:
            self.replies[reply] = Shown()
            await self._attach(reply)

    async def until_finished(self, reply: str, seconds: float = 120) -> Shown:
        await self.until(lambda: bool(self.replies[reply].status), seconds, f"the end of {reply}")
        return self.replies[reply]

    async def until(self, condition: Any, seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            unfinished = {reply: shown.seen[-1:] for reply, shown in self.replies.items() if not shown.status}
            state = f"refused: {self.errors[-3:]}, unfinished of {len(self.replies)}: {unfinished}"
            raise TimeoutError(f"waited {seconds} s in vain for {what}; {state}") from None

    async def reload(self) -> None:
        """Load the page anew: everything that was shown is forgotten, and fetched again."""
        await self.close()
        self.shown_before += self.replies.values()
        self.replies = {reply: seen if seen.status else Shown() for reply, seen in self.replies.items()}
        await self.open()

    # --- The socket --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Tab:
        self._task = asyncio.create_task(self._live())
        await self.until(lambda: self._socket, 60, "the socket")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stay away until `open`."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def open(self) -> None:
        await self.__aenter__()

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                async with await self._connect() as socket:
                    await self._resume(socket)
                    async for raw in socket:
                        self._failures = 0
                        self.heard_at = time.monotonic()
                        await self._receive(json.loads(raw))
            self._socket = None
            delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**self._failures)
            self._failures += 1
            await asyncio.sleep(delay * (0.5 + self._chance.random() / 2))

    async def _connect(self) -> Any:
        """A connection to one of the web processes that listen, as a proxy in front would choose it."""
        for port in self._chance.sample(self.ports, len(self.ports)):
            with contextlib.suppress(ConnectionRefusedError):
                socket = await self._connect_to(port)
                self.port = port
                return socket
        raise ConnectionRefusedError

    def _connect_to(self, port: int) -> Any:
        origin: Any = settings.ALLOWED_ORIGINS[0]
        return websockets.connect(
            f"ws://127.0.0.1:{port}/ws/",
            additional_headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={self.session}"},
            origin=origin,
            max_size=None,
            compression=None,
            ping_interval=None,
            open_timeout=10,
            close_timeout=1,
        )

    async def _resume(self, socket: Any) -> None:
        self._socket = socket
        self.opened_at.append(time.monotonic())
        for frame in self._unsent.values():
            await self._send(frame)
        for reply, shown in self.replies.items():
            if not shown.status:
                await self._attach(reply)
        await self._tell()

    async def _attach(self, reply: str, from_start: bool = False) -> None:
        shown = self.replies[reply]
        shown.again_up_to = shown.offset
        after = None if from_start else shown.after
        await self._send({"type": "attach", "reply": reply, **({"after": after} if after else {})})

    async def _send(self, frame: dict[str, Any]) -> None:
        with contextlib.suppress(websockets.WebSocketException, AttributeError):  # it comes back, and resumes
            await self._socket.send(json.dumps(frame))

    async def _receive(self, frame: dict[str, Any]) -> None:
        kind, reply = frame["type"], str(frame.get("reply", ""))
        if kind == "accepted" and frame["client_id"] in self._unsent:
            del self._unsent[frame["client_id"]]
            self._accepted[frame["client_id"]] = reply
            await self.watch(reply)
        elif kind == "turn":
            await self.watch(reply)
        elif kind == "error":
            self.errors.append(frame)
            if frame.get("client_id") in self._unsent:
                self._again = asyncio.create_task(self._send_again(frame["client_id"]))
        elif (kind in FOLDED and reply in self.replies) and not self.replies[reply].receive(frame):
            await self._attach(reply, from_start=True)
        await self._tell()

    async def _send_again(self, client_id: str) -> None:
        """The draft stays, so the person presses Enter once more."""
        await asyncio.sleep(AGAIN_SECONDS)
        if frame := self._unsent.get(client_id):
            await self._send(frame)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


@contextlib.asynccontextmanager
async def tabs(sessions: list[str], ports: list[int], seed: int = 0) -> AsyncIterator[list[Tab]]:
    """A tab for each session, all connected."""
    opened = [Tab(session, ports, random.Random(f"{seed}:{number}")) for number, session in enumerate(sessions)]
    try:
        for start in range(0, len(opened), 50):  # not all at the same instant: opening is not what is tested
            await asyncio.gather(*(tab.open() for tab in opened[start : start + 50]))
        yield opened
    finally:
        await asyncio.gather(*(tab.close() for tab in opened))
