"""The upstream client against servers that behave in every way that servers do."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork, UpstreamTimeout
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from tests.support.byte_servers import Seen, Server, always, serving, whole

BODY = b'{"ok":true}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
QUICK = Timeouts(connect=5, first_token=5, stall=5, total=5)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(max_connections_per_host=2)
    yield client
    await client.aclose()


async def read(client: HttpClient, server: Server, timeouts: Timeouts = QUICK) -> bytes:
    async with client.post(
        f"http://127.0.0.1:{server.port}/v1/x?a=b c", headers={}, body=b"hi", timeouts=timeouts
    ) as answer:
        return await answer.read()


async def test_a_request_says_where_it_goes_and_wants_a_body_that_is_not_packed(client: HttpClient) -> None:
    async with serving(always(whole(BODY, b"X-Y: 1", b"x-y: 2", status=b"201 Created"))) as server:
        url = f"http://me:pass%20word@127.0.0.1:{server.port}/v1/ä b?q=ö"
        async with client.post(url, headers={"X-Key": "k"}, body=b"hello", timeouts=QUICK) as answer:
            assert (answer.status, answer.headers["x-y"], await answer.read()) == (201, "1, 2", BODY)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b"hello"
    assert head.split(b"\r\n")[0] == b"POST /v1/%C3%A4%20b?q=%C3%B6 HTTP/1.1"
    assert {
        b"Host: 127.0.0.1:%d" % server.port,
        b"X-Key: k",
        b"Content-Length: 5",
        b"Accept-Encoding: identity",
        b"Authorization: Basic bWU6cGFzcyB3b3Jk",
    } <= {*head.split(b"\r\n")}


@pytest.mark.parametrize(
    "parts",
    [
        (whole(BODY),),
        tuple(bytes([byte]) for byte in whole(BODY)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n",
            b'{"ok\r\n7\r\n":tr',
            b"ue}\r\n0\r\nX-T: 1\r\n\r\n",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + whole(BODY),),
    ],
    ids=["at once", "byte by byte", "chunked", "after hints"],
)
async def test_a_body_comes_whole_and_its_connection_is_used_again(
    client: HttpClient, parts: tuple[bytes, ...]
) -> None:
    async def handler(seen: Seen) -> None:
        while await seen.request():
            await seen.say(*parts)

    async with serving(handler) as server:
        assert [await read(client, server) for _ in range(3)] == [BODY] * 3
    assert len(server.connections) == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n"])
async def test_a_body_may_end_with_its_connection(client: HttpClient, head: bytes) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(head, b'{"ok"', b":true}")

    async with serving(handler) as server:
        assert [await read(client, server) for _ in range(2)] == [BODY] * 2
    assert len(server.connections) == 2


@pytest.mark.parametrize(
    ("name", "packed"),
    [("gzip", gzip.compress(BODY * 9)), ("deflate", zlib.compress(BODY * 9)), ("identity", BODY * 9)],
    ids=["gzip", "deflate", "identity"],
)
async def test_a_body_that_is_packed_all_the_same_is_unpacked(client: HttpClient, name: str, packed: bytes) -> None:
    async with serving(always(whole(packed, b"Content-Encoding: " + name.encode()))) as server:
        assert await read(client, server) == BODY * 9


@pytest.mark.parametrize("after", [gzip.compress(BODY), bytes(7)], ids=["another file", "padding"])
async def test_all_files_of_a_packed_body_are_unpacked(client: HttpClient, after: bytes) -> None:
    async with serving(always(whole(gzip.compress(BODY) + after, b"Content-Encoding: gzip"))) as server:
        assert await read(client, server) == (BODY * 2 if any(after) else BODY)


async def test_a_packed_body_that_holds_nothing_is_empty(client: HttpClient) -> None:
    async with serving(always(whole(b"", b"Content-Encoding: gzip"))) as server:
        assert await read(client, server) == b""


async def test_a_packed_body_that_ends_early_is_no_answer(client: HttpClient) -> None:
    async with serving(always(whole(gzip.compress(BODY * 9)[:-9], b"Content-Encoding: gzip"))) as server:
        with pytest.raises(UpstreamNetwork):
            await read(client, server)


async def test_a_small_body_that_unpacks_to_too_much_is_refused_early(client: HttpClient) -> None:
    bomb = gzip.compress(bytes(200_000_000), 1)
    async with serving(always(whole(bomb, b"Content-Encoding: gzip"))) as server:
        with pytest.raises(UpstreamBadAnswer):
            await read(client, server, Timeouts(total=30))


async def test_others_have_their_turn_while_a_small_block_is_unpacked(client: HttpClient) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with serving(always(whole(gzip.compress(bytes(4_000_000)), b"Content-Encoding: gzip"))) as server:
        waiting = asyncio.create_task(other())
        async with client.get(f"http://127.0.0.1:{server.port}/", headers={}, timeouts=QUICK) as answer:
            seen = [turns async for _ in answer.blocks()]
        waiting.cancel()
    assert len(seen) > 9
    assert sorted(set(seen)) == seen


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 300_000,
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 10_000,
        CHUNKED + b"2\r\nab\r\n1;" + b"x" * 600_000,
        CHUNKED + b"2\r\nab\r\n0\r\nX-Long: " + b"x" * 600_000,
        CHUNKED + b"2\r\nab\r\n0\r\n" + b"X-More: x\r\n" * 60_000,
        whole(BODY, b"Content-Encoding: br"),
        whole(b"no gzip", b"Content-Encoding: gzip"),
    ],
    ids=[
        "another protocol",
        "two lengths",
        "no chunk",
        "another protocol from here",
        "endless head",
        "endless announcements",
        "endless extension of a chunk",
        "endless trailer",
        "trailers without end",
        "br",
        "not packed",
    ],
)
async def test_what_is_no_answer_is_a_fault_of_the_network(client: HttpClient, answer: bytes) -> None:
    async with serving(always(answer)) as server:
        with pytest.raises(UpstreamNetwork, match="no HTTP answer"):
            await read(client, server)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Le",
        whole(BODY)[:-1],
        whole(BODY).replace(b"Content-Length: 11", b"Transfer-Encoding: chunked"),
    ],
)
async def test_an_answer_that_breaks_off_is_no_answer(client: HttpClient, said: bytes) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(said)

    async with serving(handler) as server:
        with pytest.raises(UpstreamError):
            await read(client, server)
    assert len(server.connections) == 1


async def test_a_connection_that_was_closed_while_idle_costs_nobody_an_answer(client: HttpClient) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(whole(BODY))
        if seen.number == 0:
            await seen.request()  # taken, and closed without a word

    async with serving(handler) as server:
        assert [await read(client, server) for _ in range(2)] == [BODY] * 2
    assert [len(seen.requests) for seen in server.connections] == [2, 1]


async def test_a_request_that_may_have_been_worked_on_is_not_sent_again(client: HttpClient) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await asyncio.sleep(0.4)  # longer than a connection takes that was closed while idle

    async with serving(handler) as server:
        with pytest.raises(UpstreamNetwork, match="broke off"):
            await read(client, server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("more", [whole(b"forged"), b"x", b"HTTP/1.1 200 OK\r\n"])
async def test_what_comes_after_an_answer_is_nobodys_answer(client: HttpClient, more: bytes) -> None:
    async with serving(always(whole(BODY) + more)) as server:
        assert [await read(client, server) for _ in range(2)] == [BODY] * 2
    assert len(server.connections) == 2


@pytest.mark.parametrize(("said", "kind"), [(b"", UpstreamTimeout), (whole(BODY)[:-3], UpstreamTimeout)])
async def test_silence_ends_at_the_time_for_the_whole(
    client: HttpClient, said: bytes, kind: type[UpstreamError]
) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(said)
        await seen.request()

    async with serving(handler) as server:
        with pytest.raises(kind):
            await read(client, server, Timeouts(total=0.2))
        async with asyncio.timeout(5):
            await server.left.wait()  # the server is told at once


@pytest.mark.parametrize("name", ["gzip", "identity"])
async def test_an_answer_that_never_pauses_ends_at_the_time_for_the_whole(client: HttpClient, name: str) -> None:
    packer = zlib.compressobj()
    parts = [packer.compress(bytes(40_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)] if name == "gzip" else []

    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n" % name.encode(), *parts)
        while True:
            await seen.say(packer.compress(bytes(100_000)) if parts else bytes(1_000))

    async with (
        serving(handler) as server,
        client.get(f"http://127.0.0.1:{server.port}/", headers={}, timeouts=Timeouts(total=0.2)) as answer,
    ):
        with pytest.raises(UpstreamTimeout):
            async for _ in answer.blocks():
                pass


async def test_each_block_has_its_own_time(client: HttpClient) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n")
        await seen.request()

    timeouts = Timeouts(stall=0.2, total=60)
    async with (
        serving(handler) as server,
        client.get(f"http://127.0.0.1:{server.port}/", headers={}, timeouts=timeouts) as answer,
    ):
        blocks = aiter(answer.blocks())
        assert await anext(blocks) == b"a"
        with pytest.raises(UpstreamTimeout):
            await anext(blocks)


async def test_a_later_deadline_is_kept_after_an_earlier_one(client: HttpClient) -> None:
    async def handler(seen: Seen) -> None:
        while await seen.request():
            await asyncio.sleep(0.3 if len(seen.requests) == 2 else 0)
            await seen.say(whole(BODY))

    async with serving(handler) as server:
        assert await read(client, server, Timeouts(total=0.2)) == BODY
        assert await read(client, server, QUICK) == BODY


async def test_leaving_early_closes_the_connection(client: HttpClient) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        await seen.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await seen.request()

    async with serving(handler) as server:
        async with client.get(f"http://127.0.0.1:{server.port}/", headers={}, timeouts=QUICK) as answer:
            assert [await anext(aiter(answer.blocks()))] == [b"a"]
        async with asyncio.timeout(5):
            await server.left.wait()


async def test_requests_beyond_the_limit_wait_their_turn_and_one_that_gives_up_takes_nothing_along(
    client: HttpClient,
) -> None:
    go = asyncio.Event()

    async def handler(seen: Seen) -> None:
        while await seen.request():
            await go.wait()
            await seen.say(whole(BODY))

    async with serving(handler) as server:
        tasks = [asyncio.create_task(read(client, server)) for _ in range(8)]
        await server.has_had(2)
        tasks[3].cancel()
        await asyncio.wait([tasks[3]])
        go.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer for answer in answers if answer == BODY] == [BODY] * 7
    assert len(server.connections) == 2


async def test_a_place_is_free_again_whatever_became_of_the_one_who_had_it(client: HttpClient) -> None:
    async def handler(seen: Seen) -> None:
        await seen.request()
        if seen.number < 4:
            await seen.request()
        await seen.say(whole(BODY))

    async with serving(handler) as server:
        for number in range(1, 5):
            task = asyncio.create_task(read(client, server))
            await server.has_had(number)
            task.cancel()
            await asyncio.wait([task])
        assert await read(client, server) == BODY


async def test_a_slow_reader_slows_the_server_down(client: HttpClient) -> None:
    sent = 0

    async def handler(seen: Seen) -> None:
        nonlocal sent
        await seen.request()
        await seen.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            await seen.say(bytes(1 << 20))
            sent += 1

    async with (
        serving(handler) as server,
        client.get(f"http://127.0.0.1:{server.port}/", headers={}, timeouts=Timeouts()) as answer,
    ):
        with pytest.raises(TimeoutError):  # it is stuck as long as nobody reads
            async with asyncio.timeout(0.3):
                await server.left.wait()
        assert sent < 32
        assert len(await answer.read()) == 64 << 20


@pytest.mark.parametrize("value", ["a\r\nX-Forged: 1", "a\nb", "a\0b"])
async def test_a_header_cannot_become_two(client: HttpClient, value: str) -> None:
    with pytest.raises(UpstreamNetwork):
        client.get("http://127.0.0.1:1/", headers={"X-Key": value}, timeouts=QUICK)


async def test_an_answer_of_very_many_small_values_is_refused_before_it_is_parsed(client: HttpClient) -> None:
    objects, text = b"[" + b"{}," * 2_000_000 + b"0]", b'"' + b"{}," * 2_000_000 + b'"'
    patient = Timeouts(connect=5, first_token=30, stall=30, total=30)
    async with serving(always(whole(objects))) as server:
        with pytest.raises(UpstreamBadAnswer, match="too many values"):
            await read(client, server, patient)
    async with serving(always(whole(text))) as server:
        assert await read(client, server, patient) == text
