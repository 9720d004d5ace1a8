"""Server-sent events survive any cut through their bytes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UpstreamBadAnswer
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


line_ends = st.sampled_from(["\n", "\r\n", "\r"])
texts = st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]), max_size=12)
fields = st.one_of(
    texts.map(lambda text: ("data", text)),
    texts.map(lambda text: ("", text)),
    st.sampled_from([("event", "ping"), ("id", "7"), ("retry", "5"), ("other", "x")]),
)


def written(lines: list[tuple[str, str]], space: str, end: str) -> str:
    return "".join(f"{name}:{space}{text}{end}" for name, text in lines) + end


def meant(lines: list[tuple[str, str]], space: str) -> bytes | None:
    """The event's data as the specification has it: the lines joined, one space after the colon left out."""
    data = [text if space else text.removeprefix(" ") for name, text in lines if name == "data"]
    return "\n".join(data).encode() if data else None


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.lists(fields, min_size=1, max_size=4), st.sampled_from(["", " "]), line_ends), max_size=6),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.booleans(),
)
def test_any_stream_in_any_chunking_gives_the_events_that_were_meant(
    events: list[tuple[list[tuple[str, str]], str, str]], cuts: list[int], mark: bool
) -> None:
    stream = ("\ufeff" * mark + "".join(written(*event) for event in events)).encode()
    splitter = EventSplitter()
    runs = [splitter.feed(block) for block in cut_up(stream, cuts)]
    expected = [data for lines, space, _ in events if (data := meant(lines, space)) is not None]
    assert list(payloads(b"".join(runs) + splitter.finish())) == expected


@given(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_in_any_chunking_give_the_same_events(stream: bytes, cuts: list[int]) -> None:
    cut, uncut = EventSplitter(), EventSplitter()
    runs = b"".join(cut.feed(block) for block in cut_up(stream, cuts)) + cut.finish()
    assert list(payloads(runs)) == list(payloads(uncut.feed(stream) + uncut.finish()))


def test_what_is_out_is_always_whole_events_however_small_the_blocks() -> None:
    splitter = EventSplitter()
    out = [splitter.feed(bytes([byte])) for byte in STREAM]
    assert all(not run or run.endswith(b"\n\n") for run in out)
    assert list(payloads(b"".join(out))) == DATA


def test_a_data_field_without_a_colon_is_an_empty_line() -> None:
    assert list(payloads(b"data\n\ndata: a\ndata\ndata: b\n\n")) == [b"", b"a\n\nb"]


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
    with pytest.raises(UpstreamBadAnswer):
        splitter.feed(b"data: " + b"x" * 200)
    splitter = EventSplitter()
    with pytest.raises(UpstreamBadAnswer):
        any(splitter.feed(b"x") for _ in range(200))
