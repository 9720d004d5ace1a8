"""What a chat costs while something grows: messages, history, models, keys, terminals, streams, usage rows.

The cost is CPU time of the server's process for each answer. The cases of a row take turns in every round, and the
ratio to the first of them is taken inside the round. About five minutes; writes growth-results.md.
"""

import argparse
import asyncio
import http.client
import os
import platform
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import figures
import filling
import load
from mock_upstream import IDLE_TOKENS
from processes import Cores, on_core
from targets import MANY_TERMINALS, Stage, Target, stage
from terminal_doors import at_prompt, opened, over_http
from verdicts import medians, ratios, verdict

HERE = Path(__file__).parent
CONNECTIONS = 16
SETTLE_SECONDS = 0.6
KIB = 1024
QUERIES = 12
OPENED_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One size of what grows, and what measures its cost once."""

    label: str
    size: float
    cost: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """What grew, and its costs: one list for each round, in the order of the cases."""

    name: str
    what: str
    unit: str
    cases: Sequence[Case]
    rounds: Sequence[Sequence[float]]

    @property
    def ratio(self) -> float:
        """The last cost to the first."""
        return ratios(self.rounds)[-1]

    @property
    def verdict(self) -> str:
        """How it grows."""
        return verdict([case.size for case in self.cases], ratios(self.rounds))

    @property
    def line(self) -> str:
        """Its line of the table."""
        costs, times = medians(self.rounds), ratios(self.rounds)
        cells = [
            f"{case.label}: {cost:.3g} (×{ratio:.2f})"
            for case, cost, ratio in zip(self.cases, costs, times, strict=True)
        ]
        return f"| {self.what} | {self.unit} | {' · '.join(cells)} | **{self.verdict}** |"


def measured(name: str, what: str, unit: str, cases: Sequence[Case], rounds: int) -> Row:
    """All cases in turn, after once that nobody counts."""
    say(what)
    for case in cases:
        case.cost()
    return Row(name, what, unit, cases, [[case.cost() for case in cases] for _ in range(rounds)])


def chatting(target: Target, request: bytes, seconds: float) -> Callable[[], float]:
    """CPU milliseconds of the server's process for each whole answer."""

    def cost() -> float:
        spent = 0.0

        def begin() -> None:
            nonlocal spent
            spent = target.child.own_cpu_seconds()

        sample = load.run(
            target.port,
            request,
            load.fault_of_chat,
            connections=CONNECTIONS,
            seconds=seconds,
            warm_seconds=0.1,
            on_begin=begin,
        )
        return _each(target, sample, spent)

    return cost


def streaming(target: Target, streams: int) -> Callable[[], float]:
    """CPU microseconds for each token of so many streams at once, what a stream costs besides included."""
    request = target.chat("mock-idle", stream=True)

    def cost() -> float:
        before = target.child.own_cpu_seconds()
        sample = load.run(target.port, request, load.fault_of_idle_stream, connections=streams, each=1)
        return _each(target, sample, before) * 1000 / IDLE_TOKENS

    return cost


def asking(target: Target, query: str) -> Callable[[], float]:
    """Milliseconds until a GET is answered, median."""

    def cost() -> float:
        times = []
        with closing(http.client.HTTPConnection("127.0.0.1", target.port, timeout=30)) as connection:
            for _ in range(QUERIES):
                began = time.perf_counter()
                connection.request("GET", query)
                answer = connection.getresponse()
                body = answer.read()
                times.append((time.perf_counter() - began) * 1000)
                if answer.status != 200:
                    raise RuntimeError(f"GET {query}: {answer.status} {body[:300]!r}")
        return statistics.median(times)

    return cost


def _each(target: Target, sample: load.Sample, before: float) -> float:
    if sample.faults or not sample.served:
        raise RuntimeError(f"{target.name}: {dict(sample.faults)}\n{target.child.log()}")
    time.sleep(SETTLE_SECONDS)  # what is written after the last answer counts too
    return (target.child.own_cpu_seconds() - before) * 1000 / sample.served


def messages(on: Stage, rounds: int, seconds: float) -> Iterator[Row]:
    """Longer messages, then more of them, in one gateway."""
    target = on.gateway("messages")
    sizes = {"1 KB": KIB, "10 KB": 10 * KIB, "100 KB": 100 * KIB, "1 MB": 1000 * KIB}
    cases = [
        Case(name, size, chatting(target, target.chat(messages=load.conversation(1, size)), seconds))
        for name, size in sizes.items()
    ]
    yield measured("message", "size of one message", "CPU ms a chat", cases, rounds)
    cases = [
        Case(f"{count:,}", count, chatting(target, _of_one_size(target, count), seconds))
        for count in (1, 10, 100, 1000)
    ]
    yield measured("history", "messages in the history, the body always 100 KB", "CPU ms a chat", cases, rounds)
    on.stop(target)


def _of_one_size(target: Target, turns: int) -> bytes:
    """A chat of so many messages whose request has 100 KB in all."""
    empty = len(target.chat(messages=load.conversation(turns, turns * 6)))
    return target.chat(messages=load.conversation(turns, max(turns * 6, 100 * KIB - empty + turns * 6)))


