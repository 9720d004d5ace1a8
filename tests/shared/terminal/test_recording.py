"""The file of a recording, and what is taken down of a session."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from shared.terminal.recording import MOST_WAITING, SLICE, CastFile, Recorder
from tests.support.asciicast import Cast, parse_cast
from tests.support.waiting import until

HEADER = {"width": 80, "height": 24, "timestamp": 1_700_000_000}


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def cast_file(path: Path, max_bytes: int = 1024 * 1024) -> CastFile:
    return CastFile(path, HEADER, max_bytes=max_bytes, redact=lambda text: text.replace("geheim", "[redacted]"))


def read(path: Path) -> Cast:
    return parse_cast(path.read_bytes())


async def test_everything_is_played_at_its_time(tmp_path: Path) -> None:
    clock, path = Seconds(), tmp_path / "a.cast"
    recorder = Recorder(cast_file(path), clock)
    recorder.output("$ ")
    clock.now += 1.5
    recorder.typed("ls\n", hidden=False)
    clock.now += 0.25
    recorder.output("ls\r\nüñ\r\n$ ")
    clock.now += 2
    recorder.resized(100, 30)
    recorder.marked("exit code 0: $ make")
    await recorder.aclose()
    assert read(path).events == [
        (0, "o", "$ "),
        (1.75, "o", "ls\r\nüñ\r\n"),
        (1.75, "o", "$ "),
        (1.75, "i", "ls\n"),
        (3.75, "r", "100x30"),
        (3.75, "m", "exit code 0: $ make"),
    ]


async def test_only_the_owner_of_the_process_may_read_it(tmp_path: Path) -> None:
    recorder = Recorder(cast_file(tmp_path / "a.cast"))
    await recorder.aclose()
    assert stat.S_IMODE((tmp_path / "a.cast").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        cast_file(tmp_path / "a.cast")


async def test_it_stops_at_its_size_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = Recorder(cast_file(path, max_bytes=4096))
    for _ in range(200):
        recorder.output("x" * 100 + "\n")
        await recorder.flush()
    assert not recorder.active
    await recorder.aclose()
    cast = read(path)
    assert cast.events[-1][1:] == ("m", "recording stopped: size limit")
    assert 3500 < path.stat().st_size <= 4096
    assert len(cast.of("m")) == 1


async def test_a_flood_is_cut_off_and_never_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = Recorder(cast_file(path, max_bytes=64 * 1024 * 1024))
    for _ in range(20):
        recorder.output("y" * (MOST_WAITING // 10 - 1) + "\n")
    await recorder.flush()
    recorder.output("after\n")
    await recorder.aclose()
    cast = read(path)
    assert cast.text() == ("y" * (MOST_WAITING // 10 - 1) + "\n") * 10 + "after\n"
    assert cast.of("m") == [f"{10 * (MOST_WAITING // 10)} characters were not recorded: they came too fast"]


async def test_a_disk_that_fails_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    cast = cast_file(tmp_path / "a.cast")
    os.close(cast._descriptor)
    recorder = Recorder(cast)
    recorder.output("lost\n")
    await recorder.flush()
    assert not recorder.active
    recorder.output("lost\n")
    cast._descriptor = os.open(os.devnull, os.O_WRONLY)
    await recorder.aclose()


async def test_closing_twice_at_once_is_closing_once(tmp_path: Path) -> None:
    recorder = Recorder(cast_file(tmp_path / "a.cast"))
    recorder.output("one\n")
    await asyncio.gather(recorder.aclose(), recorder.aclose())
    recorder.output("two\n")
    assert read(tmp_path / "a.cast").text() == "one\n"


WRITES_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from shared.terminal.recording import CastFile, Recorder

async def main() -> None:
    header = {"width": 80, "height": 24, "timestamp": 1}
    recorder = Recorder(CastFile(Path(sys.argv[1]), header, max_bytes=10**9, redact=str))
    for number in range(10**9):
        recorder.output(f"line {number}\\n" * 50)
        if number % 20 == 0:
            await recorder.flush()

asyncio.run(main())
"""


async def test_a_killed_process_leaves_a_file_that_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    process = subprocess.Popen([sys.executable, "-c", WRITES_FOR_EVER, str(path)])
    try:
        await until(lambda: path.exists() and path.stat().st_size > 200_000, 20)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    cast = parse_cast(path.read_bytes().rpartition(b"\n")[0] + b"\n")
    assert len(cast.events) > 100
    assert all(before[0] <= after[0] for before, after in pairwise(cast.events))


@pytest.mark.parametrize("before", range(SLICE - 8, SLICE + 2))
async def test_a_secret_on_the_border_of_two_slices_is_not_written(tmp_path: Path, before: int) -> None:
    path = tmp_path / "a.cast"
    recorder = Recorder(cast_file(path))
    recorder.output("x" * before + "geheim" + "y" * (2 * SLICE) + "\n")
    await recorder.aclose()
    assert read(path).text() == "x" * before + "[redacted]" + "y" * (2 * SLICE) + "\n"
