"""The child processes of a test, apart from servers that serve many tests."""

import contextlib

import psutil

_LASTING: set[psutil.Process] = set()


def these_last() -> None:
    """Whatever runs now serves more than one test; a fixture says so once it has started something."""
    _LASTING.update(psutil.Process().children())


def children() -> list[int]:
    """The child processes of this one, zombies included; but not those that wait to start commands, nor lasting ones."""
    found = []
    for child in set(psutil.Process().children()) - _LASTING:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in (child, *child.children(recursive=True)):
                if not any("shared.terminal.keeper" in part for part in _command_line(process)):
                    found.append(process.pid)
    return found


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.ZombieProcess:
        return []
