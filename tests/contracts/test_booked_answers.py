"""What a chat is booked with, however its answer ends: what the provider told, and a guess only of what it did not."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.budgets import NewBudget
from shared.domain.identity import LOCAL
from shared.errors import InvalidInput, Unsupported, UpstreamError
from shared.providers.server_sent_events import payloads
from shared.providers.vendors import Account
from tests.support.chat_stack import ChatStack, ask, chat_stack
from tests.support.fake_anthropic import FakeAnthropic, Reply

CLAUDE = "claude-haiku-4-5"
PRICES: dict[str, Any] = {"price_per_1k_input_tokens": "0.001", "price_per_1k_output_tokens": "0.005"}
LONG = [{"role": "user", "content": "word " * 88_000}]
COUNTS = {"input_tokens": 10_000, "cache_read_input_tokens": 100_000, "output_tokens": 3}
PROMPT_COST = Decimal("0.02")
"""A tenth of the input price for what came from the cache."""

FEW_TOKENS = Decimal("0.0002")
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
TOOK = {"prompt_tokens": 11, "completion_tokens": 50, "total_tokens": 61}
TOOK_COST = Decimal("0.111")


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)


START = sse({"type": "message_start", "message": {"id": "m", "usage": COUNTS}})
SAYING = sse(
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A few words"}},
)
FAILING = sse({"type": "error", "error": {"type": "overloaded_error"}})


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "any", "choices": [choice], **more}


@asynccontextmanager
async def served(folder: Path, *replies: Reply, dialect: Any = "anthropic") -> AsyncIterator[ChatStack]:
    """A stack under a budget, with one more provider that gives these replies."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeAnthropic(*replies))
        name = "anthropic" if dialect == "anthropic" else "bytes"
        account = Account(name=name, dialect=dialect, base_url=server.url, api_key="sk-test-key")
        found = await stack.enter_async_context(chat_stack(folder, accounts=[account]))
        await found.budgets.add(NewBudget(period="day", limit_usd=Decimal(500)))
        yield found


async def streamed(stack: ChatStack, **body: Any) -> list[dict[str, Any]]:
    async with stack.router.stream(LOCAL, ask(stream=True, **body)) as answer:
        return [orjson.loads(data) async for run in answer for data in payloads(run)]


async def asked(stack: ChatStack, *, stream: bool, **body: Any) -> None:
    await (streamed(stack, **body) if stream else stack.chat(**body))


async def spent(stack: ChatStack) -> Decimal:
    (standing,) = await stack.budgets.list()
    assert standing.reserved_usd == 0
    return standing.spent_usd


async def test_a_stream_that_is_left_costs_what_its_start_said_of_the_prompt(tmp_path: Path) -> None:
    async with served(tmp_path, Reply.stream(START + SAYING, hold=True)) as stack:
        await stack.add(CLAUDE, provider="anthropic", **PRICES)
        async with stack.router.stream(LOCAL, ask(stream=True, messages=LONG)) as answer:
            async for _ in answer:
                break
        totals = stack.ledger.totals
        assert totals.by_outcome == {"cancelled": 1}
        assert totals.prompt_tokens == 110_000
        assert PROMPT_COST < totals.cost < PROMPT_COST + FEW_TOKENS
        assert await spent(stack) == totals.cost


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply.stream(START, SAYING, cut=True), id="drop"),
        pytest.param(Reply.stream(START, SAYING), id="end-too-early"),
        pytest.param(Reply.stream(START, SAYING, hold=True), id="stall"),
        pytest.param(Reply.stream(START, SAYING, FAILING), id="error-event"),
        pytest.param(Reply.stream(START, SAYING, b"data: {\n\n"), id="malformed-event"),
        pytest.param(Reply.stream(START, cut=True), id="drop-before-content"),
        pytest.param(Reply.stream(START), id="end-before-content"),
        pytest.param(Reply.stream(START, hold=True), id="stall-before-content"),
        pytest.param(Reply.stream(START + b"data: {\n\n"), id="malformed-before-content"),
    ],
)
async def test_a_stream_that_breaks_off_costs_what_its_start_said_of_the_prompt(tmp_path: Path, reply: Reply) -> None:
    async with served(tmp_path, reply) as stack:
        await stack.add(CLAUDE, provider="anthropic", **PRICES)
        with pytest.raises(UpstreamError):
            await streamed(stack, messages=LONG)
        assert stack.ledger.totals.prompt_tokens == 110_000
        assert PROMPT_COST <= stack.ledger.totals.cost < PROMPT_COST + FEW_TOKENS


