"""What is done with answers: agreement, checks, escalation, and what it costs in all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.budgets import NewBudget
from shared.domain.identity import LOCAL
from shared.errors import BudgetExceeded, Conflict, Forbidden, InvalidInput, Unsupported
from shared.providers.server_sent_events import payloads
from shared.routing.policy import Policy
from tests.support.chat_stack import ChatStack, ask, asked, chat_stack, text_of

RIGHT = '{"verdict": "correct", "issues": [], "corrected": null}'
WRONG = '{"verdict": "wrong", "issues": ["it is 42"], "corrected": "42"}'
SECOND = '{"better": "second", "reason": "arithmetic"}'
FIRST = '{"better": "first", "reason": "arithmetic"}'


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ChatStack]:
    async with chat_stack(tmp_path, Policy(spend_guard=False, max_escalation_layer="L2")) as found:
        yield found


async def three(stack: ChatStack, one: str, two: str, three: str) -> None:
    """Three models of one layer that say different things."""
    for priority, (name, text) in enumerate((("scripted-one", one), ("scripted-two", two), ("scripted-three", three))):
        stack.server.says[name] = text
        await stack.add(name, priority=priority, provider="other" if name == "scripted-two" else "scripted")


async def collected(stack: ChatStack, **body: Any) -> bytes:
    async with stack.router.stream(LOCAL, ask(stream=True, **body)) as events:
        return b"".join([run async for run in events])


# Cross-check


async def test_an_answer_that_a_second_model_confirms_is_confirmed(stack: ChatStack) -> None:
    await three(stack, "42", RIGHT, FIRST)
    answer = await stack.chat(gateway={"crossCheck": True})
    assert text_of(answer) == "42"
    check = answer.payload["gateway"]["crossCheck"]
    assert check["verdict"] == "confirmed"
    assert check["models"] == {"answered": "scripted/scripted-one", "reviewed": "other/scripted-two"}
    assert asked(stack) == ["scripted-one", "scripted-two"]


async def test_its_own_spend_is_in_every_figure(stack: ChatStack) -> None:
    await three(stack, "42", RIGHT, FIRST)
    answer = await stack.chat(gateway={"crossCheck": True})
    added = Decimal(str(answer.payload["gateway"]["crossCheck"]["addedCostUsd"]))
    spent = stack.ledger.totals.cost
    assert 0 < added < spent
    assert answer.route.cost == spent == Decimal(str(answer.payload["gateway"]["costUsd"]))
    assert Decimal(str(answer.payload["usage"]["cost"])) == spent
    assert answer.route.attempts == 2
    assert dict(stack.ledger.totals.by_purpose) == {"answer": 1, "review": 1}


async def test_the_arbitrator_decides_a_conflict(stack: ChatStack) -> None:
    await three(stack, "41", WRONG, SECOND)
    answer = await stack.chat(gateway={"crossCheck": True})
    assert text_of(answer) == "42"
    assert answer.payload["model"] == "scripted-two"
    check = answer.payload["gateway"]["crossCheck"]
    assert (check["verdict"], check["issues"]) == ("corrected", ["it is 42"])
    assert check["models"]["arbitrated"] == "scripted/scripted-three"
    stack.server.says["scripted-three"] = FIRST
    kept = await stack.chat(gateway={"crossCheck": True})
    assert (text_of(kept), kept.payload["gateway"]["crossCheck"]["verdict"]) == ("41", "upheld")
    assert kept.payload["model"] == "scripted-one"


async def test_a_review_that_is_no_verdict_is_unclear_and_changes_nothing(stack: ChatStack) -> None:
    await three(stack, "42", "This is wrong, it should be 43.", FIRST)
    answer = await stack.chat(gateway={"crossCheck": True})
    assert (text_of(answer), answer.payload["gateway"]["crossCheck"]["verdict"]) == ("42", "unclear")


async def test_a_check_that_fails_never_loses_the_answer(stack: ChatStack) -> None:
    stack.server.says["scripted-one"] = "42"
    await stack.add("scripted-one")
    for name in ("scripted-e500", "scripted-e429"):
        await stack.add(name, priority=1)
    answer = await stack.chat(gateway={"crossCheck": True})
    assert (text_of(answer), answer.payload["gateway"]["crossCheck"]["verdict"]) == ("42", "not_checked")


async def test_without_a_second_model_it_says_that_nothing_was_checked(stack: ChatStack) -> None:
    await stack.add("scripted")
    note = (await stack.chat(gateway={"crossCheck": True})).payload["gateway"]["crossCheck"]
    assert (note["verdict"], note["addedCostUsd"]) == ("not_checked", 0)


async def test_a_check_that_is_turned_off_is_refused_and_not_ignored(tmp_path: Path) -> None:
    async with chat_stack(tmp_path, Policy(spend_guard=False, cross_check=False)) as stack:
        await stack.add("scripted")
        with pytest.raises(Unsupported, match="enableCrossCheck"):
            await stack.chat(gateway={"crossCheck": True})
        assert stack.server.requests == 0


async def test_a_stream_is_checked_whole_and_then_streamed(stack: ChatStack) -> None:
    await three(stack, "41", WRONG, SECOND)
    request = ask(stream=True, gateway={"crossCheck": True})
    async with stack.router.stream(LOCAL, request) as events:
        data = b"".join([run async for run in events])
    found = [orjson.loads(event) for event in payloads(data)]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in found) == "42"
    assert found[-1]["gateway"]["crossCheck"]["verdict"] == "corrected"
    assert found[-1]["usage"]["cost"] is not None


# Agreement


async def test_where_two_cheap_models_agree_the_cheaper_answer_is_taken(stack: ChatStack) -> None:
    stack.server.says |= {"scripted-dear": "The answer is 42.", "scripted-cheap": "42"}
    await stack.add("scripted-dear", priority=0, price_per_1k_output_tokens="5")
    await stack.add("scripted-cheap", priority=1)
    await stack.add("scripted-strong", layer="L1")
    answer = await stack.chat(gateway={"agreement": 2})
    assert answer.route.model.api_model_name == "scripted-cheap"
    assert answer.payload["gateway"]["agreement"]["agreed"] is True
    assert "scripted-strong" not in asked(stack)
    assert stack.ledger.totals.cost == answer.route.cost


async def test_where_they_differ_the_next_layer_decides(stack: ChatStack) -> None:
    stack.server.says |= {"scripted-a": "41", "scripted-b": "42", "scripted-strong": "43"}
    await stack.add("scripted-a", priority=0)
    await stack.add("scripted-b", priority=1)
    await stack.add("scripted-strong", layer="L1")
    answer = await stack.chat(gateway={"agreement": 2})
    assert text_of(answer) == "43"
    notes = answer.payload["gateway"]
    assert notes["agreement"]["agreed"] is False
    assert notes["escalation"]["steps"] == [
        {"reason": "no_agreement", "from": "scripted/scripted-a", "to": "scripted/scripted-strong"}
    ]


async def test_when_one_of_two_fails_the_other_answers(stack: ChatStack) -> None:
    await stack.add("scripted-e500", priority=0)
    await stack.add("scripted", priority=1)
    answer = await stack.chat(gateway={"agreement": 2})
    assert answer.payload["gateway"]["agreement"] == {"agreed": None, "models": ["scripted/scripted"]}


# Escalation


async def test_a_shortcoming_moves_one_layer_up_until_there_is_none(stack: ChatStack) -> None:
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted-refuse", layer="L1")
    await stack.add("scripted", layer="L2")
    answer = await stack.chat(gateway={"escalate": True})
    assert answer.payload["model"] == "scripted"
    steps = answer.payload["gateway"]["escalation"]["steps"]
    assert [(step["reason"], step["to"]) for step in steps] == [
        ("truncated", "scripted/scripted-refuse"),
        ("refused", "scripted/scripted"),
    ]
    assert answer.route.cost == stack.ledger.totals.cost


async def test_it_goes_no_higher_than_operator_and_caller_let_it(stack: ChatStack) -> None:
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted", layer="L3")
    answer = await stack.chat(gateway={"escalate": True})
    assert answer.payload["model"] == "scripted-len"
    assert answer.payload["gateway"]["escalation"]["ended"] == "no higher layer is allowed or available"
    assert (await stack.chat(gateway={"escalate": True, "maxLayer": "L3"})).payload["model"] == "scripted"


@pytest.mark.parametrize(
    ("layer", "own", "wanted"),
    [("L1", "L1", {"escalate": True}), ("L0", "L0", {"escalate": True, "maxLayer": "L2"})],
    ids=["the operator allows more than the key", "the request asks for more than the key"],
)
async def test_it_goes_no_higher_than_the_callers_key_and_asks_nobody_twice(
    tmp_path: Path, layer: Any, own: Any, wanted: dict[str, Any]
) -> None:
    policy = Policy(spend_guard=False, default_layer=layer, auto_escalate=True, max_escalation_layer="L2")
    async with chat_stack(tmp_path, policy) as stack:
        await stack.add("scripted-len", layer=layer)
        await stack.add("scripted", layer="L2")
        bound = replace(LOCAL, id="key-1", kind="key", max_layer=own)
        answer = await stack.router.complete(bound, ask(gateway=wanted))
        assert answer.payload["model"] == "scripted-len"
        assert answer.payload["gateway"]["escalation"]["ended"] == "no higher layer is allowed or available"
        assert asked(stack) == ["scripted-len"]


async def test_without_being_asked_nothing_escalates(stack: ChatStack) -> None:
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted", layer="L1")
    answer = await stack.chat()
    assert (answer.payload["model"], "gateway" in answer.payload) == ("scripted-len", False)


async def test_a_paid_step_asks_first_when_the_caller_wants_that(stack: ChatStack) -> None:
    stack.server.says["scripted-len"] = "half of it"
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted", layer="L1")
    with pytest.raises(Conflict) as caught:
        await stack.chat(gateway={"escalate": True, "escalation": "confirm"})
    details: Any = caught.value.details
    assert caught.value.code == "escalation_needs_confirmation"
    assert (details["answer"], details["nextModel"], details["nextLayer"]) == ("half of it", "scripted/scripted", "L1")
    assert details["costUsd"] > 0
    assert asked(stack) == ["scripted-len"]
    granted = await stack.chat(gateway={"escalate": True, "minLayer": "L1", "maxLayer": "L1"})
    assert granted.payload["model"] == "scripted"


async def test_a_free_step_needs_nobodys_leave(stack: ChatStack) -> None:
    free = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted", layer="L1", **free)
    answer = await stack.chat(gateway={"escalate": True, "escalation": "confirm"})
    assert answer.payload["model"] == "scripted"


async def test_a_step_that_fails_keeps_what_there_is(stack: ChatStack) -> None:
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted-e500", layer="L1")
    answer = await stack.chat(gateway={"escalate": True})
    assert answer.payload["model"] == "scripted-len"
    assert "answered 500" in answer.payload["gateway"]["escalation"]["ended"]


async def test_an_answer_that_fails_its_own_check_escalates(stack: ChatStack) -> None:
    def doubtful(body: dict[str, Any]) -> str:
        return WRONG if "<answer>" in str(body["messages"]) else "41"

    stack.server.says |= {"scripted-one": doubtful, "scripted-strong": "42"}
    await stack.add("scripted-one")
    await stack.add("scripted-strong", layer="L1")
    answer = await stack.chat(gateway={"selfCheck": True, "escalate": True})
    assert text_of(answer) == "42"
    assert answer.payload["gateway"]["escalation"]["steps"][0]["reason"] == "failed_check"


async def test_what_escalation_costs_stays_within_the_requests_budget(stack: ChatStack) -> None:
    cheap = {"price_per_1k_input_tokens": "0.001", "price_per_1k_output_tokens": "0.001"}
    await stack.add("scripted-len", layer="L0", **cheap)
    await stack.add("scripted", layer="L1", price_per_1k_output_tokens="50")
    answer = await stack.chat(gateway={"escalate": True, "budgetUsd": 1})
    assert answer.payload["model"] == "scripted-len"
    assert stack.ledger.totals.cost < 1


# Money


async def test_calls_that_run_beside_each_other_stay_within_the_requests_budget_together(stack: ChatStack) -> None:
    prices = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "1"}
    await stack.add("scripted-n60", **prices)
    await stack.add("scripted-n60-itl0", provider="other", **prices)
    await stack.chat(max_tokens=60, gateway={"budgetUsd": 0.09, "agreement": 2})
    assert 0 < stack.ledger.totals.cost <= Decimal("0.09")


async def test_a_free_model_that_bills_all_the_same_does_so_once(tmp_path: Path) -> None:
    async with chat_stack(tmp_path, Policy()) as stack:
        free = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}
        billing = await stack.add("scripted", **free)
        fallback = await stack.add("scripted-n3", priority=1, **free)
        provider: Any = stack.providers.get("scripted")
        provider.reports_cost = True
        stack.server.bills = 0.01
        assert (await stack.chat()).route.cost == Decimal("0.01")
        stack.server.bills = None
        assert stack.health.reason(billing) == "bills_in_free_layer"
        assert (await stack.chat()).route.model.id == fallback.id


async def test_a_budget_that_is_used_up_says_so_and_free_models_go_on(stack: ChatStack) -> None:
    await stack.budgets.add(NewBudget(period="day", limit_usd=Decimal(0)))
    await stack.add("scripted")
    with pytest.raises(BudgetExceeded) as caught:
        await stack.chat()
    assert stack.server.requests == 0
    assert caught.value.retry_after is not None
    await stack.add("scripted-n2", priority=5, price_per_1k_input_tokens="0", price_per_1k_output_tokens="0")
    assert (await stack.chat()).payload["model"] == "scripted-n2"


async def test_under_a_budget_the_answers_length_is_bounded_and_the_rest_is_given_back(stack: ChatStack) -> None:
    await stack.budgets.add(NewBudget(period="day", limit_usd=Decimal(5)))
    await stack.add("scripted")
    answer = await stack.chat()
    sent = stack.server.seen[-1].body["max_tokens"]
    assert 256 <= sent < 4096
    (standing,) = await stack.budgets.list()
    assert standing.reserved_usd == 0
    assert standing.spent_usd == answer.route.cost


async def test_every_request_leaves_one_decision(stack: ChatStack) -> None:
    await stack.add("scripted-e500", priority=0)
    await stack.add("scripted", priority=1)
    await stack.chat()
    async with stack.router.stream(LOCAL, ask(stream=True)) as events, aclosing(events.__aiter__()) as runs:
        await anext(runs)
    whole, cut = stack.decisions
    assert (whole.outcome, [call.outcome for call in whole.calls]) == ("ok", ["provider_failed", "ok"])
    assert (cut.outcome, [call.outcome for call in cut.calls]) == ("cancelled", ["cancelled"])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_a_dialect_refuses_gives_everything_back(
    stack: ChatStack, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise InvalidInput("it cannot be said in this dialect")

    await stack.budgets.add(NewBudget(period="day", limit_usd=Decimal(5)))
    model = await stack.add("scripted")
    monkeypatch.setattr("shared.providers.openai.encode.body", refuse)
    for _ in range(20):
        with pytest.raises(InvalidInput):
            await (collected(stack) if stream else stack.chat())
    monkeypatch.undo()
    (standing,) = await stack.budgets.list()
    assert (standing.reserved_usd, standing.spent_usd) == (0, 0)
    assert (await stack.chat()).route.model.id == model.id
    assert stack.health.rank(model)[1] < 5, "nobody is taken to be busy with it"


async def test_what_is_not_text_of_a_message_counts_against_a_budget_too(stack: ChatStack) -> None:
    await stack.budgets.add(NewBudget(period="day", limit_usd=Decimal(5)))
    await stack.add("scripted")
    schema = {"type": "object", "description": "x" * 40_000}
    with pytest.raises(BudgetExceeded):
        await stack.chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    with pytest.raises(BudgetExceeded):
        await stack.chat(max_completion_tokens=1, max_tokens=100_000)
    assert stack.server.requests == 0


async def test_who_leaves_a_stream_early_pays_for_the_text_that_came(stack: ChatStack) -> None:
    stack.server.says["scripted-nousage"] = "word" * 1_000 + " end"
    await stack.add("scripted-nousage", price_per_1k_input_tokens="0")
    async with stack.router.stream(LOCAL, ask(stream=True)) as events, aclosing(events.__aiter__()) as runs:
        async for run in runs:
            if b"wordword" in run:
                break
    assert stack.ledger.totals.completion_tokens >= 900


async def test_who_leaves_a_whole_answer_is_charged_with_what_was_set_aside(stack: ChatStack) -> None:
    await stack.budgets.add(NewBudget(period="day", limit_usd=Decimal(5)))
    await stack.add("scripted-hang")
    leaving = asyncio.ensure_future(stack.chat(max_tokens=1_000))
    async with asyncio.timeout(5):
        await stack.server.arrived.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    (standing,) = await stack.budgets.list()
    assert standing.reserved_usd == 0
    assert standing.spent_usd >= 2, "a thousand tokens may have been made, at 2 dollars for a thousand"


async def test_the_cost_of_a_stream_has_everything_in_it(stack: ChatStack) -> None:
    await stack.add("scripted-blank", priority=0)
    await stack.add("scripted", priority=1)
    async with stack.router.stream(LOCAL, ask(stream=True)) as events:
        data = b"".join([run async for run in events])
    last = [orjson.loads(event) for event in payloads(data)][-1]
    assert Decimal(str(last["usage"]["cost"])) == stack.ledger.totals.cost
    assert len(stack.decisions[-1].calls) == 2


async def test_a_weaker_model_never_overwrites_a_stronger_ones_answer(stack: ChatStack) -> None:
    stack.server.says |= {"scripted-weak": WRONG, "scripted-strong": "42"}
    await stack.add("scripted-len", layer="L0")
    await stack.add("scripted-weak", layer="L0", priority=1)
    await stack.add("scripted-strong", layer="L1")
    answer = await stack.chat(gateway={"escalate": True, "crossCheck": True})
    assert text_of(answer) == "42"
    assert answer.payload["gateway"]["crossCheck"]["verdict"] == "not_checked"


async def test_a_correction_must_keep_the_form_that_was_asked_for(stack: ChatStack) -> None:
    await three(stack, '{"n": 41}', WRONG, SECOND)
    answer = await stack.chat(gateway={"crossCheck": True}, response_format={"type": "json_object"})
    assert text_of(answer) == '{"n": 41}'
    assert answer.payload["gateway"]["crossCheck"]["verdict"] == "disputed"


async def test_a_model_asked_for_by_name_is_checked_by_its_equals(stack: ChatStack) -> None:
    stack.server.says |= {"scripted-one": "42", "scripted-two": RIGHT}
    await stack.add("scripted-one", layer="L1")
    await stack.add("scripted-two", layer="L1", provider="other")
    answer = await stack.chat(model="scripted-one", gateway={"crossCheck": True})
    assert answer.payload["gateway"]["crossCheck"]["verdict"] == "confirmed"


async def test_a_check_that_comes_too_late_leaves_the_answer(stack: ChatStack) -> None:
    await three(stack, "42", RIGHT, FIRST)
    await stack.registry.update("other/scripted-two", {"api_model_name": "scripted-hang"})
    await stack.registry.update("scripted/scripted-three", {"api_model_name": "scripted-hang"})
    answer = await stack.chat(gateway={"crossCheck": True, "timeoutMs": 400})
    assert (text_of(answer), answer.payload["gateway"]["crossCheck"]["verdict"]) == ("42", "not_checked")


async def test_automatic_escalation_leaves_models_alone_that_were_asked_for_by_name(tmp_path: Path) -> None:
    policy = Policy(spend_guard=False, auto_escalate=True, max_escalation_layer="L1")
    async with chat_stack(tmp_path, policy) as stack:
        await stack.add("scripted-len", layer="L0")
        await stack.add("scripted", layer="L1")
        assert (await stack.chat(model="scripted-len")).payload["model"] == "scripted-len"
        assert (await stack.chat()).payload["model"] == "scripted"


async def test_a_budget_that_is_used_up_leaves_auto_the_free_models_below(tmp_path: Path) -> None:
    async with chat_stack(tmp_path, Policy(default_layer="L1")) as stack:
        await stack.budgets.add(NewBudget(period="day", limit_usd=Decimal(0)))
        free = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}
        await stack.add("scripted-n2", layer="L0", **free)
        await stack.add("scripted", layer="L1")
        assert (await stack.chat()).payload["model"] == "scripted-n2"
        with pytest.raises(BudgetExceeded):
            await stack.chat(gateway={"quality": "critical", "maxLayer": "L1"})


async def test_what_a_key_may_not_use_is_forbidden_and_not_unavailable(stack: ChatStack) -> None:
    await stack.add("scripted", layer="L0")
    await stack.add("scripted-n2", layer="L2")
    bound = replace(LOCAL, id="key-1", kind="key", models=frozenset({"scripted"}), max_layer="L1")
    for wanted in ({"model": "L2"}, {"model": "scripted-n2"}):
        with pytest.raises(Forbidden, match="API key"):
            await stack.router.complete(bound, ask(**wanted))
    assert (await stack.router.complete(bound, ask())).payload["model"] == "scripted"
