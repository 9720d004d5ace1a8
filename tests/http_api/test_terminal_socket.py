"""The live terminal on a real socket, against a real shell."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from http_api.context import exchange_of
from http_api.terminal_socket import PATH, TerminalSocket
from shared.domain.identity import LOCAL, Caller
from shared.domain.targets import LocalTarget
from shared.errors import Unauthenticated
from shared.security.redaction import Redactor
from shared.terminal.local import LocalShells
from shared.terminal.policy.live import LivePolicy
from shared.terminal.recordings import Recordings
from shared.terminal.session import Session
from shared.terminal.sessions import Sessions, TerminalLimits
from shared.terminal.ssh.pending_logins import PendingLogins
from tests.support.http_gateway import Surface, surface
from tests.support.http_server import serving
from tests.support.http_stack import layers
from tests.support.no_audit import NoAudit
from tests.support.no_command_limits import no_command_limits
from tests.support.nodes import alone
from tests.support.terminals import kept_outputs
from tests.support.waiting import until

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}


class Attaching:
    """A session, and clients for it."""

    def __init__(self, url: str, session: Session, sessions: Sessions) -> None:
        self.url = url.replace("http://", "ws://")
        self.session = session
        self.sessions = sessions

    def attach(self, query: str = "", *, session_id: str | None = None, **options: Any) -> connect:
        path = PATH.replace("{id}", session_id or self.session.id)
        return connect(f"{self.url}{path}{query}", open_timeout=5, close_timeout=1, **options)


@asynccontextmanager
async def attaching(
    caller: Caller = LOCAL,
    *,
    scrollback: int = 1024 * 1024,
    authenticate: Callable[[], Caller] | None = None,
    recheck_seconds: float = 2.0,
) -> AsyncIterator[Attaching]:
    limits = TerminalLimits(scrollback_bytes=scrollback)
    shells = LocalShells(ENVIRONMENT, shell="/bin/sh")
    nowhere = cast("Any", None)
    recordings = Recordings(Path("unused"), lambda: datetime.now(UTC))
    async with Sessions(
        limits,
        local=shells,
        ssh=nowhere,
        telnet=nowhere,
        recordings=recordings,
        outputs=kept_outputs(Path("unused")),
        redactor=Redactor(),
        logins=PendingLogins(lambda: datetime.now(UTC), lambda: "login"),
    ) as sessions:
        session = await sessions.open(LOCAL.id, LocalTarget())
        gateway = cast(
            "Any",
            SimpleNamespace(
                terminals=sessions,
                policy=LivePolicy(nowhere),
                audit=NoAudit(),
                nodes=alone(),
                settings=SimpleNamespace(auth_mode="local"),
                command_limits=no_command_limits(),
            ),
        )

        def as_caller(app: Any) -> Any:
            async def application(scope: Any, receive: Any, send: Any) -> None:
                exchange = exchange_of(scope)
                exchange.caller, exchange.authenticate = caller, authenticate or (lambda: caller)
                await app(scope, receive, send)

            return application

        app = layers(
            (),
            mounted=[WebSocketRoute(PATH, TerminalSocket(gateway, recheck_seconds=recheck_seconds))],
            inner=as_caller,
        )
        async with serving(app, send_buffer=65536) as server:
            yield Attaching(server.url, session, sessions)


def small_window(terminal: Attaching) -> socket.socket:
    """A connection of which the kernel takes in little before somebody reads it."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    made.connect(("127.0.0.1", int(terminal.url.rpartition(":")[2])))
    made.setblocking(False)
    return made


async def heard(socket: ClientConnection, text: str) -> list[dict[str, Any]]:
    """Messages until their output holds that text."""
    messages: list[dict[str, Any]] = []
    tail = ""
    with anyio.fail_after(5):
        while text not in tail:
            messages.append(json.loads(await socket.recv()))
            tail = tail[-len(text) :] + messages[-1].get("data", "")
    return messages


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def closed(socket: ClientConnection) -> tuple[int, str]:
    with anyio.fail_after(5):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed:
            return socket.close_code or 0, socket.close_reason or ""


async def test_what_is_typed_is_run_and_shown() -> None:
    async with attaching() as terminal, terminal.attach() as socket:
        await say(socket, type="input", data="echo $((40+2))-shown\n")
        messages = await heard(socket, "42-shown")
    assert {message["type"] for message in messages} == {"output"}
    assert set(messages[0]) == {"type", "data", "cursor", "dropped"}
    assert messages[-1]["cursor"] >= len("42-shown")


