"""A policy to try out: what it changes, and every problem at once."""

import tomllib
from decimal import Decimal

import pytest

from shared.domain.configuration import Configuration
from shared.domain.models import LAYERS
from shared.errors import InvalidInput
from shared.registry.snapshot import Snapshot
from shared.routing.policy import Policy
from shared.routing.replay.policy_file import Proposal, policy_of, proposal
from tests.support.decisions import a_model

NOW = Configuration(default_layer="L1", spend_guard=False)
SNAPSHOT = Snapshot.build(
    7, [a_model("free", "L0", price=0), a_model("openai/mini", "L1", priority=2)], dict.fromkeys(LAYERS, True)
)


def read(text: str) -> Proposal:
    return proposal(tomllib.loads(text), NOW, SNAPSHOT)


def problems(text: str) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert isinstance(refused.value.details, dict)
    return {found["field"]: found["reason"] for found in refused.value.details["fields"]}


def test_an_empty_file_changes_nothing() -> None:
    found = read("")
    assert found.policy == policy_of(NOW) == Policy(default_layer="L1", spend_guard=False)
    assert found.snapshot == SNAPSHOT
    assert (found.repriced, found.reshared) == (frozenset(), frozenset())


def test_keys_of_the_configuration_are_taken_in_both_spellings() -> None:
    text = 'default_layer = "L0"\nenableAutoEscalate = true\nmax_escalation_layer = "L2"\nspendGuard = true\n'
    more = "enable_cross_check = false\nenable_hedging = true"
    assert read(text + more).policy == Policy(
        default_layer="L0",
        auto_escalate=True,
        max_escalation_layer="L2",
        spend_guard=True,
        cross_check=False,
        hedge=True,
    )


def test_layers_are_turned_on_and_off() -> None:
    found = read("[layers.L1]\nenabled = false")
    assert found.snapshot.layer_enabled == {"L0": True, "L1": False, "L2": True, "L3": True}


def test_a_model_is_changed_and_a_new_one_comes() -> None:
    found = read(
        """
        [models."openai/mini"]
        enabled = false
        price_per_1k_input_tokens = 0.1
        [models."openai/new"]
        provider = "openai"
        apiModelName = "new"
        layer = "L1"
        weight = 3
        pricePer1kInputTokens = 1
        pricePer1kOutputTokens = 2
        capabilities = { tools = true }
        """
    )
    mini, new = found.snapshot.models["openai/mini"], found.snapshot.models["openai/new"]
    assert (mini.enabled, mini.price_per_1k_input_tokens, mini.priority) == (False, Decimal("0.1"), 2)
    assert (new.weight, new.capabilities.tools, new.price_per_1k_output_tokens) == (3, True, 2)
    assert found.repriced == {"openai/mini", "openai/new"}
    assert found.reshared == {("L1", 2), ("L1", 0)}
    assert [model.id for model in found.snapshot.by_layer["L1"]] == ["openai/new", "openai/mini"]


def test_a_model_that_moves_reshares_where_it_was_and_where_it_goes() -> None:
    found = read('[models."openai/mini"]\nlayer = "L0"\npriority = 0')
    assert found.reshared == {("L1", 2), ("L0", 0)}
    assert found.repriced == frozenset()


KEYS = (
    "default_layer, enable_auto_escalate, max_escalation_layer, spend_guard, auto_budget_usd_per_day, enable_cross_check, enable_hedging, layers, "
    "models"
)
FIELDS = (
    "provider, api_model_name, layer, enabled, priority, weight, relative_cost, price_per_1k_input_tokens, "
    "price_per_1k_output_tokens, context_window, capabilities, owned_by"
)


def test_every_problem_is_named_at_once_with_what_was_meant() -> None:
    found = problems(
        """
        defalt_layer = "L2"
        spend_guard = 3
        log_level = "debug"
        [layers.L7]
        enabled = true
        [layers.L1]
        enabled = "no"
        on = true
        [models."openai/min"]
        enabled = false
        [models."openai/mini"]
        priorty = 1
        weight = -1
        id = "other"
        [models."bad id"]
        provider = "openai"
        api_model_name = "x"
        layer = "L9"
        """
    )
    assert found == {
        "defalt_layer": f"there is no such key; did you mean 'default_layer'?; there are {KEYS}",
        "log_level": f"there is no such key; there are {KEYS}",
        "spend_guard": "input should be a valid boolean",
        "layers.L7": "there is no such layer; there are L0, L1, L2, L3",
        "layers.L1.enabled": "it must be true or false",
        "layers.L1.on": "there is no such key; it can be 'enabled'",
        'models."openai/min"': "there is no such model; did you mean 'openai/mini'?; a new one needs provider, "
        "api_model_name, layer",
        'models."openai/mini".priorty': f"there is no such key; did you mean 'priority'?; there are {FIELDS}",
        'models."openai/mini".id': f"there is no such key; there are {FIELDS}",
        'models."openai/mini".weight': "input should be greater than or equal to 0",
        'models."bad id".id': found['models."bad id".id'],
        'models."bad id".layer': "input should be 'L0', 'L1', 'L2' or 'L3'",
    }


@pytest.mark.parametrize("text", ["layers = 3", "models = []", "models.x = 1", "layers.L0 = true"])
def test_what_is_no_table_is_refused(text: str) -> None:
    assert list(problems(text).values()) == ["it must be a table"]
