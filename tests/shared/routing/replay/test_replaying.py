"""What a replay predicts, and what it does not claim to know."""

import json
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.configuration import Configuration
from shared.domain.models import LAYERS, Model
from shared.domain.routing import Plan
from shared.domain.usage import Usage
from shared.errors import GatewayError
from shared.registry.snapshot import Snapshot
from shared.routing.job import Made
from shared.routing.planner import Conditions, plan
from shared.routing.replay.decision import Decision
from shared.routing.replay.decision_record import Record, restored, stored
from shared.routing.replay.policy_file import policy_of, proposal
from shared.routing.replay.replay_sums import Sums
from shared.routing.replay.replaying import Replay, Replayed, Side, World
from shared.usage.pricing import PriceBook
from tests.support.chat_stack import ChatStack, chat_stack
from tests.support.decisions import ANNA, NOON, a_model, asked, decided, made

FIRST, SECOND = a_model("first", "L1", price=1), a_model("second", "L1", priority=1, price=2)
STRONG = a_model("strong", "L2", price=4)
NOW = Configuration(default_layer="L1", spend_guard=False)
USAGE = Usage(prompt=1000, completion=100)
SPENT = {"first": "1.2", "second": "2.4", "strong": "4.8"}
"""What an answer of that usage costs at each model's price."""


def replay(
    decision: Decision, policy: str = "", models: Sequence[Model] = (FIRST, SECOND, STRONG), **world: Any
) -> Replayed:
    snapshot = Snapshot.build(1, models, dict.fromkeys(LAYERS, True))
    found = proposal(tomllib.loads(policy), NOW, snapshot)
    more: dict[str, Any] = {"serves": lambda _: True, "may_bill": lambda _: False, **world}
    return Replay(World(proposal=found, prices=PriceBook(), **more)).of("r-1", there_and_back(decision))


def answered(model: Model, *failed: Model, **more: Any) -> Decision:
    """The models of L1 were planned; some failed and one answered."""
    calls = [made(other, "provider_overloaded") for other in failed]
    return decided(asked(), [FIRST, SECOND], [*calls, made(model, cost=SPENT[model.id])], **more)


def test_the_same_policy_changes_nothing() -> None:
    found = replay(answered(SECOND, FIRST))
    assert found.then == found.now == Side("second", Decimal("2.4"), 1)


def test_what_a_provider_billed_stays_whatever_the_list_says() -> None:
    decision = decided(asked(), [FIRST], [made(FIRST, cost="0.7")])
    assert replay(decision).now == Side("first", Decimal("0.7"), 0)


def test_another_start_leads_to_another_model_at_its_price() -> None:
    found = replay(answered(FIRST), 'default_layer = "L2"')
    assert (found.then, found.now) == (Side("first", Decimal("1.2"), 0), Side("strong", Decimal("4.8"), 0))


def test_a_model_that_failed_fails_again_and_one_that_was_not_asked_answers() -> None:
    found = replay(
        answered(SECOND, FIRST), "[models.second]\nenabled = false\n[models.strong]\nlayer = 'L1'\npriority = 5"
    )
    assert found.now == Side("strong", Decimal("4.8"), 1)


def test_what_is_no_longer_tried_no_longer_fails() -> None:
    found = replay(answered(SECOND, FIRST), "[models.first]\npriority = 9")
    assert (found.then.failed, found.now) == (1, Side("second", Decimal("2.4"), 0))


def test_a_failure_that_was_billed_is_saved_when_it_is_not_tried() -> None:
    calls = [made(FIRST, "provider_timeout", "0.5"), made(SECOND, cost="2.4")]
    decision = decided(asked(), [FIRST, SECOND], calls)
    assert replay(decision).now.cost == Decimal("2.9")
    assert replay(decision, "[models.first]\nenabled = false").now.cost == Decimal("2.4")


