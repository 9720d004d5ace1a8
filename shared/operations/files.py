"""Files of a terminal session's target: look at them, read and write them."""

import base64
import binascii
import shlex
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from shared.domain.files import (
    MAX_ENTRIES,
    FileContent,
    FileEncoding,
    FileList,
    FileWritten,
    ListFiles,
    ReadFile,
    WriteFile,
)
from shared.domain.identity import Caller
from shared.errors import InvalidInput, invalid_field
from shared.operations import policing
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.terminal.session import Session


async def _list(gateway: "Gateway", caller: Caller, request: ListFiles) -> FileList:
    async with (await _permitted(gateway, caller, request, "ls -la")).files() as files:
        found = await files.look(request.path)
        if found.type != "directory":
            return FileList(file=found)
        entries = await files.entries(found, MAX_ENTRIES + 1)
        return FileList(file=found, entries=entries[:MAX_ENTRIES], truncated=len(entries) > MAX_ENTRIES)


async def _read(gateway: "Gateway", caller: Caller, request: ReadFile) -> FileContent:
    most = gateway.settings.terminal_max_file_bytes
    if request.limit is not None and request.limit > most:
        raise invalid_field("limit", f"must be at most {most}")
    session = await _permitted(gateway, caller, request, "cat")
    async with session.files() as files:
        with session.transfers.one("read", request.path) as moved:
            part = await files.read(request.path, request.offset, request.limit or most, moved)
    encoding, content = _encoded(part.data, request.encoding)
    return FileContent(
        file=part.file,
        offset=request.offset,
        bytes=len(part.data),
        eof=part.eof,
        encoding=encoding,
        content=content,
    )


async def _write(gateway: "Gateway", caller: Caller, request: WriteFile) -> FileWritten:
    data = _decoded(request)
    most = gateway.settings.terminal_max_file_bytes
    if len(data) > most:
        raise InvalidInput(f"The file has {len(data)} bytes, and {most} are allowed.", code="file_too_large")
    mode = None if request.mode is None else int(request.mode, 8)
    facts = f"{sha256(data).hexdigest()} mode={request.mode} overwrite={request.overwrite}"
    session = await _permitted(gateway, caller, request, "tee", stdin=facts)
    async with session.files() as files:
        with session.transfers.one("write", request.path, len(data)) as moved:
            written, created = await files.write(
                request.path, data, mode=mode, overwrite=request.overwrite, on_progress=moved
            )
    return FileWritten(file=written, created=created)


async def _permitted(
    gateway: "Gateway",
    caller: Caller,
    request: ListFiles | ReadFile | WriteFile,
    program: str,
    *,
    stdin: str | None = None,
) -> "Session":
    """The session, if the policy would let a command do the same as the transfer.

    Leave is for exactly this one: `stdin` stands for what is written.
    """
    session = gateway.terminals.get(caller.id, request.id)
    command = f"{program} -- {shlex.quote(request.path)}"
    wanted = policing.Wanted(
        command=command, stdin=stdin, approval_id=request.approval_id, wait_ms=request.approval_wait_ms
    )
    await policing.permit(gateway, caller, wanted, session=session)
    return session


def _encoded(data: bytes, wanted: FileEncoding | None) -> tuple[FileEncoding, str]:
    if wanted != "base64":
        try:
            text = data.decode()
        except UnicodeDecodeError:
            if wanted is not None:
                raise invalid_field("encoding", "these bytes are not text in UTF-8; read them as base64") from None
        else:
            if wanted is not None or "\0" not in text:
                return "text", text
    return "base64", base64.b64encode(data).decode("ascii")


def _decoded(request: WriteFile) -> bytes:
    if request.encoding == "text":
        return request.content.encode()
    try:
        return base64.b64decode(request.content, validate=True)
    except (binascii.Error, ValueError):
        raise invalid_field("content", "it is not base64") from None


def _written(request: WriteFile) -> dict[str, Any]:
    return {
        "sessionId": request.id,
        "path": request.path,
        "characters": len(request.content),
        "overwrite": request.overwrite,
    }


LIST_FILES = Operation(
    name="list_files",
    summary="Look at a directory or a file on the host of a terminal session (SSH).",
    scope="terminal",
    effect="read",
    request=ListFiles,
    result=FileList,
    run=_list,
)

READ_FILE = Operation(
    name="read_file",
    summary="Read a file, or a part of it, on the host of a terminal session (SSH).",
    scope="terminal",
    effect="read",
    request=ReadFile,
    result=FileContent,
    run=_read,
    audit=lambda request: {"sessionId": request.id, "path": request.path},
)

WRITE_FILE = Operation(
    name="write_file",
    summary="Write a whole file on the host of a terminal session (SSH); it is there in full or not at all.",
    scope="terminal",
    effect="execute",
    request=WriteFile,
    result=FileWritten,
    run=_write,
    audit=_written,
)