async def test_a_later_client_sees_what_was_before_or_only_what_came_after_its_cursor() -> None:
    async with attaching() as terminal:
        async with terminal.attach() as socket:
            await say(socket, type="input", data="echo $((1+1))-first\n")
            cursor = (await heard(socket, "2-first"))[-1]["cursor"]
        async with terminal.attach() as socket:
            await heard(socket, "2-first")
        async with terminal.attach(f"?cursor={cursor}") as socket:
            await say(socket, type="input", data="echo $((1+2))-second\n")
            assert "2-first" not in "".join(message["data"] for message in await heard(socket, "3-second"))


async def test_two_clients_share_a_terminal() -> None:
    async with attaching() as terminal, terminal.attach() as one, terminal.attach() as other:
        await say(one, type="input", data="echo $((2+2))-shared\n")
        await heard(other, "4-shared")
        await heard(one, "4-shared")


async def test_the_terminal_takes_the_size_of_the_window() -> None:
    async with attaching() as terminal, terminal.attach() as socket:
        await say(socket, type="resize", cols=101, rows=37)
        await say(socket, type="input", data="stty size\n")
        await heard(socket, "37 101")


async def test_a_client_is_told_when_the_shell_ends() -> None:
    async with attaching() as terminal, terminal.attach() as socket:
        await say(socket, type="input", data="exit\n")
        messages = [json.loads(text) async for text in socket]
        assert messages[-1] == {"type": "closed", "reason": "The session has ended."}
        assert (socket.close_code, socket.close_reason) == (1000, "The session has ended.")


async def test_a_client_is_told_when_the_session_is_closed() -> None:
    async with attaching() as terminal, terminal.attach() as socket:
        await say(socket, type="input", data="echo $((3+3))-up\n")
        await heard(socket, "6-up")
        await terminal.sessions.close(LOCAL.id, terminal.session.id)
        assert (await closed(socket))[0] == 1000


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("{", 1008, "The message is not valid JSON."),
        ("[]", 1008, "'type' is not valid"),
        ("5", 1008, "'type' is not valid"),
        ('{"type":"nonsense"}', 1008, "'type' is not valid"),
        ('{"type":["input"]}', 1008, "'type' is not valid"),
        ('{"type":"input"}', 1008, "'data' is not valid"),
        ('{"type":"input","data":5}', 1008, "'data' is not valid"),
        ('{"type":"input","data":"x","more":1}', 1008, "'more' is not valid"),
        ('{"type":"resize","cols":0,"rows":1}', 1008, "'cols' is not valid"),
        ('{"type":"resize","cols":"80","rows":24}', 1008, "'cols' is not valid"),
        (b"\x00", 1003, "Send text messages"),
    ],
)
async def test_a_wrong_message_ends_the_connection_and_not_the_session(
    message: str | bytes, code: int, reason: str
) -> None:
    async with attaching() as terminal:
        async with terminal.attach() as socket:
            await socket.send(message)
            found = await closed(socket)
        assert found[0] == code
        assert found[1].startswith(reason)
        assert not terminal.session.closed


async def test_an_oversize_message_ends_the_connection() -> None:
    async with attaching() as terminal, terminal.attach() as socket:
        await socket.send("x" * 2_000_000)
        assert (await closed(socket))[0] == 1009


async def test_a_slow_client_gets_a_gap_and_holds_up_nobody() -> None:
    async with (
        attaching(scrollback=20_000) as terminal,
        terminal.attach(max_queue=1, sock=small_window(terminal)) as slow,
    ):
        async with terminal.attach() as quick:
            await say(quick, type="input", data="yes 0123456789 | head -c 3000000; echo $((5+5))-done\n")
            await heard(quick, "10-done")
        messages = await heard(slow, "10-done")
        assert sum(message["dropped"] for message in messages) > 1_000_000


@pytest.mark.parametrize("query", ["?cursor=x", "?cursor=-1", "?cursor=1&cursor=2", "?other=1"])
async def test_a_wrong_query_is_refused_before_the_handshake(query: str) -> None:
    async with attaching() as terminal:
        with pytest.raises(InvalidStatus) as refused:
            await terminal.attach(query).__aenter__()
        assert refused.value.response.status_code == 400


