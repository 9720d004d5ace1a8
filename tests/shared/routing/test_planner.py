"""The planner: who is asked, in which order, and why others are not."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chat import ChatRequest
from shared.domain.models import LAYERS, Capabilities, Layer, Model
from shared.domain.routing import Plan
from shared.registry.snapshot import Snapshot
from shared.routing.planner import Conditions, Policy, plan
from shared.usage.pricing import PriceBook

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
    **policy: Any,
) -> Plan:
    conditions = Conditions(
        serves=lambda found: found.provider not in away,
        cooling=lambda name: (cooling or {}).get(name, 0.0),
        cost=PriceBook().cost,
    )
    return plan(request, Snapshot.build(1, models, {**ON, **(layers or {})}), Policy(**policy), conditions)


def names(found: Plan) -> list[str]:
    return [item.id for item in found.attempts]


def reasons(found: Plan) -> dict[str, str]:
    return {item.model.id: item.reason for item in found.dropped}


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
    assert names(planned(ask(gateway={"quality": "high"}), *models)) == ["b"]
    assert names(planned(ask(gateway={"quality": "critical", "maxLayer": "L1"}), *models)) == ["b"]


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
    blind = model("blind", "L0")
    seeing = model("seeing", "L0", capabilities=Capabilities(vision=True, tools=True))
    small = model("small", "L0", context_window=10, capabilities=Capabilities(vision=True, tools=True))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    found = planned(ask(messages=[{"role": "user", "content": [image]}]), blind, seeing, small)
    assert names(found) == ["seeing"]
    assert "images" in reasons(found)["blind"]
    assert "context window" in reasons(found)["small"]
    found = planned(ask(tools=[{"type": "function", "function": {"name": "f"}}]), blind, seeing)
    assert reasons(found) == {"blind": "it cannot call tools"}


def test_what_is_off_or_away_is_left_out() -> None:
    models = [model("off", "L0", enabled=False), model("layer", "L1"), model("gone", "L0", provider="anthropic")]
    found = planned(ask(gateway={"maxLayer": "L1"}), *models, layers={"L1": False}, away=("anthropic",))
    assert names(found) == []
    assert set(reasons(found)) == {"off", "layer", "gone"}


def test_code_goes_to_models_that_know_code_first() -> None:
    models = [model("plain", "L0", 0), model("coder", "L0", 1, capabilities=Capabilities(code=True))]
    request = ask(messages=[{"role": "user", "content": "fix ```x = 1```"}])
    assert names(planned(request, *models)) == ["coder", "plain"]


def test_cooling_models_come_last_the_soonest_first() -> None:
    models = [model("a", "L0", 0), model("b", "L0", 1), model("c", "L0", 2)]
    assert names(planned(ask(), *models, cooling={"a": 9.0, "b": 3.0})) == ["c", "b", "a"]


def test_a_budget_leaves_out_what_may_cost_more_and_what_has_no_price() -> None:
    prices = {"price_per_1k_input_tokens": Decimal("0.1"), "price_per_1k_output_tokens": Decimal("0.1")}
    free = {"price_per_1k_input_tokens": Decimal(0), "price_per_1k_output_tokens": Decimal(0)}
    models = [model("dear", "L0", **prices), model("free", "L0", **free), model("unpriced", "L0")]
    found = planned(ask(gateway={"budgetUsd": 0}), *models)
    assert names(found) == ["free"]
    assert "not known" in reasons(found)["unpriced"]


def test_it_stops_looking_once_it_has_enough() -> None:
    looked: list[str] = []

    def serves(found: Model) -> bool:
        looked.append(found.id)
        return True

    snapshot = Snapshot.build(1, [model(f"m{number:05}", "L0", number) for number in range(10_000)], ON)
    conditions = Conditions(serves=serves, cooling=lambda _: 0.0, cost=PriceBook().cost)
    found = plan(ask(), snapshot, Policy(), conditions, enough=3)
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
