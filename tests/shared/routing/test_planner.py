"""The planner: who is asked, in which order, and why others are not."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chat import ChatRequest
from shared.domain.models import LAYERS, Capabilities, Layer, Model
from shared.domain.routing import Plan
from shared.registry.snapshot import Snapshot
from shared.routing.allowance import allowance
from shared.routing.exhausted import nothing_to_try
from shared.routing.planner import Conditions, plan
from shared.routing.policy import FREELY, Permit, Policy
from shared.usage.pricing import PriceBook

PRICES = PriceBook()
DEAR = {"price_per_1k_input_tokens": Decimal("0.1"), "price_per_1k_output_tokens": Decimal("0.1")}
FREE = {"price_per_1k_input_tokens": Decimal(0), "price_per_1k_output_tokens": Decimal(0)}
ON: dict[Layer, bool] = dict.fromkeys(LAYERS, True)


def model(name: str, layer: Layer, priority: int = 0, **more: Any) -> Model:
    return Model(
        id=name, provider=more.pop("provider", "openai"), api_model_name=name, layer=layer, priority=priority, **more
    )


def ask(**body: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}], **body})


def planned(
    request: ChatRequest,
    *models: Model,
    layers: dict[Layer, bool] | None = None,
    cooling: dict[str, float] | None = None,
    away: tuple[str, ...] = (),
    permit: Permit = FREELY,
    complexity: float | None = None,
    may_bill: bool = False,
    rank: Callable[[Model], tuple[bool, float]] = lambda _: (False, 0.0),
    draw: Callable[[], float] = lambda: 0.5,
    enough: int | None = None,
    **policy: Any,
) -> Plan:
    conditions = Conditions(
        serves=lambda found: found.provider not in away,
        cooling=lambda found, _: (cooling or {}).get(found.id, 0.0),
        rates=PRICES.rates,
        may_bill=lambda _: may_bill,
        rank=rank,
        draw=draw,
    )
    snapshot = Snapshot.build(1, models, {**ON, **(layers or {})})
    return plan(
        replace(request.facts, complexity=complexity), snapshot, Policy(**policy), conditions, permit, enough=enough
    )


def names(found: Plan) -> list[str]:
    return [item.id for item in found.attempts]


def reasons(found: Plan) -> dict[str, str]:
    return {item.model.id: item.reason for item in found.dropped}


def test_many_models_of_a_low_layer_hide_none_of_a_higher_one() -> None:
    models = [model(f"low{number}", "L0", number) for number in range(30)] + [model("high", "L1")]
    request = ask(gateway={"quality": "high"})
    assert names(planned(request, *models, complexity=0.9, enough=12))[0] == "high"
    assert len(names(planned(request, *models, complexity=0.9, enough=12))) == 13


def test_weights_count_for_all_equals_however_many_there_are() -> None:
    models = [model(f"m{number:02}", "L0", weight=1) for number in range(13)] + [model("most", "L0", weight=100)]
    random = Random(1)
    first = Counter(names(planned(ask(), *models, draw=random.random, enough=12))[0] for _ in range(300))
    assert first["most"] > 200


def test_of_very_many_equals_any_may_be_first_and_few_are_looked_at() -> None:
    models = [model(f"m{number:04}", "L0") for number in range(1_000)]
    looked: Counter[str] = Counter()

    def rank(found: Model) -> tuple[bool, float]:
        looked[found.id] += 1
        return (False, 0.0)

    random = Random(1)
    first = Counter(names(planned(ask(), *models, rank=rank, draw=random.random, enough=12))[0] for _ in range(200))
    assert len(first) > 100
    assert looked.total() == 12 * 200


def test_a_conversation_stays_with_a_model_behind_many_others() -> None:
    models = [model(f"m{number:02}", "L0", number) for number in range(30)]
    found = names(planned(ask(), *models, permit=Permit(stay="m25"), enough=12))
    assert (found[0], len(found), len(set(found))) == ("m25", 13, 13)


def test_a_name_that_several_models_have_goes_by_layer_then_priority_and_shares_by_weight() -> None:
    named = [
        model("paid", "L2", 0, provider="a"),
        model("free", "L0", 5, provider="b"),
    ]
    same = [replace_name(found, "llama") for found in named]
    assert names(planned(ask(model="llama"), *same)) == ["free", "paid"]
    equals = [replace_name(model(name, "L1", weight=weight), "twice") for name, weight in (("one", 1), ("nine", 9))]
    random = Random(1)
    first = Counter(names(planned(ask(model="twice"), *equals, draw=random.random))[0] for _ in range(300))
    assert 240 < first["nine"] < 295


def replace_name(found: Model, name: str) -> Model:
    """The same deployment under a provider's name that others have as well."""
    return found.model_copy(update={"api_model_name": name})


