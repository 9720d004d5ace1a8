"""Leave for a command over MCP: asked of the user in both eras; without it nothing runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from mcp.types import ElicitRequestFormParams, ElicitResult, InputRequiredResult

from mcp_gateway.calls.call import Limits
from mcp_gateway.calls.leave import LONGEST
from shared.domain.identity import LOCAL, Caller
from shared.domain.policy import CommandPolicy
from shared.errors import Conflict, Forbidden
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.approvals import CONFIRM_COMMAND
from shared.operations.audit import LIST_AUDIT
from shared.operations.connections import CREATE_CONNECTION
from shared.operations.terminals import OPEN_TERMINAL
from tests.support.mcp_stack import ERAS, client_of, facts_of, gateway_with, text_of
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server
from tests.support.terminals import ssh_target

pytestmark = pytest.mark.slow

YES = ElicitResult(action="accept", content={"agree": True})
NO = ElicitResult(action="decline")
ASK = {"command": "printf done"}


class Person:
    """Answers what the client is to ask."""

    def __init__(self, answer: ElicitResult) -> None:
        self.asked: list[str] = []
        self._answer = answer

    async def __call__(self, context: Any, params: ElicitRequestFormParams) -> ElicitResult:
        self.asked.append(params.message)
        return self._answer


@pytest.fixture
async def policed(gateway: Gateway) -> Gateway:
    """A gateway that wants `printf` confirmed and denies `rm`."""
    await put(gateway)
    return gateway


async def put(gateway: Gateway, **more: Any) -> None:
    rules = [
        {"action": "confirm", "commands": ["printf"], "reason": "it prints"},
        {"action": "deny", "commands": ["rm"], "reason": "it deletes"},
    ]
    policy = {"policies": [{"name": "p", "rules": rules, **more}]}
    await gateway.policy.put(CommandPolicy.model_validate(policy))


@pytest.mark.parametrize("era", ERAS)
async def test_with_the_users_leave_it_runs(policed: Gateway, era: str) -> None:
    person = Person(YES)
    async with client_of(policed, mode=era, elicitation_callback=person) as client:
        facts = facts_of(await client.call_tool("run_command", ASK))
    assert facts["stdout"] == "done"
    (question,) = person.asked
    assert "it prints" in question
    assert "printf done" in question
    assert await policed.approvals.queue() == []


@pytest.mark.parametrize("era", ERAS)
async def test_the_user_sees_where_it_runs_and_what_hides_in_it(policed: Gateway, tmp_path: Path, era: str) -> None:
    person = Person(NO)
    async with client_of(policed, mode=era, elicitation_callback=person) as client:
        await client.call_tool("run_command", {"command": "printf \u202e x", "cwd": str(tmp_path)})
    (question,) = person.asked
    assert "printf \\u202e x" in question
    assert f"type:local, in {tmp_path}" in question


@pytest.mark.parametrize("era", ERAS)
async def test_the_user_sees_the_facts_that_the_approval_binds(policed: Gateway, tmp_path: Path, era: str) -> None:
    folder = tmp_path / "a\nSandbox: forged"
    folder.mkdir()
    person = Person(NO)
    async with client_of(policed, mode=era, elicitation_callback=person) as client:
        await client.call_tool("run_command", {**ASK, "cwd": str(folder), "env": {"PATH": "/usr/bin:/bin"}})
    (question,) = person.asked
    facts = question.splitlines()
    assert f"Where: type:local, in {tmp_path}/a\\nSandbox: forged" in facts
    assert "PATH: /usr/bin:/bin" in facts
    assert f"Sandbox: {policed.sandbox.kind}" in facts
    assert "Programs: printf: /usr/bin/printf" in facts
    assert "Sandbox: forged" not in facts


@pytest.mark.parametrize("era", ERAS)
async def test_the_user_sees_the_variables_and_the_input(policed: Gateway, era: str) -> None:
    person = Person(YES)
    async with client_of(policed, mode=era, elicitation_callback=person) as client:
        given = {"command": "printf done; cat", "env": {"LANG": "C"}, "stdin": "the input"}
        facts = facts_of(await client.call_tool("run_command", given))
    assert facts["stdout"] == "donethe input"
    (question,) = person.asked
    assert "LANG=C" in question
    assert "the input" in question


@pytest.mark.parametrize("era", ERAS)
async def test_without_the_users_leave_it_does_not(policed: Gateway, era: str) -> None:
    async with client_of(policed, mode=era, elicitation_callback=Person(NO)) as client:
        result = await client.call_tool("run_command", ASK)
    assert result.is_error
    assert "(code: approval_denied)" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_told_how_to_go_on(policed: Gateway, era: str) -> None:
    async with client_of(policed, mode=era) as client:
        result = await client.call_tool("run_command", ASK)
        text = text_of(result)
        assert "(code: approval_required)" in text
        (waiting,) = await policed.approvals.queue()
        assert f"mcp-gateway approvals approve {waiting.id}" in text
        await policed.approvals.decide(LOCAL, waiting.id, "approve")
        facts = facts_of(await client.call_tool("run_command", {**ASK, "approvalId": waiting.id}))
    assert facts["stdout"] == "done"


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_denied_is_not_asked_about(policed: Gateway, era: str) -> None:
    person = Person(YES)
    async with client_of(policed, mode=era, elicitation_callback=person) as client:
        result = await client.call_tool("run_command", {"command": "printf x; rm x"})
    assert "(code: command_denied)" in text_of(result)
    assert "it deletes" in text_of(result)
    assert person.asked == []


@pytest.mark.parametrize("era", ERAS)
async def test_where_only_the_queue_decides_the_user_is_not_asked(gateway: Gateway, era: str) -> None:
    await put(gateway, ask=["queue"])
    person = Person(YES)
    async with client_of(gateway, mode=era, elicitation_callback=person) as client:
        result = await client.call_tool("run_command", ASK)
    assert "(code: approval_required)" in text_of(result)
    assert person.asked == []


async def test_what_is_too_long_to_be_judged_by_a_person_is_not_asked(policed: Gateway) -> None:
    person = Person(YES)
    async with client_of(policed, elicitation_callback=person) as client:
        result = await client.call_tool("run_command", {"command": f"printf {'x' * LONGEST}"})
    assert "(code: approval_required)" in text_of(result)
    assert person.asked == []


async def test_a_state_of_another_command_is_of_no_use(policed: Gateway) -> None:
    async with client_of(policed, elicitation_callback=Person(YES)) as client:
        found = await client.session.call_tool("run_command", ASK, allow_input_required=True)
        assert isinstance(found, InputRequiredResult)
        other = await client.session.call_tool(
            "run_command",
            {"command": "printf other"},
            input_responses={"leave": YES},
            request_state=found.request_state,
        )
        assert "(code: approval_mismatch)" in text_of(other)
        unknown = await client.session.call_tool(
            "run_command", ASK, input_responses={"leave": YES}, request_state="appr-unknown"
        )
        assert "(code: approval_not_found)" in text_of(unknown)
        assert "What to do: Call again without approvalId" in text_of(unknown)


async def test_what_the_user_said_is_audited(policed: Gateway) -> None:
    from shared.domain.audit import AuditQuery

    async with client_of(policed, mode="legacy", elicitation_callback=Person(YES)) as client:
        await client.call_tool("run_command", ASK)
    entries = (await policed.audit.query(AuditQuery())).entries
    outcomes = [(entry.action, entry.outcome) for entry in reversed(entries)]
    assert outcomes[-5:] == [
        ("command_policy", "approval_required"),
        ("run_command_events", "approval_required"),
        ("confirm_command", "ok"),
        ("command_policy", "approved"),
        ("run_command_events", "ok"),
    ]


async def test_the_policy_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[policies]]\nname = "own"\ndefault = "deny"\n')
    async with gateway_with(tmp_path / "data", terminal_policy_file=str(file)) as gateway, client_of(gateway) as client:
        result = await client.call_tool("run_command", {"command": "true"})
    assert "(code: command_denied)" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_files_are_read_and_written_with_the_users_leave(gateway: Gateway, era: str, tmp_path: Path) -> None:
    rules = [{"action": "confirm", "commands": ["ls", "cat", "tee"]}]
    policy = {"policies": [{"name": "p", "rules": rules, "ask": ["client"]}]}
    await gateway.policy.put(CommandPolicy.model_validate(policy))
    (tmp_path / "far").mkdir()
    person = Person(YES)
    async with (
        running_ssh_server(tmp_path / "far") as server,
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        session = await gateway.terminals.open(LOCAL.id, ssh_target(server))
        place = {"sessionId": session.id, "path": "f"}
        await client.call_tool("write_remote_file", {**place, "content": "one"})
        assert (server.home / "f").read_text() == "one"
        assert facts_of(await client.call_tool("read_remote_file", place))["content"] == "one"
        assert facts_of(await client.call_tool("list_remote_files", place))["entries"]
    for question, what in zip(person.asked, ("write f\n\none", "read f", "list f"), strict=True):
        assert f"\n\n{what}\n" in question


SAVED = {"name": "far", "type": "ssh", "host": "127.0.0.1", "username": USER, "password": PASSWORD}


@asynccontextmanager
async def far(folder: Path) -> AsyncIterator[tuple[Gateway, SshServer]]:
    """A gateway that asks about new hosts, and a saved connection to one."""
    (folder / "far").mkdir()
    async with (
        running_ssh_server(folder / "far") as server,
        gateway_with(folder / "data", ssh_host_keys="ask") as gateway,
    ):
        await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, {**SAVED, "port": server.port})
        yield gateway, server


@pytest.mark.parametrize("tool", [("open_terminal", {}), ("run_command", {"command": "echo there"})], ids=str)
@pytest.mark.parametrize("era", ERAS)
async def test_a_new_host_is_used_once_the_user_knows_its_key(
    tmp_path: Path, era: str, tool: tuple[str, dict[str, Any]]
) -> None:
    name, arguments = tool
    person = Person(YES)
    async with (
        far(tmp_path) as (gateway, server),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        for _ in range(2):
            assert facts_of(await client.call_tool(name, {"connection": "far", **arguments}))
        (question,) = person.asked
        assert server.fingerprints[0] in question
        assert f"127.0.0.1:{server.port}" in question
        assert len((tmp_path / "data" / "known_hosts").read_text().splitlines()) == 1
        rows = (await dispatch.call(gateway, LOCAL, LIST_AUDIT, {"action": "host_key"})).entries
    assert [row.outcome for row in rows] == ["approved", "approval_required"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_new_host_whose_key_the_user_does_not_know_is_not_used(tmp_path: Path, era: str) -> None:
    async with (
        far(tmp_path) as (gateway, server),
        client_of(gateway, mode=era, elicitation_callback=Person(NO)) as client,
    ):
        result = await client.call_tool("open_terminal", {"connection": "far"})
        assert "(code: approval_denied)" in text_of(result)
        assert server.logins == 0
        assert not (tmp_path / "data" / "known_hosts").exists()


@pytest.mark.parametrize("era", ERAS)
async def test_where_nobody_can_be_asked_about_a_new_host_it_is_said_how_to_go_on(tmp_path: Path, era: str) -> None:
    async with far(tmp_path) as (gateway, server), client_of(gateway, mode=era) as client:
        refused = text_of(await client.call_tool("open_terminal", {"connection": "far"}))
        (waiting,) = await gateway.approvals.queue()
        assert f"mcp-gateway approvals approve {waiting.id}`; then send the same request again." in refused
        assert server.fingerprints[0] in waiting.command
        await gateway.approvals.decide(LOCAL, waiting.id, "approve")
        assert facts_of(await client.call_tool("open_terminal", {"connection": "far"}))["sessionId"]


@pytest.mark.parametrize("agrees", [True, False])
@pytest.mark.parametrize("era", ERAS)
async def test_a_changed_host_key_is_the_users_to_accept(tmp_path: Path, era: str, agrees: bool) -> None:
    person = Person(YES if agrees else NO)
    async with (
        far(tmp_path) as (gateway, server),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        known = tmp_path / "data" / "known_hosts"
        old = asyncssh.generate_private_key("ssh-ed25519")
        line = f"[127.0.0.1]:{server.port} {old.export_public_key().decode()}"
        others = f"other,[127.0.0.1]:{server.port} {old.export_public_key().decode()}"
        known.write_text(f"# mine\n{line}{others}")
        result = await client.call_tool("open_terminal", {"connection": "far"})
        (question,) = person.asked
        assert old.get_fingerprint() in question
        assert server.fingerprints[0] in question
        lines = known.read_text().splitlines()
        if agrees:
            assert facts_of(result)["sessionId"]
            assert [found.split()[0] for found in lines] == ["#", "other", f"[127.0.0.1]:{server.port}"]
        else:
            assert "(code: approval_denied)" in text_of(result)
            assert len(lines) == 3
        assert server.logins == agrees


async def test_an_api_key_cannot_accept_a_changed_host_key_for_itself(tmp_path: Path) -> None:
    key = Caller(id="key:1", kind="key", name="agent", scopes=LOCAL.scopes)
    async with far(tmp_path) as (gateway, server):
        old = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        (tmp_path / "data" / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {old}")
        target = {key: value for key, value in SAVED.items() if key != "name"} | {"port": server.port}
        with pytest.raises(Conflict) as asked:
            await dispatch.call(gateway, key, OPEN_TERMINAL, target)
        assert isinstance(asked.value.details, dict)
        assert asked.value.details["ask"] == ["queue"]
        (waiting,) = await gateway.approvals.queue()
        with pytest.raises(Forbidden):
            await dispatch.call(gateway, key, CONFIRM_COMMAND, {"id": waiting.id, "agreed": True})
        with pytest.raises(Forbidden):
            await gateway.approvals.decide(key, waiting.id, "approve")
        assert server.logins == 0


CONFIRM_ALL = {"policies": [{"name": "all", "default": "confirm", "ask": ["client", "queue"]}]}
THERE = {"connection": "far", "command": "echo there"}


@pytest.mark.parametrize("era", ERAS)
async def test_leave_for_a_command_outlasts_the_question_about_its_host(tmp_path: Path, era: str) -> None:
    person = Person(YES)
    async with (
        far(tmp_path) as (gateway, _),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        await gateway.policy.put(CommandPolicy.model_validate(CONFIRM_ALL))
        found = facts_of(await client.call_tool("run_command", THERE))
        assert found["stdout"] == "there\n"
        assert ["May I trust" in question for question in person.asked] == [False, True]
        assert await gateway.approvals.queue() == []


@pytest.mark.parametrize("more", [{}, {"background": True}], ids=["foreground", "background"])
@pytest.mark.parametrize("era", ERAS)
async def test_leave_from_the_queue_outlasts_the_question_about_the_host(
    tmp_path: Path, era: str, more: dict[str, Any]
) -> None:
    async with far(tmp_path) as (gateway, _), client_of(gateway, mode=era) as client:
        await gateway.policy.put(CommandPolicy.model_validate(CONFIRM_ALL))
        await client.call_tool("run_command", {**THERE, **more})
        (command,) = await gateway.approvals.queue()
        await gateway.approvals.decide(LOCAL, command.id, "approve")
        again = {**THERE, **more, "approvalId": command.id}
        refused = text_of(await client.call_tool("run_command", again))
        assert f"send it with approvalId {command.id}" in refused
        host = next(one for one in await gateway.approvals.queue() if one.kind == "host_key")
        await gateway.approvals.decide(LOCAL, host.id, "approve")
        assert facts_of(await client.call_tool("run_command", again))
        assert "(code: approval_not_found)" in text_of(await client.call_tool("run_command", again))


async def test_who_agrees_late_to_a_hosts_key_is_told_to_call_again(tmp_path: Path) -> None:
    async with (
        far(tmp_path) as (gateway, _),
        client_of(
            gateway, mode="legacy", limits=Limits(terminal_seconds=4), elicitation_callback=Person(YES)
        ) as client,
    ):
        late = text_of(await client.call_tool("open_terminal", {"connection": "far"}))
        assert "(code: approval_given)" in late
        assert "call again to have it done" in late
        assert facts_of(await client.call_tool("open_terminal", {"connection": "far"}))["sessionId"]


async def test_who_agrees_late_to_a_hosts_key_has_the_commands_leave_still(tmp_path: Path) -> None:
    async with (
        far(tmp_path) as (gateway, _),
        client_of(
            gateway, mode="legacy", limits=Limits(terminal_seconds=10), elicitation_callback=Person(YES)
        ) as client,
    ):
        await gateway.policy.put(CommandPolicy.model_validate(CONFIRM_ALL))
        late = text_of(await client.call_tool("run_command", THERE))
        (command,) = await gateway.approvals.queue()
        again = {**THERE, "approvalId": command.id}
        assert f"call again with approvalId {command.id} " in late
        assert f"call again with approvalId {command.id} " in text_of(await client.call_tool("run_command", again))
        assert facts_of(await client.call_tool("run_command", again))["stdout"] == "there\n"


@pytest.fixture
async def sandboxed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """A gateway whose commands are in a sandbox."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with gateway_with(tmp_path / "held", terminal_sandbox="auto") as gateway:
        if gateway.sandbox.kind == "none":
            pytest.skip(gateway.sandbox.detail)
        yield gateway


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("background", [False, True])
async def test_with_the_users_leave_a_command_runs_without_the_sandbox(
    sandboxed: Gateway, era: str, background: bool
) -> None:
    person = Person(YES)
    bare = {"command": "grep NoNewPrivs /proc/self/status", "sandbox": False, "background": background}
    async with client_of(sandboxed, mode=era, elicitation_callback=person) as client:
        facts = facts_of(await client.call_tool("run_command", bare))
        if background:
            wait = {"sessionId": facts["sessionId"], "cursor": 0, "waitFor": "exit", "waitSeconds": 10}
            assert "NoNewPrivs:\t0" in facts_of(await client.call_tool("read_terminal", wait))["text"]
        else:
            assert (facts["stdout"].split(), facts["sandbox"]) == (["NoNewPrivs:", "0"], "none")
    (question,) = person.asked
    assert "without the sandbox" in question
    assert "command policy" not in question


@pytest.mark.parametrize("era", ERAS)
async def test_with_the_users_leave_a_session_opens_without_the_sandbox(sandboxed: Gateway, era: str) -> None:
    person = Person(YES)
    async with client_of(sandboxed, mode=era, elicitation_callback=person) as client:
        facts = facts_of(await client.call_tool("open_terminal", {"sandbox": False}))
        ran = await client.call_tool("run_command", {"command": "id -u", "sessionId": facts["sessionId"]})
        assert facts_of(ran)["sandbox"] == "none"
    (question,) = person.asked
    assert "every command in it" in question


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("person", [Person(NO), None])
async def test_without_it_nothing_runs_outside_of_the_sandbox(
    sandboxed: Gateway, era: str, person: Person | None, tmp_path: Path
) -> None:
    async with client_of(sandboxed, mode=era, elicitation_callback=person) as client:
        for name, wanted in (("run_command", {"command": "touch ~/made"}), ("open_terminal", {})):
            assert (await client.call_tool(name, {**wanted, "sandbox": False})).is_error
    assert not (tmp_path / "made").exists()
    assert len(sandboxed.terminals) == 0
