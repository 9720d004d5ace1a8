"""Which tools clients get."""

from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from mcp import MCPError

from mcp_gateway.tools import TOOLS
from mcp_gateway.toolsets import MEMBERS, Selection, selected
from shared.domain.audit import AuditQuery
from shared.gateway import Gateway
from shared.setting_sources import SettingsError, load_settings
from tests.support.mcp_stack import ERAS, client_of, settings_for, text_of


def test_every_tool_is_in_one_toolset() -> None:
    named = [name for names in MEMBERS.values() for name in names]
    assert sorted(named) == sorted(TOOLS)


@pytest.mark.parametrize(
    ("toolsets", "read_only", "there"),
    [
        ("chat", False, {"chat", "explain_route"}),
        ("models , admin", False, {"list_models", "set_model", "usage", "set_layer"}),
        ("all", False, set(TOOLS)),
        ("chat,models", True, {"explain_route", "list_models", "usage"}),
        ("ssh", True, {"list_remote_files", "read_remote_file"}),
    ],
)
@pytest.mark.parametrize("era", ERAS)
async def test_only_the_selected_tools_are_listed_and_called(
    gateway: Gateway, era: str, toolsets: str, read_only: bool, there: set[str]
) -> None:
    selection = Selection.of(toolsets, read_only=read_only)
    async with client_of(gateway, mode=era, selection=selection) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == there
        for name in TOOLS.keys() - there:
            refused = await client.call_tool(name, {})
            assert refused.is_error
            assert "(code: tool_not_offered)" in text_of(refused)
            assert "MCP_READ_ONLY" in text_of(refused) or "MCP_TOOLSETS" in text_of(refused)


@pytest.mark.parametrize("era", ERAS)
async def test_a_prefix_is_in_the_names_and_in_all_that_names_them(gateway: Gateway, era: str) -> None:
    selection = Selection.of("all", prefix="gw_")
    async with client_of(gateway, mode=era, selection=selection) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == [f"gw_{name}" for name in TOOLS]
        assert "`gw_chat`" in (tools["gw_list_models"].description or "")
        assert "`gw_list_models`" in tools["gw_chat"].input_schema["properties"]["model"]["description"]
        assert "`gw_run_command`" in (client.instructions or "")
        prompt = await client.get_prompt("choose_model", {"task": "sums"})
        assert "`gw_explain_route`" in str(prompt.messages[0].content)
        assert not (await client.call_tool("gw_usage", {})).is_error
        for name in ("usage", "gw_", "gw_gw_usage"):
            refused = await client.call_tool(name, {})
            assert refused.is_error
            assert "there are gw_chat" in text_of(refused)


def test_the_settings_select(tmp_path: Path) -> None:
    assert selected(load_settings({"DATA_DIR": str(tmp_path)})) == Selection.of("chat,models,terminal")
    assert selected(settings_for(tmp_path, mcp_toolsets="ssh", mcp_read_only=True)) == Selection(
        frozenset({"ssh"}), read_only=True
    )
    assert selected(settings_for(tmp_path, mcp_toolsets="ssh", mcp_tool_prefix="gw-")).prefix == "gw-"
    with pytest.raises(SettingsError, match="MCP_TOOLSETS"):
        settings_for(tmp_path, mcp_toolsets="chat,nothing")


async def test_every_tool_has_a_picture_that_needs_no_request(gateway: Gateway) -> None:
    async with client_of(gateway, selection=Selection.of("all")) as client:
        for tool in (await client.list_tools()).tools:
            (icon,) = tool.icons or ()
            kind, _, svg = icon.src.partition(",")
            assert kind == "data:image/svg+xml"
            assert ElementTree.fromstring(unquote(svg)).tag.endswith("svg")


@pytest.mark.parametrize("era", ERAS)
async def test_a_prompt_is_there_when_its_tools_are(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era, selection=Selection.of(read_only=True)) as client:
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["choose_model", "review_spend"]
        with pytest.raises(MCPError, match="'diagnose_host' is not offered here"):
            await client.get_prompt("diagnose_host", {"host": "x"})
    async with client_of(gateway, mode=era, selection=Selection.of("admin")) as client:
        assert (await client.list_prompts()).prompts == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_of_what_is_not_offered_leaves_a_row(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era, selection=Selection.of(read_only=True)) as client:
        assert (await client.call_tool("set_model", {"id": "x", "enabled": False})).is_error
    entry = (await gateway.audit.query(AuditQuery())).entries[0]
    assert (entry.caller, entry.outcome, entry.details) == ("local", "tool_not_offered", {"tool": "set_model"})
