"""All sessions: limits, owners, expiry, shutting down."""

import asyncio
import gc
import os
import platform
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from shared.domain.targets import LocalTarget, SshLogin, SshTarget, TelnetTarget
from shared.errors import InvalidInput, NotFound, Overloaded, RateLimited
from shared.terminal import sessions as sessions_module
from shared.terminal.channel import Channel, Seat
from shared.terminal.sessions import Sessions
from tests.support.children import children
from tests.support.telnet_device import running_telnet_device
from tests.support.terminals import OWNER, a_nap, make_sessions, open_descriptors, opened, running, until

LOCAL = LocalTarget()


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path, sessions=6, sessions_per_caller=4) as made:
        yield made


async def test_ids_are_unguessable(sessions: Sessions) -> None:
    one, two = await sessions.open("a", LOCAL), await sessions.open("a", LOCAL)
    assert re.fullmatch(r"term-[0-9]{13}-[0-9a-f]{32}", one.id)
    assert one.id.rsplit("-")[-1] != two.id.rsplit("-")[-1]


async def test_a_rush_does_not_get_past_the_limits(sessions: Sessions) -> None:
    rush = await asyncio.gather(*(sessions.open("a", LOCAL) for _ in range(20)), return_exceptions=True)
    refused = [answer for answer in rush if isinstance(answer, BaseException)]
    assert len(rush) - len(refused) == 4
    assert {type(answer) for answer in refused} == {RateLimited}
    assert refused[0].code == "too_many_sessions"  # type: ignore[union-attr]
    assert "All 4 of your terminal sessions" in str(refused[0])
    assert refused[0].retry_after  # type: ignore[union-attr]
    await sessions.open("b", LOCAL)
    await sessions.open("c", LOCAL)
    with pytest.raises(RateLimited, match="All 6 of the gateway's"):
        await sessions.open("d", LOCAL)
    assert len(sessions) == 6


async def test_a_place_is_free_again_after_closing_and_after_failing(sessions: Sessions) -> None:
    for _ in range(10):
        session = await sessions.open("a", LOCAL)
        await sessions.close("a", session.id)
        with pytest.raises(InvalidInput):
            await sessions.open("a", LocalTarget(cwd="/nonexistent"))
    assert len(sessions) == 0


async def test_a_session_belongs_to_its_opener(sessions: Sessions) -> None:
    session = await sessions.open("a", LOCAL)
    assert sessions.list("a") == [session]
    assert sessions.list("b") == []
    with pytest.raises(NotFound) as others:
        sessions.get("b", session.id)
    with pytest.raises(NotFound) as unknown:
        sessions.get("b", f"{session.id[:-4]}none")
    assert (others.value.code, others.value.message) == (unknown.value.code, unknown.value.message)
    assert others.value.code == "session_not_found"
    with pytest.raises(NotFound):
        await sessions.close("b", session.id)
    assert sessions.get("a", session.id) is session


async def test_a_closed_session_is_not_found(sessions: Sessions) -> None:
    nap = a_nap()
    session = await sessions.open("a", LOCAL)
    await session.send(f"sleep {nap}\n")
    await until(lambda: running(nap))
    closing = asyncio.ensure_future(sessions.close("a", session.id))
    await asyncio.sleep(0)
    with pytest.raises(NotFound):
        sessions.get("a", session.id)
    await closing
    assert not running(nap)


async def test_closing_goes_on_when_its_caller_leaves(sessions: Sessions) -> None:
    nap = a_nap()
    session = await sessions.open("a", LOCAL)
    await session.send(f"sleep {nap}\n")
    await until(lambda: running(nap))
    closing = asyncio.ensure_future(sessions.close("a", session.id))
    await asyncio.sleep(0.01)
    closing.cancel()
    await until(lambda: not running(nap))
    await until(lambda: not sessions._open_slots._taken)


