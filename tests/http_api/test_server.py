"""The protocol on real sockets: limits, malformed requests, overload, and going down."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from http_api.bodies import read_body
from http_api.context import Route, exchange_of
from http_api.disconnect import CancelWhenGone
from http_api.responses import send_json
from http_api.server import Server, Shutdown
from http_api.streaming import send_events
from tests.support.http_server import Running, parsed, serving
from tests.support.http_stack import layers
from tests.support.waiting import until


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Application:
    """Answers with the size of the body; `/wait` holds on until it is cancelled or the client leaves."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.ended = asyncio.Event()
        self.go = asyncio.Event()
        self.stopping = False
        self.asgi = layers(
            (
                Route(path="/", methods={"GET": self._size, "POST": self._size}),
                Route(path="/wait", methods={"GET": self._wait, "POST": self._wait}),
                Route(path="/stream", methods={"GET": self._stream}),
            ),
            limit=10**6,
            stopping=lambda: self.stopping,
        )

    async def _size(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        await send_json(scope, send, b'{"size":%d,"address":"%s"}' % (len(body), exchange_of(scope).address.encode()))

    async def _wait(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive)
        self.waiting.set()
        try:
            with CancelWhenGone(receive):
                await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def events() -> AsyncIterator[bytes]:
            yield b'data: {"n":1}\n\n'
            self.waiting.set()
            await self.go.wait()

        with CancelWhenGone(receive):
            await send_events(scope, send, events())


@asynccontextmanager
async def running(**limits: Any) -> AsyncIterator[tuple[Application, Running]]:
    application = Application()

    def stop() -> None:
        application.stopping = True

    async with serving(application.asgi, on_stopping=stop, **limits) as server:
        yield application, server


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    async with running() as (_, server):
        reader, writer = await server.connect()
        for _ in range(2):
            writer.write(GET + b"\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"server:" not in head
            assert await reader.readexactly(32)
        writer.close()


async def test_a_forwarded_address_is_not_believed() -> None:
    async with running() as (_, server):
        _, _, body = await server.exchange(GET + b"X-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n")
        assert orjson.loads(body)["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked, x\r\n\r\n",
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"HELLO WORLD\r\n\r\n",
        b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=range(17),
)
async def test_a_request_that_could_be_read_in_two_ways_is_refused_and_the_connection_closed(request_: bytes) -> None:
    async with running() as (_, server):
        status, headers, body = await server.exchange(request_)
        assert status == 400
        assert headers["connection"] == "close"
        assert headers["content-type"] == "application/json"
        error = orjson.loads(body)
        assert set(error) == {"error", "details", "code", "requestId"}
        assert error["requestId"] == headers["x-request-id"]


@pytest.mark.parametrize(
    ("target", "status"),
    [(b"*", 400), (b"http://127.0.0.1:3000/", 200), (b"http://evil.com/", 421), (b"//x", 404), (b"/?x=1#y", 400)],
)
async def test_an_odd_target_is_read_as_the_standard_has_it(target: bytes, status: int) -> None:
    async with running() as (_, server):
        request_ = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert (await server.exchange(request_))[0] == status


async def test_nothing_after_a_refused_request_is_looked_at() -> None:
    async with running() as (_, server):
        smuggled = POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n"
        _, _, body = await server.exchange(smuggled)
        assert b"}HTTP/1.1 " not in body


@pytest.mark.parametrize(
    "head",
    [
        b"X-Large: " + b"a" * 5000,
        b"\r\n".join(b"X-%d: %s" % (number, b"a" * 100) for number in range(50)),
    ],
    ids=["one", "many"],
)
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["whole", "unfinished"])
async def test_too_large_headers_are_refused(head: bytes, end: bytes) -> None:
    async with running(header_bytes=4096) as (_, server):
        status, headers, body = await server.exchange(GET + head + end)
        assert status == 431
        assert headers["connection"] == "close"
        assert orjson.loads(body)["code"] == "headers_too_large"


async def test_a_body_does_not_count_as_headers() -> None:
    async with running(header_bytes=4096) as (_, server):
        body = b'{"a":"' + b"x" * 50_000 + b'"}'
        status, _, answer = await server.exchange(
            POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        assert status == 200
        assert orjson.loads(answer)["size"] == len(body)


async def test_slow_headers_time_out() -> None:
    async with running(header_seconds=0.1) as (_, server):
        status, _, body = await server.exchange(GET + b"X-Slow: ")
        assert status == 408
        assert orjson.loads(body)["code"] == "request_timeout"


async def test_slow_headers_time_out_on_a_connection_that_was_used_before() -> None:
    async with running(header_seconds=0.3) as (_, server):
        reader, writer = await server.connect()
        writer.write(GET + b"\r\n")
        await asyncio.wait_for(reader.readuntil(b"}"), 5)
        writer.write(GET + b"X-Slow: ")
        assert parsed(await asyncio.wait_for(reader.read(), 5))[0] == 408
        writer.close()


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with running(header_seconds=0.1) as (_, server):
        reader, writer = await server.connect()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_slow_body_times_out() -> None:
    async with running(body_seconds=0.1) as (_, server):
        status, headers, _ = await server.exchange(POST + b"Content-Length: 10\r\n\r\n{")
        assert status == 408
        assert headers["connection"] == "close"


async def test_a_slow_answer_is_no_slow_request() -> None:
    async with running(body_seconds=0.1, header_seconds=0.1) as (application, server):
        reader, writer = await server.connect()
        writer.write(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(application.waiting.wait(), 5)
        for _ in range(3):
            await server.server.on_tick(5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        assert not application.ended.is_set()
        writer.close()
        await asyncio.wait_for(application.ended.wait(), 5)


async def test_an_oversize_body_is_refused_before_it_comes() -> None:
    async with running() as (_, server):
        reader, writer = await server.connect()
        writer.write(POST + b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 5)).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_connections_beyond_the_limit_are_told_to_come_back() -> None:
    async with running(connections=2) as (application, server):
        held = [await server.connect() for _ in range(2)]
        for _, writer in held:
            writer.write(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(application.waiting.wait(), 5)
        status, headers, body = await server.exchange(GET + b"\r\n")
        assert status == 503
        assert headers["retry-after"] == "1"
        assert headers["connection"] == "close"
        assert orjson.loads(body)["code"] == "overloaded"
        for _, writer in held:
            writer.close()


async def test_a_flood_of_connections_is_cut_off() -> None:
    async with running(connections=2) as (_, server):
        held = [await server.connect() for _ in range(4)]
        reader, writer = await server.connect()
        writer.write(GET + b"\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
        for _, other in (*held, (reader, writer)):
            other.close()


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_client_that_leaves_ends_the_work_for_it(method: bytes) -> None:
    async with running() as (application, server):
        _, writer = await server.connect()
        writer.write(method + b" /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(application.waiting.wait(), 5)
        writer.close()
        await asyncio.wait_for(application.ended.wait(), 5)


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    async with running(stall_seconds=0.2) as (application, server):

        async def flood(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            try:
                with CancelWhenGone(receive):
                    while True:
                        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            finally:
                application.ended.set()

        server.server.config.loaded_app = layers((Route(path="/", methods={"GET": flood}),))
        _, writer = await server.connect()
        writer.write(GET + b"\r\n")
        await asyncio.wait_for(application.ended.wait(), 5)
        writer.close()


async def test_a_closing_connection_whose_client_reads_nothing_is_cut_off() -> None:
    """What is below the high-water mark stalls nobody, but a close waits until all of it is sent."""
    async with running(stall_seconds=0.2, send_buffer=4096) as (_, server):

        async def some(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
            await send({"type": "http.response.body", "body": b"x" * 60_000})

        server.server.config.loaded_app = some
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.port))
            await asyncio.get_running_loop().sock_sendall(client, GET + b"\r\n")
            connections = server.server.server_state.connections
            await until(lambda: any(each.transport.is_closing() for each in connections))
            await until(lambda: not connections)


async def test_a_refused_handshake_is_logged_as_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    handshake = GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    async with running() as (_, server):
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        assert (await server.exchange(handshake + key))[0] == 404
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


async def test_a_handshake_that_is_never_finished_is_cut_off() -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def undecided(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        while (await receive())["type"] != "websocket.disconnect":
            pass
        left.set()

    async with running(header_seconds=0.2) as (_, server):
        server.server.config.loaded_app = undecided
        reader, writer = await server.connect()
        handshake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        writer.write(GET + handshake + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        await asyncio.wait_for(entered.wait(), 5)
        await asyncio.wait_for(left.wait(), 5)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_stream_under_way_is_ended_with_an_error_event_when_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("http_api.server.LAST_SECONDS", 0.1)
    async with running() as (application, server):
        reader, writer = await server.connect()
        writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(application.waiting.wait(), 5)
        server.server.stop()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b'data: {"n":1}' in answer
        assert b'"message":"The gateway is shutting down' in answer
        assert b"[DONE]" not in answer
        assert answer.endswith(b"0\r\n\r\n")
        writer.close()


async def test_a_server_without_connections_sleeps_until_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = Server.on_tick

    async def counted(server: Server, counter: int) -> bool:
        looks.append(counter)
        return await look(server, counter)

    monkeypatch.setattr(Server, "on_tick", counted)
    async with running(header_seconds=0.1) as (_, server):
        assert len(looks) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.2):
                await until(lambda: len(looks) > 1)
        server.server.server_state.default_headers = []
        status, headers, _ = await server.exchange(GET + b"Connection: close\r\n\r\n")
        assert (status, "date" in headers) == (200, True), "the date is renewed before the first answer"
        assert len(looks) > 1


async def test_a_server_without_connections_ends_when_it_is_asked_to() -> None:
    async with running() as (_, server):
        server.server.handle_exit(15, None)
        await until(lambda: not server.server.servers[0].is_serving())
    async with running() as (_, server):
        server.server.stop()
        await until(lambda: not server.server.servers[0].is_serving())


async def test_a_second_signal_insists() -> None:
    async with running() as (_, server):
        await server.exchange(GET + b"Connection: close\r\n\r\n")  # it has begun to serve
        server.server.handle_exit(15, None)
        assert not server.server.force_exit
        server.server.handle_exit(1, None)  # a closing terminal
        assert not server.server.force_exit
        server.server.handle_exit(15, None)
        assert server.server.force_exit


async def test_while_balancers_leave_requests_are_answered_and_their_connections_closed() -> None:
    application = Application()
    async with serving(application.asgi, shutdown=Shutdown(leave=lambda drain: 600.0 * drain)) as server:
        await server.exchange(GET + b"Connection: close\r\n\r\n")
        server.server.handle_exit(15, None)
        for _ in range(2):
            status, headers, _ = await server.exchange(GET + b"\r\n")  # read to the end of the connection
            assert (status, headers["connection"]) == (200, "close")
        server.server.handle_exit(15, None)
        await until(lambda: not server.server.servers[0].is_serving())


async def test_a_stream_under_way_ends_by_itself_within_the_grace() -> None:
    application = Application()
    async with serving(application.asgi, shutdown=Shutdown(grace=600)) as server:
        reader, writer = await server.connect()
        writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(application.waiting.wait(), 5)
        server.server.stop()
        await until(lambda: not server.server.servers[0].is_serving())
        application.go.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        writer.close()