def test_who_was_cooling_counts_as_failing() -> None:
    decision = decided(asked(), [SECOND, FIRST], [made(SECOND, cost="2.4")], cooling=("first",))
    assert replay(decision).now == Side("second", Decimal("2.4"), 0)
    without = replay(decision, "[models.second]\nenabled = false")
    assert without.now == Side(None, Decimal(0), 1)
    assert without.reason == "each model that it may use failed then"


def test_a_request_that_nobody_may_take_says_why() -> None:
    off = replay(answered(FIRST), "[layers.L1]\nenabled = false")
    assert (off.now.model, off.reason) == (None, "first: layer L1 is turned off")
    gone = replay(answered(FIRST), 'default_layer = "L3"')
    assert gone.reason == "there is no model in the layers that it may use (L3 to L3)"
    guarded = replay(answered(FIRST), 'spend_guard = true\ndefault_layer = "L0"\n[models.first]\nlayer = "L0"')
    assert guarded.now.model is None
    assert "its layer L0 is free" in guarded.reason


def test_a_request_that_failed_is_answered_by_whom_it_did_not_ask() -> None:
    decision = decided(asked(), [FIRST], [made(FIRST, "provider_failed")])
    found = replay(decision)
    assert (found.then, found.now.model) == (Side(None, Decimal(0), 1), "second")
    assert found.now.cost is None, "no tokens are known"


def test_a_price_of_the_policy_counts_for_the_tokens_of_then() -> None:
    cheaper = "[models.first]\nprice_per_1k_input_tokens = 0.5\nprice_per_1k_output_tokens = 1"
    assert replay(answered(FIRST), cheaper).now == Side("first", Decimal("0.6"), 0)


def test_a_price_that_is_not_known_is_not_nothing() -> None:
    models = [FIRST, a_model("unpriced", "L2", price=None)]
    found = replay(answered(FIRST), 'default_layer = "L2"', models)
    assert found.now == Side("unpriced", None, 0)


def test_checks_are_paid_for_whoever_answers() -> None:
    calls = [made(FIRST, cost="1.2"), made(STRONG, cost="3", purpose="review")]
    decision = decided(asked(), [FIRST], calls, model=FIRST)
    assert replay(decision, "[models.first]\nenabled = false").now == Side("second", Decimal("5.4"), 0)
    asked_for = decided(asked(gateway={"crossCheck": True}), [FIRST], calls, model=FIRST)
    assert replay(asked_for, "enable_cross_check = false").reason == "cross-checks are turned off"


def test_an_escalation_stays_unless_the_policy_takes_it_away() -> None:
    calls = [made(FIRST, cost="1.2"), made(STRONG, cost="4.8", purpose="escalation")]
    decision = decided(asked(), [FIRST], calls)
    allowed = "enable_auto_escalate = true\nmax_escalation_layer = "
    assert replay(decision, f'{allowed}"L2"').now == Side("strong", Decimal("6.0"), 0)
    for policy in ("", f'{allowed}"L1"'):
        assert replay(decision, policy).now == Side("first", Decimal("1.2"), 0)


def test_an_escalation_to_a_model_that_is_gone_does_not_follow() -> None:
    calls = [made(FIRST, cost="1.2"), made(STRONG, cost="4.8", purpose="escalation")]
    decision = decided(asked(gateway={"escalate": True, "maxLayer": "L2"}), [FIRST], calls)
    assert replay(decision).now.model == "strong"
    assert replay(decision, "[models.strong]\nenabled = false").now == Side("first", Decimal("1.2"), 0)


def test_who_was_passed_by_then_is_passed_by() -> None:
    decision = decided(asked(), [FIRST, SECOND], [made(SECOND, cost="2.4")])
    assert replay(decision).now == Side("second", Decimal("2.4"), 0)


def test_two_that_must_agree_are_both_replaced() -> None:
    calls = [made(FIRST, cost="1.2"), made(SECOND, cost="2.4", purpose="agreement")]
    decision = decided(asked(gateway={"agreement": 2}), [FIRST, SECOND], calls, model=FIRST)
    assert replay(decision).now == Side("first", Decimal("3.6"), 0)
    other = "[models.second]\nenabled = false\n[models.strong]\nlayer = 'L1'\npriority = 5"
    assert replay(decision, other).now == Side("first", Decimal("6.0"), 0), "the answer of the first, and a new second"


