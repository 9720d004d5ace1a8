"""Other gateways are measured where they are installed, and only there."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

BENCH = Path(__file__).parents[2] / "bench"


def test_without_any_it_says_how_to_install_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "peers.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("none of the other gateways is installed")
    assert "litellm[proxy]" in done.stdout
    assert "@portkey-ai/gateway" in done.stdout


def test_portkey_without_node_is_not_installed(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    assert script("peers").installed({"PATH": str(tmp_path), "BENCH_PORTKEY": str(tmp_path)}) == []
