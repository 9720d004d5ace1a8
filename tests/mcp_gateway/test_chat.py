"""The tool `chat`."""

import asyncio
import json
from typing import Any

import pytest

from mcp_gateway.calls.call import Limits
from mcp_gateway.calls.ongoing import MOST_OF_CALLER
from shared.gateway import Gateway
from shared.providers.scripted import ScriptedServer
from tests.support.mcp_stack import ERAS, add, client_of, facts_of, text_of


@pytest.mark.parametrize("era", ERAS)
async def test_it_answers_with_text_and_how_it_came_about(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-echo")
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool("chat", {"message": "hello there"})
    facts = facts_of(result)
    assert facts["durationMs"] >= 0
    del facts["durationMs"]
    assert facts == {
        "text": "hello there ",
        "model": "scripted-echo",
        "modelId": "openai:scripted-echo",
        "provider": "openai",
        "layer": "L0",
        "usage": {"promptTokens": 11, "completionTokens": 2, "totalTokens": 13, "estimated": False},
        "costUsd": 0.015,
        "attempts": 1,
        "finishReason": "stop",
        "truncated": False,
        "chatId": None,
        "note": "",
        "checks": None,
    }
    text = text_of(result)
    assert text.startswith("hello there")
    assert "scripted-echo (openai, L0" in text
    assert "{" not in text


async def test_the_request_reaches_the_provider_whole(gateway: Gateway, scripted: ScriptedServer) -> None:
    await add(gateway, "scripted", layer="L2")
    messages = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    async with client_of(gateway) as client:
        facts_of(
            await client.call_tool(
                "chat",
                {
                    "messages": json.dumps([*messages, {"role": "user", "content": "three"}]),
                    "system": "Be brief.",
                    "model": "scripted",
                    "temperature": 0.5,
                    "maxTokens": 77,
                },
            )
        )
    body = scripted.seen[-1].body
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "one", "two", "three"]
    assert body["messages"][0]["role"] == "system"
    assert body["temperature"] == 0.5
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert "gateway" not in body


async def test_auto_goes_no_higher_than_it_may(gateway: Gateway) -> None:
    await add(gateway, "scripted-e503", layer="L0")
    await add(gateway, "scripted", layer="L1")
    async with client_of(gateway) as client:
        goes = facts_of(await client.call_tool("chat", {"message": "hi", "maxLayer": "L1"}))
        stays = await client.call_tool("chat", {"message": "hi"})
        await add(gateway, "scripted-n1", layer="L2")
        better = facts_of(await client.call_tool("chat", {"message": "hi", "quality": "critical"}))
    assert stays.is_error
    assert (goes["model"], goes["layer"], goes["attempts"]) == ("scripted", "L1", 2)
    assert better["layer"] == "L2"


