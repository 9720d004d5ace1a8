"""Install the coding agents that tests/agents/package.json pins into the environment's folder `agents`.

Prints the reason and ends with 3 where they cannot be installed; `make agents` skips their tests then.
"""

import shutil
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parents[1] / "tests" / "agents" / "package.json"
TARGET = Path(sys.prefix) / "agents"
SKIPPED = 3
SECONDS = 900
NPM = (
    "install",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--loglevel",
    "error",
    "--fetch-retries",
    "1",
    "--fetch-retry-mintimeout",
    "1000",
)


def main(target: Path) -> int:
    """Install them where the pins have changed since; returns the exit code."""
    npm = shutil.which("npm")
    if npm is None:
        return _skipped("npm is not here; install Node.js 20 or newer")
    pins = PINS.read_text("utf-8")
    installed = target / "installed.json"
    if installed.exists() and installed.read_text("utf-8") == pins:
        return 0
    print("Installing the agents (once for each set of versions; about 1.6 GB on disk) …", flush=True)
    target.mkdir(parents=True, exist_ok=True)
    (target / "package.json").write_text(pins, "utf-8")
    try:
        done = subprocess.run([npm, *NPM], cwd=target, check=False, timeout=SECONDS, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return _skipped(f"npm did not end within {SECONDS} s")
    if done.returncode != 0:
        return _skipped("npm failed: " + " ".join(done.stderr.split())[:500])
    installed.write_text(pins, "utf-8")
    return 0


def _skipped(reason: str) -> int:
    print(f"skipped: the agents cannot be installed: {reason}", file=sys.stderr)
    return SKIPPED


if __name__ == "__main__":
    sys.exit(main(TARGET))
