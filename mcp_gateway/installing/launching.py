"""How a coding agent is started on the gateway without any file: its program, arguments and environment. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_gateway.installing import jsonc
from mcp_gateway.installing.clients import Server
from mcp_gateway.installing.endpoint import ID, MODELS, VARIABLE, Endpoint, codex_provider, opencode_provider
from shared.errors import InvalidInput

KEY_VARIABLE = "AI_MCP_GATEWAY_KEY"
OPENCODE = "OPENCODE_CONFIG_CONTENT"


@dataclass(frozen=True, slots=True)
class Launch:
    """The arguments before the user's own, and the variables that are added to the environment."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: its program, the package that brings it, the path of the gateway that it asks, and how it is started."""

    program: str
    package: str
    path: str
    launch: Callable[[Endpoint, Server, Mapping[str, str]], Launch]


def agents() -> Mapping[str, Agent]:
    """Those that we can start, by the names that a user types."""
    return {
        "claude": Agent("claude", "@anthropic-ai/claude-code", "/v1/messages", _claude),
        "opencode": Agent("opencode", "opencode-ai", "/v1/chat/completions", _opencode),
        "codex": Agent("codex", "@openai/codex", "/v1/responses", _codex),
    }


def _claude(endpoint: Endpoint, server: Server, _: Mapping[str, str]) -> Launch:
    entry = {"type": "stdio", "command": server.command, "args": [*server.args], "env": dict(server.env)}
    # In one word: in two, the option would take what follows as further configurations.
    tools = f"--mcp-config={json.dumps({'mcpServers': {ID: entry}})}"
    return Launch((tools,), {"ANTHROPIC_BASE_URL": endpoint.url, "ANTHROPIC_AUTH_TOKEN": endpoint.key})


def _opencode(endpoint: Endpoint, server: Server, environ: Mapping[str, str]) -> Launch:
    """Added to what the variable holds already."""
    text = environ.get(OPENCODE, "")
    command = [server.command, *server.args]
    tools = {"type": "local", "command": command, "enabled": True, "environment": dict(server.env)}
    members: Sequence[tuple[tuple[str, ...], Any]] = (
        (("provider", ID), opencode_provider(endpoint)),
        (("mcp", ID), tools),
        (("model",), f"{ID}/{MODELS[0]}"),
    )
    try:
        for path, value in members:
            text = jsonc.put(text, path, value)
    except jsonc.NotEditable as error:
        raise InvalidInput(f"{OPENCODE} cannot be read: {error}. Correct it or unset it.") from None
    return Launch((), {OPENCODE: text})


def _codex(endpoint: Endpoint, server: Server, _: Mapping[str, str]) -> Launch:
    """Its configuration as options, in TOML; JSON's strings and lists are TOML's as well."""
    provider = codex_provider(endpoint, KEY_VARIABLE)
    settings = {
        "model": MODELS[0],
        "model_provider": ID,
        **{f"model_providers.{ID}.{name}": value for name, value in provider.items()},
        f"mcp_servers.{ID}.command": server.command,
        f"mcp_servers.{ID}.args": [*server.args],
        f"mcp_servers.{ID}.env_vars": [VARIABLE],
        **{f"mcp_servers.{ID}.env.{name}": value for name, value in server.env.items()},
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={json.dumps(value)}")]
    return Launch(tuple(options), {KEY_VARIABLE: endpoint.key})
