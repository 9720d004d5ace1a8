"""Parts of files as text."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.calls.files import part_of
from shared.domain.files import FileContent, FileInfo


def content(data: bytes, *, size: int, offset: int = 0) -> FileContent:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    info = FileInfo(name="f", path="/f", type="file", size=size, mode="0644", modified_at=now)
    return FileContent(
        file=info,
        offset=offset,
        bytes=len(data),
        eof=offset + len(data) >= size,
        encoding="base64",
        content=base64.b64encode(data).decode(),
    )


@given(st.text(max_size=200).filter(lambda text: "\0" not in text), st.integers(16, 40))
def test_text_is_whole_however_it_is_cut(text: str, limit: int) -> None:
    data, offset, read = text.encode(), 0, ""
    while True:
        part = part_of(content(data[offset : offset + limit], size=len(data), offset=offset))
        assert part.encoding == "text"
        read += part.content
        if part.next_offset is None:
            break
        assert part.next_offset > offset
        offset = part.next_offset
    assert read == text


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"abc\0def", b"ok" + b"\xc3", b"\x80" * 20])
def test_what_is_no_text_stays_as_it_is(data: bytes) -> None:
    part = part_of(content(data, size=len(data)))
    assert part.encoding == "base64"
    assert base64.b64decode(part.content) == data
    assert part.next_offset is None


def test_bytes_that_are_no_text_are_read_on_by_their_number() -> None:
    assert part_of(content(b"\x80" * 20, size=50)).next_offset == 20
