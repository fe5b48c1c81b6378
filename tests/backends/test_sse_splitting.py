from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.backends.sse import MAX_EVENT_BYTES, EventSplitter
from workers.errors import StreamCutError

# What events are made of, in an order that rarely makes sense.
fragments = st.sampled_from(
    [b"data: ", b"data:", b"data", b"event: x", b": comment", b'{"\xc3\xa9": 1}', b"\n", b"\r", b"\r\n", b"\n\n", b" "]
)
streams = st.lists(fragments, max_size=30).map(b"".join)


def split(pieces: list[bytes]) -> list[bytes]:
    splitter = EventSplitter()
    return [event for piece in pieces for event in splitter.feed(piece)]


@given(streams, st.data())
def test_any_way_of_cutting_the_bytes_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert split(pieces) == split([stream]) == split([stream[i : i + 1] for i in range(len(stream))])


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_may_end_in_three_ways(end: bytes) -> None:
    assert split([b"data: one" + end + end + b"data:two" + end + end]) == [b"one", b"two"]


def test_several_data_lines_are_one_event() -> None:
    assert split([b"data: a\ndata: b\n\n"]) == [b"a\nb"]


def test_comments_and_other_fields_are_no_data() -> None:
    assert split([b": ping\nevent: x\nid: 7\nretry: 5\ndatabase: y\ndata: a\n\n\n\n"]) == [b"a"]


def test_a_byte_order_mark_at_the_beginning_is_no_part_of_the_first_line() -> None:
    stream = b"\xef\xbb\xbfdata: a\n\n"
    assert split([stream]) == split([stream[i : i + 1] for i in range(len(stream))]) == [b"a"]


@pytest.mark.parametrize("empty", [b"data:\n\n", b"data: \n\n", b"data\n\n"])
def test_an_event_without_data_is_none(empty: bytes) -> None:
    assert split([empty, b"data: a\n\n"]) == [b"a"]


def test_an_event_that_does_not_end_is_none() -> None:
    assert split([b"data: a\n"]) == []


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_event_without_an_end_does_not_fill_the_memory(piece: bytes) -> None:
    with pytest.raises(StreamCutError):
        split([piece] * (MAX_EVENT_BYTES // 500))
