"""The settings that name a program, a file or directories: whether each points somewhere."""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcp_gateway.diagnosis.finding import Finding, Status
from shared.settings import comma_separated
from shared.terminal.sandbox import HERE

if TYPE_CHECKING:
    from shared.settings import Settings


def look(settings: "Settings") -> Iterator[Finding]:
    """One finding for each that points nowhere; none when all is well."""
    shell = settings.terminal_shell
    if shell and shutil.which(os.path.expanduser(shell)) is None:
        yield _nowhere("terminal_shell", "fail", shell, "there is no such program", "Name a shell that is installed")
    for path in comma_separated(settings.terminal_writable_paths):
        if path != HERE and not os.path.isdir(os.path.expanduser(path)):
            problem = "there is no such directory; it was passed over"
            yield _nowhere("terminal_writable_paths", "warn", path, problem, "Make it or correct it")
    aliases = settings.ssh_config
    if (
        aliases != "none"
        and "ssh_config" in settings.model_fields_set
        and not _is_readable(os.path.expanduser(aliases))
    ):
        problem = "there is no such file that can be read; there are no aliases"
        yield _nowhere("ssh_config", "warn", aliases, problem, "Correct it")


def _is_readable(path: str) -> bool:
    return not os.path.isdir(path) and os.access(path, os.R_OK)


def _nowhere(name: str, status: Status, value: str, problem: str, advice: str) -> Finding:
    setting = name.upper()
    return Finding(
        name=f"setting {setting}", status=status, text=f"{value}: {problem}", advice=f"{advice}, or unset {setting}."
    )
