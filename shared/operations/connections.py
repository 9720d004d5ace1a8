"""Saved terminal connections: keep them, change them, open a session on them."""

from typing import TYPE_CHECKING, Any

from shared.domain.connections import (
    ConnectionAnswer,
    ConnectionDeleted,
    ConnectionList,
    ConnectionRef,
    ConnectSaved,
    CreateConnection,
    UpdateConnection,
)
from shared.domain.identity import Caller
from shared.domain.targets import redacted
from shared.domain.terminal import OpenSession, SessionAnswer
from shared.domain.wire import NoInput
from shared.operations import terminals
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _list(gateway: "Gateway", caller: Caller, _: NoInput) -> ConnectionList:
    return ConnectionList(connections=await gateway.connections.list(caller.id))


async def _get(gateway: "Gateway", caller: Caller, request: ConnectionRef) -> ConnectionAnswer:
    return ConnectionAnswer(connection=await gateway.connections.get(caller.id, request.id))


async def _create(gateway: "Gateway", caller: Caller, request: CreateConnection) -> ConnectionAnswer:
    return ConnectionAnswer(connection=await gateway.connections.create(caller.id, request))


async def _update(gateway: "Gateway", caller: Caller, request: UpdateConnection) -> ConnectionAnswer:
    return ConnectionAnswer(connection=await gateway.connections.update(caller.id, request))


async def _delete(gateway: "Gateway", caller: Caller, request: ConnectionRef) -> ConnectionDeleted:
    await gateway.connections.delete(caller.id, request.id)
    return ConnectionDeleted(connection_id=request.id)


async def _connect(gateway: "Gateway", caller: Caller, request: ConnectSaved) -> SessionAnswer:
    opening = OpenSession(connection_id=request.id, **request.model_dump(by_alias=False, exclude={"id"}))
    return await terminals.open_session(gateway, caller, opening)


def _saved(request: CreateConnection | UpdateConnection) -> dict[str, Any]:
    facts = {"name": request.name, "connectionId": getattr(request, "id", None), **redacted(request)}
    return {name: value for name, value in facts.items() if value is not None}


LIST_CONNECTIONS = Operation(
    name="list_connections",
    summary="Your saved connections, without their secrets.",
    scope="terminal",
    effect="read",
    request=NoInput,
    result=ConnectionList,
    run=_list,
)

GET_CONNECTION = Operation(
    name="get_connection",
    summary="One saved connection, without its secrets.",
    scope="terminal",
    effect="read",
    request=ConnectionRef,
    result=ConnectionAnswer,
    run=_get,
)

CREATE_CONNECTION = Operation(
    name="create_connection",
    summary="Save a connection; its secrets are encrypted and never shown again.",
    scope="terminal",
    effect="write",
    request=CreateConnection,
    result=ConnectionAnswer,
    run=_create,
    audit=_saved,
)

UPDATE_CONNECTION = Operation(
    name="update_connection",
    summary="Change some fields of a saved connection.",
    scope="terminal",
    effect="write",
    request=UpdateConnection,
    result=ConnectionAnswer,
    run=_update,
    audit=_saved,
)

DELETE_CONNECTION = Operation(
    name="delete_connection",
    summary="Forget a saved connection.",
    scope="terminal",
    effect="destroy",
    request=ConnectionRef,
    result=ConnectionDeleted,
    run=_delete,
    audit=lambda request: {"connectionId": request.id},
)

CONNECT_SAVED = Operation(
    name="connect_saved",
    summary="Open a terminal session on a saved connection.",
    scope="terminal",
    effect="execute",
    request=ConnectSaved,
    result=SessionAnswer,
    run=_connect,
    undo=terminals.close_unknown,
    audit=lambda request: {"connectionId": request.id},
)
