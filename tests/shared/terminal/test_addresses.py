"""Where connections may go."""

import asyncio
import socket
from ipaddress import ip_address

import pytest

from shared.errors import Forbidden, TerminalError
from shared.terminal import addresses

METADATA = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%lo",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "0.0.0.0",
    "::",
    "::ffff:0.0.0.0",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", METADATA)
def test_link_local_metadata_and_no_mans_addresses_are_refused(address: str) -> None:
    assert addresses.reserved(ip_address(address))
    assert addresses.not_private(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.9", "fd12::1"])
def test_loopback_and_private_addresses_are_allowed(address: str) -> None:
    assert addresses.reserved(ip_address(address)) is None
    assert addresses.not_private(ip_address(address)) is None


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "100.64.0.1"])
def test_public_addresses_are_not_private(address: str) -> None:
    assert addresses.reserved(ip_address(address)) is None
    assert addresses.not_private(ip_address(address))


async def test_a_host_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connection = await addresses.connect("localhost", port, timeout=5, refusal=addresses.reserved)
        assert connection.getpeername()[1] == port
        connection.close()


async def test_a_refused_address_is_never_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int) -> list[addresses.Address]:
        return [ip_address("169.254.169.254"), ip_address("127.0.0.1")]

    monkeypatch.setattr(addresses, "resolve", resolve)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connection = await addresses.connect("both.example", port, timeout=5, refusal=addresses.reserved)
        assert connection.getpeername() == ("127.0.0.1", port)
        connection.close()


async def test_a_host_with_refused_addresses_only_is_forbidden() -> None:
    with pytest.raises(Forbidden) as refused:
        await addresses.connect("169.254.169.254", 80, timeout=5, refusal=addresses.reserved)
    assert refused.value.code == "address_refused"
    assert "169.254.169.254" in refused.value.message


async def test_nothing_listening_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TerminalError, match="Nothing listens") as failed:
        await addresses.connect("127.0.0.1", port, timeout=5, refusal=addresses.reserved)
    assert failed.value.code == "connection_failed"


async def test_an_unknown_name_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown, raising=False)
    with pytest.raises(TerminalError, match="cannot be resolved"):
        await addresses.connect("nowhere.invalid", 22, timeout=5, refusal=addresses.reserved)


async def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang, raising=False)
    with pytest.raises(TerminalError, match="could not be resolved"):
        await addresses.connect("slow.example", 22, timeout=0.05, refusal=addresses.reserved)


async def test_a_host_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", hang, raising=False)
    with pytest.raises(TerminalError, match="does not answer"):
        await addresses.connect("127.0.0.1", 22, timeout=0.05, refusal=addresses.reserved)


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "Metadata.Google.Internal", "instance-data"])
async def test_a_jump_host_is_not_sent_to_metadata_services(host: str) -> None:
    with pytest.raises(Forbidden) as refused:
        await addresses.check_beyond(host, 22, refusal=addresses.reserved)
    assert refused.value.code == "address_refused"


async def test_a_name_that_leads_there_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def leads(*_: object) -> list[addresses.Address]:
        return [ip_address("169.254.169.254")]

    monkeypatch.setattr(addresses, "resolve", leads)
    with pytest.raises(Forbidden):
        await addresses.check_beyond("sly.example", 22, refusal=addresses.reserved)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "localhost", "only-there.invalid"])
async def test_what_only_the_jump_host_knows_is_left_to_it(host: str) -> None:
    await addresses.check_beyond(host, 22, refusal=addresses.reserved)