async def test_idle_sessions_end_by_themselves_and_used_ones_do_not(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, idle_timeout=0.3) as sessions, running_telnet_device() as device:
        idle = await sessions.open("a", TelnetTarget(host="127.0.0.1", port=device.port))
        async with opened(sessions, owner="a") as terminal:
            result = await terminal.run("sleep 0.7; echo survived")
            assert result.stdout == "survived\n"
            with pytest.raises(NotFound):
                sessions.get("a", idle.id)
            assert sessions.list("a") == [terminal.session]
            await asyncio.wait_for(device.hung_up.wait(), 5)
            await until(lambda: not sessions.list("a"))


async def test_a_command_in_the_background_is_idle_only_once_it_has_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    async with make_sessions(tmp_path, idle_timeout=0.3) as sessions:
        background = LocalTarget(cwd=str(tmp_path), background="read line < go; echo done")
        session = await sessions.open("a", background)
        await session.read("a", cursor=0)
        idle = await sessions.open("a", LOCAL)
        await until(lambda: sessions.list("a") == [session])
        await until(lambda: idle.closed)
        assert session.connected
        assert session.idle_seconds == 0
        await asyncio.to_thread((tmp_path / "go").write_text, "now\n")
        await until(lambda: not session.connected)
        assert "done" in (await session.read("a", cursor=0)).text
        await until(lambda: not sessions.list("a"))


async def test_a_command_in_the_background_is_closed_while_it_runs(tmp_path: Path) -> None:
    async with make_sessions(tmp_path) as sessions:
        session = await sessions.open("a", LocalTarget(background="sleep 100"))
        await session.read("a", cursor=0)
        await sessions.close("a", session.id)
        assert not session.in_use


async def test_shutting_down_ends_everything(tmp_path: Path) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path) as sessions:
        session = await sessions.open("a", LOCAL)
        await session.send(f"sleep {nap}\n")
        executing = asyncio.ensure_future(session.execute(sessions.command(f"setsid sleep {nap} & sleep {nap}")))
        once = asyncio.ensure_future(sessions.execs.run("b", LOCAL, sessions.command(f"sleep {nap}")))
        await until(lambda: len(running(nap)) >= 5)
    assert not running(nap)
    for work in (executing, once):
        with pytest.raises(Overloaded) as told:
            await work
        assert told.value.code == "shutting_down"
    assert len(sessions) == 0


async def test_a_session_that_opens_during_shutdown_is_ended(tmp_path: Path) -> None:
    sessions = make_sessions(tmp_path)
    async with sessions:
        pass
    with pytest.raises(Overloaded):
        await sessions.open("a", LOCAL)
    assert len(sessions) == 0


async def test_a_shutdown_that_is_cancelled_still_ends_everything(tmp_path: Path) -> None:
    nap = a_nap()

    async def serve() -> None:
        async with make_sessions(tmp_path) as sessions:
            session = await sessions.open("a", LOCAL)
            await session.send(f"sleep {nap}\n")
            await asyncio.Event().wait()

    serving = asyncio.ensure_future(serve())
    await until(lambda: running(nap))
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not running(nap)