BEGUN = [
    *(pytest.param(fault, False, id=f"{fault}-whole") for fault in ("drop5", "rsthead", "trunc", "badjson")),
    *(pytest.param(fault, True, id=f"{fault}-stream") for fault in ("rsthead", "cut0", "drop0")),
]


@pytest.mark.parametrize(("fault", "stream"), BEGUN)
async def test_an_answer_that_began_and_broke_off_is_booked_like_one_that_was_left(
    tmp_path: Path, fault: str, stream: bool
) -> None:
    async with served(tmp_path) as stack:
        await stack.add(f"scripted-n50-{fault}")
        with pytest.raises(UpstreamError):
            await asked(stack, stream=stream, max_tokens=1_000)
        assert stack.ledger.totals.prompt_tokens == ask().prompt_tokens
        assert stack.ledger.totals.cost == Decimal(ask().prompt_tokens) / 1_000
        assert await spent(stack) >= 2, "nobody knows how much of the answer is billed"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["rst", "e500", "html", "e200"])
async def test_what_was_never_answered_costs_nothing(tmp_path: Path, fault: str, stream: bool) -> None:
    async with served(tmp_path) as stack:
        await stack.add(f"scripted-{fault}")
        with pytest.raises(UpstreamError):
            await asked(stack, stream=stream)
        assert stack.ledger.totals.cost == await spent(stack) == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["empty", "blank", "filter"])
async def test_an_empty_answer_is_booked_with_the_usage_in_it(tmp_path: Path, fault: str, stream: bool) -> None:
    async with served(tmp_path) as stack:
        await stack.add(f"scripted-n50-{fault}")
        with pytest.raises(UpstreamError):
            await asked(stack, stream=stream)
        assert stack.ledger.totals.cost == TOOK_COST
        assert await spent(stack) == TOOK_COST


