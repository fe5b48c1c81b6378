"""A reply's events as frames: text that came together is one, and whoever comes back gets what is missing."""

from __future__ import annotations

import uuid
from typing import Any

from chatsite.chat.live import LiveReply
from workers.events import Event, Kind, Offset


def reply_of(*batches: list[str]) -> tuple[LiveReply, list[dict[str, Any]]]:
    """A reply that has begun, whose text came in these batches; and its frames."""
    live, sequence, position = LiveReply(uuid.uuid4(), "en"), 1, 0
    frames = live.receive([Event(Offset(1, 1), Kind.STARTED)])
    for batch in batches:
        events = []
        for text in batch:
            sequence += 1
            events.append(Event(Offset(1, sequence), Kind.DELTA, text, position))
            position += len(text)
        frames += live.receive(events)
    return live, frames


def test_text_that_came_together_is_one_frame() -> None:
    _, frames = reply_of(["one ", "two "], ["three "])
    assert [(frame["offset"], frame["at"], frame["text"]) for frame in frames[1:]] == [
        ("1-3", 0, "one two "),
        ("1-4", 8, "three "),
    ]


def test_an_event_between_texts_keeps_them_apart() -> None:
    live, _ = reply_of(["one "])
    texts = [Event(Offset(1, 3), Kind.DELTA, "two "), Event(Offset(1, 4), Kind.RESET), Event(Offset(1, 5), Kind.DELTA)]
    assert [frame["type"] for frame in live.receive(texts)] == ["delta", "reset", "delta"]


def test_whoever_comes_back_gets_the_frames_that_are_missing() -> None:
    live, frames = reply_of(["one ", "two "], ["three "])
    assert live.since(Offset(1, 1)) == frames[1:]
    assert live.since(Offset(1, 3)) == frames[2:]
    assert live.since(Offset(1, 4)) == []


def test_whoever_has_half_of_a_frame_gets_a_snapshot() -> None:
    live, _ = reply_of(["one ", "two "], ["three "])
    for after in (None, Offset(0, 1), Offset(1, 2)):
        (frame,) = live.since(after)
        assert (frame["type"], frame["tail"], frame["offset"]) == ("snapshot", "one two three ", "1-4")
