"""A release, built once, and a clean environment that it is installed in."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import dist

OFFLINE = "connection broken by"
"""What pip says of a registry that it does not reach."""


@dataclass(frozen=True)
class Release:
    """`folder` is what `make dist` leaves in dist/; `command` is `mcp-gateway` of the clean environment."""

    folder: Path
    command: Path

    def file(self, pattern: str) -> Path:
        """The one file of that form."""
        (found,) = self.folder.glob(pattern)
        return found


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """What `make dist` makes."""
    folder, environment = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("clean")
    try:
        dist.release(folder, environment)
    except SystemExit as ended:
        if OFFLINE in str(ended):
            pytest.skip("the package registry cannot be reached")
        raise
    return Release(folder, environment / "bin" / "mcp-gateway")