@pytest.mark.parametrize("era", ERAS)
async def test_progress_carries_the_text_so_far(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-n8-itl150")
    told: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with client_of(gateway, mode=era) as client:
        facts = facts_of(await client.call_tool("chat", {"message": "hi"}, progress_callback=note))
    messages = [message or "" for _, message in told]
    assert messages[0] == "looking for a model …"
    growing = [message for message in messages if message.startswith("word0 ")]
    assert growing
    assert all(facts["text"].startswith(message) for message in growing)
    assert len(told) <= 5
    assert [number for number, _ in told] == sorted(number for number, _ in told)


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_that_takes_longer_than_the_call_is_told_in_parts(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-n8-itl100")
    parts: list[str] = []
    async with client_of(gateway, mode=era, limits=Limits(chat_seconds=0.25)) as client, asyncio.timeout(10):
        facts = facts_of(await client.call_tool("chat", {"message": "hi"}))
        assert facts["finishReason"] == "unfinished"
        assert facts["truncated"] is True
        assert "chatId" in facts["note"]
        while facts["chatId"] is not None:
            assert facts["costUsd"] is None
            parts.append(facts["text"])
            facts = facts_of(await client.call_tool("chat", {"chatId": facts["chatId"]}))
    assert len(parts) >= 2
    assert "".join([*parts, facts["text"]]).split() == [f"word{number}" for number in range(8)]
    assert (facts["finishReason"], facts["truncated"], facts["note"]) == ("stop", False, "")
    assert facts["costUsd"] > 0
    assert facts["usage"]["completionTokens"] == 8


async def test_several_models_can_work_at_once(gateway: Gateway, scripted: ScriptedServer) -> None:
    names = [await add(gateway, name) for name in ("scripted-n2-ttft300", "scripted-n3-ttft300")]
    async with client_of(gateway) as client, asyncio.timeout(10):
        begun = [
            facts_of(await client.call_tool("chat", {"message": "hi", "model": model.id, "waitSeconds": 0}))
            for model in names
        ]
        assert [facts["text"] for facts in begun] == ["", ""]
        assert len({facts["chatId"] for facts in begun}) == 2
        ended = [facts_of(await client.call_tool("chat", {"chatId": facts["chatId"]})) for facts in begun]
        again = await client.call_tool("chat", {"chatId": begun[0]["chatId"]})
    assert [facts["text"].strip() for facts in ended] == ["word0 word1", "word0 word1 word2"]
    assert "(code: chat_not_found)" in text_of(again)


async def test_a_chat_that_goes_on_is_its_callers_alone_and_ends_with_the_server(
    gateway: Gateway, scripted: ScriptedServer
) -> None:
    await add(gateway, "scripted-hang3")
    async with client_of(gateway, limits=Limits(chat_seconds=0.3)) as client:
        facts = facts_of(await client.call_tool("chat", {"message": "hi"}))
        assert facts["text"] == "word0 word1 word2 "
        async with client_of(gateway) as another:
            refused = await another.call_tool("chat", {"chatId": facts["chatId"]})
            assert "(code: chat_not_found)" in text_of(refused)
        assert scripted.active == 1
    async with asyncio.timeout(5):
        await scripted.left.wait()


@pytest.mark.parametrize("era", ERAS)
async def test_cancelling_the_wait_for_the_rest_closes_the_upstream(
    gateway: Gateway, scripted: ScriptedServer, era: str
) -> None:
    await add(gateway, "scripted-hang3")
    told = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        if (message or "").startswith("word0"):
            told.set()

    async with client_of(gateway, mode=era) as client, asyncio.timeout(10):
        begun = facts_of(await client.call_tool("chat", {"message": "hi", "waitSeconds": 0}))
        arguments = {"chatId": begun["chatId"]}
        waiting: asyncio.Task[Any] = asyncio.create_task(client.call_tool("chat", arguments, progress_callback=note))
        await told.wait()
        assert "(code: chat_in_use)" in text_of(await client.call_tool("chat", arguments))
        waiting.cancel()
        await scripted.left.wait()
        await asyncio.gather(waiting, return_exceptions=True)
        assert "(code: chat_not_found)" in text_of(await client.call_tool("chat", arguments))


async def test_until_a_model_begins_nothing_is_known_of_it(gateway: Gateway, scripted: ScriptedServer) -> None:
    await add(gateway, "scripted-hang")
    async with client_of(gateway, limits=Limits(chat_seconds=0.3)) as client:
        result = await client.call_tool("chat", {"message": "hi"})
    facts = facts_of(result)
    assert (facts["text"], facts["model"], facts["layer"], facts["costUsd"]) == ("", None, None, None)
    assert f"no model has begun to answer; goes on with chatId {facts['chatId']}" in text_of(result)


async def test_a_chat_that_fails_while_nobody_waits_tells_it_when_asked(gateway: Gateway) -> None:
    await add(gateway, "scripted-e500")
    async with client_of(gateway) as client:
        begun = facts_of(await client.call_tool("chat", {"message": "hi", "waitSeconds": 0}))
        failed = await client.call_tool("chat", {"chatId": begun["chatId"]})
    assert failed.is_error
    assert "scripted-e500" in text_of(failed)


async def test_there_is_a_limit_to_what_one_caller_has_going(gateway: Gateway) -> None:
    await add(gateway, "scripted-hang")
    async with client_of(gateway) as client:
        for _ in range(MOST_OF_CALLER):
            facts_of(await client.call_tool("chat", {"message": "hi", "waitSeconds": 0}))
        refused = await client.call_tool("chat", {"message": "hi", "waitSeconds": 0})
    assert "(code: too_many_chats)" in text_of(refused)
    assert "Fetch answers with their chatId" in text_of(refused)
    assert "can work again" not in text_of(refused)


async def test_a_very_long_answer_comes_in_parts(gateway: Gateway, scripted: ScriptedServer) -> None:
    await add(gateway, "scripted-n1000")
    parts: list[str] = []
    async with client_of(gateway, limits=Limits(chat_bytes=2_000)) as client:
        facts = facts_of(await client.call_tool("chat", {"message": "hi"}))
        while facts["chatId"] is not None:
            assert facts["costUsd"] is None
            parts.append(facts["text"])
            facts = facts_of(await client.call_tool("chat", {"chatId": facts["chatId"]}))
    assert {len(part) for part in parts} == {2_000}
    assert "".join([*parts, facts["text"]]).split() == [f"word{number}" for number in range(1000)]


async def test_every_failed_attempt_is_named(gateway: Gateway) -> None:
    await add(gateway, "scripted-e500", priority=0)
    await add(gateway, "scripted-e429-ra9", priority=1)
    async with client_of(gateway) as client:
        text = text_of(await client.call_tool("chat", {"message": "hi"}))
    assert text.startswith("All 2 models failed")
    assert "- openai:scripted-e500 (openai):" in text
    assert "- openai:scripted-e429-ra9 (openai):" in text
    assert "What to do:" in text


async def test_an_answer_that_breaks_off_is_a_failure_with_what_it_had_said(gateway: Gateway) -> None:
    await add(gateway, "scripted-drop3")
    async with client_of(gateway) as client:
        result = await client.call_tool("chat", {"message": "hi"})
    assert result.is_error
    assert "The answer broke off" in text_of(result)
    assert "It had said so far:\nword0 word1" in text_of(result)


async def test_an_event_that_is_not_json_breaks_the_answer_off(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def garble(words: dict[str, int], index: int, reply: Any) -> None:
        if index == 2:
            await reply.event(b"garbage}")

    monkeypatch.setattr("shared.providers.scripted_answers._mishap", garble)
    await add(gateway, "scripted-itl20")
    async with client_of(gateway) as client:
        result = await client.call_tool("chat", {"message": "hi"})
    assert result.is_error
    assert "The answer broke off" in text_of(result)
    assert "not JSON" in text_of(result)
    assert "It had said so far:\nword0 word1" in text_of(result)


async def test_an_unknown_model_is_answered_with_the_nearest(gateway: Gateway) -> None:
    await add(gateway, "scripted-one")
    async with client_of(gateway) as client:
        text = text_of(await client.call_tool("chat", {"message": "hi", "model": "scripted-onee"}))
    assert "scripted-one" in text
    assert "(code: model_not_found)" in text


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("model", ["scripted-hang", "scripted-hang3"])
async def test_cancelling_the_call_closes_the_upstream(
    gateway: Gateway, scripted: ScriptedServer, era: str, model: str
) -> None:
    await add(gateway, model)
    async with client_of(gateway, mode=era) as client:
        call: asyncio.Task[Any] = asyncio.create_task(client.call_tool("chat", {"message": "hi"}))
        async with asyncio.timeout(5):
            await scripted.arrived.wait()
            call.cancel()
            await scripted.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert scripted.active == 0


FREE = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}


def reviewing(body: dict[str, Any]) -> str:
    """Reviews what it is given to review, and answers anything else."""
    if "You review another assistant's answer" not in str(body["messages"][0]["content"]):
        return "Five."
    return '{"verdict": "correct", "issues": [], "corrected": null}'


@pytest.mark.parametrize("era", ERAS)
async def test_a_checked_answer_comes_with_its_verdict_and_what_that_cost(
    gateway: Gateway, scripted: ScriptedServer, era: str
) -> None:
    scripted.says["scripted-b"] = reviewing
    await add(gateway, "scripted-a", **FREE)
    await add(gateway, "scripted-b", priority=1)
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool("chat", {"message": "2 + 2?", "crossCheck": True})
    facts = facts_of(result)
    assert facts["text"].startswith("word0")
    checks = facts["checks"]
    assert (checks["verdict"], checks["issues"], checks["agreed"], checks["steps"]) == ("confirmed", [], None, [])
    assert checks["addedCostUsd"] == facts["costUsd"] > 0
    assert checks["reviewer"].startswith("openai:")
    assert f"— check by {checks['reviewer']}: confirmed\n— beside the answer this cost $" in text_of(result)


async def test_models_that_do_not_agree_lead_a_layer_up(gateway: Gateway, scripted: ScriptedServer) -> None:
    scripted.says |= {"scripted-a": "42", "scripted-b": "43", "scripted-c": "44"}
    await add(gateway, "scripted-a", **FREE)
    await add(gateway, "scripted-b", priority=1, **FREE)
    await add(gateway, "scripted-c", layer="L1", **FREE)
    async with client_of(gateway) as client:
        up = facts_of(await client.call_tool("chat", {"message": "hi", "agreement": 2, "maxLayer": "L1"}))
        stays = await client.call_tool("chat", {"message": "hi", "agreement": 2})
    assert (up["text"], up["layer"], up["checks"]["agreed"]) == ("44", "L1", False)
    assert up["checks"]["steps"] == ["no_agreement: openai:scripted-a → openai:scripted-c"]
    assert facts_of(stays)["text"] == "42"
    assert "— two models did not agree\n" in text_of(stays)
    assert (
        "— went no higher: the answer of openai:scripted-a was not confirmed by a second model; "
        "no higher layer is allowed or available"
    ) in text_of(stays)
    assert "went up" not in text_of(stays)


async def test_a_budget_bounds_the_call(gateway: Gateway) -> None:
    await add(gateway, "scripted")
    async with client_of(gateway) as client:
        refused = await client.call_tool("chat", {"message": "hi", "budgetUsd": 0.000001})
        enough = facts_of(await client.call_tool("chat", {"message": "hi", "budgetUsd": 5}))
    assert refused.is_error
    assert "(code: budget_exceeded)" in text_of(refused)
    assert enough["text"].startswith("word0")


async def test_a_named_conversation_stays_with_its_model(gateway: Gateway) -> None:
    await add(gateway, "scripted-a", weight=1)
    await add(gateway, "scripted-b", weight=2)
    async with client_of(gateway) as client:
        calls = [await client.call_tool("chat", {"message": "hi", "session": "s"}) for _ in range(12)]
    assert len({facts_of(call)["model"] for call in calls}) == 1


async def test_leave_to_pay_in_the_free_layer_can_be_given(gateway: Gateway) -> None:
    await add(gateway, "scripted-n2")
    await gateway.configuration.update({"spend_guard": True})
    ask = {"message": "hi", "model": "scripted-n2"}
    async with client_of(gateway) as client:
        assert "allowPaid" in text_of(await client.call_tool("chat", ask))
        assert "Nobody would be asked" in text_of(await client.call_tool("explain_route", ask))
        leave = {**ask, "allowPaid": True}
        assert facts_of(await client.call_tool("chat", leave))["costUsd"] == 0.015
        assert facts_of(await client.call_tool("explain_route", leave))["firstChoice"] == "openai:scripted-n2"


@pytest.mark.parametrize("era", ERAS)
async def test_no_call_takes_longer_than_hosts_wait(gateway: Gateway, scripted: ScriptedServer, era: str) -> None:
    await add(gateway, "scripted-hang")
    async with client_of(gateway, mode=era, limits=Limits(call_seconds=0.3)) as client, asyncio.timeout(10):
        result = await client.call_tool("chat", {"message": "hi"})
        await scripted.left.wait()
    assert result.is_error
    assert "(code: call_timeout)" in text_of(result)