def test_a_hedge_that_won_wins_again() -> None:
    calls = [made(FIRST, "cancelled", "0.1"), made(SECOND, cost="2.4", purpose="hedge")]
    decision = decided(asked(), [FIRST, SECOND], calls)
    assert replay(decision).now == Side("second", Decimal("2.5"), 0)


def test_a_caller_that_left_would_have_left() -> None:
    decision = decided(asked(), [FIRST, SECOND], [made(FIRST, "cancelled", "0.1")], outcome="cancelled")
    found = replay(decision)
    assert found.then == found.now == Side("first", Decimal("0.1"), 0)


@pytest.mark.parametrize(
    ("calls", "model"),
    [
        ([made(FIRST, cost="1.2")], "first"),
        ([made(FIRST, "provider_overloaded"), made(SECOND, cost="2.4")], "second"),
        ([made(FIRST, cost="1.2"), made(FIRST, cost="0.5", purpose="self-check")], "first"),
        ([made(FIRST, cost="1.2"), made(SECOND, cost="2.4", purpose="agreement")], "first"),
        ([made(FIRST, cost="1.2"), made(STRONG, cost="4.8", purpose="escalation")], "strong"),
    ],
    ids=["one", "after a failure", "self-checked", "no agreement", "higher already"],
)
def test_who_was_asked_for_leave_had_an_answer(calls: Sequence[Made], model: str) -> None:
    both = 2 if any(call.purpose == "agreement" for call in calls) else 0
    options = {"escalate": True, "escalation": "confirm", "maxLayer": "L3", "agreement": both}
    decision = decided(
        asked(gateway=options), [FIRST, SECOND], calls, outcome="escalation_needs_confirmation", model=None, usage=None
    )
    found = replay(decision)
    assert found.then == found.now == Side(model, found.spent, int(calls[0].outcome != "ok"))


@pytest.mark.parametrize("outcome", ["budget_exceeded", "no_model_available", "cancelled", "request_timeout"])
def test_who_had_no_answer_with_nobody_asked_has_none_again(outcome: str) -> None:
    decision = decided(asked(), [FIRST, SECOND], [], outcome=outcome)
    found = replay(decision)
    assert found.then == found.now == Side(None, Decimal(0), 0)


def test_whom_no_money_was_left_for_is_not_asked_and_a_cheaper_one_is() -> None:
    decision = decided(asked(), [FIRST, SECOND], [], outcome="budget_exceeded")
    free = (
        'default_layer = "L0"\nenable_auto_escalate = true\nmax_escalation_layer = "L1"\n[models.strong]\nlayer = "L0"'
    )
    assert replay(decision, free).now.model == "strong"


def test_a_caller_that_left_before_anybody_was_asked_is_claimed_by_no_policy() -> None:
    decision = decided(asked(), [FIRST, SECOND], [], outcome="cancelled")
    assert replay(decision, 'default_layer = "L2"').now.model is None


def test_a_stream_that_broke_off_and_a_request_that_was_refused_end_there() -> None:
    broke = decided(asked(), [FIRST], [made(FIRST, "provider_unreachable", "0.1")], model=FIRST)
    wrong = decided(asked(), [FIRST], [made(FIRST, "provider_rejected_request")])
    for decision in (broke, wrong):
        found = replay(decision)
        assert (found.then.model, found.now.model) == (None, None)


def test_a_refusal_passes_by_its_provider_and_a_long_prompt_what_is_no_bigger() -> None:
    other = a_model("elsewhere", "L1", priority=2, provider="anthropic", context_window=10_000)
    models = [FIRST, SECOND, other]
    refused = decided(asked(), [FIRST], [made(FIRST, "content_refused")])
    assert replay(refused, models=models).now.model == "elsewhere"
    small = [
        FIRST.model_copy(update={"context_window": 9_000}),
        SECOND.model_copy(update={"context_window": 8_000}),
        other,
    ]
    too_long = decided(asked(), small[:1], [made(small[0], "context_length_exceeded")])
    assert replay(too_long, models=small).now.model == "elsewhere"