@pytest.mark.parametrize("bounds", [{"maxLayer": "L0"}, {"minLayer": "L3"}, {"minLayer": "L0", "maxLayer": "L1"}])
def test_a_layer_asked_for_by_name_that_the_request_itself_rules_out_is_not_used(bounds: dict[str, Any]) -> None:
    found = planned(ask(model="L2", gateway=bounds), model("m", "L2"), model("other", "L0"))
    assert names(found) == []
    assert "outside" in reasons(found)["m"]
    error = nothing_to_try(ask(model="L2", gateway=bounds).facts, found)
    assert "maxLayer" in error.message
    assert names(planned(ask(model="L2", gateway={"maxLayer": "L3"}), model("m", "L2"))) == ["m"]


def test_auto_stays_in_the_default_layer_by_priority() -> None:
    models = [model("b", "L0", 1), model("a", "L0", 0), model("paid", "L1")]
    assert names(planned(ask(), *models)) == ["a", "b"]


def test_max_layer_lets_auto_go_on_upwards() -> None:
    models = [model("a", "L0"), model("b", "L1"), model("c", "L2")]
    assert names(planned(ask(gateway={"maxLayer": "L1"}), *models)) == ["a", "b"]


def test_the_operator_may_let_auto_escalate() -> None:
    models = [model("a", "L0"), model("b", "L1"), model("c", "L2")]
    assert names(planned(ask(), *models, auto_escalate=True, max_escalation_layer="L1")) == ["a", "b"]
    assert names(planned(ask(), *models, auto_escalate=False, max_escalation_layer="L1")) == ["a"]


def test_quality_decides_where_to_start_but_never_above_max_layer() -> None:
    models = [model("a", "L0"), model("b", "L1"), model("c", "L2")]
    assert names(planned(ask(gateway={"quality": "critical"}), *models)) == ["c"]
    assert names(planned(ask(gateway={"quality": "critical", "maxLayer": "L1"}), *models)) == ["b"]


def test_high_quality_starts_higher_only_for_what_is_known_to_be_hard() -> None:
    models = [model("a", "L0"), model("b", "L1"), model("c", "L2")]
    high = ask(gateway={"quality": "high"})
    assert names(planned(high, *models, complexity=0.9)) == ["b", "a"]
    assert names(planned(high, models[0], complexity=0.9)) == ["a"], "a wish is no demand"
    assert names(planned(high, *models, complexity=0.1)) == ["a"]
    assert names(planned(high, *models, complexity=None)) == ["a"]
    assert names(planned(ask(), *models, complexity=0.9)) == ["a"]


def test_a_layer_name_asks_that_layer_alone() -> None:
    models = [model("a", "L0"), model("b", "L1"), model("c", "L2")]
    assert names(planned(ask(model="L1"), *models)) == ["b"]


def test_an_id_or_a_providers_name_asks_that_model_alone() -> None:
    direct = model("own/id", "L3")
    twice = [Model(id=f"{p}/m", provider=p, api_model_name="m", layer="L1") for p in ("openai", "openrouter")]
    assert names(planned(ask(model="own/id"), direct, *twice)) == ["own/id"]
    assert names(planned(ask(model="m"), direct, *twice)) == ["openai/m", "openrouter/m"]
    assert planned(ask(model="unknown"), direct) == Plan(())


def test_what_cannot_do_it_is_left_out_with_the_reason() -> None:
    blind = model("blind", "L0", capabilities=Capabilities(vision=False, tools=False))
    seeing = model("seeing", "L0", capabilities=Capabilities(vision=True, tools=True))
    small = model("small", "L0", context_window=10, capabilities=Capabilities(vision=True, tools=True))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    found = planned(ask(messages=[{"role": "user", "content": [image]}]), blind, seeing, small)
    assert names(found) == ["seeing"]
    assert "images" in reasons(found)["blind"]
    assert "context window" in reasons(found)["small"]
    found = planned(ask(tools=[{"type": "function", "function": {"name": "f"}}]), blind, seeing)
    assert reasons(found) == {"blind": "it cannot call tools"}


