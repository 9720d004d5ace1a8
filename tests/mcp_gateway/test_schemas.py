"""What hosts are told of arguments and results."""

import json
from typing import Any, NoReturn

import pytest

from mcp_gateway.arguments import MAX_COMMAND_SECONDS, ChatArguments, RunCommandArguments
from mcp_gateway.results import ChatResult, ModelsPage
from mcp_gateway.schemas import arguments_schema, result_schema
from mcp_gateway.tools import TOOLS, Tools, info_of
from mcp_gateway.toolsets import Selection


def every_key(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node) | {key for value in node.values() for key in every_key(value)}
    if isinstance(node, list):
        return {key for item in node for key in every_key(item)}
    return set()


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_need_no_references_and_waste_no_words(name: str) -> None:
    info = info_of(TOOLS[name])
    assert every_key(info.input_schema).isdisjoint({"$ref", "$defs", "title"})
    assert every_key(info.output_schema).isdisjoint({"$ref", "$defs", "title"})
    assert info.input_schema["type"] == "object"
    assert info.input_schema["additionalProperties"] is False


@pytest.mark.parametrize("name", TOOLS)
def test_every_argument_is_described_and_none_is_null(name: str) -> None:
    schema = info_of(TOOLS[name]).input_schema
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
    assert arguments_schema(RunCommandArguments)["properties"]["timeoutSeconds"]["maximum"] == MAX_COMMAND_SECONDS


def test_results_say_what_may_be_unknown_and_leave_room_for_more() -> None:
    schema = result_schema(ChatResult)
    assert schema["properties"]["costUsd"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert every_key(result_schema(ModelsPage)).isdisjoint({"additionalProperties", "required"})


def test_what_another_tool_has_said_is_not_said_again() -> None:
    explained = info_of(TOOLS["explain_route"]).input_schema["properties"]
    assert {rules["description"] for rules in explained.values()} == {"As in `chat`."}
    read = info_of(TOOLS["read_terminal"])
    assert read.input_schema["properties"]["waitFor"]["description"] == "As in `send_to_terminal`."
    assert "Read what came after" in read.input_schema["properties"]["cursor"]["description"]
    told, again = (info_of(TOOLS[name]).output_schema["properties"] for name in ("send_to_terminal", "read_terminal"))
    assert "description" in json.dumps(told["attributes"])
    assert "description" not in json.dumps(again["attributes"])


def test_what_hosts_must_read_of_the_tools_stays_small() -> None:
    async def never() -> NoReturn:
        raise AssertionError

    usual = Tools(never, Selection.of()).infos
    listed = sum(len(info.model_dump_json(by_alias=True, exclude_none=True)) for info in usual)
    read = sum(len(info.name) + len(info.description or "") + len(json.dumps(info.input_schema)) for info in usual)
    assert listed / 4 < 9_000
    assert read / 4 < 4_500
    assert len(TOOLS) <= 20
