"""A few seconds of what `make soak` does for a minute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = [
    "--seconds=5",
    "--warm-up=3",
    "--fill=500",
    "--connections=300",
    "--chats=60",
    "--terminals=10",
    "--rss-percent=15",
]


@pytest.mark.slow
def test_load_with_clients_that_leave_early_gets_right_answers_and_leaves_nothing_behind() -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "bench/load_soak.py", *SMALL]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Wrong answers: **0**" in done.stdout
    assert "left behind: nothing" in done.stdout
