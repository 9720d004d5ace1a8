"""Whether a second process costs more for each request: `serve --workers 1` and `2` with Redis and PostgreSQL.

Beside them stands one process with SQLite and memory. All take turns, with load, mock, Redis and PostgreSQL on the same
cores, so that requests a second say little there; CPU time for each request says it. What two busy cores of this
machine take from each other, two gateways show that share nothing. Writes scaling-results.md.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import figures
import load
from processes import Cores, cpu_seconds_of
from stores import Stores, stores
from targets import Stage, Target, stage

HERE = Path(__file__).parent
CONNECTIONS = 64
SETTLE_SECONDS = 0.8
BOOT_SECONDS = 20.0
SETUPS = {
    "alone": "1 process, SQLite and memory",
    "one": "`--workers 1`, PostgreSQL and Redis",
    "apart": "two gateways of one process each, that know nothing of each other, at the same time",
    "two": "`--workers 2`, PostgreSQL and Redis",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One set-up in one round: milliseconds of CPU for each request, and counts for each request."""

    per_second: float
    gateway_ms: float
    redis_ms: float
    postgres_ms: float
    round_trips: float
    scripts: float
    transactions: float
    busiest: float
    """The share of the CPU time that the worker with the most work had."""

    @property
    def all_ms(self) -> float:
        """CPU of all that serves."""
        return self.gateway_ms + self.redis_ms + self.postgres_ms


def started(on: Stage, found: Stores) -> dict[str, tuple[Target, ...]]:
    """All of them, each gateway with data of its own."""

    def shared(name: str, workers: str) -> Target:
        url = found.postgres.new_database(name)
        return on.gateway(name, DATABASE_URL=url, REDIS_URL=found.redis.url, WORKERS=workers)

    one, two = shared("one", "1"), shared("two", "2")
    targets = {"alone": (on.gateway("alone"),), "one": (one,), "apart": (one, shared("other", "1")), "two": (two,)}
    deadline = time.monotonic() + BOOT_SECONDS
    while len(_workers(two)) < 2 or not _know_the_key(two):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the second worker does not come up:\n{two.child.log()}")
        time.sleep(0.2)
    return targets


def _know_the_key(target: Target) -> bool:
    """Whether connection after connection is answered, whichever worker takes it."""
    sample = load.run(target.port, target.chat(), load.fault_of_chat, connections=32, each=2)
    return not sample.faults


def _workers(target: Target) -> list[int]:
    return [process.pid for process in target.child.tree[0].children() if "serve" in " ".join(process.cmdline())]


def measured(targets: Sequence[Target], found: Stores, seconds: float) -> Sample:
    """One set-up, once."""
    counters: tuple[Callable[[], float], ...] = (
        lambda: sum(target.child.cpu_seconds() for target in targets),
        found.redis.cpu_seconds,
        found.postgres.cpu_seconds,
        found.redis.round_trips,
        found.redis.scripts,
        lambda: sum(found.postgres.transactions(target.name) for target in targets if target.name != "alone"),
    )
    before: list[float] = []
    each_before: dict[int, float] = {}

    def begin() -> None:
        if not before:
            before[:] = [read() for read in counters]
            each_before.update(_each(targets))

    def loaded(target: Target) -> load.Sample:
        return load.run(
            target.port,
            target.chat(),
            load.fault_of_chat,
            connections=CONNECTIONS // len(targets),
            seconds=seconds,
            warm_seconds=0.3,
            on_begin=begin,
        )

    with ThreadPoolExecutor() as threads:
        samples = list(threads.map(loaded, targets))
    served, faults = sum(sample.served for sample in samples), [dict(sample.faults) for sample in samples]
    if any(faults) or not served:
        raise RuntimeError(f"{targets[0].name}: {faults}\n{targets[0].child.log()}")
    time.sleep(SETTLE_SECONDS)
    spent = [(read() - was) / served for read, was in zip(counters, before, strict=True)]
    each = [value - each_before.get(pid, 0) for pid, value in _each(targets).items()]
    gateway, redis, postgres, trips, scripts, transactions = spent
    return Sample(
        sum(sample.per_second for sample in samples),
        gateway * 1000,
        redis * 1000,
        postgres * 1000,
        trips,
        scripts,
        transactions,
        max(each) / sum(each),
    )


