"""The clients that we can install into: where each keeps its configuration, and what our entries look like there."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mcp_gateway.installing import endpoint as models
from mcp_gateway.installing.endpoint import OUR_FILE, VARIABLE, Endpoint
from mcp_gateway.installing.entry import Entry

Scope = Literal["user", "project"]
OUR_MODELS = f"{models.ID}.yaml"
"""A file that holds nothing but what is ours, as OUR_FILE does."""


@dataclass(frozen=True, slots=True)
class Server:
    """How a client starts us."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One of them. `key` names the object that holds its servers, empty where it takes none; `traces` are what shows that it is
    used here.

    `models` makes the entries with which it takes its models from us; `models_user` and `models_project` are the files that they
    go into, None where it has none.
    """

    id: str
    title: str
    key: str
    user: Path
    project: Path | None
    traces: tuple[Path, ...]
    entry: Callable[[Server], dict[str, Any]]
    after: str
    models: Callable[[Path, Endpoint], tuple[Entry, ...]] | None = None
    models_user: Path | None = None
    models_project: Path | None = None

    def models_at(self, scope: Scope, endpoint: Endpoint) -> tuple[Entry, ...]:
        """The entries with which it takes its models from us; none where it cannot."""
        file = self.models_user if scope == "user" else self.models_project
        return () if self.models is None or file is None else self.models(file, endpoint)

    def file(self, scope: Scope) -> Path | None:
        """The file for a scope, None where it has none."""
        return self.user if scope == "user" else self.project

    @property
    def is_here(self) -> bool:
        """Whether it seems to be in use."""
        return any(trace.exists() for trace in (self.user, *self.traces))


def clients(
    home: Path, here: Path, platform: str = sys.platform, environ: Mapping[str, str] = os.environ
) -> tuple[Client, ...]:
    """All of them, for a person's home and the current folder."""
    applications = _applications(home, platform, environ)
    zed = applications / "Zed" if platform == "win32" else _config(home, environ) / "zed"
    code = applications / "Code" / "User"
    opencode = _existing(_config(home, environ) / "opencode", "opencode.json", "opencode.jsonc")
    cline = home / ".cline" / "data" / "settings"
    codex = Path(environ.get("CODEX_HOME") or home / ".codex")
    goose = applications / "Block" / "goose" / "config" if platform == "win32" else _config(home, environ) / "goose"
    llm = Path(environ.get("LLM_USER_PATH") or applications / "io.datasette.llm")
    return (
        Client(
            id="claude-desktop",
            title="Claude Desktop",
            key="mcpServers",
            user=applications / "Claude" / "claude_desktop_config.json",
            project=None,
            traces=(applications / "Claude",),
            entry=_plain,
            after="Quit Claude Desktop fully (from its menu or tray icon, not only the window) and start it again.",
        ),
        Client(
            id="claude-code",
            title="Claude Code",
            key="mcpServers",
            user=home / ".claude.json",
            project=here / ".mcp.json",
            traces=(home / ".claude",),
            entry=_typed,
            after="Start a new Claude Code session; `/mcp` and `/status` show it.",
            models=models.claude_code,
            models_user=home / ".claude" / "settings.json",
            models_project=here / ".claude" / "settings.local.json",
        ),
        Client(
            id="vscode",
            title="VS Code",
            key="servers",
            user=code / "mcp.json",
            project=here / ".vscode" / "mcp.json",
            traces=(code,),
            entry=_typed,
            after='Run "MCP: List Servers" from the command palette and start it there.',
        ),
        Client(
            id="cursor",
            title="Cursor",
            key="mcpServers",
            user=home / ".cursor" / "mcp.json",
            project=here / ".cursor" / "mcp.json",
            traces=(home / ".cursor",),
            entry=_plain,
            after="Open Settings, Tools & MCP, and turn it on if it is off.",
        ),
        Client(
            id="zed",
            title="Zed",
            key="context_servers",
            user=zed / "settings.json",
            project=here / ".zed" / "settings.json",
            traces=(zed,),
            entry=_zed,
            after="Zed starts it by itself; the agent panel's settings show a green dot beside it.",
            models=models.zed,
            models_user=zed / "settings.json",
        ),
        Client(
            id="opencode",
            title="opencode",
            key="mcp",
            user=opencode,
            project=here / "opencode.json",
            traces=(opencode.parent,),
            entry=_opencode,
            after="Start opencode anew; `opencode mcp list` and `/models` show it.",
            models=models.opencode,
            models_user=opencode,
            models_project=here / "opencode.json",
        ),
        Client(
            id="cline",
            title="Cline",
            key="mcpServers",
            user=cline / "cline_mcp_settings.json",
            project=None,
            traces=(home / ".cline",),
            entry=_plain,
            after="Start cline anew.",
            models=models.cline,
            models_user=cline / "providers.json",
        ),
        Client(
            id="continue",
            title="Continue",
            key="mcpServers",
            user=home / ".continue" / "mcpServers" / OUR_FILE,
            project=here / ".continue" / "mcpServers" / OUR_FILE,
            traces=(home / ".continue",),
            entry=_plain,
            after="Reload the window of the editor; the models and the tools are in Continue's lists.",
            models=models.continue_dev,
            models_user=home / ".continue" / "models" / OUR_MODELS,
            models_project=here / ".continue" / "models" / OUR_MODELS,
        ),
        Client(
            id="codex",
            title="Codex",
            key="mcp_servers",
            user=codex / "config.toml",
            project=here / ".codex" / "config.toml",
            traces=(codex,),
            entry=_codex,
            after="Start codex anew; `codex mcp list` and `/status` show it.",
            models=models.codex,
            models_user=codex / "config.toml",
        ),
        Client(
            id="qwen-code",
            title="Qwen Code",
            key="mcpServers",
            user=home / ".qwen" / "settings.json",
            project=here / ".qwen" / "settings.json",
            traces=(home / ".qwen",),
            entry=_plain,
            after="Start qwen anew; `/mcp` and `/model` show it.",
            models=models.qwen_code,
            models_user=home / ".qwen" / "settings.json",
            models_project=here / ".qwen" / "settings.json",
        ),
        Client(
            id="goose",
            title="goose",
            key="extensions",
            user=goose / "config.yaml",
            project=None,
            traces=(goose,),
            entry=_goose,
            after="Start goose anew; `goose info -v` shows it.",
            models=models.goose,
            models_user=goose / "config.yaml",
        ),
        Client(
            id="aider",
            title="aider",
            key="",
            user=home / ".aider.conf.yml",
            project=here / ".aider.conf.yml",
            traces=(home / ".aider",),
            entry=_plain,
            after="Start aider anew; `/models openai/` and `/model openai/opus` choose among the models.",
            models=models.aider,
            models_user=home / ".aider.conf.yml",
            models_project=here / ".aider.conf.yml",
        ),
        Client(
            id="llm",
            title="llm",
            key="",
            user=llm / "extra-openai-models.yaml",
            project=None,
            traces=(llm,),
            entry=_plain,
            after="llm -m ai-mcp-gateway/auto 'Say hello.'",
            models=models.llm,
            models_user=llm / "extra-openai-models.yaml",
        ),
    )


def _existing(folder: Path, *names: str) -> Path:
    """The first of these files that is there, or where none is the first."""
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])


def _applications(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return _config(home, environ)


def _config(home: Path, environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")


def _plain(server: Server) -> dict[str, Any]:
    entry: dict[str, Any] = {"command": server.command, "args": [*server.args]}
    if server.env:
        entry["env"] = dict(server.env)
    return entry


def _typed(server: Server) -> dict[str, Any]:
    return {"type": "stdio", **_plain(server)}


def _zed(server: Server) -> dict[str, Any]:
    return {**_plain(server), "env": dict(server.env)}


def _opencode(server: Server) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "local", "command": [server.command, *server.args], "enabled": True}
    if server.env:
        entry["environment"] = dict(server.env)
    return entry


def _codex(server: Server) -> dict[str, Any]:
    """Codex passes on no variables but those that it is told of."""
    return {**_plain(server), "env_vars": [VARIABLE]}


def _goose(server: Server) -> dict[str, Any]:
    return {
        "type": "stdio",
        "name": models.ID,
        "description": "Chat routing and a safe terminal",
        "enabled": True,
        "cmd": server.command,
        "args": [*server.args],
        "envs": dict(server.env),
        "env_keys": [],
        "timeout": 300,
    }
