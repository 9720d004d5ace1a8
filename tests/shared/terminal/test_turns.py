"""The turns of a session's commands."""

import asyncio

import pytest

from shared.domain.terminal import CommandResult
from shared.errors import Conflict
from shared.security.redaction import Redactor
from shared.terminal.channel import Command
from shared.terminal.turns import LONGEST_SHOWN, Turn, Turns
from tests.support.clock import Clock

CHOSEN = "hunter2-hunter2"


def command(text: str, timeout: float = 5) -> Command:
    return Command(text=text, timeout=timeout, max_output_bytes=10)


def result(*, timed_out: bool, notice: str | None = None) -> CommandResult:
    return CommandResult(
        stdout="",
        stderr="",
        exit_code=None,
        duration_ms=1,
        timed_out=timed_out,
        truncated=False,
        cwd="/",
        stdout_bytes=0,
        stderr_bytes=0,
        notice=notice,
    )


@pytest.fixture
def turns() -> Turns:
    return Turns(Redactor(), Clock())


async def test_what_has_the_turn_is_shown_without_its_secrets(turns: Turns) -> None:
    assert turns.busy is None
    async with turns.take(command(f"mysql --password={CHOSEN}\n{'x' * 1000}")):
        assert turns.busy is not None
        assert turns.busy.model_dump(mode="json")["since"] == "2026-11-24T06:00:00.000Z"
        assert turns.busy.command.startswith("mysql --password=[redacted]\\n")
        assert len(turns.busy.command) < LONGEST_SHOWN + 30
    assert turns.busy is None


async def test_a_command_gets_what_waiting_has_left_of_its_time(turns: Turns) -> None:
    async with turns.take(command("first")) as first:
        assert first.ahead is None
        assert 4 < first.command.timeout <= 5
        second = turns.take(command("second", 3))
        waiting = asyncio.ensure_future(second.__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
    turn = await waiting
    assert turn.ahead is not None
    assert turn.ahead.command == "first"
    assert turn.command.timeout == pytest.approx(3 - turn.waited)
    await second.__aexit__(None, None, None)
    assert turns.busy is None


async def test_a_command_whose_time_is_up_before_its_turn_is_refused(turns: Turns) -> None:
    async with turns.take(command("the long one")):
        with pytest.raises(Conflict, match="nothing of it was run") as refused:
            async with turns.take(command("late", 0.01)):
                raise AssertionError
    assert refused.value.code == "session_busy"
    assert refused.value.details == {"busy": {"since": "2026-11-24T06:00:00.000Z", "command": "the long one"}}
    async with turns.take(command("the next one")):
        pass


async def test_one_that_leaves_the_queue_holds_up_nobody(turns: Turns) -> None:
    async with turns.take(command("first")):
        leaving = asyncio.ensure_future(turns.take(command("second")).__aenter__())
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    async with asyncio.timeout(5), turns.take(command("third")):
        assert turns.busy is not None
        assert turns.busy.command == "third"


async def test_a_result_tells_of_a_wait_that_mattered(turns: Turns) -> None:
    async with turns.take(command("make all")):
        ahead = turns.busy
    told = Turn(command("x"), 0.2, ahead).told(result(timed_out=True, notice="Ended.")).notice
    assert told == (
        "Ended. It waited 0.2 s of its time for an earlier command of this session, which ran since "
        "2026-11-24T06:00:00.000Z: make all"
    )
    assert Turn(command("x"), 0.2, ahead).told(result(timed_out=False)).notice is None
    assert "make all" in (Turn(command("x"), 2.0, ahead).told(result(timed_out=False)).notice or "")
    assert Turn(command("x"), 0.0, None).told(result(timed_out=True)).notice is None
