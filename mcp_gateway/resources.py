"""The resources: the registry, its layers and the gateway's health, each as JSON and small enough to read."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, ReadResourceResult, TextResourceContents
from mcp.types import Resource as ResourceInfo

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


class Resources:
    """The resources on one gateway."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self.infos = [resource.info() for resource in RESOURCES.values()]

    async def read(self, context: Context, uri: str) -> ReadResourceResult:
        """The resource as it is now. Raises MCPError: there is no other way to say that it cannot be read."""
        resource = RESOURCES.get(uri)
        if resource is None:
            known = ", ".join(RESOURCES)
            raise MCPError(INVALID_PARAMS, f"There is no such resource; there are {known}.", {"uri": uri[:500]})
        caller = caller_of(context)
        try:
            text = await in_its_own_task(self._read(caller, resource))
        except GatewayError as error:
            raise errors.protocol_error(error, uri) from None
        except Exception as error:
            log.exception("resource %s failed (request %s)", uri, caller.request_id)
            raise MCPError(INTERNAL_ERROR, errors.internal(caller.request_id), {"uri": uri}) from error
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=JSON, text=text)])

    async def _read(self, caller: Caller, resource: Resource) -> str:
        gateway = await self._ready()
        from mcp_gateway.calls.call import noted

        with noted(f"resource {resource.uri}", caller):
            return await resource.read(gateway, caller)


async def _registry(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import snapshots

    return await snapshots.registry(gateway, caller)


async def _layers(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import snapshots

    return await snapshots.layers(gateway, caller)


async def _health(gateway: "Gateway", caller: Caller) -> str:
    from mcp_gateway.calls import snapshots

    return await snapshots.health(gateway, caller)


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
    )
}
"""In the order in which hosts list them."""
