"""Files on the host of a session over SSH, in parts that fit a model."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import Any, TypeVar

from mcp.types import InputRequiredResult

from mcp_gateway.calls import leave
from mcp_gateway.calls.bounds import bounded
from mcp_gateway.calls.call import Call
from mcp_gateway.terminals.arguments import ReadRemoteFileArguments, RemotePathArguments, WriteRemoteFileArguments
from mcp_gateway.terminals.results import RemoteContent, RemoteFile, RemoteListing, RemoteWritten
from shared.domain.files import FileContent, FileInfo
from shared.domain.transfers import TransferInfo
from shared.operations import dispatch
from shared.operations.files import LIST_FILES, READ_FILE, WRITE_FILE
from shared.operations.operation import Operation
from shared.operations.terminals import GET_TERMINAL

R = TypeVar("R")

MOST_ENTRIES = 100
LONGEST_CHARACTER = 4
"""Bytes of UTF-8 that one character takes at most."""
LOOK_SECONDS = 0.25
"""Between two looks at how far a transfer is."""
TOO_LONG = "Nothing was changed there. Try a smaller file, or see with `run_command` whether the host answers."


async def list_(call: Call, arguments: RemotePathArguments) -> RemoteListing | InputRequiredResult:
    """What is at a path."""
    payload = {"id": arguments.session_id, "path": arguments.path, "approvalId": arguments.approval_id}
    found = await _with_leave(call, LIST_FILES, payload, "list")
    if isinstance(found, InputRequiredResult):
        return found
    entries = [found.file] if found.entries is None else found.entries
    return RemoteListing(
        path=found.file.path,
        entries=[_entry(info) for info in entries[:MOST_ENTRIES]],
        truncated=found.truncated or len(entries) > MOST_ENTRIES,
    )


async def read(call: Call, arguments: ReadRemoteFileArguments) -> RemoteContent | InputRequiredResult:
    """A part of a file; text where it is text, and never cut inside a character."""
    payload = {
        "id": arguments.session_id,
        "path": arguments.path,
        "offset": arguments.offset,
        "limit": arguments.limit,
        "encoding": "base64",
        "approvalId": arguments.approval_id,
    }
    found = await _with_leave(call, READ_FILE, payload, "read")
    return found if isinstance(found, InputRequiredResult) else part_of(found)


async def write(call: Call, arguments: WriteRemoteFileArguments) -> RemoteWritten | InputRequiredResult:
    """Write a whole file."""
    payload = {
        "id": arguments.session_id,
        "path": arguments.path,
        "content": arguments.content,
        "encoding": arguments.encoding,
        "overwrite": arguments.overwrite,
        "approvalId": arguments.approval_id,
    }
    done = await _with_leave(call, WRITE_FILE, payload, "write")
    if isinstance(done, InputRequiredResult):
        return done
    return RemoteWritten(path=done.file.path, size=done.file.size, created=done.created)


async def _with_leave(
    call: Call, operation: Operation[Any, R], payload: dict[str, Any], verb: str
) -> R | InputRequiredResult:
    """Do it, if need be once the user has agreed to it."""

    async def work(given: leave.Given) -> R:
        async with bounded(call, TOO_LONG), _told(call, payload["id"]):
            return await dispatch.call(call.gateway, call.caller, operation, {**payload, "approvalId": given.approval})

    what = f"{verb} {payload['path']}"
    if "content" in payload:
        what += f"\n\n{payload['content']}"
    return await leave.with_leave(call, what, work, payload["approvalId"])


@asynccontextmanager
async def _told(call: Call, session_id: str) -> AsyncIterator[None]:
    """Tell as progress how far the session's transfers are, while the block runs."""
    telling = asyncio.create_task(_tell(call, session_id))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait({telling})


async def _tell(call: Call, session_id: str) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        found = await dispatch.call(call.gateway, call.caller, GET_TERMINAL, {"id": session_id})
        if found.session.transfers:
            call.progress.say("\n".join(map(how_far, found.session.transfers)))


def how_far(transfer: TransferInfo) -> str:
    """A transfer in words."""
    of = "" if transfer.total_bytes is None else f" of {transfer.total_bytes:,}"
    return f"{transfer.path}: {transfer.done_bytes:,}{of} bytes"


def part_of(found: FileContent) -> RemoteContent:
    """Bytes in base64 as text, where they are some."""
    data = base64.b64decode(found.content)
    text = _text(data, last=found.eof)
    used = len(data) if text is None else len(text.encode())
    return RemoteContent(
        path=found.file.path,
        content=found.content if text is None else text,
        encoding="base64" if text is None else "text",
        size=found.file.size,
        next_offset=None if found.eof else found.offset + used,
    )


def _text(data: bytes, *, last: bool) -> str | None:
    """None where it is no text. A character that is cut at the end is left for the next part."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if last or error.end < len(data) or error.start <= len(data) - LONGEST_CHARACTER or not error.start:
            return None
        text = data[: error.start].decode()
    return None if "\0" in text else text


def _entry(info: FileInfo) -> RemoteFile:
    return RemoteFile(
        name=info.name or PurePosixPath(info.path).name,
        type=info.type,
        size=info.size,
        mode=info.mode,
        modified_at=info.modified_at,
        target=info.target,
    )