def test_who_was_away_then_is_away_and_who_was_there_is_there() -> None:
    ollama = a_model("near", "L1", provider="ollama", price=0)
    decision = replace(answered(SECOND), plan=planned([ollama, SECOND], away="ollama"))
    assert replay(decision, models=[ollama, SECOND]).now.model == "second"
    assert replay(answered(SECOND), models=[ollama, SECOND]).now.model == "near"
    assert replay(answered(FIRST), serves=lambda _: False).now.model == "first"


def planned(models: Sequence[Model], away: str) -> Plan:
    conditions = Conditions(
        serves=lambda model: model.provider != away, cooling=lambda *_: 0.0, rates=PriceBook().rates
    )
    snapshot = Snapshot.build(1, models, dict.fromkeys(LAYERS, True))
    return plan(asked().facts, snapshot, policy_of(NOW), conditions)


def test_lots_fall_as_they_did_unless_the_policy_shares_anew() -> None:
    often, rarely = a_model("a", "L1", weight=9, price=1), a_model("b", "L1", weight=1, price=1)
    decision = decided(asked(), [rarely, often], [made(rarely, cost="1.2")])
    assert replay(decision, models=[often, rarely]).now.model == "b"
    assert replay(decision, "[models.b]\nweight = 0", [often, rarely]).now.model == "a"


def test_what_learning_chose_to_start_at_it_starts_at_again() -> None:
    decision = decided(asked(gateway={"maxLayer": "L2"}), [FIRST, STRONG], [made(STRONG, cost="4.8")], start="L2")
    assert replay(decision).now.model == "strong"


def test_bounds_of_the_caller_and_its_budget_hold() -> None:
    bounded = decided(asked(), [FIRST], [made(FIRST, cost="1.2")], caller=replace(ANNA, models=frozenset({"first"})))
    assert replay(bounded, "[models.first]\nenabled = false").now.model is None
    poor = replace(answered(FIRST), left=Decimal("1"))
    found = replay(poor, 'default_layer = "L2"')
    assert found.now.model is None
    assert "its budget leaves $1.0" in found.reason


def test_a_conversation_stays_where_it_was() -> None:
    decision = answered(SECOND, stay="second")
    assert replay(decision).now.model == "second"


def test_what_was_spent_counts_in_full_and_what_is_not_known_now_is_said() -> None:
    sums = Sums()
    sums.add("r-1", NOON, Replayed(Side("a", Decimal(1), 1), Side("b", Decimal(3), 0), spent=Decimal(1)))
    sums.add("r-2", NOON, Replayed(Side("a", Decimal(1), 0), Side("b", None, 0), spent=Decimal(1)))
    sums.add("r-3", NOON, Replayed(Side("a", Decimal(5), 0), Side("a", Decimal(4), 0), spent=Decimal(5)))
    sums.add("r-4", NOON, Replayed(Side("a", Decimal(5), 0), Side(None, Decimal(0), 2), "because", spent=Decimal(5)))
    sums.add("r-5", NOON, Replayed(Side(None, None, 2), Side("a", Decimal(9), 0), spent=Decimal("0.5")))
    assert (sums.requests, sums.changed, sums.unanswerable, sums.rescued) == (5, 4, 1, 1)
    assert (sums.failed_then, sums.failed_now) == (3, 2)
    assert (sums.costs.then, sums.costs.now) == (Decimal("12.5"), 7)
    assert (sums.costs.not_known, sums.costs.not_known_then) == (2, Decimal("1.5"))
    (change, group), *_ = sums.largest()
    assert (change, group.requests, group.costs.then, group.costs.not_known) == (("a", "b"), 2, 2, 1)
    assert [example.request_id for example in sums.examples] == ["r-1", "r-2", "r-4", "r-5"]


