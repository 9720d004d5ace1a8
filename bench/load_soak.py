"""Hold the gateway under load with clients that leave early, and look at what stays behind. Run by `make soak`."""

import argparse
import asyncio
import json
import os
import platform
import re
import resource
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from processes import MIB, Child, answers, free_port
from soak_work import MODEL, QUICK, QUICK_MODEL, SCRIPTED, Tally, fill, work

SETTLE_SECONDS = 60.0
SPARE_CHILDREN = 2
"""A keeper of commands holds some processes ready for the next ones; how many varies."""
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the gateway holds. `requests` are those being answered besides the one that asks.

    `descriptors` are without the connections to providers, which are kept for a minute: as many as were ever needed at once.
    """

    descriptors: int
    tasks: int
    children: int
    sessions: int
    requests: int
    rss_mib: float

    @classmethod
    def of(cls, server: Child, port: int) -> "Footprint":
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            numbers = dict(re.findall(r"^(\w+) ([0-9.e+]+)$", answer.read().decode(), re.MULTILINE))
        process, *children = server.tree
        return cls(
            descriptors=process.num_fds() - _kept(process, port),
            tasks=int(float(numbers["gateway_tasks"])),
            children=len(children),
            sessions=int(float(numbers["gateway_terminal_sessions"])),
            requests=int(float(numbers["gateway_http_in_flight"])) - 1,
            rss_mib=process.memory_info().rss / MIB,
        )

    def over(self, other: "Footprint", percent: float) -> list[str]:
        """What there is more of than there was."""
        spare = {"children": SPARE_CHILDREN}
        counted = [name for name in self.__slots__ if name != "rss_mib"]
        more = [name for name in counted if getattr(self, name) > getattr(other, name) + spare.get(name, 0)]
        return more + (["rss_mib"] if self.rss_mib > other.rss_mib * (1 + percent / 100) else [])


def _kept(process: psutil.Process, port: int) -> int:
    """How many connections there are that it has made itself."""
    made = process.net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port != port for one in made)


def settled(server: Child, port: int, before: Footprint | None, percent: float) -> Footprint:
    """The footprint once no more is there than before, or once nothing changes, or when waiting is over."""
    deadline, last, same = time.monotonic() + SETTLE_SECONDS, Footprint.of(server, port), 0
    while time.monotonic() < deadline:
        if before is not None and not last.over(before, percent):
            break
        time.sleep(0.5)
        now = Footprint.of(server, port)
        same = (
            same + 1
            if (now.descriptors, now.tasks, now.children) == (last.descriptors, last.tasks, last.children)
            else 0
        )
        last = now
        if before is None and same >= 4:
            break
    return last


def serve(folder: Path, port: int, upstream: int) -> Child:
    """A gateway whose one model is the scripted one."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(folder),
        "DATA_DIR": str(folder / "data"),
        "API_PORT": str(port),
        "OSS_DISCOVERY": "false",
        "EMBEDDED_MODEL": "off",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "sk-soak",
        "SPEND_GUARD": "false",
        "RATE_LIMIT_PER_MINUTE": "0",
        "RATE_LIMIT_PER_HOUR": "0",
        "MAX_CONNECTIONS": "4000",
        "TERMINAL_MAX_SESSIONS": "500",
        "TERMINAL_MAX_SESSIONS_PER_CALLER": "500",
        "LOG_LEVEL": "warning",
    }
    return Child([sys.executable, "-m", "mcp_gateway", "serve"], folder=folder, core=None, environ=environ)


def add_model(port: int, name: str, scripted: str) -> None:
    model = {"id": name, "provider": "openai", "apiModelName": scripted, "layer": "L0"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/models", json.dumps(model).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()


def report(
    sizes: Mapping[str, int], seconds: float, aborts: float, tally: Tally, before: Footprint, after: Footprint
) -> str:
    """The figures as Markdown."""
    lines = [
        f"{sizes['connection']:,} held connections, {sizes['chat']} chats and {sizes['terminal']} terminals at once for "
        f"{seconds:g} s; {aborts:.0%} of the requests were left by their client before the answer.",
        "",
        "| | answered | left by the client |",
        "|---|---|---|",
        *(
            f"| {kind} | {tally.done[kind]:,} | {tally.aborted[kind]:,} |"
            for kind in sorted(tally.done | tally.aborted)
        ),
        "",
        f"Wrong answers: **{tally.wrong.total()}**"
        + "".join(f"\n- {count} × {what}" for what, count in tally.wrong.most_common(10)),
        "",
        "| what the gateway holds | before | after |",
        "|---|---|---|",
        *(f"| {name} | {value:.6g} | {asdict(after)[name]:.6g} |" for name, value in asdict(before).items()),
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; load average at the end: "
        + ", ".join(f"{load:.1f}" for load in os.getloadavg()),
    ]
    return "\n".join(lines)


def run(options: argparse.Namespace) -> int:
    """Warm up, note what is held, soak, and compare. Returns the exit code."""
    sizes = {"connection": options.connections, "chat": options.chats, "terminal": options.terminals}
    with tempfile.TemporaryDirectory() as name:
        folder, port, upstream = Path(name), free_port(), free_port()
        provider = [sys.executable, "-m", "shared.providers.scripted", str(upstream)]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        children = [Child(provider, folder=folder, core=None, environ=environ), serve(folder, port, upstream)]
        server = children[1]
        try:
            server.wait_for(answers(port, "/health"))
            add_model(port, MODEL, SCRIPTED)
            add_model(port, QUICK_MODEL, QUICK)
            asyncio.run(fill(port, options.fill))
            warm = asyncio.run(work(port, sizes, aborts=options.aborts, seconds=options.warm_up))
            before = settled(server, port, None, 0)
            tally = asyncio.run(work(port, sizes, aborts=options.aborts, seconds=options.seconds))
            after = settled(server, port, before, options.rss_percent)
            failures = server.log()
        finally:
            for child in children:
                child.stop()
    tally.wrong += warm.wrong
    text = report(sizes, options.seconds, options.aborts, tally, before, after)
    print(text)
    if options.out:
        options.out.write_text(f"# What a minute of load leaves behind\n\nWritten by `make soak`.\n\n{text}\n", "utf-8")
    left = after.over(before, options.rss_percent)
    if "Traceback" in failures or tally.wrong:
        print(f"\nfailed; the end of the gateway's log:\n{failures}")
    print(f"\nleft behind: {', '.join(left) or 'nothing'}")
    return 1 if left or tally.wrong or "Traceback" in failures else 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=40)
    parser.add_argument("--fill", type=int, default=15_000)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--terminals", type=int, default=50)
    parser.add_argument("--aborts", type=float, default=0.05)
    parser.add_argument("--rss-percent", type=float, default=5)
    parser.add_argument("--out", type=Path)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
