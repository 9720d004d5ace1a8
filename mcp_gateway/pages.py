"""Lists in pages: the protocol lets a client go on with a cursor that it does not understand."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from mcp import MCPError
from mcp.types import INVALID_PARAMS, PaginatedRequestParams

T = TypeVar("T")

PAGE = 100


def page_of(
    items: Sequence[T], params: PaginatedRequestParams | None, name: Callable[[T], str], size: int = PAGE
) -> tuple[list[T], str | None]:
    """The items after the cursor, and the cursor after them; it names an item, so that it stays good when others go.

    Raises MCPError for a cursor that no page has ended with.
    """
    start = _after(items, params.cursor, name) if params is not None and params.cursor is not None else 0
    found = list(items[start : start + size])
    more = start + size < len(items)
    return found, urlsafe_b64encode(name(found[-1]).encode()).decode() if more else None


def _after(items: Sequence[T], cursor: str, name: Callable[[T], str]) -> int:
    try:
        last = urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        last = ""
    for place, item in enumerate(items):
        if name(item) == last:
            return place + 1
    raise MCPError(INVALID_PARAMS, "The cursor is not one of this list; begin again without it.")
