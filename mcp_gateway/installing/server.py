"""How clients are to start us: with whole paths, since they know neither our PATH nor our environment."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_gateway.installing.clients import Server
from mcp_gateway.installing.endpoint import LOCAL_KEY, Endpoint
from shared.errors import InvalidInput
from shared.setting_sources import load_settings

COMMAND = "mcp-gateway"
POINTERS = ("DATA_DIR", "MCP_GATEWAY_CONFIG")
"""Variables that say where everything else is: without them a client would start another gateway than the one meant here."""


def server(connect: str | None, environ: Mapping[str, str] = os.environ) -> Server:
    """The entry; `connect` as `stdio --connect` has it, None to open a gateway of its own."""
    command, before = program()
    options = () if connect is None else ("--connect", connect) if connect else ("--connect",)
    env = {name: str(Path(environ[name]).expanduser().absolute()) for name in POINTERS if environ.get(name)}
    return Server(command, (*before, "stdio", *options), env)


def address(url: str, environ: Mapping[str, str] = os.environ, directory: Path | None = None) -> str:
    """What belongs behind `--connect`: the URL, or where `serve` would listen here; empty where a client, which knows
    only our pointers, finds that by itself. Raises InvalidInput for what `--connect` would refuse, and SettingsError.
    """
    from mcp_gateway.bridge.main import fault_of, with_scheme
    from mcp_gateway.bridge.upstream import local_url

    if url:
        if fault := fault_of(with_scheme(url)):
            raise InvalidInput(fault)
        return url
    here = load_settings(environ, directory=directory)
    pointers = {name: environ[name] for name in POINTERS if name in environ}
    return "" if local_url(here) == local_url(load_settings(pointers)) else local_url(here)


def endpoint(url: str, environ: Mapping[str, str] = os.environ, directory: Path | None = None) -> Endpoint:
    """The gateway as agents reach its models: at the URL, or where `serve` would listen here, with the key in
    MCP_GATEWAY_TOKEN. Raises InvalidInput for what is no address, and SettingsError.
    """
    from mcp_gateway.bridge.main import fault_of, with_scheme
    from mcp_gateway.bridge.upstream import VARIABLE, local_url

    base = with_scheme(url).rstrip("/").removesuffix("/mcp") if url else ""
    if base and (fault := fault_of(base)):
        raise InvalidInput(fault)
    key = environ.get(VARIABLE, "").strip()
    return Endpoint(base or local_url(load_settings(environ, directory=directory)), key or LOCAL_KEY)


def program(executable: str = sys.executable) -> tuple[str, tuple[str, ...]]:
    """Our command, in full, and what must come before its own arguments."""
    for name in (COMMAND, f"{COMMAND}.exe"):
        beside = Path(executable).with_name(name)
        if beside.is_file():
            return str(beside.absolute()), ()
    found = shutil.which(COMMAND)
    return (os.path.abspath(found), ()) if found else (executable, ("-m", "mcp_gateway"))


def is_ours(entry: Any) -> bool:
    """Whether an entry of a client's configuration starts or names this gateway."""
    if not isinstance(entry, dict):
        return False
    command, args = entry.get("command") or entry.get("cmd"), entry.get("args")
    started = command if isinstance(command, list) else [command.get("path") if isinstance(command, dict) else command]
    words = [*started, *(args if isinstance(args, list) else [])]
    texts = [word for word in words if isinstance(word, str)]
    return any(Path(text).name.removesuffix(".exe") in (COMMAND, "mcp_gateway") for text in texts)