def test_what_may_or_may_not_do_it_is_tried_after_what_can() -> None:
    unknown = model("a-unknown", "L0")
    able = model("able", "L0", priority=1, capabilities=Capabilities(vision=True, tools=True))
    asked = ask(tools=[{"type": "function", "function": {"name": "f"}}])
    assert names(planned(asked, unknown, able)) == ["able", "a-unknown"]
    assert names(planned(ask(), unknown, able)) == ["a-unknown", "able"]


def test_what_is_off_or_away_is_left_out() -> None:
    models = [model("off", "L0", enabled=False), model("layer", "L1"), model("gone", "L0", provider="anthropic")]
    found = planned(ask(gateway={"maxLayer": "L1"}), *models, layers={"L1": False}, away=("anthropic",))
    assert names(found) == []
    assert set(reasons(found)) == {"off", "layer", "gone"}


def test_code_goes_to_models_that_know_code_first() -> None:
    models = [model("plain", "L0", 0), model("coder", "L0", 1, capabilities=Capabilities(code=True))]
    request = ask(messages=[{"role": "user", "content": "fix ```x = 1```"}])
    assert names(planned(request, *models)) == ["coder", "plain"]


def test_of_those_that_are_cooling_only_the_soonest_is_tried_and_last() -> None:
    models = [model("a", "L0", 0), model("b", "L0", 1), model("c", "L0", 2)]
    found = planned(ask(), *models, cooling={"a": 9.0, "b": 3.0})
    assert names(found) == ["c", "b"]
    assert reasons(found) == {"a": "it is cooling down for another 9 s"}


def test_equals_share_the_traffic_as_their_weights_say() -> None:
    models = [model("one", "L0", weight=1), model("three", "L0", weight=3), model("none", "L0", weight=0)]
    drawn = Random(7)
    firsts = Counter(names(planned(ask(), *models, draw=drawn.random))[0] for _ in range(4000))
    assert 2.6 < firsts["three"] / firsts["one"] < 3.5
    assert firsts["none"] == 0


def test_equals_of_equal_weight_go_by_trouble_and_then_by_speed() -> None:
    ranks = {"slow": (False, 2.0), "fast": (False, 0.1), "troubled": (True, 0.0)}
    found = planned(ask(), *(model(name, "L0") for name in ranks), rank=lambda item: ranks[item.id])
    assert names(found) == ["fast", "slow", "troubled"]


def test_priority_goes_before_weight_and_speed() -> None:
    models = [model("first", "L0", 0), model("heavy", "L0", 1, weight=1000)]
    assert names(planned(ask(), *models, rank=lambda item: (item.id == "first", 9.0))) == ["first", "heavy"]


def test_a_conversation_stays_with_its_model_as_long_as_that_may_be_asked() -> None:
    models = [model("a", "L0", 0), model("b", "L0", 1)]
    assert names(planned(ask(), *models, permit=Permit(stay="b"))) == ["b", "a"]
    assert names(planned(ask(), *models, permit=Permit(stay="b"), cooling={"b": 5.0})) == ["a", "b"]
    assert names(planned(ask(), *models, permit=Permit(stay="gone"))) == ["a", "b"]


def test_a_key_bounds_models_and_layers_over_everything_that_is_asked() -> None:
    models = [model("a", "L0"), model("b", "L1"), model("c", "L2")]
    bound = Permit(max_layer="L1")
    assert names(planned(ask(gateway={"maxLayer": "L3"}), *models, permit=bound)) == ["a", "b"]
    assert names(planned(ask(gateway={"quality": "critical"}), *models, permit=bound)) == ["b"]
    assert names(planned(ask(model="c"), *models, permit=bound)) == []
    assert names(planned(ask(model="L2"), *models, permit=bound)) == []
    only = Permit(models=frozenset({"b"}))
    found = planned(ask(gateway={"maxLayer": "L3"}), *models, permit=only)
    assert names(found) == ["b"]
    assert reasons(found)["a"] == "these credentials may not use it"


def test_what_cannot_keep_to_a_schema_is_left_out_where_one_is_asked() -> None:
    models = [model("loose", "L0", capabilities=Capabilities(json_schema=False)), model("unknown", "L0", 1)]
    assert names(planned(ask(response_format={"type": "json_object"}), *models)) == ["unknown"]
    assert names(planned(ask(), *models)) == ["loose", "unknown"]


