"""CPU and wake-ups of an idle gateway, beside a Python loop that sleeps 10 ms at a time. Linux only; writes idle-results.md.

All of them run side by side, so that what else the machine does meets them alike. A wake-up is a voluntary context
switch of any thread; CPU and wake-ups are sums over a process and its descendants.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from processes import free_port
from starts import HANDSHAKE
from stores import Redis

HERE = Path(__file__).parent
LOOP = "import time\nwhile True: time.sleep(0.01)"
CPU_AIM = 0.3
WAKE_UPS_AIM = 3.0
SETTLE_SECONDS = 25


@dataclass(frozen=True, slots=True)
class Use:
    """Seconds of CPU, and how often a thread woke."""

    cpu: float
    wake_ups: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--source", type=Path, default=HERE.parent, help="the tree to measure; no results are written for another"
    )
    asked = parser.parse_args()
    with ExitStack() as stack:
        running = started(stack, asked.source.resolve())
        time.sleep(SETTLE_SECONDS)
        before = {name: used(process.pid) for name, process in running.items()}
        time.sleep(asked.seconds)
        after = {name: used(process.pid) for name, process in running.items()}
        ended = [name for name, process in running.items() if process.poll() is not None]
    if ended:
        sys.exit(f"error: {', '.join(ended)} ended early; run it with the same settings to see why")
    text = report(
        {
            name: Use(after[name].cpu - before[name].cpu, after[name].wake_ups - before[name].wake_ups)
            for name in running
        },
        asked.seconds,
    )
    print(text)
    if asked.source.resolve() == HERE.parent.resolve():
        (HERE / "idle-results.md").write_text(text)


def started(stack: ExitStack, source: Path) -> dict[str, "subprocess.Popen[bytes]"]:
    """The loop and each kind of gateway; the bridge is one of the second `serve`."""
    redis = Redis()
    stack.callback(redis.close)
    port = free_port()

    def begin(arguments: list[str], **settings: str) -> "subprocess.Popen[bytes]":
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        environment = os.environ | {"DATA_DIR": home, "PYTHONPATH": str(source), "LOG_LEVEL": "ERROR"} | settings
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(ended, process)
        return process

    gateway = ["-m", "mcp_gateway"]
    running = {
        "loop": begin(["-c", LOOP]),
        "serve": begin([*gateway, "serve", "--port", str(free_port())]),
        "stdio": shaken(begin([*gateway, "stdio"])),
        "workers (2)": begin([*gateway, "serve", "--workers", "2", "--port", str(free_port())], REDIS_URL=redis.url),
        "serve with a bridge": begin([*gateway, "serve", "--port", str(port)]),
    }
    time.sleep(SETTLE_SECONDS)
    running["bridge"] = shaken(begin([*gateway, "stdio", "--connect", f"http://127.0.0.1:{port}"]))
    return running


def shaken(process: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    """Once its client has said hello."""
    if process.stdin is not None:
        process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in HANDSHAKE))
        process.stdin.flush()
    return process


def ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()


def used(pid: int) -> Use:
    cpu, wake_ups = 0, 0
    for found in family(pid):
        fields = Path(f"/proc/{found}/stat").read_text().rpartition(")")[2].split()
        cpu += int(fields[11]) + int(fields[12])
        for status in Path(f"/proc/{found}/task").glob("*/status"):
            wake_ups += int(status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return Use(cpu / os.sysconf("SC_CLK_TCK"), wake_ups)


def family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def report(uses: dict[str, Use], seconds: int) -> str:
    rows = "\n".join(
        f"| {name} | {use.cpu / seconds:.2%} | {use.cpu / max(uses['loop'].cpu, 0.01):.2f} | {use.wake_ups / seconds:.1f} |"
        for name, use in uses.items()
    )
    return f"""# Idle cost

`make bench-idle`: {seconds} seconds side by side, no client but the bridge's. Python {platform.python_version()}, {os.cpu_count()} cores.

| process | of a core | times the loop's CPU | wake-ups a second |
|---|---|---|---|
{rows}

Aim for `serve` and `stdio`: at most {CPU_AIM} % of a core and {WAKE_UPS_AIM:g} wake-ups a second.
"""


if __name__ == "__main__":
    main()
