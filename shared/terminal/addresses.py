"""Where connections may go: names are resolved first, and the address that was checked is the one connected to."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from shared.errors import Forbidden, TerminalError

Address = IPv4Address | IPv6Address
Refusal = Callable[[Address], str | None]
"""Says why an address must not be connected to, or None."""

_METADATA = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # link-local: AWS, Azure, Google and most others
            "fe80::/10",
            "fd00:ec2::254/128",  # AWS
            "fd20:ce::254/128",  # Google
            "100.100.100.200/32",  # Alibaba
            "192.0.0.192/32",  # Oracle
            "168.63.129.16/32",  # Azure's wire server
        ),
    )
)
_METADATA_NAMES = {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
RESOLVE_BEYOND = 2
"""Seconds that a name gets which a jump host will resolve anyway."""
_NAT64 = ip_network("64:ff9b::/96")


def reserved(address: Address) -> str | None:
    """Link-local and metadata addresses, and those that name no single host."""
    for form in forms_of(address):
        if any(form in network for network in _METADATA if network.version == form.version):
            return "it is a link-local or cloud metadata address"
        if form.is_unspecified or form.is_multicast or form == IPv4Address("255.255.255.255"):
            return "it is not the address of a host"
    return None


def not_private(address: Address) -> str | None:
    """The reserved ones, and all but loopback and private ones: for telnet, which is not encrypted."""
    if reason := reserved(address):
        return reason
    for form in forms_of(address):
        if not (form.is_loopback or form.is_private):
            return "it is neither a loopback nor a private address, and TELNET_ALLOW_PUBLIC is off"
    return None


def loopback(address: Address) -> str | None:
    """Where a connection at that port would come back to the gateway."""
    return "it is this gateway itself" if any(form.is_loopback for form in forms_of(address)) else None


async def connect(
    host: str, port: int, *, timeout: float, refusal: Refusal, lookups: asyncio.Semaphore | None = None
) -> socket.socket:
    """A connected socket. Raises Forbidden when every address of the host is refused, else TerminalError.

    `lookups` bounds how many names are resolved at once: each takes a thread of all.
    """
    deadline = time.monotonic() + timeout
    try:
        async with asyncio.timeout(timeout), lookups or nullcontext():
            addresses = await resolve(host, port)
    except TimeoutError:
        raise _failed(f"The name {host} could not be resolved in {timeout:g} seconds; check the network.") from None
    allowed = _allowed(host, addresses, refusal)
    failure: OSError = TimeoutError()
    for index, address in enumerate(allowed):
        share = (deadline - time.monotonic()) / (len(allowed) - index)
        try:
            return await asyncio.wait_for(_connect(address, port), max(share, 0.1))
        except OSError as error:  # TimeoutError is one
            failure = error
    raise _failed(_explain(host, port, failure, timeout), operator_detail=str(failure)) from failure


async def check_beyond(host: str, port: int, *, refusal: Refusal) -> None:
    """Refuse a host that a jump host is to reach, as far as can be told from here.

    The jump host resolves the name itself, and may know others than we do: names of metadata services are refused as
    such, and a name that leads only to refused addresses here is too. Raises Forbidden.
    """
    if host.lower().rstrip(".") in _METADATA_NAMES:
        raise Forbidden(
            f"The gateway does not connect to {host}: it is a cloud metadata service.", code="address_refused"
        )
    try:
        found = await asyncio.wait_for(resolve(host, port), RESOLVE_BEYOND)
    except (TerminalError, TimeoutError):  # a name that only the jump host knows
        return
    _allowed(host, found, refusal)


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, best first. Raises TerminalError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _failed(f"The name {host} cannot be resolved; check its spelling.", operator_detail=str(error)) from error
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def _allowed(host: str, addresses: list[Address], refusal: Refusal) -> list[Address]:
    reasons = {address: refusal(address) for address in addresses}
    allowed = [address for address in addresses if reasons[address] is None]
    if not allowed:
        reason = next(iter(reasons.values()), "it has no address")
        raise Forbidden(f"The gateway does not connect to {host}: {reason}.", code="address_refused")
    return allowed


async def _connect(address: Address, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


def forms_of(address: Address) -> list[Address]:
    """The address and the IPv4 addresses that it stands for."""
    forms: list[Address] = [address]
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
        forms += [form for form in inner if form is not None]
    return forms


def _explain(host: str, port: int, failure: OSError, timeout: float) -> str:
    if isinstance(failure, ConnectionRefusedError):
        return f"Nothing listens on {host}:{port}; check the host and the port."
    if isinstance(failure, TimeoutError):
        return f"{host}:{port} does not answer in {timeout:g} seconds; check the address and any firewall."
    return f"{host}:{port} cannot be reached: {failure.strerror or 'unknown reason'}."


def _failed(message: str, *, operator_detail: str = "") -> TerminalError:
    return TerminalError(message, code="connection_failed", operator_detail=operator_detail)