NO_ANSWERS = {
    "an-error-beside-the-usage": {"choices": [{"message": {}, "finish_reason": "error"}], "usage": TOOK},
    "choices-of-the-wrong-shape": {"choices": [1], "usage": TOOK},
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_whatever_else_is_no_answer_is_booked_with_the_usage_in_it(tmp_path: Path, body: Any) -> None:
    async with served(tmp_path, Reply([orjson.dumps(body)]), dialect="openai") as stack:
        await stack.add("any", provider="bytes")
        with pytest.raises(UpstreamError):
            await stack.chat()
        assert stack.ledger.totals.cost == TOOK_COST


async def test_a_whole_answer_where_a_stream_was_asked_for_is_booked(tmp_path: Path) -> None:
    whole = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": TOOK}
    async with served(tmp_path, Reply([orjson.dumps(whole)]), dialect="openai") as stack:
        await stack.add("any", provider="bytes")
        with pytest.raises(UpstreamError, match="no stream"):
            await streamed(stack)
        assert stack.ledger.totals.cost == TOOK_COST


async def test_a_whole_answer_of_claude_where_a_stream_was_asked_for_is_booked(tmp_path: Path) -> None:
    whole = {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": COUNTS}
    async with served(tmp_path, Reply([orjson.dumps(whole)])) as stack:
        await stack.add(CLAUDE, provider="anthropic", **PRICES)
        with pytest.raises(UpstreamError, match="no stream"):
            await streamed(stack)
        assert stack.ledger.totals.cost == PROMPT_COST + Decimal("0.000015")


@pytest.mark.parametrize("together", [False, True])
async def test_a_stream_tells_usage_once_wherever_the_provider_puts_it(tmp_path: Path, together: bool) -> None:
    told = {**TOOK, "cost": 0.5}
    parts = [
        sse(chunk({"role": "assistant", "content": "Hi"}, usage=None)),
        sse(chunk({"content": " you"}, usage=None)),
        sse(chunk({"content": ""}, "stop", usage=told)) + b"data: [DONE]\n\n",
    ]
    blocks = [b"".join(parts)] if together else parts
    async with served(tmp_path, Reply.stream(*blocks), dialect="openai") as stack:
        await stack.add("any", provider="bytes")
        events = await streamed(stack)
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events) == "Hi you"
    assert [event["choices"][0]["finish_reason"] for event in events] == [None, None, "stop", None]
    assert [event["usage"] for event in events if event.get("usage")] == [{**told, "cost": 0.111}]


async def test_a_stream_that_is_left_after_its_usage_costs_that(tmp_path: Path) -> None:
    said = sse(chunk({"content": "Hi"}), chunk({"content": " you"}, "stop", usage=TOOK))
    async with served(tmp_path, Reply.stream(said, hold=True), dialect="openai") as stack:
        await stack.add("any", provider="bytes")
        async with stack.router.stream(LOCAL, ask(stream=True)) as answer:
            async for _ in answer:
                break
        assert stack.ledger.totals.cost == TOOK_COST


@pytest.mark.parametrize("script", ["scripted-nousage-tool", "scripted-nousage-n200", "scripted-nousage-reason-n100"])
async def test_a_guess_is_the_same_for_a_whole_answer_and_for_a_stream(tmp_path: Path, script: str) -> None:
    async with served(tmp_path) as stack:
        await stack.add(script)
        whole = (await stack.chat(tools=TOOLS)).payload["usage"]
        usage = (await streamed(stack, tools=TOOLS))[-1]["usage"]
    assert whole["estimated"] is usage["estimated"] is True
    assert whole["completion_tokens"] >= 5
    assert abs(whole["completion_tokens"] - usage["completion_tokens"]) <= 4


@pytest.mark.parametrize("stream", [False, True])
async def test_a_usage_of_zeros_gives_way_to_the_guess(tmp_path: Path, stream: bool) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "own_field": "kept"}
    message = {"role": "assistant", "content": "Hello there"}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": nothing}
    events = sse(chunk(message), chunk({}, "stop"), {**chunk({}), "choices": [], "usage": nothing})
    reply = Reply.stream(events + b"data: [DONE]\n\n") if stream else Reply([orjson.dumps(whole)])
    async with served(tmp_path, reply, dialect="openai") as stack:
        await stack.add("any", provider="bytes")
        usage = (await streamed(stack))[-1]["usage"] if stream else (await stack.chat()).payload["usage"]
        assert usage["estimated"] is True
        assert usage["completion_tokens"] > 0
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["own_field"] == "kept"
        assert Decimal(str(usage["cost"])) == stack.ledger.totals.cost


async def test_an_answer_of_claude_without_usage_is_guessed(tmp_path: Path) -> None:
    whole = {"content": [{"type": "text", "text": "Hello there"}], "stop_reason": "end_turn"}
    async with served(tmp_path, Reply([orjson.dumps(whole)])) as stack:
        await stack.add(CLAUDE, provider="anthropic", **PRICES)
        usage = (await stack.chat()).payload["usage"]
        assert (usage["estimated"], usage["completion_tokens"]) == (True, 3)
        assert stack.ledger.totals.cost > 0


@pytest.mark.parametrize("choice", [{"type": ["x"]}, {"type": {}}])
async def test_a_malformed_tool_choice_is_the_callers_mistake(tmp_path: Path, choice: Any) -> None:
    async with served(tmp_path) as stack:
        await stack.add(CLAUDE, provider="anthropic")
        with pytest.raises(InvalidInput, match="tool_choice"):
            await stack.chat(tools=TOOLS, tool_choice=choice)


async def test_a_stop_that_one_dialect_cannot_say_goes_to_another(tmp_path: Path) -> None:
    async with served(tmp_path) as stack:
        await stack.add(CLAUDE, provider="anthropic", priority=0)
        with pytest.raises(Unsupported, match="'stop'"):
            await stack.chat(stop="\n")
        await stack.add("scripted", priority=1)
        assert (await stack.chat(stop="\n")).payload["model"] == "scripted"
        assert stack.server.seen[-1].body["stop"] == "\n"
