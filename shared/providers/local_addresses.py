"""Where a local model server may be: the operator's settings in all their forms, and the usual ports. Pure."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

OLLAMA_PORT = "11434"
USUAL_PORTS = (11434, 1234, 8080, 8000)
"""Ollama, LM Studio, llama.cpp, vLLM."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address where a model server may be.

    `explicit`: the operator named it, so anything that speaks OpenAI's API will do. On a usual port it must be of a
    kind we know, since something unknown might pass our requests on to where they cost money.
    """

    root: str
    explicit: bool = False


def candidates(
    *, oss_model_endpoint: str = "", ollama_host: str = "", usual_ports: Iterable[int] = USUAL_PORTS
) -> tuple[Candidate, ...]:
    """The addresses to try, the preferred first, each once. No usual ports: only what is named is asked."""
    wanted: list[Candidate] = []
    if oss_model_endpoint.strip():
        wanted.append(Candidate(endpoint_root(oss_model_endpoint), explicit=True))
    if ollama_host.strip():
        wanted.append(Candidate(ollama_url(ollama_host), explicit=True))
    wanted += [Candidate(f"http://127.0.0.1:{port}") for port in usual_ports]
    first: dict[str, Candidate] = {}
    for candidate in wanted:
        first.setdefault(candidate.root.replace("://localhost:", "://127.0.0.1:"), candidate)
    return tuple(first.values())


def ollama_url(value: str) -> str:
    """OLLAMA_HOST as Ollama itself reads it (its envconfig.Host), as the URL for a client.

    Without a scheme the port is 11434 unless given, with one it is the scheme's own. "Any address" becomes loopback.
    """
    value = value.strip().strip("\"'").strip()
    scheme, separator, rest = value.partition("://")
    default = {"http": "80", "https": "443"}.get(scheme, OLLAMA_PORT) if separator else OLLAMA_PORT
    if not separator:
        scheme, rest = ("https", "ollama.com:443") if value == "ollama.com" else ("http", value)
    authority, _, path = rest.partition("/")
    host, port = _host_and_port(authority)
    if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
        port = default
    path = path.strip("/")
    return f"{scheme}://{_connectable(host)}:{port}" + (f"/{path}" if path else "")


def endpoint_root(value: str) -> str:
    """OSS_MODEL_ENDPOINT without its `/v1` and last slashes; http where it names no scheme."""
    value = value.strip().rstrip("/")
    return (value if "://" in value else f"http://{value}").removesuffix("/v1").rstrip("/")


def shown(url: str) -> str:
    """A URL without the user and password that it may hold."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _host_and_port(authority: str) -> tuple[str, str]:
    bracketed = re.fullmatch(r"\[([^\]]*)\]:(.*)", authority)
    if bracketed:
        return bracketed[1], bracketed[2]
    if authority.count(":") == 1:
        host, _, port = authority.partition(":")
        return host, port
    return authority.strip("[]"), ""


def _connectable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "127.0.0.1"
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return str(address) if address.version == 4 else f"[{address}]"
