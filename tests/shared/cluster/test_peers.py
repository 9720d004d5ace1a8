"""Asking another process: whatever answers in its place, or does not, the wait ends and the log can say why."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from shared.cluster.heartbeats import BEAT_SECONDS, GONE_SECONDS
from shared.cluster.nodes import Nodes
from shared.cluster.peers import Peers, Request
from shared.domain.identity import LOCAL
from shared.domain.nodes import Node
from shared.errors import GatewayError, NotFound, Unavailable
from shared.security.node_signatures import NodeSignatures
from shared.storage.database import Database
from tests.support.byte_servers import Handler, Seen, Server, always, serving, whole
from tests.support.clock import Clock

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
OPEN = HEAD + b'{"open": true}\n'


class Asking:
    """A process that asks another one, in the place of which a test answers."""

    def __init__(self, database: Database, server: Server) -> None:
        self.clock, self.server = Clock(), server
        self.nodes = Nodes(database, self.clock, address="unix:/one", monotonic=self.clock.seconds)
        self.other = Nodes(database, self.clock, address=f"http://127.0.0.1:{server.port}")
        self.node = Node(id=self.other.id, address=f"http://127.0.0.1:{server.port}")
        self.peers = Peers(self.nodes, NodeSignatures(b"secret"), self.clock)

    async def silence(self) -> None:
        """So much time passes that a process which says nothing has gone."""
        for _ in range(round(GONE_SECONDS / BEAT_SECONDS) + 1):
            self.clock.advance(seconds=BEAT_SECONDS)
            await self.nodes.announce()

    async def call(self) -> Any:
        return await self.peers.call(self.node, LOCAL, "list_terminals_here", {}, strict=True)

    async def stream(self) -> list[Any]:
        async with self.peers.stream(self.node, LOCAL, "watch", {}, ()) as events:
            return [event async for event in events]

    async def ask(self) -> bytes:
        request = Request(method="POST", target="/mcp", headers=[], body=b"{}")
        async with self.peers.ask(self.node, LOCAL, request) as response:
            return b"".join([block async for block in response.body])


Way = Callable[[Asking], Awaitable[Any]]
CALL, STREAM, ASK = Asking.call, Asking.stream, Asking.ask


@asynccontextmanager
async def asking(database: Database, handler: Handler) -> AsyncIterator[Asking]:
    async with serving(handler) as server:
        made = Asking(database, server)
        await made.other.announce()
        await made.nodes.announce()
        yield made
        await made.peers.aclose()


def then_silence(*parts: bytes) -> Handler:
    """Says so much of an answer, and no more while the connection lasts."""

    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(*parts)
        await seen.reader.read()

    return handler


async def refused(way: Awaitable[Any]) -> GatewayError:
    with pytest.raises(GatewayError) as error:
        async with asyncio.timeout(5):
            await way
    return error.value


@pytest.mark.parametrize(
    ("way", "parts"), [(CALL, [b""]), (CALL, [HEAD]), (STREAM, [b""]), (STREAM, [HEAD]), (STREAM, [OPEN]),
                       (ASK, [b""]), (ASK, [HEAD]), (ASK, [OPEN])]
)  # fmt: skip
async def test_a_wait_for_one_that_hangs_ends_when_it_has_gone(
    database: Database, way: Way, parts: list[bytes]
) -> None:
    async with asking(database, then_silence(*parts)) as here:
        waiting = asyncio.ensure_future(way(here))
        await here.server.has_had(1)
        await here.silence()
        error = await refused(waiting)
        assert isinstance(error, Unavailable)
        assert error.operator_detail == "that process has gone"
        assert isinstance(await refused(way(here)), Unavailable), "nor is it asked again"
        assert len(here.server.requests) == 1


async def test_a_wait_goes_on_while_the_other_is_there(database: Database) -> None:
    go_on = asyncio.Event()

    async def handler(seen: Seen) -> None:
        await seen.request()
        await go_on.wait()
        await seen.say(whole(b'{"result": 1}'))

    async with asking(database, handler) as here:
        waiting = asyncio.ensure_future(here.call())
        await here.server.has_had(1)
        for _ in range(20):
            here.clock.advance(seconds=BEAT_SECONDS)
            await here.other.announce()
            await here.nodes.announce()
        go_on.set()
        assert await waiting == 1


CLOCKS = b'{"error": {"kind": "Unauthenticated", "message": "The clocks differ."}}'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (whole(CLOCKS, status=b"401 Unauthorized"), "The clocks differ."),
        (whole(b'{"error": "The clocks differ."}', status=b"401 Unauthorized"), "The clocks differ."),
        (whole(b'{"error": "no such call"}', status=b"400 Bad Request"), "no such call"),
        (whole(b"<h1>Bad Gateway</h1>", status=b"502 Bad Gateway"), "Bad Gateway"),
        (whole(b"\xff" * 10_000, status=b"500 x"), "HTTP 500"),
        (whole(b"", status=b"503 x"), "HTTP 503"),
        (whole(b"<h1>Welcome</h1>\n"), "JSON"),
        (whole(b"[]\n"), "no object"),
    ],
)
@pytest.mark.parametrize("way", [CALL, STREAM])
async def test_what_is_no_answer_of_a_process_is_told_to_the_operator(
    database: Database, way: Way, answer: bytes, said: str
) -> None:
    async with asking(database, always(answer)) as here:
        error = await refused(way(here))
    assert isinstance(error, Unavailable)
    assert said in error.operator_detail
    assert said not in error.message
    assert len(error.operator_detail) < 1000


async def test_one_that_refuses_a_request_is_away_and_what_it_answers_otherwise_is_passed_on(
    database: Database,
) -> None:
    async with asking(database, always(whole(CLOCKS, status=b"401 Unauthorized"))) as here:
        assert "The clocks differ." in (await refused(here.ask())).operator_detail
    async with asking(database, always(whole(b"x", status=b"404 Not Found"))) as here:
        assert await here.ask() == b"x"


@pytest.mark.parametrize("error", ["text", {}, {"kind": "NotFound"}, {"message": "x", "unheard": "of"}, None, ["x"]])
async def test_a_failure_in_a_form_of_another_version_is_one_all_the_same(database: Database, error: Any) -> None:
    async with asking(database, always(whole(orjson.dumps({"error": error})))) as here:
        assert isinstance(await refused(here.call()), Unavailable)


async def test_a_failure_there_is_the_same_failure_here(database: Database) -> None:
    said = {"kind": "NotFound", "message": "No such session.", "code": "session_not_found"}
    async with asking(database, always(whole(orjson.dumps({"error": said})))) as here:
        error = await refused(here.call())
    assert (type(error), error.message, error.code) == (NotFound, "No such session.", "session_not_found")
