"""Codes that an SSH host asks for at the login: asked of the user in both eras, and given to the host alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitRequestFormParams, ElicitResult

from shared.domain.identity import LOCAL
from shared.domain.policy import CommandPolicy
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.answers import ANSWER_PROMPT
from shared.operations.connections import CREATE_CONNECTION
from tests.support.mcp_stack import ERAS, client_of, facts_of, gateway_with, text_of
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server

CODE = "482913"
TWO_STEPS = ("Password: ", "Verification code: ")
TOOLS = pytest.mark.parametrize(
    "tool", [("open_terminal", {}), ("run_command", {"command": "echo there"})], ids=["open", "run"]
)


class Person:
    """Answers forms for codes with these, one form after the other, and agrees to everything else."""

    def __init__(self, *codes: str) -> None:
        self.asked: list[str] = []
        self._codes = list(codes)

    async def __call__(self, context: Any, params: ElicitRequestFormParams) -> ElicitResult:
        fields = params.requested_schema["properties"]
        self.asked.append(f"{params.message} {[field['title'] for field in fields.values()]}")
        if "agree" in fields:
            return ElicitResult(action="accept", content={"agree": True})
        if not self._codes:
            return ElicitResult(action="decline")
        code = self._codes.pop(0)
        return ElicitResult(action="accept", content=dict.fromkeys(fields, code))


@asynccontextmanager
async def far(folder: Path, questions: tuple[Any, ...] = TWO_STEPS) -> AsyncIterator[tuple[Gateway, SshServer]]:
    (folder / "far").mkdir()
    async with (
        running_ssh_server(folder / "far", questions=questions, code=CODE) as server,
        gateway_with(folder / "data") as gateway,
    ):
        saved = {"name": "far", "type": "ssh", "host": "127.0.0.1", "username": USER, "password": PASSWORD}
        await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, {**saved, "port": server.port})
        yield gateway, server


@TOOLS
@pytest.mark.parametrize("era", ERAS)
async def test_the_user_is_asked_for_the_code(tmp_path: Path, era: str, tool: tuple[str, dict[str, Any]]) -> None:
    name, arguments = tool
    person = Person(CODE)
    async with (
        far(tmp_path) as (gateway, server),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        result = await client.call_tool(name, {"connection": "far", **arguments})
        assert facts_of(result)
        assert CODE not in text_of(result)
        (question,) = person.asked
        assert f"{USER} on the SSH host 127.0.0.1:{server.port}" in question
        assert "['Verification code:']" in question
        assert "Two steps" in question
        assert server.logins == len(server.connections) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_host_may_ask_several_times(tmp_path: Path, era: str) -> None:
    person = Person("first", CODE)
    questions = (("Password: ", "Token 1: "), "Token 2: ")
    async with (
        far(tmp_path, questions) as (gateway, server),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        result = await client.call_tool("open_terminal", {"connection": "far"})
        assert "(code: code_refused)" in text_of(result)  # the host of the test takes one code only
        assert server.answers == [PASSWORD, "first", CODE]
        assert [question[question.index("[") :] for question in person.asked] == ["['Token 1:']", "['Token 2:']"]


@pytest.mark.parametrize("era", ERAS)
async def test_leave_for_the_command_outlasts_the_question_for_the_code(tmp_path: Path, era: str) -> None:
    person = Person(CODE)
    async with (
        far(tmp_path) as (gateway, _),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        policy = {"policies": [{"name": "all", "default": "confirm", "ask": ["client", "queue"]}]}
        await gateway.policy.put(CommandPolicy.model_validate(policy))
        found = facts_of(await client.call_tool("run_command", {"connection": "far", "command": "echo there"}))
        assert found["stdout"] == "there\n"
        assert len(person.asked) == 2
        assert await gateway.approvals.queue() == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_wrong_code_and_none_are_told_apart(tmp_path: Path, era: str) -> None:
    person = Person("000000")
    async with (
        far(tmp_path) as (gateway, _),
        client_of(gateway, mode=era, elicitation_callback=person) as client,
    ):
        wrong = text_of(await client.call_tool("open_terminal", {"connection": "far"}))
        assert "(code: code_refused)" in wrong
        none = text_of(await client.call_tool("open_terminal", {"connection": "far"}))
        assert "The user gave no code" in none


@TOOLS
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_told_how_to_go_on(
    tmp_path: Path, era: str, tool: tuple[str, dict[str, Any]]
) -> None:
    name, arguments = tool
    async with far(tmp_path) as (gateway, _), client_of(gateway, mode=era) as client:
        refused = text_of(await client.call_tool(name, {"connection": "far", **arguments}))
        assert "(code: code_required)" in refused
        assert "Verification code:" in refused
        assert "over REST with 'loginId'" in refused
        assert "make the same call again" in refused
        (waiting,) = gateway.terminals.logins.waiting(lambda owner: owner == LOCAL.id)
        assert waiting.id in refused
        await dispatch.call(gateway, LOCAL, ANSWER_PROMPT, {"id": waiting.id, "answers": [CODE]})
        assert facts_of(await client.call_tool(name, {"connection": "far", **arguments}))
