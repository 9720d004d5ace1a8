"""Output that is kept: whole, bounded per caller and in all, and for a while."""

import asyncio
from pathlib import Path

import pytest

from shared.domain.kept import ReadKept
from shared.domain.targets import LocalTarget
from shared.errors import NotFound
from shared.terminal.kept_outputs import KeptLimits, KeptOutputs
from shared.terminal.sessions import Sessions
from tests.support.terminals import make_sessions, open_descriptors

LONG = "seq 1 40000"


async def _ran(sessions: Sessions, owner: str, text: str = LONG) -> str | None:
    command = sessions.command(text, max_output_bytes=1000)
    return (await sessions.execs.run(owner, LocalTarget(), command)).output_id


async def _whole(outputs: KeptOutputs, owner: str, output_id: str) -> str:
    text, cursor = "", 0
    while True:
        part = await outputs.read(owner, ReadKept(id=output_id, cursor=cursor, max_bytes=50_000))
        text += part.output or ""
        if part.next_cursor is None:
            return text
        cursor = part.next_cursor


async def _is_there(sessions: Sessions, output_id: str) -> bool:
    try:
        await sessions.outputs.read("a", ReadKept(id=output_id))
    except NotFound:
        return False
    return True


async def test_cut_output_is_kept_whole_and_only_for_its_caller(tmp_path: Path) -> None:
    async with make_sessions(tmp_path) as sessions:
        output_id = await _ran(sessions, "a")
        assert output_id is not None
        assert await _whole(sessions.outputs, "a", output_id) == "".join(f"{n}\n" for n in range(1, 40001))
        with pytest.raises(NotFound) as others:
            await sessions.outputs.read("b", ReadKept(id=output_id))
        assert others.value.code == "output_not_found"
        assert await _ran(sessions, "a", "echo short") is None
        assert list((tmp_path / "outputs").iterdir()) == []  # the files have no names


async def test_the_oldest_make_room_a_callers_own_first(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, kept={"outputs_per_caller": 2, "outputs_in_all": 3}) as sessions:
        other = await _ran(sessions, "b")
        ids = [await _ran(sessions, "a") for _ in range(3)]
        assert other is not None
        await sessions.outputs.read("b", ReadKept(id=other))
        with pytest.raises(NotFound):
            await sessions.outputs.read("a", ReadKept(id=ids[0] or ""))
        for output_id in ids[1:]:
            await sessions.outputs.read("a", ReadKept(id=output_id or ""))
        await _ran(sessions, "c")
        with pytest.raises(NotFound):  # the oldest of all
            await sessions.outputs.read("b", ReadKept(id=other))


async def test_bytes_are_bounded_for_a_stream_and_for_a_caller(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, kept={"bytes_per_stream": 100_000, "bytes_per_caller": 150_000}) as sessions:
        first, second = await _ran(sessions, "a"), await _ran(sessions, "a")
        part = await sessions.outputs.read("a", ReadKept(id=second or ""))
        assert (part.bytes, part.total_bytes) == (100_000, 228_894)
        with pytest.raises(NotFound):
            await sessions.outputs.read("a", ReadKept(id=first or ""))


async def test_output_expires_and_goes_with_its_caller(tmp_path: Path) -> None:
    async with make_sessions(tmp_path) as sessions:
        assert KeptLimits().seconds == 3600
        gone = await _ran(sessions, "a")
        sessions.end_of(lambda owner: owner == "a")
        with pytest.raises(NotFound):
            await sessions.outputs.read("a", ReadKept(id=gone or ""))
    async with make_sessions(tmp_path, kept={"seconds": 0}) as sessions:
        expired = await _ran(sessions, "a")
        async with asyncio.timeout(5):
            while await _is_there(sessions, expired or ""):
                pass


async def test_a_full_disk_ends_keeping_and_not_the_command(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("in the way of the folder")
    async with make_sessions(tmp_path) as sessions:
        result = await sessions.execs.run("a", LocalTarget(), sessions.command(LONG, max_output_bytes=1000))
        assert (result.exit_code, result.truncated, result.output_id) == (0, True, None)


async def test_no_descriptor_is_left_when_all_is_closed(tmp_path: Path) -> None:
    before = open_descriptors()
    async with make_sessions(tmp_path) as sessions:
        for _ in range(3):
            await _ran(sessions, "a")
        assert open_descriptors() > before
    assert open_descriptors() == before
