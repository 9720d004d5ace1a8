"""The prompts."""

import pytest
from mcp import MCPError
from mcp.types import TextContent

from mcp_gateway.prompts import PROMPTS
from mcp_gateway.tools import TOOLS
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, client_of

GIVEN = {
    "compare_models": {"question": "Why is the sky blue?", "models": "a:b, c:d"},
    "choose_model": {"task": "translate a book", "budget": "$2"},
    "diagnose_host": {"host": "web-1", "symptom": "it is slow"},
    "review_spend": {"days": "30"},
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", PROMPTS)
async def test_each_prompt_carries_what_was_filled_in_and_names_real_tools(
    gateway: Gateway, era: str, name: str
) -> None:
    async with client_of(gateway, mode=era) as client:
        result = await client.get_prompt(name, GIVEN[name])
    (message,) = result.messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    for value in GIVEN[name].values():
        assert value in message.content.text
    assert any(tool in message.content.text for tool in TOOLS)


@pytest.mark.parametrize("name", PROMPTS)
async def test_what_is_not_required_can_be_left_out(gateway: Gateway, name: str) -> None:
    required = {argument.name: "x" for argument in PROMPTS[name].arguments if argument.required}
    async with client_of(gateway) as client:
        assert (await client.get_prompt(name, required)).messages


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("nothing", {}, "there are compare_models, choose_model"),
        ("compare_models", {}, "'question' of compare_models is required"),
        ("compare_models", {"question": " "}, "'question' of compare_models is required"),
        ("choose_model", {"task": "s3cret", "x": "s3cret"}, "'x' is no argument of choose_model"),
        ("choose_model", {"task": "s3cret" * 5_000}, "longer than 20,000"),
    ],
)
async def test_what_is_wrong_is_named_and_no_value_repeated(
    gateway: Gateway, era: str, name: str, given: dict[str, str], told: str
) -> None:
    async with client_of(gateway, mode=era) as client:
        with pytest.raises(MCPError) as found:
            await client.get_prompt(name, given)
    assert found.value.code == -32602
    assert told in found.value.message
    assert "s3cret" not in found.value.message
