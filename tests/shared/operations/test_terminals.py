"""The operations on terminal sessions, through the one door."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.domain.identity import LOCAL, Caller
from shared.domain.run_events import RunFinished, RunOutput
from shared.domain.targets import LocalTarget, TargetFields, TelnetTarget
from shared.domain.terminal import CommandResult
from shared.errors import Forbidden, InvalidInput, NotFound, RateLimited, Unavailable
from shared.operations import dispatch
from shared.operations import terminals as operations
from shared.operations.operation import Operation
from shared.terminal.policy.live import LivePolicy
from tests.support.no_command_limits import no_command_limits
from tests.support.nodes import alone
from tests.support.terminals import a_nap, make_sessions, running, until

NO_DATABASE = cast("Any", None)


class Gateway(SimpleNamespace):
    """As much of the gateway as terminals need; it keeps what was audited."""

    def __init__(self, sessions: Any) -> None:
        super().__init__(terminals=sessions, connections=self, audit=self, audited=[], policy=LivePolicy(NO_DATABASE))
        self.nodes = alone()
        self.command_limits = no_command_limits()
        self.settings = SimpleNamespace(auth_mode="local")
        self.telemetry = None

    async def require(self) -> None:
        """It can always write."""

    async def record(self, caller: Caller, name: str, facts: dict[str, Any], outcome: str) -> None:
        self.audited.append((name, facts, outcome))

    async def target_of(self, owner: str, fields: TargetFields, *, use_config: bool) -> LocalTarget | TelnetTarget:
        return fields.near_target()

    async def target(self, owner: str, id_or_name: str, *, use_config: bool) -> LocalTarget:
        if id_or_name != "saved":
            raise NotFound("no such connection")
        return LocalTarget(cwd="/usr")

    async def call(self, operation: Operation[Any, Any], caller: Caller = LOCAL, **payload: Any) -> Any:
        answer = await dispatch.call(self, caller, operation, payload)  # type: ignore[arg-type]
        return answer.model_dump(mode="json")

    async def open(self, **payload: Any) -> str:
        opened = await self.call(operations.OPEN_TERMINAL, **{"type": "local", **payload})
        return str(opened["session"]["id"])


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with make_sessions(tmp_path, sessions_per_caller=2) as sessions:
        yield Gateway(sessions)


async def test_a_session_is_opened_listed_shown_and_closed(gateway: Gateway) -> None:
    opened = await gateway.call(operations.OPEN_TERMINAL, type="local", title="mine")
    session = opened["session"]
    assert set(session) == {"id", "type", "createdAt", "connected", "lastActivity", "title"}
    assert await gateway.call(operations.LIST_TERMINALS) == {"sessions": [session]}
    assert await gateway.call(operations.GET_TERMINAL, id=session["id"]) == {"session": session}
    assert await gateway.call(operations.CLOSE_TERMINAL, id=session["id"]) == {"success": True}
    assert await gateway.call(operations.LIST_TERMINALS) == {"sessions": []}
    for operation in (operations.GET_TERMINAL, operations.CLOSE_TERMINAL, operations.READ_TERMINAL):
        with pytest.raises(NotFound):
            await gateway.call(operation, id=session["id"])


async def test_a_saved_connection_is_opened(gateway: Gateway) -> None:
    opened = await gateway.call(operations.OPEN_TERMINAL, connectionId="saved", cols=100)
    result = await gateway.call(operations.EXECUTE_COMMAND, id=opened["session"]["id"], command="pwd")
    assert result["result"]["stdout"] == "/usr\n"


async def test_a_command_is_executed(gateway: Gateway) -> None:
    session = await gateway.open()
    answer = await gateway.call(
        operations.EXECUTE_COMMAND, id=session, command="cat; exit 3", stdin="in", timeoutMs=5000, maxOutputBytes=100
    )
    assert {name: answer["result"][name] for name in ("stdout", "exitCode", "timedOut", "truncated")} == {
        "stdout": "in",
        "exitCode": 3,
        "timedOut": False,
        "truncated": False,
    }
    answer = await gateway.call(operations.EXECUTE_COMMAND, id=session, command="sleep 5", timeoutMs=50)
    assert answer["result"]["timedOut"]
    assert answer["result"]["exitCode"] is None
    with pytest.raises(InvalidInput, match="timeoutMs"):
        await gateway.call(operations.EXECUTE_COMMAND, id=session, command="true", timeoutMs=600_001)


async def test_typing_is_read_back(gateway: Gateway) -> None:
    session = await gateway.open()
    assert await gateway.call(operations.RESIZE_TERMINAL, id=session, cols=100, rows=5) == {"success": True}
    assert await gateway.call(operations.SEND_TO_TERMINAL, id=session, data="echo $((6*7))\n") == {"success": True}
    seen = ""
    async with asyncio.timeout(5):
        while "42\r\n" not in seen:
            answer = await gateway.call(operations.READ_TERMINAL, id=session, waitMs=1000)
            seen += "".join(answer["output"])
    assert set(answer) == {"output", "cursor", "dropped", "connected"}
    assert (answer["dropped"], answer["connected"]) == (0, True)
    again = await gateway.call(operations.READ_TERMINAL, id=session, cursor=0)
    assert "".join(again["output"]).startswith(seen)
    screen = await gateway.call(operations.READ_TERMINAL, id=session, view="screen")
    assert len(screen["output"]) == 5
    assert "42" in screen["output"]
    assert (await gateway.call(operations.READ_TERMINAL, id=session, cursor=10**9))["output"] == []


async def test_a_command_is_run_once(gateway: Gateway, tmp_path: Path) -> None:
    answer = await gateway.call(
        operations.RUN_COMMAND, command='pwd; echo "$X"; cat', cwd="/usr", env={"X": "y"}, stdin="in", timeoutSeconds=5
    )
    assert answer["result"]["stdout"] == "/usr\ny\nin"
    assert (await gateway.call(operations.LIST_TERMINALS))["sessions"] == []
    with pytest.raises(InvalidInput, match="timeoutSeconds"):
        await gateway.call(operations.RUN_COMMAND, command="true", timeoutSeconds=601)


async def test_a_command_is_run_in_a_session_or_on_a_connection(gateway: Gateway, tmp_path: Path) -> None:
    session = await gateway.open()
    await gateway.call(operations.RUN_COMMAND, command="cd /usr; export A=1", sessionId=session)
    answer = await gateway.call(operations.RUN_COMMAND, command='echo "$PWD $A"', sessionId=session)
    assert answer["result"]["stdout"] == "/usr 1\n"
    answer = await gateway.call(operations.RUN_COMMAND, command="pwd", connection="saved")
    assert answer["result"]["stdout"] == "/usr\n"
    for where in ({"sessionId": "term-0-none"}, {"connection": "unknown"}):
        with pytest.raises(NotFound):
            await gateway.call(operations.RUN_COMMAND, command="true", **where)


async def test_output_is_followed_while_it_runs(gateway: Gateway, tmp_path: Path) -> None:
    payload = {"command": f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo two >&2; exit 4"}
    events = []
    async with dispatch.open_stream(gateway, LOCAL, operations.RUN_COMMAND_EVENTS, payload) as stream:  # type: ignore[arg-type]
        async for event in stream:
            events.append(event)
            if event == RunOutput("stdout", "one\n"):
                (tmp_path / "go").touch()
    assert events[:-1] == [RunOutput("stdout", "one\n"), RunOutput("stderr", "two\n")]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].result.exit_code == 4


async def test_leaving_the_stream_ends_the_command(gateway: Gateway) -> None:
    nap = a_nap()
    payload = {"command": f"echo begun; setsid sleep {nap} & sleep {nap}"}
    async with dispatch.open_stream(gateway, LOCAL, operations.RUN_COMMAND_EVENTS, payload) as stream:  # type: ignore[arg-type]
        assert await anext(stream) == RunOutput("stdout", "begun\n")
        await until(lambda: len(running(nap)) >= 2)
    assert not running(nap)


async def test_cancelling_a_call_ends_the_command(gateway: Gateway) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(gateway.call(operations.RUN_COMMAND, command=f"sleep {nap}"))
    await until(lambda: running(nap))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not running(nap)


async def test_a_slow_follower_misses_output_but_not_the_result(gateway: Gateway) -> None:
    async with dispatch.open_stream(
        gateway,  # type: ignore[arg-type]
        LOCAL,
        operations.RUN_COMMAND_EVENTS,
        {"command": "yes | head -c 5000000"},
    ) as stream:
        assert isinstance(await anext(stream), RunOutput)
        await until(lambda: not running("head -c 5000000"))
        rest = [event async for event in stream]
    assert sum(len(event.text) for event in rest if isinstance(event, RunOutput)) < 5_000_000
    assert isinstance(rest[-1], RunFinished)
    assert rest[-1].result.stdout_bytes == 5_000_000


async def test_what_is_audited_tells_what_was_done_and_no_secret(gateway: Gateway) -> None:
    session = await gateway.open(env={"TOKEN": "hunter1"})
    await gateway.call(operations.EXECUTE_COMMAND, id=session, command="true " + "x" * 3000, stdin="hunter2")
    await gateway.call(operations.RUN_COMMAND, command="true", env={"TOKEN": "hunter3"}, stdin="hunter4", cwd="/")
    await gateway.call(operations.SEND_TO_TERMINAL, id=session, data="hunter5\n")
    await gateway.call(operations.CLOSE_TERMINAL, id=session)
    assert [(name, outcome) for name, _, outcome in gateway.audited] == [
        ("open_terminal", "ok"),
        ("execute_command", "ok"),
        ("run_command", "ok"),
        ("send_to_terminal", "ok"),
        ("close_terminal", "ok"),
    ]
    assert gateway.audited[0][1] == {"type": "local", "env": ["TOKEN"], "sessionId": session}
    assert len(gateway.audited[1][1]["command"]) == 2000
    ran = gateway.audited[2][1]
    assert ran == {"command": "true", "cwd": "/", "env": ["TOKEN"], "exitCode": 0, "durationMs": ran["durationMs"]}
    assert "hunter" not in str(gateway.audited)


async def test_what_is_typed_is_audited_by_how_much_it_is_and_never_by_its_text(gateway: Gateway) -> None:
    session = await gateway.open()
    gateway.audited.clear()
    for typed in (
        {"data": "hunter2\r"},
        {"data": "hun", "keys": "ter<<2<Enter><C-Up><C-c>"},
        {"keys": "<S-h><M-u><S-n>"},
        {"wait": {"for": "output", "timeoutMs": 1}},
    ):
        await gateway.call(operations.SEND_TO_TERMINAL, id=session, **typed)
    with pytest.raises(InvalidInput):
        await gateway.call(operations.SEND_TO_TERMINAL, id=session, keys="<hunter2>")
    assert gateway.audited == [
        ("send_to_terminal", {"sessionId": session, "characters": 8}, "ok"),
        ("send_to_terminal", {"sessionId": session, "characters": 8, "keys": "<Enter> <C-Up> <C-c>"}, "ok"),
        ("send_to_terminal", {"sessionId": session, "characters": 3}, "ok"),
        ("send_to_terminal", {"sessionId": session, "characters": 1}, "invalid_request"),
    ]


async def test_refusals_are_audited_too(gateway: Gateway) -> None:
    await gateway.open()
    await gateway.open()
    with pytest.raises(RateLimited):
        await gateway.open()
    assert gateway.audited[-1][2] == "too_many_sessions"


async def test_sessions_of_others_are_not_there(gateway: Gateway) -> None:
    session = await gateway.open()
    other = Caller(id="other", kind="key", name="other", scopes=frozenset({"terminal"}))
    assert await gateway.call(operations.LIST_TERMINALS, other) == {"sessions": []}
    for operation, payload in (
        (operations.GET_TERMINAL, {}),
        (operations.EXECUTE_COMMAND, {"command": "true"}),
        (operations.SEND_TO_TERMINAL, {"data": "x"}),
        (operations.RESIZE_TERMINAL, {"cols": 80, "rows": 24}),
        (operations.READ_TERMINAL, {}),
        (operations.CLOSE_TERMINAL, {}),
    ):
        with pytest.raises(NotFound) as refused:
            await gateway.call(operation, other, id=session, **payload)
        assert refused.value.code == "session_not_found"
    with pytest.raises(NotFound):
        await gateway.call(operations.RUN_COMMAND, other, command="true", sessionId=session)


async def test_the_scope_is_needed(gateway: Gateway) -> None:
    nobody = Caller(id="x", kind="key", name="x", scopes=frozenset({"chat"}))
    with pytest.raises(Forbidden):
        await gateway.call(operations.RUN_COMMAND, nobody, command="true")


def test_no_result_schema_is_open() -> None:
    assert CommandResult.model_json_schema(mode="serialization")["additionalProperties"] is False


async def test_a_session_whose_opener_leaves_before_it_is_told_is_closed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = asyncio.Event()

    async def slow(*_: object) -> None:
        recording.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway, "record", slow)
    opening = asyncio.ensure_future(gateway.open())
    await asyncio.wait_for(recording.wait(), 5)
    assert len(gateway.terminals) == 1
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert len(gateway.terminals) == 0


async def test_a_session_that_cannot_be_audited_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: object) -> None:
        raise Unavailable("The audit trail cannot be written.")

    monkeypatch.setattr(gateway, "record", failing)
    with pytest.raises(Unavailable):
        await gateway.open()
    assert len(gateway.terminals) == 0
