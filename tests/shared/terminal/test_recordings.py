"""Recordings of real sessions, and whose they are."""

import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget, TelnetTarget
from shared.errors import Forbidden, NotFound, TerminalError
from shared.terminal.sessions import Sessions
from tests.support.asciicast import Cast, parse_cast
from tests.support.ssh_server import PASSWORD, SshServer
from tests.support.telnet_device import running_telnet_device
from tests.support.terminals import OWNER, Terminal, make_sessions, open_descriptors, opened, ssh_target, until


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


async def recorded(terminal: Terminal, owner: str | None = OWNER) -> Cast:
    return parse_cast(await terminal.sessions.recordings.read(owner, terminal.session.id))


async def test_a_session_is_recorded_and_can_be_played_after_its_end(sessions: Sessions, tmp_path: Path) -> None:
    async with opened(sessions, record=True) as terminal:
        assert terminal.session.info.recording
        await terminal.session.send("echo $((40+2))-shown\n")
        await terminal.shows("42-shown")
        await terminal.session.resize(100, 30)
        assert (await terminal.run("export API_KEY=abcdef123456; exit 3")).exit_code == 3
        live = await recorded(terminal)
        assert "42-shown" in live.text()
        await terminal.close()
    cast = await recorded(terminal)
    assert (cast.header["width"], cast.header["height"], cast.header["title"]) == (80, 24, "local")
    assert "echo $((40+2))-shown\n" in cast.of("i")
    assert cast.of("r") == ["100x30"]
    assert cast.of("m") == [
        "$ export API_KEY=[redacted]; exit 3",
        "exit code 3: $ export API_KEY=[redacted]; exit 3",
    ]
    folder = tmp_path / "recordings"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


async def test_nothing_is_recorded_unless_asked(sessions: Sessions, tmp_path: Path) -> None:
    async with opened(sessions) as terminal:
        assert not terminal.session.info.recording
        await terminal.session.send("echo shown\n")
        await terminal.close()
    assert not (tmp_path / "recordings").exists()
    with pytest.raises(NotFound):
        await recorded(terminal)


async def test_what_is_typed_while_the_echo_is_off_is_never_recorded(sessions: Sessions) -> None:
    async with opened(sessions, record=True) as terminal:
        await terminal.session.send("stty -echo; printf 'go''-on '; cat; stty echo; echo ba''ck\n")
        await terminal.shows("go-on ")
        await terminal.session.send("tr0ub4dor\n")
        await terminal.shows("tr0ub4dor")
        await terminal.session.send("\x04")
        await terminal.shows("back")
        await terminal.session.send("read -rs -p 'Say'': ' word; echo got-${#word}\n")
        await terminal.shows("Say: ")
        await terminal.session.send("opensesame\n")
        await terminal.shows("got-10")
        await terminal.close()
    cast = await recorded(terminal)
    assert "tr0ub4dor" not in cast.text("i")
    assert "opensesame" not in cast.text("i") + cast.text()
    assert any("read -rs" in line for line in cast.of("i"))


async def test_secrets_in_the_output_are_not_recorded(sessions: Sessions) -> None:
    async with opened(sessions, record=True) as terminal:
        await terminal.session.send(
            "for c in s k - a b c d e f g h 1 2 3 4; do printf $c; sleep 0.02; done; echo; echo ov''er\n"
        )
        await terminal.shows("over")
        await terminal.close()
    cast = await recorded(terminal)
    assert "abcdefgh1234" not in cast.text()
    assert "[redacted]" in cast.text()


async def test_the_password_of_an_ssh_session_is_not_recorded(sessions: Sessions, ssh_server: SshServer) -> None:
    async with opened(sessions, ssh_target(ssh_server), record=True) as terminal:
        await terminal.session.send(f"echo the-{PASSWORD}; echo ov''er\n")
        await terminal.shows("over")
        await terminal.close()
    cast = await recorded(terminal)
    assert PASSWORD not in cast.text() + cast.text("i")
    assert cast.header["title"].startswith("ssh ")


async def test_what_a_device_says_first_is_recorded_too(sessions: Sessions) -> None:
    async with running_telnet_device(b"welcome\r\nPassword: ") as device:
        target = TelnetTarget(host="127.0.0.1", port=device.port)
        async with opened(sessions, target, record=True) as terminal:
            await terminal.shows("Password: ")
            await terminal.session.send("tr0ub4dor\n")  # the device shows it, in brackets
            await terminal.shows("[tr0ub4dor]")
            await terminal.close()
    cast = await recorded(terminal)
    assert cast.text().startswith("welcome\r\n")
    assert cast.text("i") == ""


async def test_only_the_owner_and_administrators_find_it(sessions: Sessions) -> None:
    async with opened(sessions, record=True) as terminal:
        await terminal.close()
    recordings, session_id = sessions.recordings, terminal.session.id
    for refused in (recordings.read("somebody", session_id), recordings.delete("somebody", session_id)):
        with pytest.raises(NotFound):
            await refused
    assert await recordings.list("somebody") == []
    assert [info.session_id for info in await recordings.list(None)] == [session_id]
    assert [info.owner for info in await recordings.list(OWNER)] == [OWNER]
    assert await recorded(terminal, None)
    await recordings.delete(OWNER, session_id)
    with pytest.raises(NotFound):
        await recorded(terminal)


