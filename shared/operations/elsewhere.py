"""Operations on terminal sessions that another process of the gateway has."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, cast

from shared.cluster import wire
from shared.domain.identity import Caller
from shared.domain.nodes import Node
from shared.domain.terminal import RunCommand, SessionRef
from shared.errors import GatewayError
from shared.operations.operation import Operation, Request, Result, Stream, StreamOperation

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = logging.getLogger(__name__)

GATHER_SECONDS = 2.0


async def node_of(gateway: "Gateway", request: Any) -> Node | None:
    """The other process that has the session or the login which a request is about. Raises Unavailable."""
    if isinstance(request, SessionRef):
        return await gateway.nodes.maker_of(request.id)
    if isinstance(request, RunCommand) and request.session_id is not None:
        return await gateway.nodes.maker_of(request.session_id)
    login_id = getattr(request, "login_id", None)
    return None if login_id is None else await gateway.nodes.maker_of(login_id)


async def call(
    gateway: "Gateway",
    node: Node,
    caller: Caller,
    operation: Operation[Request, Result],
    payload: Mapping[str, Any],
    *,
    strict: bool,
) -> Result:
    """Have it run there, audited there. Raises what it raises, and Unavailable when that process does not answer."""
    told = gateway.audit.causes.told(caller)
    answer = await gateway.peers.call(node, told, operation.name, payload, strict=strict)
    return cast("Result", wire.read(operation.result, answer))


def stream(
    gateway: "Gateway",
    node: Node,
    caller: Caller,
    operation: StreamOperation[Request, Stream],
    payload: Mapping[str, Any],
) -> AbstractAsyncContextManager[Stream]:
    """Have a stream run there; leaving the block ends it."""
    told = gateway.audit.causes.told(caller)
    there = gateway.peers.stream(node, told, operation.name, payload, operation.events)
    return cast("AbstractAsyncContextManager[Stream]", there)


async def gather(
    gateway: "Gateway", caller: Caller, operation: Operation[Any, Result], payload: Mapping[str, Any]
) -> tuple[list[Result], list[str]]:
    """The answers of the other processes to an operation, and the ids of those that do not answer in time."""

    async def ask(node: Node) -> Result | str:
        try:
            answer = await gateway.peers.call(node, caller, operation.name, payload, strict=True, within=GATHER_SECONDS)
            return cast("Result", wire.read(operation.result, answer))
        except GatewayError as error:
            reason = error.operator_detail or error.message
            log.warning("another process (%s) did not answer, so the list is incomplete: %s", node.address, reason)
            return node.id

    answers = await asyncio.gather(*(ask(node) for node in gateway.nodes.others))
    missing = [answer for answer in answers if isinstance(answer, str)]
    return [answer for answer in answers if not isinstance(answer, str)], sorted(missing)
