"""Ways to a provider: TLS, and proxies as the environment names them."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.errors import UpstreamNetwork
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from tests.support.byte_servers import Seen, always, serving, whole

QUICK = Timeouts(connect=5, total=5)
ANSWER = whole(b"secret words")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(use_proxy_environment=True)
    yield client
    await client.aclose()


@pytest.fixture
def trust(tmp_path: Path) -> ssl.SSLContext:
    """A server's context, for 127.0.0.1; whoever is to believe it reads `ca.pem` in the same folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    return context


async def read(client: HttpClient, url: str) -> bytes:
    async with client.get(url, headers={}, timeouts=QUICK) as answer:
        return await answer.read()


async def test_a_certificate_that_the_system_trusts_is_enough(
    client: HttpClient, trust: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with serving(always(ANSWER), trust=trust) as server:
        assert [await read(client, f"https://127.0.0.1:{server.port}/") for _ in range(2)] == [b"secret words"] * 2
    assert len(server.connections) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(client: HttpClient, trust: ssl.SSLContext) -> None:
    async with serving(always(ANSWER), trust=trust) as server:
        with pytest.raises(UpstreamNetwork, match="certificate"):
            await read(client, f"https://127.0.0.1:{server.port}/")
    assert server.requests == []


async def test_a_server_without_tls_is_not_said_to_have_a_bad_certificate(client: HttpClient) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        with pytest.raises(UpstreamNetwork, match="http://"):
            await read(client, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


async def test_a_proxy_gets_the_whole_address_and_its_password(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(always(ANSWER)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:word@127.0.0.1:{proxy.port}")
        assert await read(client, "http://provider.invalid/v1/x") == b"secret words"
    lines = proxy.requests[0].split(b"\r\n")
    assert lines[0] == b"GET http://provider.invalid/v1/x HTTP/1.1"
    assert {b"Host: provider.invalid", b"Proxy-Authorization: Basic bWU6d29yZA=="} <= {*lines}


async def test_whom_no_proxy_names_is_asked_directly(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(always(ANSWER)) as server, serving(always(b"")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert await read(client, f"http://127.0.0.1:{server.port}/") == b"secret words"
    assert proxy.connections == []


async def test_tls_goes_through_a_proxy_that_sees_nothing_of_it(
    client: HttpClient, trust: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    passed = bytearray()

    async def tunnel(seen: Seen) -> None:
        asked = await seen.request()
        host, port = asked.split(b" ")[1].split(b":")
        reader, writer = await asyncio.open_connection(host.decode(), int(port))
        await seen.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_copied(seen.reader, writer, passed), _copied(reader, seen.writer, passed))

    async with serving(always(ANSWER), trust=trust) as server, serving(tunnel) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:word@127.0.0.1:{proxy.port}")
        assert [await read(client, f"https://127.0.0.1:{server.port}/") for _ in range(2)] == [b"secret words"] * 2
        assert len(server.connections) == 1
        await client.aclose()
    assert b"Proxy-Authorization: Basic bWU6d29yZA==" in proxy.requests[0]
    assert passed
    assert b"secret words" not in passed


async def test_a_proxy_that_refuses_is_said_to_be_in_the_way(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(always(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(UpstreamNetwork) as caught:
            await read(client, "https://provider.invalid/")
    assert "407" in caught.value.operator_detail


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: bytearray) -> None:
    try:
        while data := await reader.read(65536):
            passed += data
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
