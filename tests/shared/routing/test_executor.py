"""The executor over real sockets: fail-over, the commit point, what is written down, what is never done."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.identity import LOCAL
from shared.domain.models import Capabilities
from shared.errors import (
    InvalidInput,
    NotFound,
    Unavailable,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamThrottled,
    UpstreamTimeout,
)
from shared.providers.server_sent_events import payloads
from shared.routing.policy import Policy
from tests.support.chat_stack import ChatStack, ask, chat_stack

LONG = [{"role": "user", "content": "word " * 2_600}]
TEXT = "word0 word1 word2 word3 word4 word5 word6 word7"
FAULTS_BEFORE_AN_ANSWER = [
    "e401",
    "e402",
    "e403",
    "e408",
    "e429",
    "e500",
    "e503",
    "e529",
    "e404",
    "rst",
    "rsthead",
    "html",
    "e200",
]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ChatStack]:
    async with chat_stack(tmp_path) as found:
        yield found


async def streamed(stack: ChatStack, **body: Any) -> tuple[str, list[dict[str, Any]], Any]:
    async with stack.router.stream(LOCAL, ask(stream=True, **body)) as answer:
        events = [orjson.loads(data) async for run in answer for data in payloads(run)]
    text = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    return text.strip(), events, answer.route


async def test_an_answer_has_usage_cost_and_the_name_of_the_model_that_answered(stack: ChatStack) -> None:
    await stack.add("scripted")
    answer = await stack.chat()
    assert answer.payload["choices"][0]["message"]["content"] == TEXT
    assert answer.payload["model"] == "scripted"
    assert answer.payload["usage"] == {
        "prompt_tokens": 11,
        "completion_tokens": 8,
        "total_tokens": 19,
        "cost": 0.027,
    }
    assert answer.payload["scripted_field"] == "kept"
    assert answer.route.cost == Decimal("0.027")


async def test_the_callers_payload_reaches_the_provider_whole_and_ours_does_not(stack: ChatStack) -> None:
    await stack.add("scripted")
    await stack.chat(own_field={"deep": [1, None]}, gateway={"maxLayer": "L1", "tags": {"team": "a"}}, temperature=0.5)
    seen = stack.server.seen[-1]
    assert seen.body == {
        "messages": [{"role": "user", "content": "hi"}],
        "own_field": {"deep": [1, None]},
        "temperature": 0.5,
        "model": "scripted",
    }
    assert seen.headers["authorization"] == "Bearer sk-test-key"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS_BEFORE_AN_ANSWER)
async def test_a_fault_before_the_answer_goes_unnoticed(stack: ChatStack, fault: str, stream: bool) -> None:
    await stack.add(f"scripted-{fault}", priority=0)
    await stack.add("scripted", priority=1)
    if stream:
        text, events, route = await streamed(stack)
        assert text == TEXT
        assert {event["model"] for event in events} == {"scripted"}
    else:
        answer = await stack.chat()
        route = answer.route
        assert answer.payload["model"] == "scripted"
    assert route.attempts == 2
    assert stack.ledger.totals.by_outcome["ok"] == 1
    assert stack.ledger.totals.failed == 1


@pytest.mark.parametrize("fault", ["empty", "badjson", "drop3"])
async def test_a_broken_whole_answer_goes_unnoticed(stack: ChatStack, fault: str) -> None:
    await stack.add(f"scripted-{fault}", priority=0)
    await stack.add("scripted", priority=1)
    assert (await stack.chat()).route.attempts == 2


async def test_a_stream_that_does_not_start_in_time_is_left_for_the_next_model(stack: ChatStack) -> None:
    await stack.add("scripted-hang", priority=0)
    await stack.add("scripted", priority=1)
    text, _, route = await streamed(stack)
    assert (text, route.attempts) == (TEXT, 2)


async def test_a_provider_that_refuses_connections_is_skipped_for_the_next(stack: ChatStack) -> None:
    await stack.add("any", provider="dead", priority=0)
    await stack.add("scripted", priority=1)
    assert (await stack.chat()).route.attempts == 2
    assert not stack.providers.healthy("dead")
    assert (await stack.chat()).route.attempts == 1, "the dead one is cooling, and comes last"


async def test_it_goes_on_to_the_next_allowed_layer_and_no_further(tmp_path: Path) -> None:
    async with chat_stack(tmp_path, Policy(auto_escalate=True, max_escalation_layer="L1")) as stack:
        await stack.add("scripted-e500", layer="L0")
        await stack.add("scripted-e503", layer="L1")
        await stack.add("scripted", layer="L2")
        with pytest.raises(UpstreamError) as caught:
            await stack.chat()
        assert [attempt["model"] for attempt in caught.value.details["attempts"]] == [
            "scripted/scripted-e500",
            "scripted/scripted-e503",
        ]
        assert (await stack.chat(gateway={"maxLayer": "L2"})).payload["model"] == "scripted"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_the_callers_fault_is_not_tried_again(stack: ChatStack, status: int) -> None:
    await stack.add(f"scripted-e{status}", priority=0)
    await stack.add("scripted", priority=1)
    with pytest.raises(UpstreamBadRequest):
        await stack.chat()
    assert stack.server.requests == 1
    assert stack.health.cooling("scripted/scripted-e400") == 0


async def test_when_all_are_throttled_the_answer_says_so_and_how_long(stack: ChatStack) -> None:
    await stack.add("scripted-e429-ra7", priority=0)
    await stack.add("scripted-e429-ra3", priority=1)
    with pytest.raises(UpstreamThrottled) as caught:
        await stack.chat()
    assert caught.value.retry_after == 3
    assert len(caught.value.details["attempts"]) == 2


async def test_an_unknown_model_is_answered_with_the_nearest_names(stack: ChatStack) -> None:
    await stack.add("scripted-pro")
    with pytest.raises(NotFound, match="scripted-pro"):
        await stack.chat(model="scripted-por")


async def test_with_no_usable_model_the_reasons_are_given(stack: ChatStack) -> None:
    await stack.add("scripted", enabled=False)
    with pytest.raises(Unavailable) as caught:
        await stack.chat()
    assert caught.value.details["dropped"] == [{"model": "scripted/scripted", "reason": "the model is turned off"}]


async def test_what_the_available_models_cannot_do_is_said_in_the_message(stack: ChatStack) -> None:
    await stack.add("scripted", capabilities=Capabilities(tools=False))
    await stack.add("off", enabled=False)
    with pytest.raises(InvalidInput, match="scripted/scripted: it cannot call tools"):
        await stack.chat(tools=[{"type": "function", "function": {"name": "f"}}])


async def test_a_stream_carries_tool_calls_whole(stack: ChatStack) -> None:
    await stack.add("scripted-tool")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    _, events, _ = await streamed(stack, tools=tools)
    calls = [
        event["choices"][0]["delta"]["tool_calls"][0]
        for event in events
        if event["choices"][0]["delta"].get("tool_calls")
    ]
    assert calls[0]["function"]["name"] == "weather"
    assert orjson.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Paris"}


async def test_a_stream_ends_with_usage_and_cost(stack: ChatStack) -> None:
    await stack.add("scripted")
    _, events, _ = await streamed(stack, stream_options={"include_usage": True})
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["cost"] == 0.027
    _, events, _ = await streamed(stack)
    assert events[-1]["choices"][0]["delta"] == {}, "clients that did not ask for usage may index into choices"
    assert events[-1]["usage"]["total_tokens"] == 19


async def test_a_provider_without_usage_gets_an_estimate_that_is_marked(stack: ChatStack) -> None:
    await stack.add("scripted-nousage")
    answer = await stack.chat()
    assert answer.payload["usage"]["estimated"] is True
    _, events, _ = await streamed(stack)
    assert events[-1]["usage"]["estimated"] is True
    assert events[-1]["id"] == "chatcmpl-scripted"


@pytest.mark.parametrize("fault", ["drop3", "cut3", "errmid3", "hang3", "badjson"])
async def test_after_the_first_content_a_fault_is_shown_and_no_second_model_glued_on(
    stack: ChatStack, fault: str
) -> None:
    await stack.add(f"scripted-{fault}-itl20", priority=0)
    await stack.add("scripted", priority=1)
    with pytest.raises(UpstreamError):
        await streamed(stack)
    assert stack.server.requests == 1
    assert stack.ledger.totals.prompt_tokens > 0, "what was begun is billed, so it is written down"


async def test_leaving_a_stream_closes_the_providers_connection(stack: ChatStack) -> None:
    await stack.add("scripted-n500-itl10")
    async with stack.router.stream(LOCAL, ask(stream=True)) as answer:
        async for _ in answer:
            break
    async with asyncio.timeout(5):
        await stack.server.left.wait()
    assert stack.ledger.totals.by_outcome["cancelled"] == 1


async def test_cancelling_a_whole_answer_closes_the_providers_connection(stack: ChatStack) -> None:
    await stack.add("scripted-hang")
    task = asyncio.ensure_future(stack.chat())
    async with asyncio.timeout(5):
        await stack.server.arrived.wait()
        task.cancel()
        await stack.server.left.wait()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stack.ledger.totals.by_outcome["cancelled"] == 1


async def test_the_requests_own_time_limit_holds(stack: ChatStack) -> None:
    await stack.add("scripted-hang")
    with pytest.raises(UpstreamTimeout, match="200 ms"):
        await stack.chat(gateway={"timeoutMs": 200})
    with pytest.raises(UpstreamTimeout):
        await streamed(stack, gateway={"timeoutMs": 200})


async def test_an_unknown_price_is_null_and_flagged(stack: ChatStack) -> None:
    await stack.add("scripted", price_per_1k_input_tokens=None)
    answer = await stack.chat()
    assert answer.payload["usage"]["cost"] is None
    assert stack.ledger.totals.unpriced == 1


async def test_a_connection_closed_while_idle_is_not_noticed(stack: ChatStack) -> None:
    await stack.add("scripted")
    await stack.chat()
    for connection in tuple(stack.server._connections):
        connection.abort()
    answer = await stack.chat()
    assert answer.route.attempts == 1


async def test_connections_are_kept_alive_after_streams(stack: ChatStack) -> None:
    await stack.add("scripted")
    for _ in range(3):
        await streamed(stack)
    assert len(stack.server._connections) == 1


async def test_a_huge_answer_is_refused(stack: ChatStack) -> None:
    await stack.add("scripted-huge")
    with pytest.raises(UpstreamError, match="too large"):
        await stack.chat()


async def test_the_requests_own_limit_is_for_all_attempts_together(stack: ChatStack) -> None:
    for number in range(4):
        await stack.add("scripted-hang", id=f"hang{number}", priority=number)
    began = time.monotonic()
    with pytest.raises(UpstreamTimeout) as caught:
        await streamed(stack, gateway={"timeoutMs": 200})
    assert caught.value.code == "request_timeout"
    assert stack.server.requests == 1, f"after {time.monotonic() - began:.1f} s"


async def test_the_requests_own_limit_ends_an_answer_under_way(stack: ChatStack) -> None:
    await stack.add("scripted-n500-itl20")
    with pytest.raises(UpstreamTimeout) as caught:
        await streamed(stack, gateway={"timeoutMs": 300})
    assert caught.value.code == "request_timeout"
    assert stack.ledger.totals.by_outcome == {"request_timeout": 1}
    assert stack.health.cooling_models() == {}
    async with asyncio.timeout(5):
        await stack.server.left.wait()


async def test_a_model_asked_for_by_name_is_not_judged_by_what_the_registry_thinks_it_can(stack: ChatStack) -> None:
    await stack.add("scripted-tool", capabilities=Capabilities(), context_window=1)
    answer = await stack.chat(model="scripted-tool", tools=[{"type": "function", "function": {"name": "f"}}])
    assert answer.payload["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_refused_request_that_nearly_fills_its_models_window_goes_on_to_a_bigger_one(stack: ChatStack) -> None:
    await stack.add("scripted-e400", priority=0, context_window=4_000)
    await stack.add("scripted-e400-n1", priority=1, context_window=4_000)
    await stack.add("scripted", priority=2, context_window=100_000)
    answer = await stack.chat(messages=LONG)
    assert answer.payload["model"] == "scripted"
    assert stack.ledger.totals.by_outcome == {"context_length_exceeded": 1, "ok": 1}
    assert stack.health.cooling_models() == {}


async def test_a_refused_request_that_may_be_too_long_keeps_what_the_provider_said(stack: ChatStack) -> None:
    await stack.add("scripted-e400", priority=0, context_window=4_000)
    with pytest.raises(UpstreamContextTooLong) as caught:
        await stack.chat(messages=LONG)
    assert "4000 tokens" in caught.value.message
    assert isinstance(caught.value.details, dict)
    assert caught.value.details["attempts"][0]["upstream"]


async def test_a_refused_request_far_below_its_models_window_is_the_callers_to_mend(stack: ChatStack) -> None:
    await stack.add("scripted-e400", priority=0, context_window=8_000)
    await stack.add("scripted", priority=1, context_window=100_000)
    with pytest.raises(UpstreamBadRequest):
        await stack.chat(messages=LONG)


async def test_a_callers_own_limit_cools_nobody(stack: ChatStack) -> None:
    await stack.add("scripted-hang")
    with pytest.raises(UpstreamTimeout):
        await streamed(stack, gateway={"timeoutMs": 50})
    with pytest.raises(UpstreamTimeout):
        await stack.chat(gateway={"timeoutMs": 50})
    assert stack.health.cooling_models() == {}
    assert stack.ledger.totals.by_outcome == {"request_timeout": 2}


async def test_a_provider_that_closes_after_working_is_not_asked_again(stack: ChatStack) -> None:
    await stack.add("scripted-ttft400-rst")
    with pytest.raises(UpstreamError):
        await stack.chat()
    assert stack.server.requests == 1


async def test_a_provider_that_is_removed_meanwhile_is_left_for_the_next_model(stack: ChatStack) -> None:
    await stack.add("any", provider="dead", priority=0)
    await stack.add("scripted", priority=1)
    plan = stack.router.plan(LOCAL, ask())
    assert [model.provider for model in plan.attempts] == ["dead", "scripted"]
    gone = stack.providers.account("scripted")
    assert gone is not None
    answering = asyncio.ensure_future(stack.chat())
    await stack.providers.replace([gone])
    assert (await answering).payload["model"] == "scripted"
