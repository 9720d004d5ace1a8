"""Files that are written wake whoever watches them."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.storage.file_watch import FileWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has inotify")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[FileWatch]:
    (tmp_path / "log").touch()
    (tmp_path / "folder").mkdir()
    with closing(FileWatch(tmp_path / "log", [tmp_path / "folder"])) as opened:
        yield opened


async def woken(watch: FileWatch) -> None:
    """Return once the descriptor can be read. Raises TimeoutError."""
    event = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch.descriptor, event.set)
    try:
        async with asyncio.timeout(5):
            await event.wait()
    finally:
        asyncio.get_running_loop().remove_reader(watch.descriptor)


async def test_a_write_wakes_and_so_does_a_file_that_is_replaced(watch: FileWatch, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("more")
    await woken(watch)
    assert watch.drain()
    (tmp_path / "new").write_text("a policy")
    (tmp_path / "new").rename(tmp_path / "folder" / "policy.toml")
    await woken(watch)
    assert watch.drain()


async def test_a_file_that_has_gone_is_no_longer_covered(watch: FileWatch, tmp_path: Path) -> None:
    (tmp_path / "log").unlink()
    await woken(watch)
    assert not watch.drain()


def test_what_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileWatch(tmp_path / "missing", [])
