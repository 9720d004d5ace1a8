"""The command `mcp-gateway`."""

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["stdio"]:
        # A host waits for this one: it goes without what only the others need.
        from mcp_gateway import stdio

        stdio.main()
        sys.exit(0)

    from mcp_gateway.commands import root

    sys.exit(root.run(arguments))
