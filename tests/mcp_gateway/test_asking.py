"""Leave for a step that costs money: asked of the user, in both eras; without it the cheap answer stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mcp import Client
from mcp.types import (
    CallToolRequestParams,
    ClientCapabilities,
    ElicitationCapability,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    UrlElicitationCapability,
)

from mcp_gateway.asking import User
from mcp_gateway.calls.call import Limits
from mcp_gateway.identity import Context
from shared.gateway import Gateway
from shared.providers.scripted import ScriptedServer
from tests.support.mcp_stack import ERAS, add, client_of, facts_of, text_of

FREE = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}
ASK = {"message": "hi", "escalate": True, "maxLayer": "L1"}
YES = ElicitResult(action="accept", content={"agree": True})
ANSWERS = {
    "declined": ElicitResult(action="decline"),
    "dismissed": ElicitResult(action="cancel"),
    "not ticked": ElicitResult(action="accept", content={"agree": False}),
    "without content": ElicitResult(action="accept"),
    "no boolean": ElicitResult(action="accept", content={"agree": "yes"}),
}


class Person:
    """Answers what the client is to ask."""

    def __init__(self, answer: ElicitResult) -> None:
        self.asked: list[ElicitRequestFormParams] = []
        self._answer = answer

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        self.asked.append(params)
        return self._answer


@pytest.fixture
async def cut(gateway: Gateway) -> Gateway:
    """A free model whose answers are cut off, and one in L1 that costs money."""
    await add(gateway, "scripted-n3-len", **FREE)
    await add(gateway, "scripted-n5", layer="L1")
    return gateway


@asynccontextmanager
async def asking(gateway: Gateway, person: Person | None, **options: Any) -> AsyncIterator[Client]:
    async with client_of(gateway, elicitation_callback=person, **options) as client:
        yield client


def asked(scripted: ScriptedServer) -> list[str]:
    return [seen.body["model"] for seen in scripted.seen if seen.path.endswith("/chat/completions")]


@pytest.mark.parametrize("era", ERAS)
async def test_with_the_users_leave_the_better_answer_comes(cut: Gateway, scripted: ScriptedServer, era: str) -> None:
    person = Person(YES)
    async with asking(cut, person, mode=era) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert facts["text"] == "word0 word1 word2 word3 word4"
    assert (facts["model"], facts["layer"], facts["note"]) == ("scripted-n5", "L1", "")
    assert facts["costUsd"] == 0.021
    assert facts["checks"]["steps"] == ["truncated: openai:scripted-n3-len → openai:scripted-n5"]
    assert (facts["checks"]["ended"], facts["checks"]["addedCostUsd"]) == ("answered", 0)
    assert asked(scripted) == ["scripted-n3-len", "scripted-n5"]
    (question,) = person.asked
    assert "openai:scripted-n3-len was cut off. Ask openai:scripted-n5 (layer L1) too?" in question.message
    assert "up to $" in question.message
    assert question.requested_schema["required"] == ["agree"]
    assert question.requested_schema["properties"]["agree"]["default"] is False, "spending is never ticked beforehand"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_without_a_clear_yes_the_cheap_answer_stays_and_nobody_is_told_to_ask_again(
    cut: Gateway, scripted: ScriptedServer, era: str, answer: ElicitResult
) -> None:
    async with asking(cut, Person(answer), mode=era) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert facts["text"] == "word0 word1 word2"
    assert (facts["modelId"], facts["costUsd"]) == ("openai:scripted-n3-len", 0)
    assert (facts["finishReason"], facts["truncated"]) == ("length", True)
    assert facts["note"].startswith(
        "The user was asked and did not agree to ask openai:scripted-n5, which costs up to $"
    )
    assert "call chat again" not in facts["note"]
    assert facts["usage"]["completionTokens"] == 3
    assert asked(scripted) == ["scripted-n3-len"]


@pytest.mark.parametrize("era", ERAS)
async def test_what_the_cheap_answer_cost_is_in_the_total_and_in_the_trace(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-n3-len")
    await add(gateway, "scripted-n5", layer="L1")
    async with asking(gateway, Person(YES), mode=era) as client:
        result = await client.call_tool("chat", ASK)
    facts = facts_of(result)
    assert facts["costUsd"] == pytest.approx(0.017 + 0.021)
    assert facts["checks"]["addedCostUsd"] == pytest.approx(0.017)
    assert "— went up: truncated: openai:scripted-n3-len → openai:scripted-n5" in text_of(result)
    assert "— beside the answer this cost $0.017" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_gets_the_cheap_answer(cut: Gateway, scripted: ScriptedServer, era: str) -> None:
    async with asking(cut, None, mode=era) as client:
        result = await client.call_tool("chat", ASK)
    facts = facts_of(result)
    assert facts["text"] == "word0 word1 word2"
    assert "if the user agrees" in facts["note"]
    assert facts["note"] in text_of(result)
    assert asked(scripted) == ["scripted-n3-len"]


async def test_what_the_note_says_leads_to_the_better_answer(cut: Gateway) -> None:
    async with asking(cut, None) as client:
        facts = facts_of(await client.call_tool("chat", {**ASK, "model": "L1"}))
    assert facts["model"] == "scripted-n5"


@pytest.mark.parametrize("era", ERAS)
async def test_a_step_that_is_free_is_taken_without_asking(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-n3-len", **FREE)
    await add(gateway, "scripted-n5", layer="L1", **FREE)
    person = Person(YES)
    async with asking(gateway, person, mode=era) as client:
        result = await client.call_tool("chat", ASK)
    facts = facts_of(result)
    assert person.asked == []
    assert facts["text"] == "word0 word1 word2 word3 word4"
    assert facts["checks"]["steps"] == ["truncated: openai:scripted-n3-len → openai:scripted-n5"]
    assert facts["checks"]["ended"] == "answered"
    assert "— went up: truncated: openai:scripted-n3-len → openai:scripted-n5" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_when_the_better_model_fails_the_cheap_answer_is_not_lost(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-n3-len", **FREE)
    await add(gateway, "scripted-e500", layer="L1")
    async with asking(gateway, Person(YES), mode=era) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert facts["text"] == "word0 word1 word2"
    assert facts["note"].startswith("openai:scripted-e500 could not be asked after all: ")


async def test_a_user_who_says_nothing_has_not_agreed(cut: Gateway, scripted: ScriptedServer) -> None:
    async def silent(context: Any, params: Any) -> ElicitResult:
        await asyncio.Event().wait()
        raise AssertionError

    limits = Limits(asking_seconds=0.2)
    async with client_of(cut, mode="legacy", limits=limits, elicitation_callback=silent) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert facts["text"] == "word0 word1 word2"
    assert asked(scripted) == ["scripted-n3-len"]


async def test_a_client_that_fails_to_ask_gets_the_cheap_answer(cut: Gateway, scripted: ScriptedServer) -> None:
    async def broken(context: Any, params: Any) -> Any:
        raise RuntimeError("no window")

    async with client_of(cut, mode="legacy", elicitation_callback=broken) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert facts["text"] == "word0 word1 word2"
    assert asked(scripted) == ["scripted-n3-len"]


async def test_a_very_long_cheap_answer_is_cut(gateway: Gateway) -> None:
    await add(gateway, "scripted-n9000-len", **FREE)
    await add(gateway, "scripted-n5", layer="L1")
    async with client_of(gateway, limits=Limits(chat_bytes=2_000)) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert len(facts["text"]) == 2_000
    assert facts["truncated"] is True


async def test_a_very_long_judged_answer_comes_in_parts(gateway: Gateway) -> None:
    await add(gateway, "scripted-n9000", **FREE)
    async with client_of(gateway, limits=Limits(chat_bytes=2_000)) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert (len(facts["text"]), facts["finishReason"]) == (2_000, "unfinished")


async def first_round(client: Client) -> InputRequiredResult:
    found = await client.session.call_tool("chat", ASK, allow_input_required=True)
    assert isinstance(found, InputRequiredResult)
    return found


async def test_the_second_round_asks_the_cheap_model_no_more_and_needs_an_answer(
    cut: Gateway, scripted: ScriptedServer
) -> None:
    async with asking(cut, Person(YES)) as client:
        found = await first_round(client)
        again = await client.session.call_tool("chat", ASK, request_state=found.request_state)
    assert facts_of(again)["text"] == "word0 word1 word2"
    assert asked(scripted) == ["scripted-n3-len"]


@pytest.mark.parametrize("state", ["", "{}", "nonsense", '{"offer": {}, "kept": {}}', "[" * 10_000])
async def test_a_state_that_is_not_ours_is_refused(cut: Gateway, scripted: ScriptedServer, state: str) -> None:
    async with asking(cut, Person(YES)) as client:
        found = await client.session.call_tool("chat", ASK, input_responses={"leave": YES}, request_state=state)
    assert found.is_error
    assert "(code: invalid_request)" in text_of(found)
    assert asked(scripted) == []


async def test_a_state_changed_to_another_layer_meets_the_same_rules(cut: Gateway) -> None:
    async with asking(cut, Person(YES)) as client:
        state = (await first_round(client)).request_state
        assert state is not None
        higher = state.replace('"nextLayer":"L1"', '"nextLayer":"L3"')
        found = await client.session.call_tool("chat", ASK, input_responses={"leave": YES}, request_state=higher)
    assert "could not be asked after all: No model is available" in facts_of(found)["note"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_budget_bounds_the_better_answer_too(cut: Gateway, scripted: ScriptedServer, era: str) -> None:
    async with asking(cut, Person(YES), mode=era) as client:
        facts = facts_of(await client.call_tool("chat", {**ASK, "budgetUsd": 0.0001}))
    assert facts["text"] == "word0 word1 word2"
    assert asked(scripted) == ["scripted-n3-len"]


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    "able",
    [None, ClientCapabilities(), ClientCapabilities(elicitation=ElicitationCapability(url=UrlElicitationCapability()))],
    ids=["nothing", "no questions", "links only"],
)
async def test_a_client_that_shows_no_forms_is_not_asked(able: ClientCapabilities | None, version: str) -> None:
    session = SimpleNamespace(client_capabilities=able, can_send_request=True)
    context = SimpleNamespace(session=session, protocol_version=version, request_id=1)
    user = User(cast("Context", context), CallToolRequestParams(name="chat"))
    assert user.earlier is None
    assert await user.leave("May I?", state="x", seconds=1) == "not asked"


async def test_the_time_that_a_user_thinks_is_not_the_calls(cut: Gateway) -> None:
    class Thinks(Person):
        async def __call__(self, context: Any, params: Any) -> ElicitResult:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.6):
                    await asyncio.Event().wait()
            return await super().__call__(context, params)

    limits = Limits(call_seconds=0.5)
    async with asking(cut, Thinks(YES), mode="legacy", limits=limits) as client:
        facts = facts_of(await client.call_tool("chat", ASK))
    assert facts["model"] == "scripted-n5"
