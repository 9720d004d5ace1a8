"""How long a host waits: from the start of a process to its first `tools/list`, beside the least server of the SDK.

The servers take turns, so that what else the machine does meets all of them alike. Writes startup-results.md.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from processes import Cores, free_port, on_core
from starts import HANDSHAKE

HERE = Path(__file__).parent
COMMAND = str(Path(sys.executable).with_name("mcp-gateway"))
AIM = 1.4
CPU_AIM = 0.35
HELP_AIM = 0.3
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds to the answers to `initialize` and `tools/list`, of CPU until then, and from the end of stdin to the exit."""

    handshake: float
    tools: float
    cpu: float
    exit: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=HERE / "startup-results.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        starts, helps = measure(Path(folder), options.rounds)
    text = report(starts, helps, options.rounds)
    options.out.write_text(text, "utf-8")
    print(text)


def measure(folder: Path, rounds: int) -> tuple[dict[str, list[Start]], list[float]]:
    """All servers in turn, `rounds` times, after one round that only warms up; and `--help`."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATA_DIR": str(folder / "data"),
        "EMBEDDED_MODEL": "off",
        "OSS_DISCOVERY": "false",
        "API_PORT": str(free_port()),
        "RATE_LIMIT_PER_MINUTE": "0",
    }
    url = f"http://127.0.0.1:{environ['API_PORT']}"
    servers = {
        "bare SDK server": [sys.executable, str(HERE / "bare_server.py")],
        "stdio": [COMMAND, "stdio"],
        "stdio --connect": [COMMAND, "stdio", "--connect", url],
    }
    core = Cores.found().server
    running = subprocess.Popen([COMMAND, "serve"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found: dict[str, list[Start]] = {name: [] for name in servers}
    helps: list[float] = []
    try:
        assert running.stdout is not None
        running.stdout.readline()  # it is ready
        for turn in range(rounds + 1):
            for name, command in servers.items():
                taken = _start(command, {**environ, "DATA_DIR": str(folder / name.replace(" ", "-"))}, core)
                if turn:
                    found[name].append(taken)
            began = time.perf_counter()
            subprocess.run([COMMAND, "--help"], env=environ, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)
            helps.append(time.perf_counter() - began)
    finally:
        running.terminate()
        running.wait(SECONDS)
    return found, helps[1:]


def _start(command: list[str], environ: dict[str, str], core: int | None) -> Start:
    began = time.perf_counter()
    with on_core(core):
        process = subprocess.Popen(
            command, env=environ, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    try:
        _ask(process, HANDSHAKE[:1])
        handshake = time.perf_counter() - began
        tools = _ask(process, HANDSHAKE[1:])["result"]["tools"]
        if not tools:
            raise RuntimeError("tools/list is empty")
        listed = time.perf_counter() - began
        cpu = sum(psutil.Process(process.pid).cpu_times()[:2])
        assert process.stdin is not None
        process.stdin.close()
        ended = time.perf_counter()
        process.wait(SECONDS)
        return Start(handshake, listed, cpu, time.perf_counter() - ended)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ask(process: "subprocess.Popen[bytes]", messages: list[dict[str, Any]]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    process.stdin.flush()
    for line in process.stdout:
        if (found := json.loads(line)).get("id") == messages[-1]["id"]:
            return found
    raise RuntimeError("it ended without an answer")


def report(starts: dict[str, list[Start]], helps: list[float], rounds: int) -> str:
    """The results as a page."""
    base = [start.tools for start in starts["bare SDK server"]]
    lines = [
        "# Start-up",
        "",
        f"`make bench-startup`: {rounds} rounds, the servers in turn on one core; milliseconds, median [least, most]. "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.",
        "",
        "| server | to `initialize` | to `tools/list` | times the bare server's | CPU until then | end of stdin to exit |",
        "|---|---|---|---|---|---|",
    ]
    for name, taken in starts.items():
        ratio = statistics.median(start.tools / own for start, own in zip(taken, base, strict=True))
        cells: tuple[str, ...] = (
            _shown([start.handshake for start in taken]),
            _shown([start.tools for start in taken]),
        )
        cpu = statistics.median(start.cpu for start in taken)
        marks = [""] * 2 if name == "bare SDK server" else [_mark(good=ratio <= AIM), _mark(good=cpu <= CPU_AIM)]
        cells += (f"{ratio:.2f}{marks[0]}", f"{_shown([start.cpu for start in taken])}{marks[1]}")
        lines.append(f"| {' | '.join([name, *cells, _shown([start.exit for start in taken])])} |")
    mark = _mark(good=statistics.median(helps) <= HELP_AIM)
    aims = f"Aims: at most {AIM} times the bare server's, and {CPU_AIM * 1000:.0f} ms of CPU."
    lines += ["", f"{aims} `mcp-gateway --help`: {_shown(helps)}, aim {HELP_AIM * 1000:.0f}{mark}.", ""]
    return "\n".join(lines)


def _mark(*, good: bool) -> str:
    return " ✓" if good else " ✗"


def _shown(seconds: list[float]) -> str:
    low, middle, high = (f(seconds) * 1000 for f in (min, statistics.median, max))
    return f"{middle:.0f} [{low:.0f}, {high:.0f}]"


if __name__ == "__main__":
    main()
