"""No call of a terminal tool outlasts what hosts wait for: it ends with an answer, and with what to go on with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp.types import ElicitResult

from mcp_gateway.calls.call import Limits
from shared.domain.identity import LOCAL
from shared.domain.policy import CommandPolicy
from shared.domain.targets import LocalTarget
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.connections import CREATE_CONNECTION
from tests.support.mcp_stack import client_of, facts_of, text_of
from tests.support.mcp_terminal import Model
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server
from tests.support.waiting import until

SHORT = Limits(terminal_seconds=1.5)


@asynccontextmanager
async def silent_host(port: int = 0) -> AsyncIterator[int]:
    """A host that takes connections and never says a word."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def save(gateway: Gateway, name: str, port: int, **more: Any) -> None:
    saved = {"name": name, "type": "ssh", "host": "127.0.0.1", "port": port, "username": USER, "password": PASSWORD}
    await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, {**saved, **more})


async def test_opening_by_way_of_a_silent_host_ends_in_time_and_leaves_nothing(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with running_ssh_server(tmp_path) as jump, silent_host() as port, client_of(gateway, limits=SHORT) as client:
        hop = {"host": "127.0.0.1", "port": jump.port, "username": USER, "password": PASSWORD}
        await save(gateway, "far", port, jump=hop)
        for tool, arguments in (
            ("open_terminal", {"connection": "far"}),
            ("run_command", {"connection": "far", "command": "true"}),
            ("run_command", {"connection": "far", "command": "true", "background": True}),
        ):
            async with asyncio.timeout(5):
                result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert "(code: call_too_long)" in text_of(result)
            assert len(gateway.terminals) == 0


async def test_a_reconnection_that_takes_too_long_leaves_the_session_to_go_on_with(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with running_ssh_server(tmp_path) as server, client_of(gateway, limits=SHORT) as client:
        await save(gateway, "box", server.port)
        model = Model(client)
        await model.open(connection="box")
        server.acceptor.close()
        async with silent_host(server.port):
            server.connections[0].abort()
            await until(lambda: not gateway.terminals.get(LOCAL.id, model.id).connected)
            async with asyncio.timeout(5):
                told = await model.refused("run_command", sessionId=model.id, command="true")
            assert "(code: call_too_long)" in told
        (entry,) = (await model.call("list_terminals"))["sessions"]
        assert entry["sessionId"] == model.id


async def test_a_wait_gets_no_more_than_the_call_has_left(gateway: Gateway) -> None:
    async with client_of(gateway, limits=Limits(terminal_seconds=3)) as client:
        model = Model(client)
        await model.plain_shell()
        async with asyncio.timeout(10):
            shown = await model.read(cursor=0, pattern="never-comes", waitSeconds=45)
        assert shown["waitEnded"] == "timeout"
        assert "waitSeconds to wait on" in shown["note"]


async def ask_for_everything(gateway: Gateway) -> None:
    rule = {"action": "confirm", "commands": ["printf"]}
    policy = {"policies": [{"name": "p", "ask": ["client", "queue"], "rules": [rule]}]}
    await gateway.policy.put(CommandPolicy.model_validate(policy))


async def test_a_user_who_says_nothing_leaves_the_approval_to_be_given_later(gateway: Gateway) -> None:
    async def silent(context: Any, params: Any) -> ElicitResult:
        await asyncio.Event().wait()
        raise AssertionError

    await ask_for_everything(gateway)
    limits = Limits(terminal_seconds=2.3)
    async with client_of(gateway, mode="legacy", limits=limits, elicitation_callback=silent) as client:
        async with asyncio.timeout(5):
            result = await client.call_tool("run_command", {"command": "printf done"})
        assert "(code: approval_required)" in text_of(result)
        (waiting,) = await gateway.approvals.queue()
        assert waiting.id in text_of(result)
        await gateway.approvals.decide(LOCAL, waiting.id, "approve")
        again = await client.call_tool(
            "run_command", {"command": "printf done", "approvalId": waiting.id, "timeoutSeconds": 1}
        )
    assert facts_of(again)["stdout"] == "done"


async def test_leave_that_comes_late_is_for_the_next_call(gateway: Gateway) -> None:
    async def agrees(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"agree": True})

    await ask_for_everything(gateway)
    async with client_of(
        gateway, mode="legacy", limits=Limits(terminal_seconds=10), elicitation_callback=agrees
    ) as client:
        late = await client.call_tool("run_command", {"command": "printf done", "timeoutSeconds": 30})
        assert "(code: approval_given)" in text_of(late)
        approval = text_of(late).partition("approvalId ")[2].split()[0]
        facts = facts_of(
            await client.call_tool(
                "run_command", {"command": "printf done", "timeoutSeconds": 30, "approvalId": approval}
            )
        )
    assert facts["stdout"] == "done"


async def test_progress_tells_how_far_a_file_is(gateway: Gateway, tmp_path: Path) -> None:
    heard: list[str] = []
    gate = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")
        if message and "big.txt: " in message:
            gate.set()

    async with running_ssh_server(tmp_path) as server, client_of(gateway, mode="legacy") as client:
        await save(gateway, "box", server.port)
        model = Model(client)
        await model.open(connection="box")
        server.slow = gate  # the host takes no more until it has been told
        arguments = {"sessionId": model.id, "path": "big.txt", "content": "x" * 700_000}
        async with asyncio.timeout(10):
            result = await client.call_tool("write_remote_file", arguments, progress_callback=note)
        assert not result.is_error, text_of(result)
    assert "big.txt: 262,144 of 700,000 bytes" in heard


async def test_too_many_sessions_is_told_with_what_to_do(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        model = Model(client)
        for _ in range(8):
            await gateway.terminals.open(LOCAL.id, LocalTarget())
        told = await model.refused("open_terminal")
    assert "(code: too_many_sessions)" in told
    assert "close_terminal" in told
    assert "list_terminals" in told
    assert " 30 s" not in told


async def test_a_session_that_has_ended_makes_room_for_another(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        model = Model(client)
        ended = await model.run("echo the last words", background=True)
        model.id = ended["sessionId"]
        await model.read(cursor=0, waitFor="exit", waitSeconds=10)
        for _ in range(7):
            await gateway.terminals.open(LOCAL.id, LocalTarget())
        assert (await model.read(cursor=0))["text"] == "the last words\n"
        opened = await model.call("open_terminal")
        assert opened["connected"] is True
        assert "(code: session_not_found)" in await model.refused("read_terminal", sessionId=ended["sessionId"])
