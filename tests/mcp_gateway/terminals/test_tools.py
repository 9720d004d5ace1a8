"""The terminal tools: what they take and refuse, and whose sessions they reach."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.calls.call import Limits
from mcp_gateway.calls.interaction import SECRET_SECONDS, START_SECONDS
from mcp_gateway.calls.terminals import MOST_CONNECTIONS
from mcp_gateway.terminals.arguments import MAX_WAIT_SECONDS
from mcp_gateway.terminals.tools import FILE_TOOLS, TERMINAL_TOOLS
from mcp_gateway.tools import TOOLS
from shared.domain.connections import CreateConnection
from shared.domain.identity import LOCAL
from shared.domain.policy import CommandPolicy
from shared.domain.targets import LocalTarget
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.connections import CREATE_CONNECTION
from tests.support.mcp_stack import ERAS, client_of, facts_of, text_of
from tests.support.mcp_terminal import Model
from tests.support.waiting import until


def test_there_are_few_enough_to_choose_from() -> None:
    assert len(TOOLS) <= 20
    assert [*TOOLS][-9:] == [tool.name for tool in (*TERMINAL_TOOLS, *FILE_TOOLS)]


@pytest.mark.parametrize("tool", [*TERMINAL_TOOLS, *FILE_TOOLS], ids=lambda tool: tool.name)
def test_no_tool_takes_a_password(tool: Any) -> None:
    properties = tool.info().input_schema["properties"]
    assert {"password", "privateKey", "passphrase"}.isdisjoint(properties)
    assert properties.get("secret", {}).get("const", "password") == "password"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("open_terminal", {"type": "ssh"}, "'host' is not valid: this field is required for the type 'ssh'"),
        (
            "open_terminal",
            {"type": "ssh", "host": "x", "password": "s3cret"},
            "'password' is not valid: this field is not",
        ),
        ("open_terminal", {"host": "example.org"}, "does not belong to the type 'local'"),
        ("open_terminal", {"connection": "box", "host": "x"}, "'host' is not valid: comes from the saved connection"),
        ("open_terminal", {"connection": "nowhere"}, "not_found)"),
        ("open_terminal", {"cols": 501}, "'cols' is not valid"),
        ("send_to_terminal", {"sessionId": "a"}, "'text' is not valid: this field is required"),
        ("send_to_terminal", {"sessionId": "a", "keys": "a", "paste": True}, "'text' is not valid"),
        ("send_to_terminal", {"sessionId": "a", "text": "s3cret", "secret": "password"}, "'secret' is not valid"),
        (
            "send_to_terminal",
            {"sessionId": "a", "text": "x", "waitSeconds": 46},
            "less than or equal to 45; the program goes on meanwhile, so wait again with read_terminal",
        ),
        ("send_to_terminal", {"sessionId": "a", "text": "x", "waitFor": "never"}, "'waitFor' is not valid"),
        ("send_to_terminal", {"sessionId": "a", "text": "x"}, "(code: session_not_found)"),
        ("read_terminal", {}, "'sessionId' is not valid: this field is required"),
        ("read_terminal", {"sessionId": "a", "cursor": -1}, "'cursor' is not valid"),
        (
            "read_terminal",
            {"sessionId": "a", "waitSeconds": 46},
            "less than or equal to 45; the program goes on meanwhile, so wait again with read_terminal",
        ),
        ("close_terminal", {"sessionId": "a"}, "(code: session_not_found)"),
        ("read_remote_file", {"sessionId": "a", "path": "x", "limit": 16_001}, "'limit' is not valid"),
        ("run_command", {"command": "x", "background": True, "sessionId": "box"}, "'sessionId' is not valid"),
        ("run_command", {"command": "x", "background": True, "timeoutSeconds": 5}, "'timeoutSeconds' is not valid"),
    ],
)
async def test_wrong_arguments_are_named_and_never_repeated(
    gateway: Gateway, era: str, tool: str, arguments: dict[str, Any], named: str
) -> None:
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert named in text_of(result)
    assert "s3cret" not in text_of(result)
    assert len(gateway.terminals) == 0


async def test_keys_that_there_are_not_are_refused_before_anything_is_typed(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        model = Model(client)
        await model.plain_shell()
        told = await model.refused("send_to_terminal", sessionId=model.id, text="echo typed", keys="<Entr>")
        assert "Enter" in told
        assert "typed" not in (await model.read())["text"]
        wrong = await model.refused("send_to_terminal", sessionId=model.id, text="x", pattern="(")
        assert "pattern" in wrong


async def test_files_are_for_hosts_over_ssh(gateway: Gateway) -> None:
    session = await gateway.terminals.open(LOCAL.id, LocalTarget())
    async with client_of(gateway) as client:
        result = await client.call_tool("read_remote_file", {"sessionId": session.id, "path": "/etc/hostname"})
    assert result.is_error
    assert "SSH" in text_of(result)


async def test_the_sessions_of_others_are_not_there(gateway: Gateway) -> None:
    session = await gateway.terminals.open("somebody-else", LocalTarget())
    async with client_of(gateway) as client:
        assert facts_of(await client.call_tool("list_terminals", {}))["sessions"] == []
        for tool, more in (
            ("read_terminal", {}),
            ("send_to_terminal", {"text": "x"}),
            ("close_terminal", {}),
            ("list_remote_files", {}),
            ("run_command", {"command": "true"}),
        ):
            result = await client.call_tool(tool, {"sessionId": session.id, **more})
            assert result.is_error
            assert "(code: session_not_found)" in text_of(result)
    assert session.connected


@pytest.mark.parametrize("era", ERAS)
async def test_a_session_from_elsewhere_is_the_same_session(gateway: Gateway, era: str, tmp_path: Path) -> None:
    session = await gateway.terminals.open(LOCAL.id, LocalTarget(cwd=str(tmp_path)), title="from REST")
    async with client_of(gateway, mode=era) as client:
        model = Model(client)
        (listed,) = (await model.call("list_terminals"))["sessions"]
        assert (listed["sessionId"], listed["label"]) == (session.id, "from REST")
        model.id = session.id
        shown = await model.send("echo $((6*7)) > answer; cat answer")
        assert "\n42\n" in shown["text"]
        seen = await session.read(LOCAL.id)
        assert "42" in seen.text


async def test_a_busy_session_is_listed_as_such_and_a_command_waits_no_longer_than_its_time(
    gateway: Gateway, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    session = await gateway.terminals.open(LOCAL.id, LocalTarget(cwd=str(tmp_path)))
    first = asyncio.ensure_future(
        session.execute(gateway.terminals.command("read line < go; : --password=s3cret-s3cret"))
    )
    await until(lambda: session.info.busy is not None)
    async with client_of(gateway) as client:
        listed = await client.call_tool("list_terminals", {})
        assert facts_of(listed)["sessions"][0]["busy"].endswith(": read line < go; : --password=[redacted]")
        assert " — busy since 2" in text_of(listed)
        told = await Model(client).refused("run_command", command="touch ran", sessionId=session.id, timeoutSeconds=0.1)
        assert "(code: session_busy)" in told
        assert "read line < go; : --password=[redacted]" in told
        assert "timeoutSeconds" in told
        await asyncio.to_thread((tmp_path / "go").write_text, "now\n")
        assert (await first).exit_code == 0
        assert facts_of(await client.call_tool("list_terminals", {}))["sessions"][0]["busy"] is None
    assert not (tmp_path / "ran").exists()


async def test_an_opening_that_is_left_leaves_no_session(gateway: Gateway) -> None:
    async with client_of(gateway, mode="legacy") as client:
        opening: asyncio.Task[Any] = asyncio.create_task(client.call_tool("open_terminal", {"cwd": "/"}))
        await until(lambda: len(gateway.terminals) == 1)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await until(lambda: len(gateway.terminals) == 0)


async def test_a_flood_is_cut_and_can_be_read_on(gateway: Gateway) -> None:
    async with client_of(gateway, limits=Limits(terminal_characters=2_000)) as client:
        model = Model(client)
        await model.plain_shell()
        shown = await model.send("seq 1 20000")
        assert shown["truncated"] is True
        assert shown["text"].startswith("seq 1 20000\n1\n2\n3\n")
        assert shown["text"].rstrip().endswith("20000\n$")
        assert len(shown["text"]) < 2_200
        gap = int(shown["note"].partition("cursor ")[2].split()[0])
        more = await model.read(cursor=gap)
        last = int(shown["text"].partition("\n[…")[0].splitlines()[-1])
        assert more["text"].startswith(f"{last + 1}\n{last + 2}\n")


async def test_a_match_as_long_as_the_output_is_cut(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        model = Model(client)
        await model.plain_shell()
        shown = await model.sees("(?s)1.*20000\n", "seq 1 20000\n")
        assert len(shown["match"]) <= 300


def test_the_longest_call_ends_before_hosts_give_up() -> None:
    assert MAX_WAIT_SECONDS + START_SECONDS + SECRET_SECONDS < 50


async def test_a_flood_without_end_takes_no_longer_than_asked_for(gateway: Gateway) -> None:
    async with client_of(gateway) as client, asyncio.timeout(20):
        model = Model(client)
        await model.plain_shell()
        shown = await model.send("yes", waitSeconds=1)
        assert shown["waitEnded"] == "timeout"
        assert shown["truncated"] is True
        assert (await model.send(keys="<C-c>"))["waitEnded"] == "prompt-like"


async def test_progress_tells_what_comes_while_it_waits(gateway: Gateway) -> None:
    heard = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        if message and "working" in message:
            heard.set()

    async with client_of(gateway, mode="legacy") as client:
        model = Model(client)
        await model.plain_shell()
        arguments = {"sessionId": model.id, "text": "echo work''ing; sleep 300\n", "waitSeconds": 45}
        call: asyncio.Task[Any] = asyncio.create_task(
            client.call_tool("send_to_terminal", arguments, progress_callback=note)
        )
        async with asyncio.timeout(10):
            await heard.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await model.send(keys="<C-c>"))["match"] == "$"


async def test_the_shells_end_is_told_with_its_exit_code(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        model = Model(client)
        await model.plain_shell()
        shown = await model.send("exit 7", waitFor="exit")
        assert (shown["waitEnded"], shown["connected"], shown["exitCode"]) == ("exit", False, 7)
        assert "close it" in shown["note"]
        assert (await model.call("list_terminals"))["sessions"][0]["exitCode"] == 7


@pytest.mark.parametrize("wait", [{"waitFor": "exit"}, {"pattern": "goes on"}])
async def test_a_read_that_says_what_it_waits_for_waits(gateway: Gateway, tmp_path: Path, wait: dict[str, str]) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with client_of(gateway) as client:
        model = Model(client)
        model.id = (await model.run(f"cat {gate}", background=True))["sessionId"]
        assert (await model.read())["waitEnded"] == "not_waited"
        assert (await model.read(waitSeconds=0, **wait))["waitEnded"] == "not_waited"
        reading = asyncio.create_task(model.read(cursor=0, **wait))
        await asyncio.to_thread(gate.write_text, "it goes on\n")
        assert (await reading)["waitEnded"] == ("exit" if "waitFor" in wait else "matched")


async def test_every_view_can_be_chosen(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        model = Model(client)
        await model.plain_shell(cols=40, rows=5)
        first = await model.send("clear; echo one")
        assert first["view"] == "text"
        assert (await model.read(view="text"))["text"].endswith("one\n$ ")
        assert (await model.read())["text"] == "one\n$"
        rows = (await model.read(view="diff"))["text"].splitlines()
        assert rows == ["0: one", "1: $", "2: ", "3: ", "4: "]
        changed = await model.send("echo two", view="diff")
        assert changed["text"].splitlines() == ["1: $ echo two", "2: two", "3: $"]
        assert (changed["cursorRow"], changed["cursorCol"]) == (3, 2)
        whole = await model.send("echo three", view="screen")
        assert whole["text"].endswith("$ echo three\nthree\n$")


async def test_people_read_the_same_as_models(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        opened = await client.call_tool("open_terminal", {"cwd": "/"})
        session_id = facts_of(opened)["sessionId"]
        assert text_of(opened).startswith(f"Session {session_id} (local)\n")
        ended = await client.call_tool(
            "send_to_terminal", {"sessionId": session_id, "text": "exit 3\n", "waitFor": "exit"}
        )
        assert "[text, exit, ended with exit code 3; cursor " in text_of(ended)
        listed = await client.call_tool("list_terminals", {})
        assert text_of(listed) == f"{session_id} (local) — ended, exit code 3"
        closed = await client.call_tool("close_terminal", {"sessionId": session_id})
        assert text_of(closed) == "Closed."
        assert text_of(await client.call_tool("list_terminals", {})) == "No session is open."


async def test_saved_connections_are_listed_without_secrets_and_found_by_search(gateway: Gateway) -> None:
    for number in range(MOST_CONNECTIONS + 2):
        saved = {"name": f"box-{number:02}", "type": "ssh", "host": "box.example.org", "username": "me"}
        await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, {**saved, "password": "s3cret"})
    async with client_of(gateway) as client:
        everything = await client.call_tool("list_terminals", {})
        assert len(facts_of(everything)["connections"]) == MOST_CONNECTIONS
        assert facts_of(everything)["moreConnections"] == 2
        assert "… and 2 more saved connections." in text_of(everything)
        assert "s3cret" not in everything.model_dump_json()
        found = facts_of(await client.call_tool("list_terminals", {"search": "BOX-07"}))
        assert found["connections"] == [{"name": "box-07", "type": "ssh", "host": "box.example.org", "username": "me"}]


@pytest.mark.parametrize("era", ERAS)
async def test_where_typing_is_not_allowed_the_model_is_told_what_to_do_instead(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        model = Model(client)
        await model.plain_shell()
        await gateway.policy.put(CommandPolicy.model_validate({"policies": [{"name": "careful"}]}))
        told = await model.refused("send_to_terminal", sessionId=model.id, text="rm -rf /\n")
        assert "(code: command_denied)" in told
        assert "run commands one by one" in told
        opened = await model.open()
        assert "'careful' lets nobody type" in opened["note"]
        assert "run_command" in opened["note"]
        assert (await model.read())["connected"] is True


async def test_the_owner_is_told_who_watches_a_session(gateway: Gateway) -> None:
    session = await gateway.terminals.open(LOCAL.id, LocalTarget())
    session.watchers.types("user-1", "admin")
    async with client_of(gateway) as client:
        listed = await client.call_tool("list_terminals", {})
        assert facts_of(listed)["sessions"][0]["watched"].startswith("admin watched until ")
        assert "and has typed into it" in text_of(listed)
        with session.watchers.following("user-1"):
            assert "admin watches" in text_of(await client.call_tool("list_terminals", {}))


async def test_names_in_listings_are_written_out(gateway: Gateway, tmp_path: Path) -> None:
    session = await gateway.terminals.open(LOCAL.id, LocalTarget(cwd=str(tmp_path)), title="my \u202enoisses\x9b")
    saved = {"name": "prod\u2066\x85", "type": "ssh", "host": "127.0.0.1", "username": "root\u200b"}
    await gateway.connections.create(LOCAL.id, CreateConnection.model_validate(saved))
    async with client_of(gateway) as client:
        listed = await client.call_tool("list_terminals", {})
        resources = await client.list_resources()
    shown = text_of(listed) + "".join(resource.title or "" for resource in resources.resources)
    assert shown.count(r"my \u202enoisses\u009b") == 2
    assert r"saved connection prod\u2066\u0085 (ssh root\u200b@127.0.0.1)" in shown
    assert session.id in shown
    assert not set("\u202e\x9b\u2066\x85\u200b") & set(shown)
