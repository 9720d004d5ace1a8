"""What `doctor` says of services on loopback that ask for no password: real servers where there are some from pip."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.diagnosis import loopback
from shared.domain.egress import AllowedHosts
from shared.gateway import open_gateway
from shared.setting_sources import load_settings
from shared.terminal.sandbox import Rules
from tests.support.redis_servers import RedisServer


async def looked(folder: Path, **more: str) -> tuple[str, str]:
    """The status and the text, on a gateway with these settings."""
    quiet = {"OSS_DISCOVERY": "false", "EMBEDDED_MODEL": "off", "LOG_LEVEL": "error"}
    async with open_gateway(load_settings({"DATA_DIR": str(folder / "data"), **quiet, **more})) as gateway:
        found = await loopback.look(gateway)
    return found.status, found.text


async def test_a_valkey_without_a_password_is_told(tmp_path: Path, redis_server: RedisServer) -> None:
    status, text = await looked(tmp_path, REDIS_URL=redis_server.url)
    assert status == "warn"
    assert f"Redis or Valkey at {redis_server.url.removeprefix('redis://').removesuffix('/0')}" in text


async def test_one_with_a_password_is_not(tmp_path: Path, redis_server: RedisServer) -> None:
    at = redis_server.url.removeprefix("redis://").removesuffix("/0")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(at.partition(":")[2]))
    writer.write(b"CONFIG SET requirepass secret\r\n")
    assert await reader.readline() == b"+OK\r\n"
    writer.close()
    _, text = await looked(tmp_path, REDIS_URL=f"redis://:secret@{at}/0")
    assert at not in text


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that answers so to the first that it hears; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        for part in (answer[:3], answer[3:]):
            writer.write(part)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("name", "answer", "is_open"),
    [
        ("Redis or Valkey", b"+PONG\r\n", True),
        ("Redis or Valkey", b"-NOAUTH Authentication required.\r\n", False),
        ("PostgreSQL", b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19", True),
        ("PostgreSQL", b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", False),
        ("memcached", b"VERSION 1.6.1\r\n", True),
        ("Elasticsearch or OpenSearch", b'HTTP/1.1 200 OK\r\n\r\n{"cluster_name": "x"}', True),
        ("Elasticsearch or OpenSearch", b"HTTP/1.1 401 Unauthorized\r\n\r\n", False),
        ("Docker", b'HTTP/1.1 200 OK\r\n\r\n{"ApiVersion":"1.41"}', True),
        ("etcd", b'HTTP/1.1 200 OK\r\n\r\n{"etcdserver":"3.5"}', True),
        ("etcd", b"", False),
    ],
)
async def test_each_kind_is_told_by_its_answer(name: str, answer: bytes, is_open: bool) -> None:
    (row,) = (service for service in loopback.SERVICES if service.name == name)
    async with answering(answer) as port:
        found = await loopback._found(Rules(), (replace(row, port=port),))
    assert found.status == ("warn" if is_open else "ok")
    assert (f"{name} at 127.0.0.1:{port}" in found.text) is is_open


async def test_what_commands_cannot_reach_is_not_asked() -> None:
    async with answering(b"+PONG\r\n") as port:
        service = (replace(loopback.SERVICES[0], port=port),)
        for hosts in (None, AllowedHosts.parse(["github.com"])):
            found = await loopback._found(Rules(network=False, hosts=hosts), service)
            assert (found.status, "keeps local commands from them" in found.text) == ("ok", True)
        listed = AllowedHosts.parse([f"localhost:{port}"])
        assert (await loopback._found(Rules(network=False, hosts=listed), service)).status == "warn"