@pytest.mark.parametrize(
    "name", ["../secret", "..", "/etc/passwd", "term-1-x", "term-1-" + "a" * 32 + "/../../secret", "a\0b", ""]
)
async def test_no_name_leads_out_of_the_folder(sessions: Sessions, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.cast").write_text('{"version": 2, "owner": "owner", "title": "", "timestamp": 1}\n')
    for asked in (sessions.recordings.read(None, name), sessions.recordings.delete(None, name)):
        with pytest.raises(NotFound):
            await asked


async def test_links_and_foreign_files_are_no_recordings(sessions: Sessions, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (tmp_path / "secret").write_text('{"version": 2, "owner": "owner", "title": "", "timestamp": 1}\n')
    (folder / f"term-1-{'a' * 32}.cast").symlink_to(tmp_path / "secret")
    (folder / f"term-2-{'a' * 32}.cast").write_bytes(b"\xff\xfe[1]\n")
    (folder / f"term-3-{'a' * 32}.cast").write_text("[1]\n")
    assert await sessions.recordings.list(None) == []
    for number in (1, 2, 3):
        with pytest.raises(NotFound):
            await sessions.recordings.read(None, f"term-{number}-{'a' * 32}")


async def test_deleting_it_ends_the_recording_but_not_the_session(sessions: Sessions, tmp_path: Path) -> None:
    async with opened(sessions, record=True) as terminal:
        await sessions.recordings.delete(OWNER, terminal.session.id)
        assert not terminal.session.info.recording
        assert (await terminal.run("echo on")).stdout == "on\n"
        await terminal.close()
    assert list((tmp_path / "recordings").iterdir()) == []


async def test_old_ones_are_deleted(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, recording={"days": 7}) as sessions:
        async with opened(sessions, record=True) as old, opened(sessions, record=True) as kept:
            await old.close()
            await kept.close()
        async with opened(sessions, record=True) as active:
            before = (datetime.now(UTC) - timedelta(days=8)).timestamp()
            for terminal in (old, active):
                os.utime(tmp_path / "recordings" / f"{terminal.session.id}.cast", (before, before))
            await sessions.recordings.prune()
            left = {info.session_id for info in await sessions.recordings.list(None)}
            assert left == {kept.session.id, active.session.id}


async def test_the_setting_decides(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, recording={"mode": "off"}) as sessions:
        with pytest.raises(Forbidden) as refused:
            await sessions.open(OWNER, LocalTarget(), record=True)
        assert refused.value.code == "recording_off"
    async with make_sessions(tmp_path, recording={"mode": "always"}) as sessions, opened(sessions) as terminal:
        assert terminal.session.info.recording


async def test_a_folder_that_cannot_be_written_is_told_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("in the way")
    async with make_sessions(tmp_path) as sessions:
        before = open_descriptors()
        with pytest.raises(TerminalError) as failed:
            await sessions.open(OWNER, LocalTarget(), record=True)
        assert failed.value.code == "recording_failed"
        assert len(sessions) == 0
        await until(lambda: open_descriptors() <= before)


async def test_a_new_recording_makes_room_at_the_cost_of_whoever_has_most(tmp_path: Path) -> None:
    limits = {"max_bytes": 10_000, "max_total_bytes": 30_000}
    async with make_sessions(tmp_path, recording=limits) as sessions:
        ids = {}
        for number, owner in enumerate(("bob", "alice", "alice")):
            async with opened(sessions, owner=owner, record=True) as terminal:
                await terminal.close()
            path = tmp_path / "recordings" / f"{terminal.session.id}.cast"
            with path.open("ab") as file:
                file.write(b"[0, 'o', 'x']\n" * 500)
            os.utime(path, (number, number))
            ids[terminal.session.id] = owner
        kept = {info.session_id for info in await sessions.recordings.list(None)}
        assert kept == set(ids)
        async with opened(sessions, owner="carol", record=True) as terminal:
            left = [info.owner for info in await sessions.recordings.list(None)]
            assert sorted(left) == ["alice", "bob", "carol"]
            assert list(ids)[2] in {info.session_id for info in await sessions.recordings.list("alice")}
            await terminal.close()


async def test_a_recording_that_is_being_written_is_never_deleted_for_room(tmp_path: Path) -> None:
    limits = {"max_bytes": 10_000, "max_total_bytes": 10_100}
    async with make_sessions(tmp_path, recording=limits) as sessions, opened(sessions, record=True) as terminal:
        with pytest.raises(TerminalError) as refused:
            await sessions.open(OWNER, LocalTarget(), record=True)
        assert refused.value.code == "recordings_full"
        assert [info.session_id for info in await sessions.recordings.list(None)] == [terminal.session.id]
        await terminal.close()
        async with opened(sessions, record=True) as other:
            await other.close()
        assert [info.session_id for info in await sessions.recordings.list(None)] == [other.session.id]
