"""`stdio --connect` as hosts start it: a process between an SDK client and a server on a real socket, in both eras."""

import asyncio
import gc
import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.types import ElicitResult

from mcp_gateway.bridge.bridge import Bridge
from mcp_gateway.bridge.upstream import Upstream
from tests.support.bridged import Far, bridged, far_server
from tests.support.mcp_stack import ERAS, text_of
from tests.support.stdio_process import COMMAND, StdioProcess, bare, modern, stdio_process
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")]
"""The SDK leaves its own streams to the garbage collector when a connection breaks off."""


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What the SDK left behind goes while its warnings are still expected."""
    yield
    gc.collect()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    async with far_server() as found:
        yield found


@pytest.fixture
async def host(far: Far, tmp_path: Path) -> AsyncIterator[StdioProcess]:
    async with stdio_process(bare(tmp_path), command=(COMMAND, "stdio", "--connect", far.url)) as process:
        yield process


async def shake_hands(host: StdioProcess) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    assert (await host.ask("initialize", client))["serverInfo"]["name"] == "far"
    await host.send("notifications/initialized", notify=True)


async def call(host: StdioProcess, tool: str, **arguments: Any) -> int:
    return await host.send("tools/call", {"name": tool, "arguments": arguments})


@pytest.mark.parametrize("era", ERAS)
async def test_requests_progress_and_large_results_pass_through(far: Far, tmp_path: Path, era: str) -> None:
    told: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with asyncio.timeout(20), bridged(far.url, bare(tmp_path), mode=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo", "count", "wait", "ask"]
        assert text_of(await client.call_tool("count", {"to": 3}, progress_callback=note)) == "3"
        large = "ä\u2028\n" * 500_000
        assert text_of(await client.call_tool("echo", {"text": large})) == large
        answers = await asyncio.gather(*(client.call_tool("echo", {"text": str(n)}) for n in range(20)))
        assert [text_of(answer) for answer in answers] == [str(n) for n in range(20)]
    assert told == [f"at {number}\u2028" for number in range(3)]
    posts = [headers for method, headers in far.methods if method == "POST"]
    assert ("mcp-method" in posts[-1]) == (era == "auto")


async def test_what_follows_the_handshake_need_not_wait_for_its_answer(host: StdioProcess) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    await host.send("initialize", client)
    await host.send("notifications/initialized", notify=True)
    answer = await host.answer(await call(host, "echo", text="at once"))
    assert answer["result"]["content"][0]["text"] == "at once"


@pytest.mark.parametrize("era", ERAS)
async def test_cancelling_stops_the_call_at_the_server(far: Far, tmp_path: Path, era: str) -> None:
    async with asyncio.timeout(20), bridged(far.url, bare(tmp_path), mode=era) as client:
        waiting = asyncio.create_task(client.call_tool("wait", {}))
        await far.waiting.wait()
        waiting.cancel()
        await asyncio.wait_for(far.cancelled.wait(), 5)
        await asyncio.gather(waiting, return_exceptions=True)
        assert text_of(await client.call_tool("echo", {"text": "on"})) == "on"


async def test_a_cancelled_request_is_never_answered(far: Far, host: StdioProcess) -> None:
    await shake_hands(host)
    cancelled = await call(host, "wait")
    await far.waiting.wait()
    await host.send("notifications/cancelled", {"requestId": cancelled}, notify=True)
    await asyncio.wait_for(far.cancelled.wait(), 5)
    after = await call(host, "echo", text="x")
    assert json.loads(await host.line())["id"] == after


async def test_over_a_rate_limit_calls_say_so_and_cancellations_wait(far: Far, host: StdioProcess) -> None:
    await shake_hands(host)
    waiting = await call(host, "wait")
    await far.waiting.wait()
    far.refusing = 1
    refused = await host.answer(await call(host, "echo", text="x"))
    assert refused["error"]["message"] == "Too many requests; try again in 0 s."
    far.refusing = 2
    await host.send("notifications/cancelled", {"requestId": waiting}, notify=True)
    await asyncio.wait_for(far.cancelled.wait(), 5)


async def test_the_server_may_ask_the_user(far: Far, tmp_path: Path) -> None:
    async def agree(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"ok": True})

    async with (
        asyncio.timeout(20),
        bridged(far.url, bare(tmp_path), mode="legacy", elicitation_callback=agree) as client,
    ):
        assert text_of(await client.call_tool("ask", {})) == "accept"


async def test_subscriptions_stay_open_and_bring_what_changes(far: Far, tmp_path: Path) -> None:
    async with (
        asyncio.timeout(20),
        bridged(far.url, bare(tmp_path)) as client,
        client.listen(resource_subscriptions=["models://registry"], tools_list_changed=True) as stream,
    ):
        await far.bus.publish(ResourceUpdated(uri="models://registry"))
        assert await anext(stream) == ResourceUpdated(uri="models://registry")
        assert text_of(await client.call_tool("echo", {"text": "meanwhile"})) == "meanwhile"
        await far.bus.publish(ToolsListChanged())
        assert await anext(stream) == ToolsListChanged()


async def test_names_that_headers_cannot_hold_pass_all_the_same(far: Far, host: StdioProcess) -> None:
    asked = await host.send("resources/read", modern(uri="models://ä b"))
    assert "models://" in (await host.answer(asked))["error"]["message"]
    assert "not match" not in json.dumps(far.methods)


@pytest.mark.parametrize("ending", ["stdin closed", signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_however_it_ends_the_session_is_closed_and_its_calls_stop(
    far: Far, host: StdioProcess, ending: Any
) -> None:
    await shake_hands(host)
    await call(host, "wait")
    await far.waiting.wait()
    if isinstance(ending, signal.Signals):
        host.process.send_signal(ending)
    else:
        host.close_stdin()
    code, rest, errors = await host.ended()
    assert code == (128 + ending if isinstance(ending, signal.Signals) else 0)
    assert (rest, errors) == ("", "")
    await asyncio.wait_for(far.cancelled.wait(), 5)
    assert far.methods[-1][0] == "DELETE"


async def test_a_call_of_the_modern_era_stops_when_the_host_leaves(far: Far, host: StdioProcess) -> None:
    await host.send("tools/call", modern(name="wait", arguments={}))
    await far.waiting.wait()
    host.close_stdin()
    assert (await host.ended())[0] == 0
    await asyncio.wait_for(far.cancelled.wait(), 5)


async def test_a_bridge_that_is_killed_stops_its_calls_too(far: Far, host: StdioProcess) -> None:
    await host.send("tools/call", modern(name="wait", arguments={}))
    await far.waiting.wait()
    host.process.kill()
    await asyncio.wait_for(far.cancelled.wait(), 5)


async def test_lines_that_are_no_messages_do_not_disturb(host: StdioProcess) -> None:
    await host.write(b'\n{"broken\n[]\n"text"\n\xff\xfe\n{}\n')
    await shake_hands(host)
    assert (await host.ask("tools/list"))["tools"]


async def test_notifications_of_the_server_arrive_without_a_request(far: Far, host: StdioProcess) -> None:
    await shake_hands(host)
    await until(lambda: any(method == "GET" for method, _ in far.methods))


async def test_refusals_of_the_server_are_answers(host: StdioProcess) -> None:
    asked = await host.send("no/such", modern())
    assert (await host.answer(asked))["error"]["code"] == -32601
    early = await host.send("tools/list", {})  # no handshake yet
    assert (await host.answer(early))["error"]["message"]


async def test_a_session_that_the_server_forgot_is_opened_again(far: Far, host: StdioProcess) -> None:
    await shake_hands(host)
    await until(lambda: any(method == "GET" for method, _ in far.methods))
    first = far.methods[-1][1]["mcp-session-id"]
    async with httpx2.AsyncClient() as client:
        assert (await client.delete(f"{far.url}/mcp", headers={"mcp-session-id": first})).status_code == 200
    answers = [await call(host, "echo", text="one"), await call(host, "echo", text="two")]
    texts = {(await host.answer(number))["result"]["content"][0]["text"] for number in answers[:1]}
    assert texts == {"one"}
    opened = [headers for _, headers in far.methods if "mcp-session-id" in headers]
    assert opened[-1]["mcp-session-id"] != first


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_goes_away_is_said_to_have_gone(far: Far, tmp_path: Path, era: str) -> None:
    async with asyncio.timeout(20), bridged(far.url, bare(tmp_path), mode=era) as client:
        waiting = asyncio.create_task(client.call_tool("wait", {}))
        await far.waiting.wait()
        far.break_off()
        with pytest.raises(MCPError, match="broke off while this was under way"):
            await waiting


async def test_what_was_not_sent_says_so(far: Far) -> None:
    written: list[bytes] = []

    async def write(message: bytes) -> None:
        written.append(message)

    bridge = Bridge(Upstream("http://127.0.0.1:1", patience=0), write)
    await bridge.take(b'{"jsonrpc": "2.0", "id": "a", "method": "tools/list"}')
    await until(lambda: bool(written))
    answer = json.loads(written[0])
    assert answer["id"] == "a"
    assert "nothing was done. Start it with `mcp-gateway serve`" in answer["error"]["message"]
    await bridge.aclose()
