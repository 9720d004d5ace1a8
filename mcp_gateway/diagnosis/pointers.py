"""The settings that name a program or a file: whether each points somewhere."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_gateway.diagnosis.finding import Finding, Status

if TYPE_CHECKING:
    from shared.settings import Settings


def look(settings: "Settings", environ: Mapping[str, str]) -> Iterator[Finding]:
    """One finding for each that points nowhere; none when all is well."""
    shell = settings.terminal_shell
    if shell and shutil.which(os.path.expanduser(shell)) is None:
        yield _nowhere("terminal_shell", "fail", shell, "there is no such program", "Name a shell that is installed")
    file = environ.get("MCP_GATEWAY_CONFIG", "")
    if file and not Path(file).expanduser().is_file():
        yield _nowhere("mcp_gateway_config", "warn", file, "there is no such file; it was passed over", "Correct it")


def _nowhere(name: str, status: Status, value: str, problem: str, advice: str) -> Finding:
    setting = name.upper()
    return Finding(
        name=f"setting {setting}", status=status, text=f"{value}: {problem}", advice=f"{advice}, or unset {setting}."
    )