def registry(on: Stage, rounds: int, seconds: float) -> Iterator[Row]:
    """A gateway for each size of the registry."""
    counts = (10, 100, 1000, 10_000)
    found = {count: on.gateway(f"models-{count}", fill=filling.models(count)) for count in counts}
    for name, what, model in (
        ("models", "models in the registry, one of them named", "mock"),
        ("auto", "models in the registry, a quarter in each layer; `auto`", "auto"),
    ):
        cases = [
            Case(f"{count:,}", count, chatting(target, target.chat(model), seconds)) for count, target in found.items()
        ]
        yield measured(name, what, "CPU ms a chat", cases, rounds)
    for target in found.values():
        on.stop(target)


def keys(on: Stage, rounds: int, seconds: float) -> Iterator[Row]:
    """A gateway for each number of keys."""
    counts = (1, 100, 10_000)
    found = {count: on.gateway(f"keys-{count}", fill=filling.keys(count - 1)) for count in counts}
    cases = [Case(f"{count:,}", count, chatting(target, target.chat(), seconds)) for count, target in found.items()]
    yield measured("keys", "API keys", "CPU ms a chat", cases, rounds)
    for target in found.values():
        on.stop(target)


def terminals(on: Stage, rounds: int, seconds: float) -> Iterator[Row]:
    """A gateway for each number of open sessions, every one with a shell at its prompt."""
    found = {count: on.gateway(f"terminals-{count}", fill=None, **MANY_TERMINALS) for count in (0, 50, 200)}
    for count, target in found.items():
        asyncio.run(_open(target.port, count))
    cases = [Case(f"{count:,}", count, chatting(target, target.chat(), seconds)) for count, target in found.items()]
    yield measured("terminals", "open terminal sessions", "CPU ms a chat", cases, rounds)
    for target in found.values():
        on.stop(target)


async def _open(port: int, count: int) -> None:
    async with over_http(port) as door:

        async def one() -> None:
            await at_prompt(door, await opened(door))

        for begun in range(0, count, OPENED_AT_ONCE):
            await asyncio.gather(*(one() for _ in range(min(OPENED_AT_ONCE, count - begun))))


def streams(on: Stage, rounds: int, seconds: float) -> Iterator[Row]:
    """More streams at once, each with a token every 200 ms."""
    target = on.gateway("streams")
    cases = [Case(f"{count:,}", count, streaming(target, count)) for count in (64, 256, 1000)]
    yield measured("streams", "streams at once", "CPU µs a token", cases, min(rounds, 2))
    on.stop(target)


def usage(on: Stage, rounds: int, seconds: float) -> Iterator[Row]:
    """A gateway for each number of rows."""
    counts = {"10⁴": 10**4, "10⁶": 10**6}
    found = {name: on.gateway(f"usage-{count}", fill=filling.usage(count)) for name, count in counts.items()}
    month = "/v1/usage?groupBy=day"
    everything = f"{month}&from={datetime.now(UTC).date() - filling.SPAN}"
    for name, what, query in (
        ("usage_month", "usage rows: `GET /v1/usage` by day, 30 days", month),
        ("usage_all", "usage rows: `GET /v1/usage` by day, all 90 days", everything),
        ("usage_model", "usage rows: `GET /v1/usage` by model, all 90 days", everything.replace("=day", "=model")),
    ):
        cases = [Case(label, counts[label], asking(target, query)) for label, target in found.items()]
        yield measured(name, what, "ms", cases, rounds)
    cases = [Case(label, counts[label], chatting(target, target.chat(), seconds)) for label, target in found.items()]
    yield measured("usage_chat", "usage rows", "CPU ms a chat", cases, rounds)
    for target in found.values():
        on.stop(target)


PARTS = {
    "messages": messages,
    "models": registry,
    "keys": keys,
    "terminals": terminals,
    "streams": streams,
    "usage": usage,
}


def report(rows: Sequence[Row], rounds: int, took: float) -> str:
    """The figures as Markdown."""
    load_average = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    lines = [
        "# Growth",
        "",
        "Written by `make bench-growth`; [README.md](README.md) says how. The cost at each size, and in brackets how many",
        "times the smallest size's that is, taken inside a round; medians of the rounds.",
        "",
        "| what grows | cost | at each size | |",
        "|---|---|---|---|",
        *(row.line for row in rows),
        "",
        "*Flat*: at most 1.25 times the first cost everywhere. *Linear*: no step costs more than its size to the power of 1.15.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {rounds} rounds, {took:.0f} s in all; "
        f"load average at the end: {load_average}.",
        "",
    ]
    return "\n".join(lines)


def figures_of(rows: Sequence[Row]) -> dict[str, float | str]:
    """For results.md."""
    found: dict[str, float | str] = {}
    for row in rows:
        found[f"{row.name}_ratio"] = round(row.ratio, 3)
        found[f"{row.name}_last"] = round(medians(row.rounds)[-1], 4)
        found[f"{row.name}_verdict"] = row.verdict
    return found


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def many_descriptors() -> Iterator[None]:
    """As many as this process may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def main() -> None:
    """Measure, show, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.6, help="of each measurement; default: 0.6")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; nothing is written then")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cores, began, rows = Cores.found(), time.perf_counter(), list[Row]()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name,
        many_descriptors(),
        on_core(cores.load),
        stage(Path(name), cores) as on,
    ):
        for part in options.only or PARTS:
            rows += PARTS[part](on, options.rounds, options.seconds)
    text = report(rows, options.rounds, time.perf_counter() - began)
    if not options.only:
        (HERE / "growth-results.md").write_text(text, "utf-8")
        figures.keep("growth", figures_of(rows))
    print(text)


if __name__ == "__main__":
    main()
