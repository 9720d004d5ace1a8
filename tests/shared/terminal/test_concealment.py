"""What other processes see of the gateway's own."""

import subprocess
import sys

import pytest

CONCEALING = """
import os, subprocess, sys
from shared.terminal.concealment import conceal
conceal(["SECRET_KEY", "ABSENT"])
assert os.environ["SECRET_KEY"] == "hunter2"
seen = subprocess.run(["/bin/cat", f"/proc/{os.getpid()}/environ"], capture_output=True, env={}).stdout
print(b"hunter2" in seen, len(os.listdir("/proc/self/fd")) > 2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux shows the environment in /proc")
def test_secrets_are_not_in_the_environment_that_the_system_shows() -> None:
    environ = {"SECRET_KEY": "hunter2", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", CONCEALING], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout.split() == ["False", "True"], ended.stderr
