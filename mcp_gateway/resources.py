"""Resources as clients ask for them: listed, read, and looked at for changes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, ReadResourceResult, TextResourceContents
from mcp.types import Resource as ResourceInfo

from mcp_gateway import errors
from mcp_gateway.cancellation import in_its_own_task
from mcp_gateway.core import Ready
from mcp_gateway.identity import Context, caller_of, trace_of
from mcp_gateway.resource import JSON, Template
from mcp_gateway.resource_table import OUTPUT, RESOURCES, TEMPLATES
from shared.domain.identity import Caller, Scope
from shared.domain.trace import tracing
from shared.errors import GatewayError
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The resource at an address, bound to its id where it is one of a family."""

    scope: Scope | None
    mime_type: str
    read: "Callable[[Gateway, Caller], Awaitable[str]]"
    mark: "Callable[[Gateway, Caller], object]"
    session: str | None = None
    """The terminal session that it shows."""


class Resources:
    """The resources on one gateway."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self.infos = [resource.info() for resource in RESOURCES.values()]
        self.templates = [template.info() for template in TEMPLATES]

    async def listed(self, context: Context) -> list[ResourceInfo]:
        """Those that are always there, and the output of the caller's sessions once the gateway is open."""
        return [*self.infos, *await self._sessions(caller_of(context))]

    async def read(self, context: Context, uri: str) -> ReadResourceResult:
        """The resource as it is now. Raises MCPError: there is no other way to say that it cannot be read."""
        caller = caller_of(context)
        if (found := found_at(uri)) is None:
            known = ", ".join([*RESOURCES, *(template.uri for template in TEMPLATES)])
            raise MCPError(INVALID_PARAMS, f"There is no such resource; there are {known}.", {"uri": uri[:500]})
        try:
            with tracing(trace_of(context)):
                text = await in_its_own_task(self._read(caller, uri, found))
        except GatewayError as error:
            raise errors.protocol_error(error, uri) from None
        except Exception as error:
            log.exception("resource %s failed (request %s)", uri, caller.request_id)
            raise MCPError(INTERNAL_ERROR, errors.internal(caller.request_id), {"uri": uri}) from error
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=found.mime_type, text=text)])

    async def _read(self, caller: Caller, uri: str, found: Found) -> str:
        gateway = await self._ready()
        from mcp_gateway.calls.call import noted

        with noted(f"resource {uri}", caller):
            return await found.read(gateway, caller)

    async def _sessions(self, caller: Caller) -> list[ResourceInfo]:
        if not caller.may(OUTPUT.scope):
            return []
        try:
            async with asyncio.timeout(0):  # lists do not wait for the gateway
                gateway = await self._ready()
        except (TimeoutError, GatewayError):
            return []
        from shared.operations import dispatch
        from shared.operations.terminals import LIST_TERMINALS

        found = await dispatch.call(gateway, caller, LIST_TERMINALS, {})
        return [
            ResourceInfo(
                uri=OUTPUT.of(session.id),
                name=session.id,
                title=visible(session.title or f"Output of {session.id}"),
                mime_type=OUTPUT.mime_type,
            )
            for session in found.sessions
        ]


def found_at(uri: str) -> Found | None:
    """The resource at an address; None where there is none."""
    if (resource := RESOURCES.get(uri)) is not None:
        return Found(scope=resource.scope, mime_type=JSON, read=resource.read, mark=resource.mark)
    for template in TEMPLATES:
        if (one := template.id_in(uri)) is not None:
            return _one_of(template, one)
    return None


def _one_of(template: Template, one: str) -> Found:
    async def read(gateway: "Gateway", caller: Caller) -> str:
        return await template.read(gateway, caller, one)

    def mark(gateway: "Gateway", caller: Caller) -> object:
        return template.mark(gateway, caller, one)

    session = one if template.values == "sessions" else None
    return Found(scope=template.scope, mime_type=template.mime_type, read=read, mark=mark, session=session)
