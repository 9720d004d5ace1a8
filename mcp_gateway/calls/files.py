"""Files on the host of a session over SSH, in parts that fit a model."""

import base64
from pathlib import PurePosixPath

from mcp_gateway.calls.call import Call
from mcp_gateway.terminals.arguments import ReadRemoteFileArguments, RemotePathArguments, WriteRemoteFileArguments
from mcp_gateway.terminals.results import RemoteContent, RemoteFile, RemoteListing, RemoteWritten
from shared.domain.files import FileContent, FileInfo
from shared.operations import dispatch
from shared.operations.files import LIST_FILES, READ_FILE, WRITE_FILE

MOST_ENTRIES = 100
LONGEST_CHARACTER = 4
"""Bytes of UTF-8 that one character takes at most."""


async def list_(call: Call, arguments: RemotePathArguments) -> RemoteListing:
    """What is at a path."""
    payload = {"id": arguments.session_id, "path": arguments.path}
    found = await dispatch.call(call.gateway, call.caller, LIST_FILES, payload)
    entries = [found.file] if found.entries is None else found.entries
    return RemoteListing(
        path=found.file.path,
        entries=[_entry(info) for info in entries[:MOST_ENTRIES]],
        truncated=found.truncated or len(entries) > MOST_ENTRIES,
    )


async def read(call: Call, arguments: ReadRemoteFileArguments) -> RemoteContent:
    """A part of a file; text where it is text, and never cut inside a character."""
    payload = {
        "id": arguments.session_id,
        "path": arguments.path,
        "offset": arguments.offset,
        "limit": arguments.limit,
        "encoding": "base64",
    }
    return part_of(await dispatch.call(call.gateway, call.caller, READ_FILE, payload))


async def write(call: Call, arguments: WriteRemoteFileArguments) -> RemoteWritten:
    """Write a whole file."""
    payload = {
        "id": arguments.session_id,
        "path": arguments.path,
        "content": arguments.content,
        "encoding": arguments.encoding,
        "overwrite": arguments.overwrite,
    }
    done = await dispatch.call(call.gateway, call.caller, WRITE_FILE, payload)
    return RemoteWritten(path=done.file.path, size=done.file.size, created=done.created)


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
