"""How this copy of the gateway was installed, and so which command adds something to it."""

import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "ai-mcp-gateway"
COMMAND = "mcp-gateway"

Tool = Literal["pip", "uv", "uv tool", "uvx", "pipx"]


@dataclass(frozen=True, slots=True)
class Installation:
    """What put the gateway here, and where it took it from: the package's name, a folder, a wheel or a URL."""

    tool: Tool
    source: str = NAME
    editable: bool = False

    def to_add_extra(self, extra: str) -> str:
        """The command that adds an extra."""
        wanted = _quoted(self._with(extra))
        if self.tool == "uv tool":
            return f"uv tool install --force --with pip {wanted}"
        if self.tool == "uvx":
            return f"uvx --with pip --from {wanted} {COMMAND}"
        if self.tool == "pipx":
            return f"pipx install --force {wanted} && {self.to_add_pip()}"
        installer = "uv pip install" if self.tool == "uv" else "pip install"
        return f"{installer} {'--editable ' if self.editable else ''}{wanted}"

    def to_add_pip(self) -> str:
        """The command that adds pip, where there is none."""
        if self.tool == "pipx":
            return f"pipx inject {NAME} pip"
        if self.tool == "uv tool":
            return f"uv tool install --force --with pip {_quoted(self._with('local'))}"
        if self.tool == "uvx":
            return f"uvx --with pip --from {_quoted(self._with('local'))} {COMMAND} models pull"
        return "uv pip install pip" if self.tool == "uv" else f"{sys.executable} -m ensurepip"

    def _with(self, extra: str) -> str:
        if "://" in self.source:
            return f"{NAME}[{extra}] @ {self.source}"
        return f"{self.source}[{extra}]"


def installation(prefix: Path | None = None) -> Installation:
    """Looks at the environment that this Python runs in."""
    try:
        origin = metadata.distribution(NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        origin = None
    source, editable = source_of(json.loads(origin) if origin else {})
    return Installation(_tool(prefix or Path(sys.prefix)), source, editable)


def source_of(direct_url: dict[str, Any]) -> tuple[str, bool]:
    """Where it was installed from, and whether as a checkout in use, by PEP 610's record."""
    url = str(direct_url.get("url", ""))
    if not url:
        return NAME, False
    if "vcs_info" in direct_url:
        return f"{direct_url['vcs_info'].get('vcs', 'git')}+{url}", False
    if url.startswith("file:"):
        return url2pathname(urlsplit(url).path), bool(direct_url.get("dir_info", {}).get("editable"))
    return url, False


def extra_missing(extra: str) -> str:
    """What to say when an extra is needed and not there."""
    return f"install the extra: {installation().to_add_extra(extra)}; from a checkout: pip install '.[{extra}]'"


def _tool(prefix: Path) -> Tool:
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx"
    try:
        by_uv = "\nuv = " in "\n" + (prefix / "pyvenv.cfg").read_text("utf-8", errors="replace")
    except OSError:
        return "pip"
    if by_uv and any(parent.name.startswith(("archive-v", "environments-v")) for parent in prefix.parents):
        return "uvx"
    return "uv" if by_uv and not any(prefix.glob("lib/python*/site-packages/pip")) else "pip"


def _quoted(requirement: str) -> str:
    return f"'{requirement}'"
