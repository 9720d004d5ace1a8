"""The addresses that an operator lists: whether each is one that can be of use. All raise ValueError with what to write."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address, ip_network

NAME = re.compile(r"[^\s/:@*?#\[\]]+")
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[^\s/:@*?#\[\]]+)(?::[0-9]{1,5})?/*")
USUAL_PORT = re.compile(r"(?:http://.*:80|https://.*:443)/*")
POSTGRESQL = re.compile(
    r"postgres(?:ql)?(?:\+psycopg)?://(?:[^:/]*(?::[^@]*)?@)?(?:\[[^/?]*\]|[^/:?\[\]]*)(?::[0-9]*)?(?:[/?].*)?"
)
SQLITE_FILE = re.compile(r"sqlite:///[^?].*")
IN_MEMORY = (":memory:", "mode=memory")


def check_hosts(hosts: Iterable[str]) -> None:
    """Names as a `Host` header has them, without the port."""
    if not all(_is_host(host) for host in hosts):
        raise ValueError(
            "must be names such as gateway.example.com, each in full: no https:// before, no port behind, no `*`"
        )


def check_origins(origins: Iterable[str]) -> None:
    """Origins as browsers send them. `null` is what pages without one send."""
    if not all(_is_origin(origin.lower()) for origin in origins):
        raise ValueError(
            "must be origins such as https://app.example.com or http://localhost:5173, as the browser sends them: "
            "with https:// or http:// before, no path, the port only where it is not the usual one, other scripts in "
            "Punycode, no `*`"
        )


def check_proxies(proxies: Iterable[str]) -> None:
    """Addresses and networks: names are not looked up."""
    if not all(_holds(partial(ip_network, proxy, strict=False)) for proxy in proxies):
        raise ValueError("must be IP addresses or networks such as 10.0.0.5 or 10.0.0.0/8; names are not looked up")


def check_database(url: str) -> None:
    """A file of SQLite or a PostgreSQL server: a database in memory would not be the same for all of the gateway."""
    if POSTGRESQL.fullmatch(url):
        return
    if not SQLITE_FILE.fullmatch(url) or any(word in url for word in IN_MEMORY):
        raise ValueError(
            "must be sqlite:///path/to/file (an absolute path makes it four slashes; none is in memory) or "
            "postgresql://user:password@host:5432/name"
        )


def _is_host(host: str) -> bool:
    if ":" in host:
        return _holds(lambda: ip_address(host.removeprefix("[").removesuffix("]")))
    return NAME.fullmatch(host) is not None and (host.isascii() or _holds(lambda: host.encode("idna")))


def _is_origin(origin: str) -> bool:
    if origin == "null":
        return True
    return origin.isascii() and ORIGIN.fullmatch(origin) is not None and not USUAL_PORT.fullmatch(origin)


def _holds(reading: Callable[[], object]) -> bool:
    """Whether it can be read so."""
    try:
        reading()
    except ValueError:
        return False
    return True
