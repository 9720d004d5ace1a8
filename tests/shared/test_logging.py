"""Logs: on stderr only, structured, redacted, and never in the way."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import logging as standard, warnings
import structlog
from shared import logging

logging.configure("info", "json", lambda line: line.replace("hunter2", "***"))
log = structlog.stdlib.get_logger("x")
log.info("first", key="hunter2", number=1)
log.debug("hidden")
standard.getLogger("library").warning("from a library: %s", "hunter2")
standard.getLogger("library").info("hidden too")
warnings.warn("careful")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
logging.set_level("debug")
log.debug("now shown", text="line\\nbreak")
logging.set_level("error")
log.warning("hidden again")
print("only this")
"""


def run(program: str) -> tuple[str, str]:
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    return ended.stdout, ended.stderr


def test_lines_are_json_on_stderr_redacted_and_at_their_level() -> None:
    stdout, stderr = run(PROGRAM)
    lines = [json.loads(line) for line in stderr.splitlines()]
    assert stdout == "only this\n"
    assert [line["event"].split(":")[0] for line in lines if "careful" not in line["event"]] == [
        "first", "from a library", "failed", "now shown",
    ]  # fmt: skip
    assert (lines[0]["key"], lines[0]["number"], lines[0]["level"]) == ("***", 1, "info")
    assert "hunter2" not in stderr
    assert "ZeroDivisionError" in next(line for line in lines if line["event"] == "failed")["exception"]
    assert any("careful" in line["event"] for line in lines)


def test_a_closed_stderr_does_not_stop_the_program() -> None:
    program = "import os\nos.close(2)\n" + PROGRAM
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.stdout == "only this\n"


SLOW = """
import logging as standard, sys, threading
import structlog
from shared import logging

class Stuck:
    def __init__(self, stream):
        self.stream, self.goes_on = stream, threading.Event()
    def write(self, text):
        self.goes_on.wait()
        return self.stream.write(text)
    def flush(self):
        self.stream.flush()
    def isatty(self):
        return False

sys.stderr = stuck = Stuck(sys.stderr)
logging.configure("info", "json")
def work():
    for number in range(100):
        standard.getLogger("library").warning("line %s", number)
        structlog.stdlib.get_logger("x").info("line", number=number)
worker = threading.Thread(target=work)
worker.start()
worker.join(20)
print("waits" if worker.is_alive() else "does not wait")
stuck.goes_on.set()
"""


def test_nobody_waits_for_a_line_to_be_written() -> None:
    stdout, stderr = run(SLOW)
    assert stdout == "does not wait\n"
    assert len(stderr.splitlines()) == 200
