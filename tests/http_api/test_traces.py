"""One trace from a chat to the command that an agent then ran, over REST and MCP."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.providers.scripted import ScriptedServer
from shared.storage.tables import UsageRow
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.mcp_stack import client_of, facts_of
from tests.support.serving import serving
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SAYING = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "hello"}]}


async def entries(made: Surface, trace_id: str) -> list[dict[str, Any]]:
    answer = await made.http.get("/v1/audit", params={"traceId": trace_id})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])


async def test_a_chat_and_the_commands_after_it_are_found_under_one_trace(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        chat = await made.http.post("/v1/chat/completions", json=SAYING, headers={"traceparent": TRACEPARENT})
        assert chat.headers["x-trace-id"] == TRACE
        step = chat.headers["traceparent"]
        assert step.split("-")[1] == TRACE
        assert step.split("-")[2] != PARENT

        run = {"command": 'echo "$TRACEPARENT"'}
        session = (await made.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        execute = f"/v1/terminal/{session}/execute"
        ran = await made.http.post(execute, json=run, headers={"traceparent": step})
        assert ran.headers["x-trace-id"] == TRACE
        assert ran.json()["result"]["stdout"].strip() == ran.headers["traceparent"]
        again = await made.http.post(execute, json=run)
        assert again.headers["x-trace-id"] != TRACE
        assert again.json()["result"]["stdout"].strip() == again.headers["traceparent"]

        async with client_of(made.gateway) as client:
            called = await client.call_tool("run_command", run, meta={"traceparent": step})
            assert facts_of(called)["stdout"].split("-")[1] == TRACE
            called = await client.call_tool("run_command", run, meta={"traceparent": "00-zero"})
            own = facts_of(called)["stdout"].split("-")[1]
            assert own != TRACE

        found = await entries(made, TRACE)
        assert [entry["action"] for entry in found] == ["run_command_events", "execute_command", "chat"]
        assert {entry["traceId"] for entry in found} == {TRACE}
        assert len(await entries(made, own)) == 1
        asked = {"requestId": ran.headers["x-request-id"]}
        assert len((await made.http.get("/v1/audit", params=asked)).json()["entries"]) == 1
        assert (await made.http.get("/v1/audit/verify")).json()["valid"] is True

        decision = await made.http.get(f"/v1/decisions/{chat.headers['x-request-id']}")
        assert decision.json()["traceId"] == TRACE
        await made.gateway.ledger.flush()
        row = await made.gateway.database.read(lambda session: session.get(UsageRow, 1))
        assert row is not None
        assert row.trace_id == TRACE


@pytest.mark.parametrize("bad", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", "00-" + "é" * 32, "x" * 5000])
async def test_a_malformed_trace_is_no_error(tmp_path: Path, bad: str) -> None:
    async with surface(tmp_path) as made:
        answers = [
            await made.http.get("/v1/models", headers={"traceparent": bad.encode("utf-8")})
            for _ in range(2)  # type: ignore[dict-item]
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert len({answer.headers["x-trace-id"] for answer in answers}) == 2
        assert (await made.http.get("/v1/audit", params={"traceId": "nonsense"})).status_code == 400


async def test_log_lines_name_the_trace(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", LOG_FORMAT="json") as one:
        named = await one.http.get("/v1/models", headers={"traceparent": TRACEPARENT})
        other = await one.http.get("/v1/models")
    lines = [json.loads(line) for line in (tmp_path / "data" / "log").read_text().splitlines() if "/v1/models" in line]
    assert [line["trace_id"] for line in lines] == [TRACE, other.headers["x-trace-id"]]
    assert named.headers["x-trace-id"] == TRACE != other.headers["x-trace-id"]


@pytest.mark.parametrize(("whom", "told"), [("local", False), ("off", False), ("all", True)])
async def test_providers_elsewhere_hear_of_the_trace_only_when_they_may(tmp_path: Path, whom: str, told: bool) -> None:
    async with surface(tmp_path, upstream_trace=whom) as made:
        await made.http.post("/v1/models", json=MODEL)
        await made.http.post("/v1/chat/completions", json=SAYING, headers={"traceparent": TRACEPARENT})
        sent = made.provider.seen[-1].headers.get("traceparent", "")
        assert sent.startswith(f"00-{TRACE}-") is told
        assert PARENT not in sent


@pytest.mark.parametrize(("whom", "told"), [("local", True), ("off", False)])
async def test_model_servers_of_this_machine_hear_of_it_by_default(tmp_path: Path, whom: str, told: bool) -> None:
    async with (
        ScriptedServer().listening() as local,
        surface(tmp_path, upstream_trace=whom, oss_model_endpoint=local.base_url) as made,
    ):
        asked = {**SAYING, "model": "oss-local/scripted"}
        answer = await made.http.post("/v1/chat/completions", json=asked, headers={"traceparent": TRACEPARENT})
        assert answer.status_code == 200, answer.text
        sent = local.seen[-1].headers.get("traceparent", "")
        assert sent.startswith(f"00-{TRACE}-") is told


async def test_commands_on_other_hosts_find_the_trace_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with running_ssh_server(home) as server, surface(tmp_path / "data") as made:
        target = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        opened = await made.http.post("/v1/terminal/sessions", json=target)
        path = f"/v1/terminal/{opened.json()['session']['id']}/execute"
        for _ in range(2):  # the second takes over the variables of the first
            ran = await made.http.post(path, json={"command": 'echo "$TRACEPARENT"'})
            assert ran.json()["result"]["stdout"].strip() == ran.headers["traceparent"]


TOOLING = {**MODEL, "apiModelName": "scripted-tool", "pricePer1kInputTokens": 0.001, "pricePer1kOutputTokens": 0.002}
TOOLS = [{"type": "function", "function": {"name": "run", "parameters": {"type": "object"}}}]
CALLING = {**SAYING, "messages": [{"role": "user", "content": "list the files"}], "tools": TOOLS}


async def called(made: Surface, **more: Any) -> tuple[httpx.Response, str]:
    """A chat whose model calls a tool, and the id of that call."""
    answer = await made.http.post("/v1/chat/completions", json={**CALLING, **more})
    assert answer.status_code == 200, answer.text
    found = re.search(r'"id":"(call[^"]+)"', answer.text)
    assert found is not None, answer.text
    return answer, found[1]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trace_tells_the_story_from_either_end(tmp_path: Path, stream: bool) -> None:
    async with surface(tmp_path, decision_text=True) as made:
        await made.http.post("/v1/models", json=TOOLING)
        chat, call = await called(made, stream=stream)
        ran = await made.http.post("/v1/terminal/execute", json={"command": "exit 3"}, headers={"X-Tool-Call-Id": call})
        assert ran.json()["result"]["exitCode"] == 3, ran.text
        assert ran.headers["x-trace-id"] != chat.headers["x-trace-id"]
        answered = {
            **CALLING,
            "messages": [*CALLING["messages"], {"role": "tool", "tool_call_id": call, "content": "3"}],
        }
        await made.http.post("/v1/chat/completions", json=answered)
        for trace_id in (chat.headers["x-trace-id"], ran.headers["x-trace-id"]):
            told = await made.http.get(f"/v1/trace/{trace_id}")
            assert told.status_code == 200, told.text
            asked, command, after = told.json()["steps"]
            assert (asked["kind"], asked["model"], asked["layer"]) == ("chat", "scripted/scripted", "L0")
            assert asked["question"] == "list the files"
            assert asked["details"]["toolCalls"] == [call]
            assert len(asked["details"]["requestDigest"]) == len(asked["details"]["answerDigest"]) == 64
            assert (command["kind"], command["command"], command["exitCode"]) == ("command", "exit 3", 3)
            assert (command["causeRequestId"], command["causeBy"]) == (chat.headers["x-request-id"], "toolCall")
            assert (after["kind"], after["causeRequestId"]) == ("chat", chat.headers["x-request-id"])
            assert told.json()["costUsd"] == pytest.approx(asked["costUsd"] + after["costUsd"])
            assert asked["costUsd"] > 0
        assert (await made.http.get("/v1/audit/verify")).json()["valid"] is True


async def test_a_client_names_the_tool_call_in_meta_or_the_session_in_a_header(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=TOOLING)
        chat, call = await called(made, gateway={"session": "agent-7"})
        async with client_of(made.gateway) as client:
            await client.call_tool("run_command", {"command": "true"}, meta={"claudecode/toolUseId": call})
        await made.http.post("/v1/terminal/execute", json={"command": "true"}, headers={"X-Gateway-Session": "agent-7"})
        found = await made.http.get("/v1/audit", params={"causeRequestId": chat.headers["x-request-id"]})
        causes = [entry["details"]["causeBy"] for entry in found.json()["entries"]]
        assert causes == ["session", "toolCall"]


async def test_a_refused_and_a_cached_chat_leave_entries_too(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        kept = {**SAYING, "gateway": {"cache": True}}
        for _ in range(2):
            await made.http.post("/v1/chat/completions", json=kept)
        await made.http.post("/v1/chat/completions", json={**SAYING, "model": "nobody/knows"})
        newest = (await made.http.get("/v1/audit", params={"action": "chat"})).json()["entries"]
        assert [entry["outcome"] for entry in newest] == ["model_not_found", "ok", "ok"]
        refused, again, first = (entry["details"] for entry in newest)
        assert refused["asked"] == "nobody/knows"
        assert "model" not in refused
        assert again["cache"] == "hit"
        assert again["requestDigest"] == first["requestDigest"]


async def test_chats_leave_no_entries_where_that_is_turned_off(tmp_path: Path) -> None:
    async with surface(tmp_path, audit_chats=False) as made:
        await made.http.post("/v1/models", json=MODEL)
        await made.http.post("/v1/chat/completions", json=SAYING)
        assert (await made.http.get("/v1/audit", params={"action": "chat"})).json()["entries"] == []


async def test_nobody_sees_the_traces_of_others(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        chat = await made.http.post("/v1/chat/completions", json=SAYING)
        key = (await made.http.post("/v1/keys", json={"name": "other", "scopes": ["chat"]})).json()["secret"]
        told = await made.http.get(
            f"/v1/trace/{chat.headers['x-trace-id']}", headers={"Authorization": f"Bearer {key}"}
        )
        assert told.status_code == 404
        assert "X-Trace-Id" in told.json()["error"]


async def test_a_trace_tells_who_approved_a_command(tmp_path: Path) -> None:
    asking = {"name": "ask", "rules": [{"action": "confirm", "commands": ["printf"]}]}
    async with surface(tmp_path) as made:
        http = made.http
        await http.put("/v1/terminal/policy", json={"policy": {"policies": [asking]}})
        step = {"traceparent": TRACEPARENT}
        asked = await http.post("/v1/terminal/execute", json={"command": "printf done"}, headers=step)
        approval = asked.json()["details"]["approvalId"]
        await http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
        run = {"command": "printf done", "approvalId": approval}
        assert (await http.post("/v1/terminal/execute", json=run, headers=step)).status_code == 200
        told = (await http.get(f"/v1/trace/{TRACE}")).json()["steps"]
        assert [(step["kind"], step["outcome"], step["exitCode"]) for step in told] == [
            ("policy", "approval_required", None),
            ("command", "approval_required", None),
            ("policy", "approved", None),
            ("command", "ok", 0),
        ]
        assert (told[2]["approvalId"], told[2]["decidedBy"]) == (approval, "local")
