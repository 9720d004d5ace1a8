"""What file transfer over SSH must do, with a server in this process and with OpenSSH's own."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, TerminalError
from shared.terminal.files import Files
from shared.terminal.session import Session
from shared.terminal.ssh import remote_files
from tests.support.openssh_server import OpenSsh, running_openssh
from tests.support.ssh_server import SshServer, running_ssh_server
from tests.support.terminals import make_sessions, openssh_target, ssh_target, until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


@pytest.fixture(params=["asyncssh", "openssh"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
async def server(kind: str, home: Path, tmp_path: Path) -> AsyncIterator[SshServer | OpenSsh]:
    if kind == "openssh":
        with running_openssh(tmp_path / "sshd", home) as openssh:
            yield openssh
        return
    async with running_ssh_server(home) as own:
        yield own


@pytest.fixture
async def session(server: SshServer | OpenSsh, home: Path, tmp_path: Path) -> AsyncIterator[Session]:
    async with make_sessions(tmp_path) as sessions:
        target = (openssh_target if isinstance(server, OpenSsh) else ssh_target)(server, cwd=str(home))  # type: ignore[operator]
        yield await sessions.open("a", target)


@pytest.fixture
async def files(session: Session) -> AsyncIterator[Files]:
    async with session.files() as made:
        yield made


def temporaries(home: Path) -> list[str]:
    return [name for name in os.listdir(home) if name.startswith(remote_files.TEMPORARY)]


async def write(files: Files, path: str, data: bytes, **options: Any) -> bool:
    return (await files.write(path, data, **{"mode": None, "overwrite": False, **options}))[1]


async def test_a_file_goes_there_and_back(files: Files, home: Path) -> None:
    data = os.urandom(3 * MIB + 17)
    done: list[tuple[int, int]] = []
    assert await write(files, "new.bin", data, on_progress=lambda *at: done.append(at))
    assert (home / "new.bin").read_bytes() == data
    assert done[-1] == (len(data), len(data))
    assert len(done) == 13
    assert [at for at, _ in done] == sorted(at for at, _ in done)
    done.clear()
    part = await files.read("new.bin", 0, 10 * MIB, lambda *at: done.append(at))
    assert (part.data, part.eof, part.file.size) == (data, True, len(data))
    assert done[-1] == (len(data), len(data))
    assert not temporaries(home)


async def test_parts_of_a_file_can_be_read(files: Files, home: Path) -> None:
    (home / "f").write_bytes(b"0123456789")
    for offset, limit, data, eof in (
        (0, 4, b"0123", False),
        (4, 6, b"456789", True),
        (8, 5, b"89", True),
        (99, 5, b"", True),
    ):
        part = await files.read("f", offset, limit)
        assert (part.data, part.eof) == (data, eof)


async def test_a_directory_shows_what_is_in_it(files: Files, home: Path) -> None:
    (home / "file").write_text("some")
    (home / "file").chmod(0o640)
    (home / "sub").mkdir()
    (home / "link").symlink_to("file")
    (home / "dangling").symlink_to("nowhere")
    os.mkfifo(home / "pipe")
    folder = await files.look(".")
    assert (folder.type, folder.path) == ("directory", str(home))
    shown = {entry.name: entry for entry in await files.entries(folder, 100)}
    assert {name: entry.type for name, entry in shown.items()} == {
        "dangling": "symlink",
        "file": "file",
        "link": "symlink",
        "pipe": "other",
        "sub": "directory",
    }
    assert (shown["file"].size, shown["file"].mode) == (4, "0640")
    assert shown["file"].modified_at is not None
    assert shown["link"].target == "file"
    assert len(await files.entries(folder, 2)) == 2


async def test_a_link_that_leads_nowhere_is_shown_as_what_it_is(files: Files, home: Path) -> None:
    (home / "sub").mkdir()
    (home / "dangling").symlink_to("nowhere")
    (home / "sub" / "loop").symlink_to("loop")
    for path, target in (("dangling", "nowhere"), ("sub/loop", "loop"), (f"{home}/sub/loop", "loop")):
        found = await files.look(path)
        assert (found.type, found.name, found.target) == ("symlink", Path(path).name, target)
    with pytest.raises(NotFound):
        await files.look("nowhere")
    with pytest.raises(InvalidInput, match="regular file"):
        await files.read("dangling", 0, 10)


async def test_names_of_any_bytes_and_many_links_are_listed(files: Files, home: Path) -> None:
    (home / os.fsdecode(b"\xff")).touch()
    (home / "new\nline").touch()
    for number in range(300):
        (home / f"link{number:03}").symlink_to(f"to-{number}")
    entries = await files.entries(await files.look("."), 1000)
    assert [entry.target for entry in entries if entry.type == "symlink"] == [f"to-{number}" for number in range(300)]
    assert {"\ufffd", "new\nline"} <= {entry.name for entry in entries}
    assert all(entry.model_dump_json() for entry in entries)


async def test_paths_are_resolved_on_the_host(files: Files, home: Path, session: Session) -> None:
    (home / "sub").mkdir()
    (home / "f").write_text("x")
    for path in ("sub/../f", str(home / "f"), "./f"):
        assert (await files.look(path)).path == str(home / "f")


@pytest.mark.parametrize("kind", ["asyncssh"], indirect=True)
async def test_relative_paths_follow_the_session(session: Session, home: Path) -> None:
    (home / "sub").mkdir()
    (home / "sub" / "f").write_text("x")
    async with make_command(session, "cd sub"), session.files() as files:
        assert (await files.look("f")).path == str(home / "sub" / "f")
        assert (await files.look("~/sub/f")).path == str(home / "sub" / "f")


class make_command:  # noqa: N801 - reads as a function
    """A command before the block."""

    def __init__(self, session: Session, text: str) -> None:
        self._session = session
        self._text = text

    async def __aenter__(self) -> None:
        from shared.terminal.channel import Command

        await self._session.execute(Command(text=self._text, timeout=5, max_output_bytes=1000))

    async def __aexit__(self, *_: object) -> None:
        return


async def test_a_file_that_is_there_is_replaced_only_when_asked(files: Files, home: Path) -> None:
    (home / "f").write_text("before")
    (home / "f").chmod(0o600)
    with pytest.raises(Conflict) as there:
        await write(files, "f", b"after")
    assert there.value.code == "file_exists"
    assert (home / "f").read_text() == "before"
    assert not await write(files, "f", b"after", overwrite=True)
    assert (home / "f").read_text() == "after"
    assert stat.S_IMODE((home / "f").stat().st_mode) == 0o600


async def test_permissions_are_the_wanted_ones(files: Files, home: Path) -> None:
    await write(files, "plain", b"")
    await write(files, "run.sh", b"#!/bin/sh\n", mode=0o755)
    assert stat.S_IMODE((home / "plain").stat().st_mode) == 0o644
    assert stat.S_IMODE((home / "run.sh").stat().st_mode) == 0o755


async def test_a_link_stays_and_what_it_leads_to_is_written(files: Files, home: Path) -> None:
    (home / "real").write_text("before")
    (home / "link").symlink_to("real")
    await write(files, "link", b"after", overwrite=True)
    assert (home / "link").is_symlink()
    assert (home / "real").read_text() == "after"
    (home / "dangling").symlink_to("new")
    assert await write(files, "dangling", b"made")
    assert (home / "new").read_text() == "made"


async def test_what_is_no_regular_file_is_refused(files: Files, home: Path) -> None:
    os.mkfifo(home / "pipe")
    (home / "sub").mkdir()
    for path in ("pipe", "sub", "/dev/zero"):
        with pytest.raises(InvalidInput, match="regular file"):
            await files.read(path, 0, 10)
        with pytest.raises(InvalidInput, match="regular file"):
            await write(files, path, b"x", overwrite=True)
    assert stat.S_ISFIFO((home / "pipe").stat().st_mode)


async def test_what_is_missing_is_said_so(files: Files) -> None:
    for wanted in (files.look("nothing"), files.read("nothing", 0, 1)):
        with pytest.raises(NotFound) as missing:
            await wanted
        assert missing.value.code == "file_not_found"
        assert "nothing" in missing.value.message


async def test_a_write_into_a_missing_directory_names_the_directory(files: Files, home: Path) -> None:
    (home / "link").symlink_to("gone/file")
    for path, folder in (("no/folder/f", "no/folder"), (f"{home}/none/f", f"{home}/none"), ("link", ".")):
        with pytest.raises(NotFound) as missing:
            await write(files, path, b"x")
        assert missing.value.code == "directory_not_found"
        assert f"There is no directory {folder} on the host" in missing.value.message
        assert "mkdir -p" in missing.value.message
    assert not temporaries(home)


@pytest.mark.skipif(os.getuid() == 0, reason="root may do everything")
async def test_what_is_forbidden_is_said_so(files: Files, home: Path) -> None:
    (home / "f").write_text("x")
    (home / "f").chmod(0)
    with pytest.raises(Forbidden) as refused:
        await files.read("f", 0, 1)
    assert refused.value.code == "file_refused"


async def test_a_write_that_is_cut_off_leaves_the_file_as_it_was(files: Files, home: Path) -> None:
    (home / "f").write_text("before")
    begun = asyncio.Event()
    work = asyncio.ensure_future(
        write(files, "f", os.urandom(10 * MIB), overwrite=True, on_progress=lambda *_: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 5)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (home / "f").read_text() == "before"
    assert not temporaries(home)


async def test_closing_the_session_takes_back_what_was_half_written(session: Session, home: Path) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with session.files() as files:
            await write(files, "f", os.urandom(64 * MIB), on_progress=lambda *_: begun.set())

    task = asyncio.ensure_future(work())
    await asyncio.wait_for(begun.wait(), 5)
    await session.end()
    with pytest.raises(TerminalError):
        await task
    assert os.listdir(home) == []


async def test_a_connection_lost_during_a_write_leaves_the_file_as_it_was(
    session: Session, server: SshServer | OpenSsh, home: Path
) -> None:
    (home / "f").write_text("before")
    begun = asyncio.Event()

    async def work() -> None:
        async with session.files() as files:
            await write(files, "f", os.urandom(64 * MIB), overwrite=True, on_progress=lambda *_: begun.set())

    task = asyncio.ensure_future(work())
    await asyncio.wait_for(begun.wait(), 5)
    if isinstance(server, OpenSsh):
        server.drop()
    else:
        server.connections[0].abort()
    with pytest.raises(TerminalError) as lost:
        await asyncio.wait_for(task, 10)
    assert lost.value.code == "connection_lost"
    assert (home / "f").read_text() == "before"
    await until(lambda: not session.connected)
    async with session.files() as files:
        assert (await files.look("f")).size == 6


async def test_many_transfers_at_once_do_not_mix(session: Session, home: Path) -> None:
    async def one(number: int) -> None:
        async with session.files() as files:
            await write(files, f"f{number}", str(number).encode() * 100_000)
            assert (await files.read(f"f{number}", 0, MIB)).data == str(number).encode() * 100_000

    await asyncio.gather(*(one(number) for number in range(6)))
    assert len(os.listdir(home)) == 6


async def test_of_many_writers_of_a_new_file_one_wins(files: Files, home: Path) -> None:
    outcomes = await asyncio.gather(
        *(write(files, "f", str(number).encode()) for number in range(5)), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if outcome is True] == [True]
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not True)
    assert os.listdir(home) == ["f"]