def test_what_is_known_of_a_request_was_spent_even_where_not_all_is() -> None:
    calls = [made(FIRST, "provider_timeout", None), made(SECOND, cost="2.4")]
    found = replay(decided(asked(), [FIRST, SECOND], calls))
    assert (found.then.cost, found.spent) == (None, Decimal("2.4"))


def test_examples_and_groups_are_bounded() -> None:
    sums = Sums()
    for number in range(1_000):
        sums.add("r", NOON, Replayed(Side(f"m{number}", None, 0), Side(None, None, 0)))
    assert (len(sums.examples), len(sums.largest())) == (10, 100)


async def test_real_traffic_under_its_own_policy_comes_out_as_it_was(tmp_path: Path) -> None:
    current = Configuration(spend_guard=False, enable_auto_escalate=True, max_escalation_layer="L2")
    async with chat_stack(tmp_path, policy_of(current)) as stack:
        await mixed_traffic(stack)
        found = proposal({}, current, stack.registry.snapshot)
        providers = stack.providers
        again = Replay(World(proposal=found, prices=PriceBook(), serves=providers.serves, may_bill=providers.may_bill))
        replayed = [again.of("r", there_and_back(decision)) for decision in stack.decisions]
        outcomes = {decision.outcome for decision in stack.decisions}
    assert [side.then for side in replayed] == [side.now for side in replayed]
    assert len(replayed) == 12 * len(BODIES)
    assert {side.then.model for side in replayed} >= {None, "other/scripted-one", "scripted/scripted"}
    assert any(side.then.failed for side in replayed)
    assert outcomes >= {"ok", "escalation_needs_confirmation", "budget_exceeded", "request_timeout"}
    sums = Sums()
    for side in replayed:
        sums.add("r", NOON, side)
    assert (sums.changed, sums.rescued, sums.unanswerable) == (0, 0, 0)


BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"messages": [{"role": "user", "content": "```python\nprint(1)\n```"}]},
    {"gateway": {"maxLayer": "L1", "session": "s"}},
    {"gateway": {"agreement": 2}},
    {"gateway": {"selfCheck": True, "escalate": False}},
    {"gateway": {"crossCheck": True}},
    {"gateway": {"budgetUsd": 0.001}},
    {"model": "L1", "gateway": {"minLayer": "L1"}},
    {"model": "scripted/scripted-e500"},
    {"gateway": {"quality": "critical"}},
    {"gateway": {"maxLayer": "L1", "escalate": True, "escalation": "confirm"}},
    {"model": "other/scripted-len", "gateway": {"maxLayer": "L2", "escalate": True, "escalation": "confirm"}},
    {"gateway": {"budgetUsd": 0.0000001}},
    {"gateway": {"budgetUsd": 0.03, "agreement": 2}},
    {"model": "scripted/scripted-hang", "gateway": {"timeoutMs": 5}},
)


async def mixed_traffic(stack: ChatStack) -> None:
    """Shared places, broken models, one that refuses, conversations, checks, and models that cool down meanwhile."""
    await stack.add("scripted-e500-p50", priority=0, weight=2)
    await stack.add("scripted-one", priority=0, provider="other")
    await stack.add("scripted-e500", priority=1)
    await stack.add("scripted-policy", layer="L1")
    await stack.add("scripted-len-p30", layer="L1", priority=1, provider="other")
    await stack.add("scripted-two", layer="L1", priority=2, weight=3)
    await stack.add("scripted-three", layer="L1", priority=2, provider="dead")
    await stack.add("scripted", layer="L2")
    await stack.add("scripted-len", layer="L1", priority=5, provider="other")
    await stack.add("scripted-hang", layer="L3")
    for _ in range(12):
        for body in BODIES:
            with suppress(GatewayError):
                await stack.chat(**body)


def there_and_back(decision: Decision) -> Record:
    record = restored(json.loads(json.dumps(stored(decision))))
    assert record is not None
    return record
