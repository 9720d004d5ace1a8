"""The command `mcp-gateway`."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing takes long to import, and Ctrl-C meanwhile would be a traceback
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # while the command's modules are still being imported, for instance
        code = INTERRUPTED
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["stdio"]:
        # A host waits for this one: it goes without what only the others need.
        from mcp_gateway import launch

        options = launch.parse(arguments[1:])
        if options is not None:
            return launch.run(options)

    from mcp_gateway.commands import root

    return root.run(arguments)
