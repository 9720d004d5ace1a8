"""Recordings of terminal sessions: list them, have one, delete one. The administrator may do so with all."""

from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.recordings import RecordingDeleted, RecordingFile, RecordingList
from shared.domain.terminal import SessionRef
from shared.domain.wire import NoInput
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _list(gateway: "Gateway", caller: Caller, _: NoInput) -> RecordingList:
    return RecordingList(recordings=await gateway.terminals.recordings.list(_whose(caller)))


async def _get(gateway: "Gateway", caller: Caller, request: SessionRef) -> RecordingFile:
    return RecordingFile(content=await gateway.terminals.recordings.read(_whose(caller), request.id))


async def _delete(gateway: "Gateway", caller: Caller, request: SessionRef) -> RecordingDeleted:
    await gateway.terminals.recordings.delete(_whose(caller), request.id)
    return RecordingDeleted(session_id=request.id)


def _whose(caller: Caller) -> str | None:
    return None if caller.may("admin") else caller.id


LIST_RECORDINGS = Operation(
    name="list_recordings",
    summary="Your recordings of terminal sessions; all of them for an administrator.",
    scope="terminal",
    effect="read",
    request=NoInput,
    result=RecordingList,
    run=_list,
)

GET_RECORDING = Operation(
    name="get_recording",
    summary="The recording of a terminal session as an asciicast v2 file, while it is open and after it was closed.",
    scope="terminal",
    effect="read",
    request=SessionRef,
    result=RecordingFile,
    run=_get,
)

DELETE_RECORDING = Operation(
    name="delete_recording",
    summary="Delete the recording of a terminal session; one that goes on is ended.",
    scope="terminal",
    effect="destroy",
    request=SessionRef,
    result=RecordingDeleted,
    run=_delete,
    audit=lambda request: {"sessionId": request.id},
)
