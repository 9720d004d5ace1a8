"""Programs that check what is deployed: from PATH, or from where `make deploy-tools` puts them."""

import os
import shutil
import sys
from pathlib import Path

import pytest

BESIDE = Path(sys.prefix) / "deploy"


def tool(name: str) -> str:
    """The program; skips the test where it is not here."""
    found = shutil.which(name, path=os.pathsep.join([str(BESIDE / "bin"), os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        pytest.skip(
            f"{name} is not here (make deploy-tools brings docker-compose, hadolint and helm; the rest comes from the system)"
        )
    return found


def module(name: str) -> dict[str, str]:
    """The environment in which Python finds the module; skips the test where it is not here."""
    if not (BESIDE / "lib" / name).is_dir():
        pytest.skip(f"{name} is not here: make deploy-tools")
    return {**os.environ, "PYTHONPATH": str(BESIDE / "lib")}
