"""How far a tab has come, written down: for tabs that come back with every request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chatsite.chat.frames import Frame
from chatsite.chat.refusals import RefusedError

MOST_REPLIES = 20
_REPLY = r",[0-9a-f-]{36}!?@(?:\d{1,10}-\d{1,10})?"
_CURSOR = re.compile(rf"(?:\d{{1,20}}-\d{{1,20}})?(?:{_REPLY}){{0,{MOST_REPLIES}}}", re.ASCII)


@dataclass
class Cursor:
    """The last news of the person, and of each reply that the tab watches the last offset (empty: nothing yet).

    As text: `news,reply@offset,reply!@offset`; the exclamation mark says that the route of the reply has been told.
    """

    news: str = ""
    replies: dict[str, str] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises `RefusedError` for what is none."""
        if not _CURSOR.fullmatch(text):
            raise RefusedError("bad_frame")
        news, *entries = text.split(",")
        cursor = cls(news)
        for entry in entries:
            reply, _, offset = entry.partition("@")
            cursor.replies[reply.rstrip("!")] = offset
            if reply.endswith("!"):
                cursor.decided.add(reply.rstrip("!"))
        return cursor

    def __str__(self) -> str:
        marks = {reply: "!" if reply in self.decided else "" for reply in self.replies}
        return ",".join([self.news, *(f"{reply}{marks[reply]}@{offset}" for reply, offset in self.replies.items())])

    def note(self, frame: Frame) -> None:
        """The tab is given a frame."""
        reply = frame.get("reply", "")
        if reply not in self.replies:
            return
        if frame["type"] in ("finished", "error"):
            del self.replies[reply]
        elif frame["type"] == "decided":
            self.decided.add(reply)
        elif "offset" in frame:
            self.replies[reply] = frame["offset"]