@pytest.mark.parametrize(
    ("options", "field", "most"),
    [
        ({"timeout": 600.5}, "timeoutMs", "600000"),
        ({"timeout": 601, "timeout_field": "timeoutSeconds"}, "timeoutSeconds", "600"),
        ({"max_output_bytes": 2**20 + 1}, "maxOutputBytes", str(2**20)),
    ],
)
async def test_limits_of_commands_are_named(
    sessions: Sessions, options: dict[str, float], field: str, most: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        sessions.command("true", **options)  # type: ignore[arg-type]
    assert refused.value.details == {"fields": [{"field": field, "reason": f"must be at most {most}"}]}


async def test_commands_get_the_defaults(sessions: Sessions) -> None:
    command = sessions.command("true", stdin="é")
    assert (command.timeout, command.max_output_bytes, command.stdin) == (30, 2**20, "é".encode())


async def test_fifty_sessions_leave_nothing_behind(tmp_path: Path) -> None:
    nap = a_nap()

    async def use(sessions: Sessions, number: int) -> None:
        async with opened(sessions, owner=f"owner-{number}") as terminal:
            await terminal.run(f"sleep {nap} & true")
            await terminal.run("cat", stdin="x")
            await terminal.session.send("echo shown-$((1+1))\n")
            await terminal.shows("shown-2")
            if number % 2:
                await terminal.close()

    async with make_sessions(tmp_path, sessions=100) as first:
        await use(first, 1)
    before = open_descriptors(), children(), len(asyncio.all_tasks())
    async with make_sessions(tmp_path, sessions=100) as sessions:
        for batch in range(5):
            await asyncio.gather(*(use(sessions, batch * 10 + number) for number in range(10)))
    assert not running(nap)
    await until(lambda: (open_descriptors(), children(), len(asyncio.all_tasks())) == before)


async def test_shutting_down_gives_up_what_is_being_opened(tmp_path: Path) -> None:
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        login = SshLogin(host="127.0.0.1", port=silent.getsockname()[1], username="x", password=SecretStr("x"))
        async with make_sessions(tmp_path, timeout=300) as sessions:
            opening = asyncio.ensure_future(sessions.open("a", SshTarget(login=login)))
            once = asyncio.ensure_future(sessions.execs.run("a", SshTarget(login=login), sessions.command("true")))
            await until(lambda: open_descriptors() >= before + 3)
        assert not sessions._opening
        for work in (opening, once):
            with pytest.raises(Overloaded) as given_up:
                await asyncio.wait_for(work, 5)
            assert given_up.value.code == "shutting_down"
    assert not sessions._open_slots._taken
    assert not sessions.execs._slots._taken
    await until(lambda: open_descriptors() <= before)


async def test_a_session_that_opens_in_the_moment_its_caller_leaves_is_ended(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Channel] = []
    open_really = sessions._local.open

    async def open_and_leave(target: LocalTarget, seat: Seat, *, owner: str) -> Channel:
        made.append(await open_really(target, seat, owner=owner))
        asyncio.get_running_loop().call_soon(opening.cancel)
        return made[0]

    monkeypatch.setattr(sessions._local, "open", open_and_leave)
    opening = asyncio.ensure_future(sessions.open("a", LOCAL))
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: not made[0].connected)
    assert len(sessions) == 0
    assert not sessions._open_slots._taken
    await until(lambda: not sessions._passing)


def resident() -> int:
    """Bytes of this process in memory."""
    return psutil.Process().memory_info().rss


async def opened_and_closed(sessions: Sessions, kept: int) -> int:
    """Fill the scrollback of as many sessions as there may be, and close them; the memory in use before that."""
    output = LocalTarget(background=f"head -c {2 * kept} /dev/urandom | base64")
    made = [await sessions.open(OWNER, output) for _ in range(sessions.limits.sessions_per_caller)]
    for session in made:
        await session.read("test", cursor=0, wait=5)
    await until(lambda: all(session.kept_bytes > kept // 2 and not session.connected for session in made), 20)
    full = resident()
    for session in made:
        await sessions.close(OWNER, session.id)
    return full


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told to give memory back")
async def test_the_memory_of_closed_sessions_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "FREED_SECONDS", 0.1)
    kept = 1024 * 1024
    gc.disable()  # what is given back does not wait for it
    try:
        async with make_sessions(tmp_path, sessions_per_caller=20, scrollback_bytes=kept) as sessions:
            await opened_and_closed(sessions, kept)  # for what stays: code, pools, keepers
            await until(lambda: sessions._giving_back is None)
            before = resident()
            full = await opened_and_closed(sessions, kept)
            await until(lambda: sessions._giving_back is None)
            assert full - before > 10 * kept
            assert resident() - before < (full - before) // 4, (before, full, resident())
    finally:
        gc.enable()
