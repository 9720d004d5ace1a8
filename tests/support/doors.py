"""The two doors of the gateway to its terminals, REST and MCP, as one: the same words for what both can do."""

from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from mcp import Client

from tests.support.mcp_stack import text_of


class Refused(Exception):
    """The gateway said no, with this code and these words."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Ran:
    """How a command ended. What a door does not tell is None."""

    stdout: str
    stderr: str
    exit_code: int | None
    timed_out: bool
    truncated: bool
    cwd: str
    told: str
    signal: str | None = None
    stdout_bytes: int | None = None


class Door(Protocol):
    """One way in. All of it raises Refused."""

    name: str

    async def open(self, place: dict[str, Any], **size: int) -> str:
        """Open a session; its id."""

    async def close(self, session: str) -> None:
        """End it."""

    async def sessions(self) -> list[dict[str, Any]]:
        """The caller's sessions: id, connected, exitCode."""

    async def run(self, session: str, command: str, *, timeout: float = 30) -> Ran:
        """Run a command in it to its end."""

    async def send(self, session: str, **typed: Any) -> dict[str, Any]:
        """Type, and wait, in the door's own words."""

    async def signal(self, session: str, name: str) -> None:
        """Send a signal to the job in front."""


class RestDoor:
    """Over real HTTP."""

    name = "rest"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = await self.http.request(method, f"/v1/terminal{path}", **options)
        body: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise Refused(body["code"], f"{body['error']} {body['details']}")
        return body

    async def open(self, place: dict[str, Any], **size: int) -> str:
        body = {"connectionId": place["connection"]} if "connection" in place else place
        return str((await self.call("POST", "/sessions", json={**body, **size}))["session"]["id"])

    async def close(self, session: str) -> None:
        await self.call("DELETE", f"/{session}")

    async def sessions(self) -> list[dict[str, Any]]:
        return list((await self.call("GET", "/sessions"))["sessions"])

    async def run(
        self, session: str, command: str, *, timeout: float = 30, stdin: str | None = None, most: int | None = None
    ) -> Ran:
        body = {"command": command, "timeoutMs": round(timeout * 1000), "stdin": stdin, "maxOutputBytes": most}
        given = {name: value for name, value in body.items() if value is not None}
        found = (await self.call("POST", f"/{session}/execute", json=given))["result"]
        return Ran(
            stdout=found["stdout"],
            stderr=found["stderr"],
            exit_code=found["exitCode"],
            timed_out=found["timedOut"],
            truncated=found["truncated"],
            cwd=found["cwd"],
            told=str(found),
            signal=found.get("signal"),
            stdout_bytes=found["stdoutBytes"],
        )

    async def send(self, session: str, **typed: Any) -> dict[str, Any]:
        return await self.call("POST", f"/{session}/send", json=typed)

    async def signal(self, session: str, name: str) -> None:
        assert await self.call("POST", f"/{session}/signal", json={"signal": name}) == {"success": True}


class McpDoor:
    """The tools, through the SDK's client."""

    name = "mcp"

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        text = text_of(result)
        if result.is_error:
            raise Refused(text.rpartition("(code: ")[2].rstrip(")\n"), text)
        assert result.structured_content is not None
        return {**result.structured_content, "told": text}

    async def open(self, place: dict[str, Any], **size: int) -> str:
        return str((await self.call("open_terminal", **place, **size))["sessionId"])

    async def close(self, session: str) -> None:
        await self.call("close_terminal", sessionId=session)

    async def sessions(self) -> list[dict[str, Any]]:
        return [{**entry, "id": entry["sessionId"]} for entry in (await self.call("list_terminals"))["sessions"]]

    async def run(self, session: str, command: str, *, timeout: float = 30) -> Ran:
        found = await self.call("run_command", sessionId=session, command=command, timeoutSeconds=timeout)
        return Ran(
            stdout=found["stdout"],
            stderr=found["stderr"],
            exit_code=found["exitCode"],
            timed_out=found["timedOut"],
            truncated=found["truncated"],
            cwd=found["cwd"],
            told=found["told"],
        )

    async def send(self, session: str, **typed: Any) -> dict[str, Any]:
        return await self.call("send_to_terminal", sessionId=session, **typed)

    async def signal(self, session: str, name: str) -> None:
        await self.call("send_to_terminal", sessionId=session, signal=name, waitSeconds=0)
