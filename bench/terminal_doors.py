"""The two ways to the same terminal: a gateway of its own over HTTP, and one in this process through its operations."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import aiohttp
from processes import Child, answers, free_port
from targets import UNREACHED, environment

from shared.domain.identity import SCOPES, Caller
from shared.gateway import Gateway, open_gateway
from shared.operations import dispatch, terminals
from shared.operations.operation import Operation
from shared.settings import Settings

Verb = Literal["open", "execute", "send", "read", "close"]
Sandbox = Literal["off", "auto"]

ROOT = Path(__file__).parents[1]
CALLER = Caller(id="bench", kind="local", name="bench", scopes=SCOPES)
MOST_SESSIONS = 2000
CONNECTIONS = 256
REST: dict[Verb, tuple[str, str]] = {
    "open": ("POST", "/v1/terminal/sessions"),
    "execute": ("POST", "/v1/terminal/{id}/execute"),
    "send": ("POST", "/v1/terminal/{id}/send"),
    "read": ("GET", "/v1/terminal/{id}/output"),
    "close": ("DELETE", "/v1/terminal/{id}"),
}
OPERATIONS: dict[Verb, Operation[Any, Any]] = {
    "open": terminals.OPEN_TERMINAL,
    "execute": terminals.EXECUTE_COMMAND,
    "send": terminals.SEND_TO_TERMINAL,
    "read": terminals.READ_TERMINAL,
    "close": terminals.CLOSE_TERMINAL,
}


class Live(Protocol):
    """A live terminal."""

    async def type(self, text: str) -> None:
        """Type into it."""

    async def shown(self) -> tuple[int, str]:
        """Characters up to the end of what came next, and that text; it is empty at the end."""


class Door(Protocol):
    """A way to a gateway's terminal."""

    async def do(self, verb: Verb, session: str = "", **fields: Any) -> dict[str, Any]:
        """Ask for it. Raises when it is refused."""

    def live(self, session: str, cursor: int) -> AbstractAsyncContextManager[Live]:
        """Follow what the session's shell shows after the cursor."""


class RestDoor:
    """Over HTTP, on connections that are kept."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def do(self, verb: Verb, session: str = "", **fields: Any) -> dict[str, Any]:
        method, path = REST[verb]
        async with self._http.request(method, path.format(id=session), json=fields or None) as answer:
            found: dict[str, Any] = await answer.json()
            if answer.status not in (200, 201):
                raise RuntimeError(f"{verb}: {answer.status} {found}")
            return found

    @asynccontextmanager
    async def live(self, session: str, cursor: int) -> AsyncIterator[Live]:
        async with self._http.ws_connect(f"/v1/terminal/{session}/ws?cursor={cursor}", max_msg_size=0) as socket:
            yield _Socket(socket)


class _Socket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def type(self, text: str) -> None:
        await self._socket.send_json({"type": "input", "data": text})

    async def shown(self) -> tuple[int, str]:
        message = await self._socket.receive_json()
        return message.get("cursor", 0), message.get("data", "")


class ProcessDoor:
    """In this process: what HTTP would call, without it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def do(self, verb: Verb, session: str = "", **fields: Any) -> dict[str, Any]:
        payload = {**fields, "id": session} if session else fields
        result = await dispatch.call(self.gateway, CALLER, OPERATIONS[verb], payload)
        found: dict[str, Any] = result.model_dump(by_alias=True)
        return found

    @asynccontextmanager
    async def live(self, session: str, cursor: int) -> AsyncIterator[Live]:
        async with self.gateway.terminals.get(CALLER.id, session).follow(cursor) as parts:
            yield _Followed(self, session, parts)


class _Followed:
    def __init__(self, door: ProcessDoor, session: str, parts: AsyncIterator[Any]) -> None:
        self._door = door
        self._session = session
        self._parts = parts

    async def type(self, text: str) -> None:
        await self._door.do("send", self._session, data=text)

    async def shown(self) -> tuple[int, str]:
        part = await anext(self._parts, None)
        return (0, "") if part is None else (part.cursor, part.text)


@contextmanager
def serving(folder: Path, core: int | None, *, sandbox: Sandbox) -> Iterator[tuple[Child, int]]:
    """`serve` in a process of its own, with a data directory of its own; its process and its port."""
    data = folder / f"data-{sandbox}"
    data.mkdir()
    port = free_port()
    environ = environment() | {name.upper(): str(value) for name, value in _settings(data, sandbox).items()}
    environ |= {"HOME": str(folder), "PYTHONPATH": str(ROOT), "RATE_LIMIT_PER_MINUTE": str(UNREACHED)}
    child = Child(
        [sys.executable, "-m", "mcp_gateway", "serve", "--port", str(port)], folder=data, core=core, environ=environ
    )
    try:
        child.wait_for(answers(port, "/health"))
        yield child, port
    finally:
        child.stop()


@asynccontextmanager
async def over_http(port: int) -> AsyncIterator[RestDoor]:
    """To the gateway at that port."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as http:
        yield RestDoor(http)


@asynccontextmanager
async def in_process(folder: Path) -> AsyncIterator[ProcessDoor]:
    """To a gateway that is opened here."""
    os.environ["HOME"] = str(folder)  # where its commands begin
    settings = await asyncio.to_thread(Settings.model_validate, _settings(folder / "data-process", "off"))
    async with open_gateway(settings) as gateway:
        yield ProcessDoor(gateway)


async def opened(door: Door, **fields: Any) -> str:
    """The id of a new session, on this machine unless told otherwise."""
    answer = await door.do("open", **({"type": "local"} | fields))
    session: str = answer["session"]["id"]
    return session


async def execute(door: Door, session: str, command: str = "true") -> None:
    """Run a command. Raises RuntimeError when it fails."""
    answer = await door.do("execute", session, command=command)
    if answer["result"]["exitCode"] != 0:
        raise RuntimeError(f"{command}: {answer}")


async def at_prompt(door: Door, session: str) -> int:
    """Start the session's shell; the cursor after its prompt."""
    answer = await door.do("send", session, wait={"for": "prompt", "quietMs": 50})
    if answer["reason"] == "timeout":
        raise RuntimeError(f"no prompt: {answer}")
    cursor: int = answer["cursor"]
    return cursor


def _settings(data: Path, sandbox: Sandbox) -> dict[str, Any]:
    return {
        "data_dir": data,
        "oss_discovery": False,
        "embedded_model": "off",
        "log_level": "warning",
        "terminal_sandbox": sandbox,
        "terminal_max_sessions": MOST_SESSIONS,
        "terminal_max_sessions_per_caller": MOST_SESSIONS,
    }