async def test_a_session_of_others_is_not_found() -> None:
    stranger = Caller(id="someone", kind="user", name="someone", scopes=frozenset({"terminal"}))
    async with attaching(stranger) as terminal:
        with pytest.raises(InvalidStatus) as refused:
            await terminal.attach().__aenter__()
        assert refused.value.response.status_code == 404
        assert json.loads(refused.value.response.body or b"")["code"] == "session_not_found"
        assert refused.value.response.headers["content-type"] == "application/json"


async def test_a_caller_without_the_scope_may_not_attach() -> None:
    viewer = Caller(id=LOCAL.id, kind="user", name="viewer", scopes=frozenset({"models:read"}))
    async with attaching(viewer) as terminal:
        with pytest.raises(InvalidStatus) as refused:
            await terminal.attach().__aenter__()
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.com"}, {"Origin": "null"}])
async def test_a_page_of_another_origin_may_not_attach(headers: dict[str, str]) -> None:
    async with attaching() as terminal:
        with pytest.raises(InvalidStatus) as refused:
            await terminal.attach(additional_headers=headers).__aenter__()
        assert refused.value.response.status_code == 403


async def test_the_token_that_came_as_a_subprotocol_is_not_sent_back() -> None:
    async with attaching() as terminal, terminal.attach(subprotocols=["bearer", "secret"]) as socket:
        assert socket.subprotocol == "bearer"


class Credentials:
    """What a client's credentials are worth by now, and how often that was asked."""

    def __init__(self) -> None:
        self.caller: Caller | None = LOCAL
        self.asked = 0

    def authenticate(self) -> Caller:
        self.asked += 1
        if self.caller is None:
            raise Unauthenticated("These credentials are not valid or no longer so.")
        return self.caller


async def test_a_client_that_only_watches_is_let_go_when_its_credentials_end() -> None:
    credentials = Credentials()
    async with attaching(authenticate=credentials.authenticate, recheck_seconds=0.02) as terminal:
        async with terminal.attach() as socket:
            await until(lambda: credentials.asked > 3, 5)
            await say(socket, type="input", data="echo $((40+2))-still\n")
            await heard(socket, "42-still")
            credentials.caller = None
            assert await closed(socket) == (1008, "These credentials are not valid or no longer so.")
        assert not terminal.session.closed


async def test_a_client_that_may_no_longer_use_terminals_is_let_go() -> None:
    credentials = Credentials()
    async with (
        attaching(authenticate=credentials.authenticate, recheck_seconds=0.02) as terminal,
        terminal.attach() as socket,
    ):
        await say(socket, type="input", data="echo $((40+2))-still\n")
        await heard(socket, "42-still")
        credentials.caller = replace(LOCAL, scopes=frozenset({"models:read"}))
        code, reason = await closed(socket)
    assert code == 1008
    assert "terminal" in reason


async def with_key(made: Surface) -> tuple[str, Callable[[], Awaitable[object]]]:
    key, secret = await made.gateway.api_keys.create("laptop", ["terminal"])
    return secret, lambda: made.gateway.api_keys.delete(key.id)


async def with_login(made: Surface) -> tuple[str, Callable[[], Awaitable[object]]]:
    token = await made.login()
    headers = {"authorization": f"Bearer {token}"}
    return token, lambda: made.http.post("/v1/auth/logout", headers=headers)


@pytest.mark.parametrize("credentials", [with_key, with_login])
async def test_nothing_is_typed_for_a_deleted_key_or_after_a_logout(
    tmp_path: Path, credentials: Callable[[Surface], Awaitable[tuple[str, Callable[[], Awaitable[object]]]]]
) -> None:
    async with surface(tmp_path / "data", auth_mode="required") as made, serving(made.app) as server:
        secret, end = await credentials(made)
        headers = {"authorization": f"Bearer {secret}"}
        opened = await made.http.post("/v1/terminal/sessions", headers=headers, json={"type": "local"})
        assert opened.status_code == 201, opened.text
        path = PATH.replace("{id}", opened.json()["session"]["id"])
        url = server.url.replace("http://", "ws://") + path
        async with connect(url, open_timeout=5, close_timeout=1, subprotocols=["bearer", secret]) as socket:  # type: ignore[list-item]
            await say(socket, type="input", data="echo $((40+2))-before\n")
            await heard(socket, "42-before")
            await end()
            await say(socket, type="input", data=f"touch {tmp_path}/typed\n")
            code, reason = await closed(socket)
        assert code == 1008
        assert reason.startswith("These credentials are not valid")
        assert not (tmp_path / "typed").exists()
