"""What hosts are told of arguments and results."""

import json
from typing import Any

import pytest

from mcp_gateway.arguments import ChatArguments, RunCommandArguments
from mcp_gateway.results import ChatResult, ModelsPage
from mcp_gateway.schemas import arguments_schema, result_schema
from mcp_gateway.tools import TOOLS


def every_key(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node) | {key for value in node.values() for key in every_key(value)}
    if isinstance(node, list):
        return {key for item in node for key in every_key(item)}
    return set()


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_need_no_references_and_waste_no_words(name: str) -> None:
    info = TOOLS[name].info()
    assert every_key(info.input_schema).isdisjoint({"$ref", "$defs", "title"})
    assert every_key(info.output_schema).isdisjoint({"$ref", "$defs", "title"})
    assert info.input_schema["type"] == "object"
    assert info.input_schema["additionalProperties"] is False


@pytest.mark.parametrize("name", TOOLS)
def test_every_argument_is_described_and_none_is_null(name: str) -> None:
    schema = TOOLS[name].info().input_schema
    for argument, rules in schema["properties"].items():
        assert rules.get("description"), argument
        assert "null" not in json.dumps(rules), argument
        assert "type" in rules or "anyOf" in rules, argument


@pytest.mark.parametrize("name", TOOLS)
def test_descriptions_fit_what_hosts_keep_of_them(name: str) -> None:
    assert 100 < len(TOOLS[name].description.encode()) < 2048


def test_ranges_and_names_are_on_the_wire() -> None:
    schema = arguments_schema(ChatArguments)
    assert schema["properties"]["temperature"]["maximum"] == 2
    assert schema["properties"]["maxLayer"]["enum"] == ["L0", "L1", "L2", "L3"]
    assert schema["properties"]["model"]["default"] == "auto"
    assert "required" not in schema
    assert arguments_schema(RunCommandArguments)["required"] == ["command"]
    assert arguments_schema(RunCommandArguments)["properties"]["timeoutSeconds"]["maximum"] == 50


def test_results_say_what_may_be_unknown_and_leave_room_for_more() -> None:
    schema = result_schema(ChatResult)
    assert {"type": "null"} in schema["properties"]["costUsd"]["anyOf"]
    assert {"type": "number"} in schema["properties"]["costUsd"]["anyOf"]
    assert set(schema["required"]) == set(schema["properties"])
    assert "additionalProperties" not in every_key(result_schema(ModelsPage))
