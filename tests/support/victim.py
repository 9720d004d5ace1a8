"""A gateway in a process of its own, as it is attacked: raw bytes on sockets, and an HTTP client for the rest."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.databases import seed

PASSWORD = "correct horse battery staple"
JWT_SECRET = "3f1b8c0e9d7a64528b1c0f9e8d7a6b5c4d3e2f10"
READY = re.compile(rb"^  REST +http://127\.0\.0\.1:(\d+)", re.MULTILINE)
START_SECONDS = 30
SECONDS = 5.0
INTERNALS = re.compile(
    r"Traceback|File \"|line \d+, in |\.py\b|site-packages|/proc/|sqlite|sqlalchemy|pydantic|orjson|asyncio|uvicorn"
    r"|starlette|httptools|instance of|dictionary",
    re.IGNORECASE,
)
"""What no caller may be told of how the gateway is made."""


@dataclass(frozen=True)
class Answer:
    """One answer from a socket; `status` is 0 when the connection ended without one, `rest` what came behind it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    rest: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Victim:
    """A gateway that is up; `token` is its administrator's."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    http: httpx.Client
    token: str = ""
    keys: dict[str, dict[str, str]] = field(default_factory=dict)

    def raw(self, data: bytes, *, seconds: float = SECONDS, source: str = "127.0.0.1") -> Answer:
        """Send these bytes on a connection of their own; the first answer to them."""
        with socket.create_connection(("127.0.0.1", self.port), seconds, (source, 0)) as connection:
            with suppress(ConnectionError):
                connection.sendall(data)
            return answer_from(connection)

    def all_of(self, data: bytes) -> bytes:
        """Send these bytes; everything that comes back until the connection ends."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as connection:
            with suppress(ConnectionError):
                connection.sendall(data)
            with suppress(ConnectionError):
                while part := connection.recv(65536):
                    received += part
        return received

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def descriptors(self) -> int:
        return psutil.Process(self.process.pid).num_fds()


def answer_from(connection: socket.socket) -> Answer:
    """The next answer on a connection, read as far as it goes."""
    received = b""
    with suppress(ConnectionError):
        while b"\r\n\r\n" not in received:
            part = connection.recv(65536)
            if not part:
                return Answer(0, {}, received)
            received += part
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", 0))
    with suppress(ConnectionError):
        while len(rest) < length and (part := connection.recv(65536)):
            rest += part
    return Answer(int(first.split()[1]), headers, rest[:length] if length else rest, rest[length:] if length else b"")


def refused(answer: Answer, *statuses: int, code: str | None = None) -> dict[str, Any]:
    """The error of an answer, which must be one of ours with one of these statuses and say nothing of our insides."""
    assert answer.status in statuses, (answer.status, answer.body[:500])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    error = answer.json()
    assert set(error) == {"error", "details", "code", "requestId"}, error
    assert error["requestId"] == answer.headers["x-request-id"]
    assert isinstance(error["error"], str)
    assert error["error"]
    assert isinstance(error["details"], str | dict)
    if code is not None:
        assert error["code"] == code
    assert not (found := INTERNALS.search(error["error"] + json.dumps(error["details"]))), found
    return dict(error)


def of(response: httpx.Response) -> Answer:
    """An answer that came through the HTTP client."""
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


@contextmanager
def attacked(folder: Path, **settings: str) -> Iterator[Victim]:
    """Start a gateway with these settings and nothing else from our environment; end it with SIGTERM."""
    folder.mkdir(exist_ok=True)
    data = folder / "data"
    seed(data)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path(__file__).parents[2])),
        "HOME": str(folder),
        "DATA_DIR": str(data),
        "API_PORT": "0",
        "OSS_DISCOVERY": "false",
        "EMBEDDED_MODEL": "off",
        "RATE_LIMIT_PER_MINUTE": "0",
        "RATE_LIMIT_PER_HOUR": "0",
        "SPEND_GUARD": "false",
        "ADMIN_PASSWORD": PASSWORD,
        "JWT_SECRET": JWT_SECRET,
        **settings,
    }
    command = [sys.executable, "-m", "mcp_gateway", "serve"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=data, env=environ, stdout=subprocess.PIPE, stderr=log)
    try:
        port = _port(process, folder)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            login = http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
            assert login.status_code == 200, login.text
            yield Victim(port, process, folder, http, str(login.json()["token"]))
    finally:
        process.terminate()
        try:
            process.communicate(timeout=START_SECONDS)
        finally:
            process.kill()


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    """What it printed of its address; the pipe is read as it comes, since nothing ends it."""
    assert process.stdout is not None
    said, deadline = b"", time.monotonic() + START_SECONDS
    while b"curl" not in said:
        part = os.read(process.stdout.fileno(), 65536)
        assert part, f"serve ended before it was ready: {(folder / 'log').read_text('utf-8', errors='replace')}"
        assert time.monotonic() < deadline, "serve was not ready in time"
        said += part
    found = READY.search(said)
    assert found is not None, said
    return int(found[1])
