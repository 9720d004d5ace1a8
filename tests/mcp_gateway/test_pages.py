"""Lists in pages."""

import pytest
from mcp import MCPError
from mcp.types import PaginatedRequestParams

from mcp_gateway.pages import page_of
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, client_of

ITEMS = [f"item {number}" for number in range(25)]


def test_following_the_cursors_gives_everything_once() -> None:
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page, cursor = page_of(ITEMS, PaginatedRequestParams(cursor=cursor), str, size=10)
        found += page
    assert found == ITEMS
    assert cursor is None


def test_a_cursor_stays_good_when_items_come_and_go() -> None:
    _, cursor = page_of(ITEMS, None, str, size=10)
    page, _ = page_of(["new", *ITEMS[5:]], PaginatedRequestParams(cursor=cursor), str, size=10)
    assert page[0] == "item 10"


@pytest.mark.parametrize("era", ERAS)
async def test_a_made_up_cursor_is_an_error_everywhere(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        for ask in (client.list_tools, client.list_resources, client.list_resource_templates, client.list_prompts):
            for cursor in ("nonsense", "bm9uc2Vuc2U=", "é", ""):
                with pytest.raises(MCPError, match="cursor") as told:
                    await ask(cursor=cursor)
                assert told.value.code == -32602
