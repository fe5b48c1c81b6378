"""The stream of a reply: fenced, numbered without gaps, repaired when Redis forgets."""

import uuid
from typing import Any

import pytest

from workers import stream
from workers.backends.base import Cancellation
from workers.connections import client, stream_key
from workers.events import Event, Kind, Offset
from workers.stream import StreamWriter


@pytest.fixture
def reply_id() -> uuid.UUID:
    return uuid.uuid4()


def events(reply_id: uuid.UUID) -> list[Event]:
    return [Event.from_entry(*entry) for entry in client().xrange(stream_key(reply_id))]


def writer(reply_id: uuid.UUID, attempt: int = 1) -> tuple[StreamWriter, Cancellation]:
    cancellation = Cancellation()
    return StreamWriter(reply_id, attempt, cancellation), cancellation


def test_what_is_written_arrives_in_order_and_adds_up(reply_id: uuid.UUID) -> None:
    subject, _ = writer(reply_id)
    subject.event(Kind.STARTED, model="m")
    pieces = [f"piece {number} – " for number in range(500)]
    for piece in pieces:
        subject.delta(piece)
    subject.event(Kind.DONE)
    assert subject.flush(10)

    found = events(reply_id)
    assert [event.offset.sequence for event in found] == list(range(1, len(found) + 1))
    assert "".join(event.text for event in found) == "".join(pieces)
    position = 0
    for event in found[1:-1]:
        assert event.position == position
        position += len(event.text)


def test_many_deltas_travel_together(reply_id: uuid.UUID) -> None:
    subject, _ = writer(reply_id)
    subject.event(Kind.STARTED)
    for _ in range(5000):
        subject.delta("x")
    assert subject.flush(10)
    assert len(events(reply_id)) < 2500


def test_a_stale_attempt_cannot_write_and_is_told(reply_id: uuid.UUID) -> None:
    old, old_cancellation = writer(reply_id, attempt=1)
    old.event(Kind.STARTED)
    assert old.flush(10)
    new, _ = writer(reply_id, attempt=2)
    new.event(Kind.STARTED)
    assert new.flush(10)

    old.delta("too late")
    assert not old.flush(10)
    assert old_cancellation.reason == "stale"
    assert [str(event.offset) for event in events(reply_id)] == ["1-1", "2-1"]


def test_a_stale_attempt_that_was_stopped_before_does_not_try_for_ever(reply_id: uuid.UUID) -> None:
    old, cancellation = writer(reply_id, attempt=1)
    stream.append(reply_id, 2, Kind.STARTED, {})
    cancellation.set("cancelled")
    old.event(Kind.CANCELLED)
    assert not old.flush(10)
    assert not old.needs_flushing


def test_what_cannot_be_sent_does_not_stop_the_others(reply_id: uuid.UUID) -> None:
    broken, _ = writer(uuid.uuid4())
    broken.delta("half a character: \ud83d")
    subject, _ = writer(reply_id)
    subject.event(Kind.STARTED)
    broken.acknowledge(-1)  # or it would be tried again as long as the process lives
    assert subject.flush(10)


def test_events_that_redis_lost_are_sent_again_under_their_numbers(reply_id: uuid.UUID) -> None:
    subject, cancellation = writer(reply_id)
    subject.event(Kind.STARTED)
    for text in ("one ", "two ", "three "):
        subject.delta(text)
        assert subject.flush(10)
    client().xdel(stream_key(reply_id), "1-4", "1-3")  # as a restart without the last second would
    client().delete(stream_key(reply_id))  # as a wipe would
    subject.delta("four")
    assert subject.flush(10)

    assert "".join(event.text for event in events(reply_id)) == "one two three four"
    assert [event.offset.sequence for event in events(reply_id)] == [1, 2, 3, 4, 5]
    assert not cancellation.is_set()


def test_scripts_forgotten_by_redis_are_loaded_again(reply_id: uuid.UUID) -> None:
    subject, _ = writer(reply_id)
    subject.event(Kind.STARTED)
    assert subject.flush(10)
    client().script_flush()
    subject.delta("still here")
    assert subject.flush(10)
    assert events(reply_id)[-1].text == "still here"


def test_an_event_from_outside_takes_the_next_number(reply_id: uuid.UUID) -> None:
    subject, _ = writer(reply_id)
    subject.event(Kind.STARTED)
    assert subject.flush(10)
    stream.append(reply_id, 1, Kind.FAILED, {"code": "quarantined"})
    assert events(reply_id)[-1].offset == Offset(1, 2)
    stream.append(reply_id, 0, Kind.FAILED, {"code": "late"})
    assert len(events(reply_id)) == 2


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "a-b", "1-2-3", "١-٢٣٤x", "9" * 50 + "-1"])
def test_an_offset_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Not an offset"):
        Offset.parse(text)


def test_offsets_compare_by_attempt_first() -> None:
    offsets: list[Any] = [Offset(2, 1), Offset(1, 9), Offset(1, 10)]
    assert sorted(offsets) == [Offset(1, 9), Offset(1, 10), Offset(2, 1)]
