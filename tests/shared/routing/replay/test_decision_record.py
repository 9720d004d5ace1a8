"""What a stored decision says, and that it says enough."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.models import LAYERS, Capabilities
from shared.domain.routing import OPENING, Dropped, Facts, Plan, RoutingOptions
from shared.domain.usage import Usage
from shared.registry.snapshot import Snapshot
from shared.routing.planner import Conditions, follows_conversation, plan, unserved
from shared.routing.policy import Permit, Policy
from shared.routing.replay.decision_record import MOST_TEXT, Record, restored, stored, text_of
from shared.usage.pricing import PriceBook
from tests.support.decisions import ANNA, SECRET, a_model, asked, decided, made

SNAPSHOT = Snapshot.build(
    1,
    [
        a_model("free", "L0", price=0),
        a_model("unpriced", "L0", priority=1, price=None),
        a_model("paid", "L1", price=1, capabilities=Capabilities(vision=True, tools=True, code=True)),
        a_model("small", "L1", price=1, context_window=1000),
        a_model("strong", "L2", price=3, capabilities=Capabilities(tools=True)),
        a_model("strongest", "L3", price=9),
    ],
    dict.fromkeys(LAYERS, True),
)
CONDITIONS = Conditions(serves=lambda _: True, cooling=lambda *_: 0.0, rates=PriceBook().rates)

layers = st.sampled_from([None, *LAYERS])
amounts = st.none() | st.decimals(0, 100, allow_nan=False, allow_infinity=False, places=12)


printable = st.characters(exclude_categories=("Cc", "Cs"))


@st.composite
def options(draw: st.DrawFn) -> RoutingOptions:
    low, high = sorted([draw(st.sampled_from(LAYERS)), draw(st.sampled_from(LAYERS))])
    maybe = st.none() | st.booleans()
    return RoutingOptions(
        min_layer=draw(st.sampled_from([None, low])),
        max_layer=draw(st.sampled_from([None, high])),
        quality=draw(st.sampled_from(["normal", "high", "critical"])),
        escalation=draw(st.sampled_from(["allow", "confirm"])),
        cross_check=draw(maybe),
        agreement=draw(st.sampled_from([None, 0, 2])),
        escalate=draw(maybe),
        cache=draw(maybe),
        allow_paid=draw(st.booleans()),
        budget_usd=draw(amounts),
        session=draw(st.none() | st.text(printable, min_size=1, max_size=20)),
        timeout_ms=draw(st.none() | st.integers(1, 3_600_000)),
        tags=draw(
            st.dictionaries(st.text(printable, min_size=1, max_size=10), st.text(printable, max_size=10), max_size=3)
        ),
    )


facts = st.builds(
    Facts,
    model=st.sampled_from(["auto", *LAYERS, *SNAPSHOT.models, "unknown"]),
    options=options(),
    prompt_tokens=st.integers(0, 5_000),
    prompt_most=st.integers(0, 20_000),
    max_tokens=st.none() | st.integers(0, 5_000),
    choices=st.integers(1, 8),
    needs_vision=st.booleans(),
    needs_tools=st.booleans(),
    needs_schema=st.booleans(),
    needs_code=st.booleans(),
    stream=st.booleans(),
    conversation=st.text(max_size=20) | st.just(f"{OPENING}0123"),
    turn=st.integers(0, 5),
    complexity=st.none() | st.floats(0, 1),
)


def there_and_back(decision: Any) -> Record:
    found = restored(json.loads(json.dumps(stored(decision))))
    assert found is not None
    return found


@given(
    facts=facts, left=amounts, max_layer=layers, models=st.none() | st.frozensets(st.sampled_from([*SNAPSHOT.models]))
)
def test_a_plan_made_again_from_what_is_stored_is_the_same(
    facts: Facts, left: Decimal | None, max_layer: Any, models: frozenset[str] | None
) -> None:
    decision = decided(asked(), [], [], caller=replace(ANNA, models=models, max_layer=max_layer))
    record = there_and_back(replace(decision, facts=facts, left=left, stay="paid"))
    permit = Permit(models=models, max_layer=max_layer, left=left, stay="paid")
    assert replace(record.facts, conversation="") == replace(facts, conversation="")
    assert follows_conversation(record.facts) == follows_conversation(facts)
    assert record.permit == permit
    for policy in (Policy(), Policy(default_layer="L1", spend_guard=False), Policy(auto_escalate=True)):
        again = plan(record.facts, SNAPSHOT, policy, CONDITIONS, record.permit)
        assert again == plan(facts, SNAPSHOT, policy, CONDITIONS, permit)


def test_calls_costs_and_usage_are_kept_exactly() -> None:
    paid, free = SNAPSHOT.models["paid"], SNAPSHOT.models["free"]
    calls = [made(free, "provider_failed"), made(paid, cost="0.000000000123"), made(free, cost=None, purpose="review")]
    usage = Usage(prompt=10, completion=5, cached=3, estimated=True, tier="flex")
    record = there_and_back(decided(asked(), [free, paid], calls, model=paid, usage=usage))
    assert [(call.model, call.layer, call.purpose, call.outcome, call.cost) for call in record.calls] == [
        ("free", "L0", "answer", "provider_failed", Decimal(0)),
        ("paid", "L1", "answer", "ok", Decimal("0.000000000123")),
        ("free", "L0", "review", "ok", None),
    ]
    assert (record.attempts, record.model, record.outcome, record.usage) == (("free", "paid"), "paid", "ok", usage)


def test_who_was_cooling_away_or_passed_over_is_kept() -> None:
    paid, free = SNAPSHOT.models["paid"], SNAPSHOT.models["free"]
    away = a_model("far", provider="ollama")
    dropped = (Dropped(away, unserved(away)), Dropped(paid, "it is cooling down for another 3 s"))
    found = plan(asked().facts, SNAPSHOT, Policy(), CONDITIONS)
    decision = decided(asked(), [], [], plan=replace(found, dropped=dropped, cooling=("free", "paid")), start="L1")
    record = there_and_back(decision)
    assert (record.cooling, record.away, record.start) == (("free", "paid"), {"ollama"}, "L1")
    assert stored(decision)["plan"]["firstDropped"][1] == {
        "model": "paid",
        "reason": "it is cooling down for another 3 s",
    }
    assert there_and_back(decided(asked(), [free], [])).start is None


def test_the_messages_are_nowhere_in_the_data() -> None:
    tools = [{"type": "function", "function": {"name": "secret_tool", "description": SECRET}}]
    notes = {
        "crossCheck": {"verdict": "corrected", "issues": [SECRET], "reason": SECRET},
        "agreement": {"agreed": False, "models": ["a"]},
        "escalation": {"steps": [{"reason": "empty", "from": "a"}], "ended": SECRET},
    }
    decision = decided(asked(tools=tools, user=SECRET, gateway={"tags": {"team": "red"}}), [], [], notes=notes)
    text = json.dumps(stored(decision))
    assert SECRET not in text
    assert "secret_tool" not in text
    assert '"team": "red"' in text
    assert stored(decision)["notes"] == {"crossCheck": "corrected", "agreement": False, "escalation": ["empty"]}


def test_whose_conversation_it_is_does_not_show_but_can_be_told_from_others() -> None:
    anna, anna_again, bert = (
        stored(decided(asked(user=name), [], []))["facts"]["conversation"] for name in ("anna", "anna", "bert")
    )
    assert "anna" not in anna
    assert anna == anna_again != bert


def test_many_models_that_were_dropped_stay_small() -> None:
    dropped = tuple(Dropped(a_model(f"m{number}"), f"reason {number}") for number in range(5_000))
    assert len(json.dumps(stored(decided(asked(), [], [], plan=Plan((), dropped))))) < 3_000


def test_text_is_cut_where_it_is_long() -> None:
    assert text_of(asked("hé")) == '[{"role":"user","content":"hé"}]'
    found = text_of(asked("é" * 1_000_000))
    assert found is not None
    assert MOST_TEXT - 3 <= len(found.encode()) <= MOST_TEXT


def test_another_version_is_not_guessed_at() -> None:
    assert restored({**stored(decided(asked(), [], [])), "version": 2}) is None