def _each(targets: Sequence[Target]) -> dict[int, float]:
    return {process.pid: cpu_seconds_of(process) for target in targets for process in target.child.tree}


def of(samples: Sequence[Sample], name: str) -> float:
    """The median of one figure."""
    return median(float(getattr(sample, name)) for sample in samples)


def ratio(rounds: Sequence[dict[str, Sample]], name: str, over: str, under: str) -> float:
    """One set-up's figure over another's, taken inside each round; the median."""
    return median(float(getattr(each[over], name) / getattr(each[under], name)) for each in rounds)


def report(rounds: Sequence[dict[str, Sample]], took: float) -> str:
    """The figures as Markdown."""
    lines = [
        "| | CPU ms a request, gateway | with Redis and PostgreSQL | requests per CPU second of the gateway | requests/s here "
        "| Redis round trips a request | scripts a request | transactions a request | busiest process |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, label in SETUPS.items():
        found = [each[name] for each in rounds]
        shared = name != "alone"
        counts = [f"{of(found, what):.2f}" if shared else "-" for what in ("round_trips", "scripts", "transactions")]
        lines.append(
            f"| {label} | **{of(found, 'gateway_ms'):.3f}** | {of(found, 'all_ms'):.3f} | {1000 / of(found, 'gateway_ms'):,.0f} "
            f"| {of(found, 'per_second'):,.0f} | {' | '.join(counts)} | {of(found, 'busiest'):.0%} |"
        )
    more, apart = ratio(rounds, "gateway_ms", "two", "one"), ratio(rounds, "gateway_ms", "apart", "one")
    together = ratio(rounds, "gateway_ms", "two", "apart")
    return "\n".join(
        [
            "# Scaling",
            "",
            "Written by `make bench-scaling`; [README.md](README.md) says how.",
            "",
            *lines,
            "",
            f"With two workers a request costs **{more:.2f}** times the CPU that it costs with one. Two gateways that know nothing "
            f"of each other take {apart:.2f} times as much on this machine when both are busy: that is the machine's share, and "
            f"being one gateway costs **{together:.2f}** times that. So where each worker has a core for itself, two do "
            f"**×{min(2.0, 2 / together):.2f}** of the work of one.",
            "",
            f"Requests a second here: ×{ratio(rounds, 'per_second', 'two', 'one'):.2f}; its cores also carry the load, "
            "the mock, Redis and PostgreSQL.",
            "",
            f"With PostgreSQL and Redis a request costs {ratio(rounds, 'gateway_ms', 'one', 'alone'):.2f} times what it costs "
            "with SQLite and memory. Round trips are fewer than scripts where requests that come together share one; "
            "transactions are those that write in batches, and once a second ask what other processes changed.",
            "",
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {len(rounds)} rounds, {took:.0f} s in "
            f"all; {CONNECTIONS} connections; load average at the end: "
            + ", ".join(f"{one:.1f}" for one in os.getloadavg()),
            "",
        ]
    )


def figures_of(rounds: Sequence[dict[str, Sample]]) -> dict[str, float]:
    """For results.md."""
    found = {f"{name}_ms": round(of([each[name] for each in rounds], "gateway_ms"), 4) for name in SETUPS}
    return found | {
        "two_over_one": round(ratio(rounds, "gateway_ms", "two", "one"), 3),
        "apart_over_one": round(ratio(rounds, "gateway_ms", "apart", "one"), 3),
        "speedup": round(min(2.0, 2 / ratio(rounds, "gateway_ms", "two", "apart")), 3),
        "two_over_apart": round(ratio(rounds, "gateway_ms", "two", "apart"), 3),
        "wall": round(ratio(rounds, "per_second", "two", "one"), 3),
        "round_trips": round(of([each["two"] for each in rounds], "round_trips"), 3),
    }


def main() -> None:
    """Measure, show, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement; default: 2")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        stores() as found,
        stage(Path(folder), Cores(None, None)) as on,
    ):
        targets = started(on, found)
        rounds = []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            shift = number % len(targets)
            names = list(targets)[shift:] + list(targets)[:shift]
            rounds.append({name: measured(targets[name], found, options.seconds) for name in names})
    text = report(rounds, time.perf_counter() - began)
    if not options.dry:
        (HERE / "scaling-results.md").write_text(text, "utf-8")
        figures.keep("scaling", figures_of(rounds))
    print(text)


if __name__ == "__main__":
    main()
