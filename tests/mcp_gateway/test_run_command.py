"""The tool `run_command`."""

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from mcp_gateway.calls.call import Limits
from mcp_gateway.rendering import size_of
from shared.domain.identity import LOCAL
from shared.domain.targets import LocalTarget
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.audit import LIST_AUDIT
from tests.support.mcp_stack import ERAS, client_of, facts_of, text_of
from tests.support.processes import lives


@pytest.mark.parametrize("era", ERAS)
async def test_output_and_exit_code_are_the_commands(gateway: Gateway, tmp_path: Path, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool(
            "run_command", {"command": "echo out; echo err >&2; pwd; exit 3", "cwd": str(tmp_path)}
        )
    facts = facts_of(result)
    assert facts.pop("durationMs") >= 0
    assert facts.pop("sandbox") in ("bwrap", "landlock", "none")
    assert facts == {
        "stdout": f"out\n{tmp_path}\n",
        "stderr": "err\n",
        "exitCode": 3,
        "timedOut": False,
        "truncated": False,
        "cwd": str(tmp_path),
        "sessionId": None,
        "outputId": None,
        "note": "",
    }
    assert "[exit code 3" in text_of(result)


async def test_each_call_is_a_fresh_shell_and_a_session_is_not(gateway: Gateway) -> None:
    session = await gateway.terminals.open(LOCAL.id, LocalTarget())
    async with client_of(gateway) as client:
        await client.call_tool("run_command", {"command": "export COLOUR=blue"})
        fresh = facts_of(await client.call_tool("run_command", {"command": "echo [$COLOUR]"}))
        inside: dict[str, Any] = {"sessionId": session.info.id}
        await client.call_tool("run_command", {"command": "export COLOUR=blue; cd /", **inside})
        kept = facts_of(await client.call_tool("run_command", {"command": "echo [$COLOUR]; pwd", **inside}))
    assert fresh["stdout"] == "[]\n"
    assert kept["stdout"] == "[blue]\n/\n"


async def test_unknown_sessions_and_connections_are_named_in_the_answer(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        for place in ({"sessionId": "term-1-x"}, {"connection": "nowhere"}):
            result = await client.call_tool("run_command", {"command": "true", **place})
            assert result.is_error
            assert "not_found)" in text_of(result)


async def test_at_its_time_out_it_is_ended_with_its_children(gateway: Gateway, tmp_path: Path) -> None:
    async with client_of(gateway) as client:
        facts = facts_of(
            await client.call_tool(
                "run_command",
                {
                    "command": "echo before; sleep 300 & echo $! > child; wait",
                    "cwd": str(tmp_path),
                    "timeoutSeconds": 0.6,
                },
            )
        )
    assert facts["timedOut"] is True
    assert facts["exitCode"] is None
    assert facts["stdout"] == "before\n"
    assert "timeoutSeconds" in facts["note"]
    child = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(child) or not lives(psutil.Process(child))


async def test_long_output_is_cut_in_the_middle_and_says_how_to_read_on(gateway: Gateway) -> None:
    async with client_of(gateway, limits=Limits(stdout_bytes=2_000)) as client:
        facts = facts_of(await client.call_tool("run_command", {"command": "seq 1 20000"}))
    assert facts["truncated"] is True
    assert facts["stdout"].startswith("1\n2\n3\n")
    assert facts["stdout"].endswith("19999\n20000\n")
    assert "characters left out here" in facts["stdout"]
    assert size_of(facts["stdout"]) < 2_400
    assert f"read_output and outputId {facts['outputId']}" in facts["note"]
    assert "108,894 bytes" in facts["note"]


async def test_the_largest_result_is_far_below_what_hosts_take(gateway: Gateway) -> None:
    command = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"
    async with client_of(gateway, mode="legacy") as client:
        result = await client.call_tool("run_command", {"command": command})
    assert facts_of(result)["truncated"] is True
    assert len(result.model_dump_json(by_alias=True)) < 100_000


@pytest.mark.parametrize("era", ERAS)
async def test_progress_tells_the_end_of_the_output(gateway: Gateway, tmp_path: Path, era: str) -> None:
    heard = asyncio.Event()
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    async def note(progress: float, total: float | None, message: str | None) -> None:
        if message and "working" in message:
            heard.set()

    async with client_of(gateway, mode=era) as client:
        call: asyncio.Task[Any] = asyncio.create_task(
            client.call_tool(
                "run_command", {"command": f"echo working; read line < {gate}; echo done"}, progress_callback=note
            )
        )
        async with asyncio.timeout(5):
            await heard.wait()
        await asyncio.to_thread(gate.write_text, "go\n")
        assert facts_of(await call)["stdout"] == "working\ndone\n"


@pytest.mark.parametrize("era", ERAS)
async def test_cancelling_the_call_ends_the_whole_tree(gateway: Gateway, tmp_path: Path, era: str) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    command = f"sleep 300 & setsid sleep 300 & echo $! $$ > {pids}; wait"
    async with client_of(gateway, mode=era) as client:
        call: asyncio.Task[Any] = asyncio.create_task(client.call_tool("run_command", {"command": command}))
        processes = [psutil.Process(int(pid)) for pid in (await asyncio.to_thread(pids.read_text)).split()]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 5)
    assert not alive


@pytest.mark.parametrize("era", ERAS)
async def test_one_in_the_background_gives_its_session_at_once(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool("run_command", {"command": "sleep 300", "background": True})
        facts = facts_of(result)
        assert facts["exitCode"] is None
        assert facts["sessionId"] in facts["note"]
        assert "in the background" in text_of(result)
        (listed,) = facts_of(await client.call_tool("list_terminals", {}))["sessions"]
        assert (listed["sessionId"], listed["label"], listed["connected"]) == (facts["sessionId"], "sleep 300", True)


async def test_cut_output_is_paged_and_searched(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        command = "for i in $(seq 1 9000); do echo line $i; done; echo bad >&2"
        facts = facts_of(await client.call_tool("run_command", {"command": command}))
        output_id = facts["outputId"]
        assert facts["truncated"] is True
        assert output_id in facts["note"]
        pages: list[str] = []
        asked: dict[str, Any] = {"outputId": output_id}
        while True:
            page = facts_of(await client.call_tool("read_output", asked))
            assert page["text"].startswith(f"line {page['line']}\n")
            pages.append(page["text"])
            if page["nextCursor"] is None:
                break
            asked["cursor"] = page["nextCursor"]
        assert "".join(pages) == "".join(f"line {number}\n" for number in range(1, 9001))
        found = facts_of(
            await client.call_tool("read_output", {"outputId": output_id, "search": "^line 500$", "context": 1})
        )
        assert (found["text"], found["matches"]) == ("499-line 499\n500:line 500\n501-line 501", 1)
        tail = facts_of(await client.call_tool("read_output", {"outputId": output_id, "tail": 2}))
        assert tail["text"] == "line 8999\nline 9000\n"
        stderr = facts_of(await client.call_tool("read_output", {"outputId": output_id, "stream": "stderr"}))
        assert stderr["text"] == "bad\n"
        wrong = await client.call_tool("read_output", {"outputId": output_id, "search": "(?=x)"})
        assert wrong.is_error
        assert "RE2" in text_of(wrong)


async def test_what_a_terminal_has_shown_is_searched(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        session = facts_of(await client.call_tool("open_terminal", {}))["sessionId"]
        typed = {"sessionId": session, "text": "seq 1 300; echo an-$((40+2))-end", "keys": "<Enter>"}
        await client.call_tool("send_to_terminal", {**typed, "pattern": "an-42-end"})
        found = facts_of(
            await client.call_tool("read_output", {"sessionId": session, "search": "^an-42-end$", "context": 1})
        )
        assert found["matches"] == 1
        assert "-300\n" in found["text"]


@pytest.mark.parametrize("inside", [False, True])
async def test_a_command_gets_its_input_and_variables(gateway: Gateway, inside: bool) -> None:
    given: dict[str, Any] = {"stdin": "b\na\n", "env": {"COLOUR": "s3cret-blue"}}
    if inside:
        given["sessionId"] = (await gateway.terminals.open(LOCAL.id, LocalTarget())).id
    async with client_of(gateway) as client:
        facts = facts_of(await client.call_tool("run_command", {"command": 'echo "[$COLOUR]"; sort', **given}))
        assert facts["stdout"] == "[s3cret-blue]\na\nb\n"
        for wrong in ({"env": {"A-B": "x"}}, {"env": {"A": "x\0y"}}, {"stdin": "x", "background": True}):
            result = await client.call_tool("run_command", {"command": "true", **wrong})
            assert result.is_error
            assert "is not valid" in text_of(result)
    entries = (await dispatch.call(gateway, LOCAL, LIST_AUDIT, {})).model_dump_json()
    assert "COLOUR" in entries
    assert "s3cret-blue" not in entries
