"""`scripts/agents.py` where there is nothing to install from."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; from pathlib import Path; from scripts import agents; sys.exit(agents.main(Path(sys.argv[1])))"


def install(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_without_npm_they_are_skipped_with_the_reason(tmp_path: Path) -> None:
    done = install(tmp_path, PATH=str(tmp_path))
    assert done.returncode == 3
    assert "skipped: the agents cannot be installed: npm is not here" in done.stderr


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here")
def test_without_a_registry_they_are_skipped_with_the_reason(tmp_path: Path) -> None:
    done = install(tmp_path, npm_config_registry=f"http://127.0.0.1:{free_port()}/")
    assert done.returncode == 3, done
    assert "ECONNREFUSED" in done.stderr
    assert not (tmp_path / "installed.json").exists()


def test_their_versions_are_exact() -> None:
    pins = json.loads((ROOT / "tests" / "agents" / "package.json").read_text("utf-8"))["dependencies"]
    assert len(pins) == 6
    assert [name for name, version in pins.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
