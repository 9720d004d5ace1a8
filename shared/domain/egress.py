"""The hosts that an operator lets sandboxed commands connect to: reading the list, and asking it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from shared.domain.targets import Host, Port

USUAL_PORTS = frozenset({80, 443})
"""The ports of an entry that names none."""

ANY_HOST = "*"
MAX_ENTRIES = 200
WRITE_SO = (
    "must be on, off, or hosts such as github.com, *.githubusercontent.com, registry.example:8443, localhost:5432, 10.0.0.5:5432, "
    "10.0.0.0/8:443 or [2001:db8::1]:443, with commas between them; without a port 80 and 443 are meant"
)

Listing = Literal["name", "pattern"]
"""How a name is listed: in full, or by a pattern that other names match as well."""

_NAME: TypeAdapter[str] = TypeAdapter(Host)
_PORT: TypeAdapter[int] = TypeAdapter(Port)


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry: a name, a pattern (`*`, `*.example.com`) or a network of addresses, with its ports."""

    host: str | IPv4Network | IPv6Network
    ports: frozenset[int] = USUAL_PORTS

    @property
    def on_loopback(self) -> bool:
        """Whether it names this machine's own loopback."""
        return self.host == "localhost" if isinstance(self.host, str) else self.host.is_loopback

    def lists_name(self, name: str, port: int) -> Listing | None:
        """How it lists the name, which is in lower case; None where it does not."""
        if port not in self.ports or not isinstance(self.host, str):
            return None
        if name == self.host:
            return "name"
        return "pattern" if self.host == ANY_HOST or (self.host[0] == "*" and name.endswith(self.host[1:])) else None

    def lists_address(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        """Whether it lists the address, alone or with others."""
        return port in self.ports and not isinstance(self.host, str) and address in self.host

    @property
    def narrow(self) -> bool:
        """Whether it lists one address, or some of loopback or of link-local alone."""
        host = self.host
        return not isinstance(host, str) and (host.num_addresses == 1 or host.is_loopback or host.is_link_local)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """All entries. An empty list lets nothing through."""

    entries: tuple[AllowedHost, ...] = ()
    shown: str = ""

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AllowedHosts":
        """Raises ValueError with what to write."""
        given = list(entries)
        if not given or len(given) > MAX_ENTRIES:
            raise ValueError(WRITE_SO if not given else f"must have at most {MAX_ENTRIES} entries")
        try:
            return cls(tuple(map(_entry, given)), ", ".join(given))
        except ValueError:
            raise ValueError(WRITE_SO) from None

    def name(self, name: str, port: int) -> Listing | None:
        """How a name is listed; in full goes before by a pattern."""
        found = {entry.lists_name(name, port) for entry in self.entries}
        return "name" if "name" in found else "pattern" if "pattern" in found else None

    def address(self, address: IPv4Address | IPv6Address, port: int, *, narrow: bool = False) -> bool:
        """Whether an address is listed; `narrow`, not only with the rest of a network."""
        return any(entry.lists_address(address, port) for entry in self.entries if entry.narrow or not narrow)

    def on_loopback(self) -> Iterator[tuple[str, int]]:
        """The single addresses and ports of this machine's loopback that are listed."""
        for entry in self.entries:
            if entry.on_loopback and (isinstance(entry.host, str) or entry.host.num_addresses == 1):
                host = entry.host if isinstance(entry.host, str) else str(entry.host.network_address)
                yield from ((host, port) for port in sorted(entry.ports))


def host_of(text: str) -> str:
    """A host as lists have it: without brackets and final dot, in lower case. Raises ValueError for what is none."""
    try:
        return _NAME.validate_python(_bare(text).removesuffix(".").lower())
    except ValidationError:
        raise ValueError(f"not a host: {text!r}") from None


def port_of(text: str) -> int:
    """Raises ValueError for what is none."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"not a port: {text!r}")
    return _PORT.validate_python(int(text[:6]))


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is given by; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _entry(text: str) -> AllowedHost:
    host, ports = text.lower(), USUAL_PORTS
    before, colon, after = host.rpartition(":")
    if colon and (before.endswith("]") or ":" not in before):
        host, ports = before, frozenset({port_of(after)})
    if host == ANY_HOST:
        return AllowedHost(host, ports)
    bare = _bare(host)
    if "/" in bare or address_of(bare) is not None:
        return AllowedHost(ip_network(bare), ports)
    if host.startswith("*."):
        return AllowedHost(f"*.{host_of(_ascii(host[2:]))}", ports)
    if ports is USUAL_PORTS and "." not in host and host != "localhost":  # more likely a slip of `on` or `off`
        raise ValueError("a name of one word needs a port")
    return AllowedHost(host_of(_ascii(host)), ports)


def _bare(host: str) -> str:
    """Without the brackets of an IPv6 address. Raises ValueError for one alone, and for a zone."""
    if host.startswith("[") != host.endswith("]") or "%" in host:
        raise ValueError(f"not a host: {host!r}")
    return host.removeprefix("[").removesuffix("]")


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode("ascii")
