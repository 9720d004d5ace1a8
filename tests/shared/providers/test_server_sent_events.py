"""Server-sent events survive any cut through their bytes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UpstreamError
from shared.providers import server_sent_events
from shared.providers.server_sent_events import EventSplitter, payloads, split

STREAM = (
    b": a comment\n\n"
    b'data: {"text": "hello"}\n\n'
    b'event: named\r\ndata: {"text": "gr\xc3\xbc\xc3\x9fe"}\r\n\r\n'
    b"data: one\ndata: two\n\n"
    b"data:[DONE]\n\n"
)
DATA = [b'{"text": "hello"}', '{"text": "grüße"}'.encode(), b"one\ntwo", b"[DONE]"]


def cut_up(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=30))
def test_any_chunking_gives_the_same_events(cuts: list[int]) -> None:
    splitter = EventSplitter()
    runs = [splitter.feed(block) for block in cut_up(STREAM, cuts)]
    assert list(payloads(b"".join(runs) + splitter.finish())) == DATA


def test_only_whole_events_come_out() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\n\ndata: b") == b"data: a\n\n"
    assert splitter.feed(b"\n") == b""
    assert splitter.feed(b"\ndata: c\n\n") == b"data: b\n\ndata: c\n\n"
    assert splitter.finish() == b""


def test_an_event_without_its_empty_line_comes_out_at_the_end() -> None:
    splitter = EventSplitter()
    splitter.feed(b"data: last")
    assert splitter.finish() == b"data: last\n\n"


def test_comments_have_no_data() -> None:
    assert list(payloads(b": ping\n\ndata: x\n\n")) == [b"x"]
    assert len(split(b": ping\n\ndata: x\n\n")) == 2


def test_an_endless_event_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sent_events, "MAX_EVENT_BYTES", 100)
    splitter = EventSplitter()
    with pytest.raises(UpstreamError):
        splitter.feed(b"data: " + b"x" * 200)
