"""What a resource is, and what a family of them is: all that hosts are told, how one is read, and when it has changed."""

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mcp.types import Resource as ResourceInfo
from mcp.types import ResourceTemplate as TemplateInfo

from shared.domain.identity import Caller, Scope

if TYPE_CHECKING:
    from shared.gateway import Gateway

JSON = "application/json"
TEXT = "text/plain"
PLACE = "{id}"
"""Where the id stands in the address of a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource; `read` gives its JSON text, `operations` names what it calls.

    Whoever has the `scope` may be told of changes: when `mark` gives something else than before.
    """

    uri: str
    name: str
    title: str
    description: str
    operations: tuple[str, ...]
    scope: Scope | None
    read: "Callable[[Gateway, Caller], Awaitable[str]]"
    mark: "Callable[[Gateway, Caller], object]"

    def info(self) -> ResourceInfo:
        """What hosts are told of it."""
        return ResourceInfo(
            uri=self.uri, name=self.name, title=self.title, description=self.description, mime_type=JSON
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Resources of one kind, one for each id; as a resource otherwise. `values` names the kind of ids, for completion.

    The mark of what is not there, or not the caller's, is None.
    """

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    values: str
    operations: tuple[str, ...]
    scope: Scope | None
    read: "Callable[[Gateway, Caller, str], Awaitable[str]]"
    mark: "Callable[[Gateway, Caller, str], object]"
    with_slashes: bool = False

    def info(self) -> TemplateInfo:
        """What hosts are told of it."""
        return TemplateInfo(
            uri_template=self.uri,
            name=self.name,
            title=self.title,
            description=self.description,
            mime_type=self.mime_type,
        )

    def id_in(self, uri: str) -> str | None:
        """The id in an address of this kind; None in any other."""
        before, _, after = self.uri.partition(PLACE)
        found = uri[len(before) : len(uri) - len(after)]
        if not found or uri != before + found + after or ("/" in found and not self.with_slashes):
            return None
        return unquote(found)

    def of(self, found: str) -> str:
        """The address of one."""
        return self.uri.replace(PLACE, found)


def reader(module: str, function: str) -> Callable[..., Awaitable[str]]:
    """A function of `mcp_gateway.calls`, which is imported when something is read: hosts do not wait for that."""

    async def read(*arguments: Any) -> str:
        found = getattr(importlib.import_module(f"mcp_gateway.calls.{module}"), function)
        text: str = await found(*arguments)
        return text

    return read
