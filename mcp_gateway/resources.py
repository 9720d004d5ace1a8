"""The resources: the registry, its layers, the gateway's health and the terminal sessions, each small enough to read."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mcp import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, ReadResourceResult, TextResourceContents
from mcp.types import Resource as ResourceInfo
from mcp.types import ResourceTemplate as TemplateInfo

from mcp_gateway import errors
from mcp_gateway.cancellation import in_its_own_task
from mcp_gateway.core import Ready
from mcp_gateway.identity import Context, caller_of
from shared.domain.identity import Caller
from shared.errors import GatewayError

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = logging.getLogger(__name__)

JSON = "application/json"
TEXT = "text/plain"
PLACE = "{id}"
"""Where the id stands in the address of a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource; `read` gives its JSON text, `operations` names what it calls."""

    uri: str
    name: str
    title: str
    description: str
    operations: tuple[str, ...]
    read: "Callable[[Gateway, Caller], Awaitable[str]]"

    def info(self) -> ResourceInfo:
        """What hosts are told of it."""
        return ResourceInfo(
            uri=self.uri, name=self.name, title=self.title, description=self.description, mime_type=JSON
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Resources of one kind, one for each id; `read` gives the text of one."""

    uri: str
    name: str
    title: str
    description: str
    operations: tuple[str, ...]
    read: "Callable[[Gateway, Caller, str], Awaitable[str]]"

    def info(self) -> TemplateInfo:
        """What hosts are told of it."""
        return TemplateInfo(
            uri_template=self.uri, name=self.name, title=self.title, description=self.description, mime_type=TEXT
        )

    def id_in(self, uri: str) -> str | None:
        """The id in an address of this kind; None in any other."""
        before, _, after = self.uri.partition(PLACE)
        found = uri[len(before) : len(uri) - len(after)]
        return found if found and "/" not in found and uri == before + found + after else None


class Resources:
    """The resources on one gateway."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self.infos = [resource.info() for resource in RESOURCES.values()]
        self.templates = [template.info() for template in TEMPLATES]

    async def read(self, context: Context, uri: str) -> ReadResourceResult:
        """The resource as it is now. Raises MCPError: there is no other way to say that it cannot be read."""
        reading, kind = _reading(uri)
        caller = caller_of(context)
        try:
            text = await in_its_own_task(self._read(caller, uri, reading))
        except GatewayError as error:
            raise errors.protocol_error(error, uri) from None
        except Exception as error:
            log.exception("resource %s failed (request %s)", uri, caller.request_id)
            raise MCPError(INTERNAL_ERROR, errors.internal(caller.request_id), {"uri": uri}) from error
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=text)])

    async def _read(self, caller: Caller, uri: str, reading: "Reading") -> str:
        gateway = await self._ready()
        from mcp_gateway.calls.call import noted

        with noted(f"resource {uri}", caller):
            return await reading(gateway, caller)


Reading = Callable[["Gateway", Caller], Awaitable[str]]


def _reading(uri: str) -> tuple[Reading, str]:
    """What reads that address, and the media type of it. Raises MCPError."""
    if (resource := RESOURCES.get(uri)) is not None:
        return resource.read, JSON
    for template in TEMPLATES:
        if (found := template.id_in(uri)) is not None:
            return partial(_of_one, template, found), TEXT
    known = ", ".join([*RESOURCES, *(template.uri for template in TEMPLATES)])
    raise MCPError(INVALID_PARAMS, f"There is no such resource; there are {known}.", {"uri": uri[:500]})


async def _of_one(template: Template, found: str, gateway: "Gateway", caller: Caller) -> str:
    return await template.read(gateway, caller, found)


async def _registry(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import snapshots

    return await snapshots.registry(gateway, caller)


async def _layers(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import snapshots

    return await snapshots.layers(gateway, caller)


async def _health(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import snapshots

    return await snapshots.health(gateway, caller)


async def _sessions(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import terminal_snapshots

    return await terminal_snapshots.sessions(gateway, caller)


async def _output(gateway: "Gateway", caller: Caller, session_id: str) -> str:
    from mcp_gateway.calls import terminal_snapshots

    return await terminal_snapshots.output(gateway, caller, session_id)


async def _screen(gateway: "Gateway", caller: Caller, session_id: str) -> str:
    from mcp_gateway.calls import terminal_snapshots

    return await terminal_snapshots.screen(gateway, caller, session_id)


RESOURCES: Mapping[str, Resource] = {
    resource.uri: resource
    for resource in (
        Resource(
            uri="models://registry",
            name="registry",
            title="Model registry",
            description="The models that `chat` can use, with layer, price, context window and capabilities.",
            operations=("list_models", "list_providers", "list_layers"),
            read=_registry,
        ),
        Resource(
            uri="models://layers",
            name="layers",
            title="Layers",
            description="The four layers from free (L0) to premium (L3): on or off, and their models in order.",
            operations=("list_layers",),
            read=_layers,
        ),
        Resource(
            uri="gateway://health",
            name="health",
            title="Gateway health",
            description="Which providers and models answer now, whether the database does, and the configuration.",
            operations=("health",),
            read=_health,
        ),
        Resource(
            uri="terminal://sessions",
            name="sessions",
            title="Terminal sessions",
            description="The open terminal sessions, those in the background included.",
            operations=("list_terminals",),
            read=_sessions,
        ),
    )
}
"""In the order in which hosts list them."""

TEMPLATES: tuple[Template, ...] = (
    Template(
        uri="terminal://{id}/output",
        name="output",
        title="Output of a terminal session",
        description="What the session's shell or program has written, as text without colours; the end of it when it is long.",
        operations=("read_terminal",),
        read=_output,
    ),
    Template(
        uri="terminal://{id}/screen",
        name="screen",
        title="Screen of a terminal session",
        description="The session's screen as it is now, a line for each row.",
        operations=("read_terminal",),
        read=_screen,
    ),
)
"""As above."""