@pytest.mark.parametrize("name", ["auto", "L0", "paid"])
def test_the_free_layer_never_bills_without_leave_whatever_name_was_asked_for(name: str) -> None:
    models = [model("paid", "L0", 0, **DEAR), model("free", "L0", 1, **FREE)]
    found = planned(ask(model=name), *models)
    assert "paid" not in names(found)
    assert "gateway.allowPaid" in reasons(found)["paid"]
    for leave in ({"allowPaid": True}, {"budgetUsd": 100}):
        assert "paid" in names(planned(ask(model=name, gateway=leave), *models))
    assert "paid" in names(planned(ask(model=name), *models, spend_guard=False))


def test_where_everything_bills_a_price_that_is_not_known_is_no_free_one() -> None:
    unpriced = model("unpriced", "L0")
    assert names(planned(ask(), unpriced, may_bill=False)) == ["unpriced"]
    assert "price is not known" in reasons(planned(ask(), unpriced, may_bill=True))["unpriced"]


def test_a_budget_leaves_out_what_may_cost_more_and_what_has_no_price() -> None:
    models = [model("dear", "L1", **DEAR), model("free", "L0", **FREE), model("unpriced", "L0")]
    found = planned(ask(gateway={"maxLayer": "L3"}), *models, permit=Permit(left=Decimal(0)))
    assert names(found) == ["free"]
    assert "not known" in reasons(found)["unpriced"]
    assert "set pricePer1kInputTokens and pricePer1kOutputTokens with PUT /v1/models/{id}" in reasons(found)["unpriced"]
    (over,) = [item for item in found.dropped if item.model.id == "dear"]
    assert over.cost is not None
    assert over.cost > 0


def test_it_stops_looking_once_it_has_enough() -> None:
    looked: list[str] = []

    def serves(found: Model) -> bool:
        looked.append(found.id)
        return True

    snapshot = Snapshot.build(1, [model(f"m{number:05}", "L0", number) for number in range(10_000)], ON)
    conditions = Conditions(serves=serves, cooling=lambda *_: 0.0, rates=PRICES.rates)
    found = plan(ask().facts, snapshot, Policy(), conditions, enough=3)
    assert names(found) == looked == ["m00000", "m00001", "m00002"]


layers = st.sampled_from(LAYERS)
some_models = st.lists(
    st.builds(
        lambda number, layer, enabled, priority: model(f"m{number}", layer, priority, enabled=enabled),
        st.integers(0, 99),
        layers,
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(some_models, layers, layers, st.sampled_from(["normal", "high", "critical"]), st.booleans(), layers)
def test_never_above_the_ceiling_and_never_a_model_that_is_off(
    models: list[Model], default: Layer, ceiling: Layer, quality: str, escalate: bool, highest: Layer
) -> None:
    request = ask(gateway={"maxLayer": ceiling, "quality": quality})
    found = planned(request, *models, default_layer=default, auto_escalate=escalate, max_escalation_layer=highest)
    assert all(item.layer <= ceiling and item.enabled for item in found.attempts)
    assert [item.layer for item in found.attempts] == sorted(item.layer for item in found.attempts)


money = st.decimals(0, 1, places=4)


@given(some_models, money, money, st.integers(1, 100_000) | st.none(), layers, st.booleans())
def test_never_over_budget_and_never_a_bill_in_the_free_layer(
    models: list[Model], price: Decimal, left: Decimal, longest: int | None, ceiling: Layer, asked: bool
) -> None:
    priced = [
        item.model_copy(update={"price_per_1k_input_tokens": price, "price_per_1k_output_tokens": price * number})
        for number, item in enumerate(models)
    ]
    request = ask(max_tokens=longest, gateway={"maxLayer": ceiling} if asked else {})
    found = planned(request, *priced, permit=Permit(left=left), auto_escalate=asked)
    for item in found.attempts:
        rates = PRICES.rates(item)
        assert rates is not None
        allowed = allowance(request.facts, rates, left)
        assert allowed is not None
        assert allowed.cost <= left
        assert rates.free or item.layer > "L0" or (asked and ceiling > "L0")
    assert {item.id for item in found.attempts}.isdisjoint(item.model.id for item in found.dropped)
