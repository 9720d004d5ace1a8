"""From measurements to bench/results.md. A ratio is taken inside a round, and the median of the rounds is shown."""

import os
import platform
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import aims
import psutil
import surfaces
from figures import Figures
from load import Sample
from processes import Cores
from starts import Commands, Starts

BASELINE = "bare-aiohttp"
NAMES = ("direct", "bare-httpx", "bare-aiohttp", "gateway")
PACKAGES = ("aiohttp", "httpx", "httptools", "uvicorn", "uvloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """One target in one round. `*_cpu` are CPU seconds of its processes."""

    one: Sample
    many: Sample
    paced: Sample
    burst: Sample
    many_cpu: float
    paced_cpu: float
    burst_cpu: float
    stream_tokens: int

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All of them."""
        return (self.one, self.many, self.paced, self.burst)

    @property
    def served(self) -> int:
        """Answers in all phases."""
        return sum(sample.served for sample in self.samples)

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per whole answer at many connections."""
        return self.many_cpu * 1000 / self.many.served

    @property
    def paced_cpu_us(self) -> float:
        """CPU microseconds per token of a paced stream."""
        return self.paced_cpu * 1e6 / (self.paced.served * self.stream_tokens)

    @property
    def burst_cpu_us(self) -> float:
        """CPU microseconds per token of a stream as fast as it goes."""
        return self.burst_cpu * 1e6 / (self.burst.served * self.stream_tokens)

    @property
    def burst_tokens(self) -> float:
        """Tokens a second of streams as fast as they go."""
        return self.burst.per_second * self.stream_tokens


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident MiB when ready, and at the end."""

    ready: float
    end: float


@dataclass(frozen=True, slots=True)
class Endurance:
    """Requests that the gateway had had at the end, and its resident MiB before the last stretch and after it."""

    requests: int
    before: float
    after: float


@dataclass(slots=True)
class Results:
    """Everything that was measured."""

    cores: Cores
    rounds: list[dict[str, Phases]] = field(default_factory=list)
    memory: dict[str, Memory] = field(default_factory=dict)
    endurance: Endurance | None = None
    surfaces: list[dict[str, float]] = field(default_factory=list)
    idle_stream_kb: float = 0.0
    commands: Commands | None = None
    starts: Starts | None = None
    took_seconds: float = 0.0

    @property
    def faults(self) -> Counter[str]:
        """Wrong answers, by target and kind."""
        found: Counter[str] = Counter()
        for each in self.rounds:
            for name, phases in each.items():
                for sample in phases.samples:
                    found.update({f"{name}: {kind}": count for kind, count in sample.faults.items()})
        return found


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of the table. `value` takes a round and a target; `aim` is a bound on the gateway's, in its unit."""

    label: str
    digits: int
    value: Callable[[dict[str, Phases], str], float]
    aim: float | None = None
    more_is_better: bool = False
    of_direct: bool = True
    figure: str = ""


def _added(quantile: float) -> Callable[[dict[str, Phases], str], float]:
    return lambda each, name: each[name].one.latency_ms(quantile) - each["direct"].one.latency_ms(quantile)


MEASURES = (
    Measure("CPU per request, 64 connections, ms", 3, lambda each, name: each[name].cpu_ms, 0.25, figure="cpu_ms"),
    Measure(
        "requests/s, 64 connections",
        0,
        lambda each, name: each[name].many.per_second,
        4000,
        more_is_better=True,
        figure="rps",
    ),
    Measure("latency at 64 connections, p50, ms", 1, lambda each, name: each[name].many.latency_ms(0.5)),
    Measure("latency at 64 connections, p99, ms", 1, lambda each, name: each[name].many.latency_ms(0.99)),
    Measure("added latency, 1 connection, p50, ms", 2, _added(0.5), 0.5, of_direct=False, figure="added_p50_ms"),
    Measure("added latency, 1 connection, p99, ms", 2, _added(0.99), 2, of_direct=False, figure="added_p99_ms"),
    Measure(
        "64 paced streams: added time to first token, p50, ms",
        1,
        lambda each, name: each[name].paced.first_token_ms(0.5) - each["direct"].paced.first_token_ms(0.5),
        8,
        of_direct=False,
        figure="ttft_ms",
    ),
    Measure(
        "64 paced streams: CPU per token, µs", 1, lambda each, name: each[name].paced_cpu_us, 30, figure="token_us"
    ),
    Measure(
        "64 burst streams: tokens/s",
        0,
        lambda each, name: each[name].burst_tokens,
        150_000,
        more_is_better=True,
        figure="burst_tokens",
    ),
    Measure("64 burst streams: CPU per token, µs", 1, lambda each, name: each[name].burst_cpu_us),
)


def rendered(results: Results, figures: Figures) -> str:
    """The whole of results.md: this run, and in the first table what the last runs of the other benchmarks came to."""
    parts = [
        "# Benchmark results",
        "Written by `make bench`; [README.md](README.md) says what is measured and how to read it.",
        "## Aims",
        aims.table(figures),
        "✓✓ is beyond the aim, ✓ reached, ✗ missed. The figures are of these runs: "
        + "; ".join(f"{section}: {found['taken']}" for section, found in figures.items() if "taken" in found)
        + ".",
        _chats(results),
        surfaces.table(results.surfaces),
        _processes(results),
        MEMORY,
        *_left_behind(figures),
        _circumstances(results),
    ]
    return "\n\n".join(parts) + "\n"


MEMORY = """## Memory

A gateway that is ready grows by a tenth to a fifth with its first few thousand requests and streams, and then hardly any more. Of
objects of Python nothing stays: `tracemalloc` sees less than 0.1 MiB more after 6,400 requests than before them. What grows are SQLite's page
caches, up to 1 MiB in each of four connections, the connections that are open (64 callers and as many to the provider: 3 MiB), and pages of the
allocator that were needed once, for the most rows that ever waited to be written and the most streams at once (64 bursts: 5 MiB).
All threads share one arena of glibc's: with one for each, 7 MiB more stay."""


def _left_behind(figures: Figures) -> list[str]:
    soak = figures.get("soak")
    if soak is None:
        return []
    return [
        f"## What is left behind\n\n`make bench-soak`; more than after the first tenth: {soak['left']}.\n\n{soak['table']}"
    ]


def figures_of(results: Results) -> dict[str, Any]:
    """This run's numbers, for the table of aims and the chart."""
    assert results.endurance is not None
    assert results.starts is not None
    names = ("cpu_ms", "rps", "added_p50_ms", "added_p99_ms", "ttft_ms", "token_us", "burst_tokens")
    labels = {
        measure.figure: {
            name: statistics.median(measure.value(each, name) for each in results.rounds) for name in NAMES
        }
        for measure in MEASURES
        if measure.figure
    }
    found: dict[str, Any] = {name: round(labels[name]["gateway"], 4) for name in names}
    for name in ("cpu_ms", "token_us"):
        found |= {f"{name}:{target}": round(labels[name][target], 4) for target in NAMES[1:]}
    ready = results.memory["gateway"].ready
    return found | {
        "rss_ready_mib": round(ready, 1),
        "rss_growth_percent": round((results.endurance.after / ready - 1) * 100, 2),
        "requests": results.endurance.requests,
        "serve_s": round(results.starts.serve_again, 3),
        "stdio_s": round(results.starts.stdio_tools, 3),
        "anthropic_ratio": round(surfaces.medians(results.surfaces)[surfaces.ANTHROPIC_AS_CHAT], 3),
        "idle_stream_kb": round(results.idle_stream_kb, 1),
    }


def _chats(results: Results) -> str:
    lines = [
        "## Chats\n",
        "| | aim | gateway (least to most) | " + " | ".join(NAMES[:-1]) + f" | gateway / {BASELINE} |",
        "|---|---|---|---|---|---|---|",
    ]
    for measure in MEASURES:
        values = {name: [measure.value(each, name) for each in results.rounds] for name in NAMES}
        ratios = [own / base for own, base in zip(values["gateway"], values[BASELINE], strict=True) if base > 0]
        own = values["gateway"]
        middle = statistics.median(own)
        spread = (
            f" ({_number(min(own), measure.digits)} to {_number(max(own), measure.digits)})" if len(own) > 1 else ""
        )
        others = [
            "-"
            if name == "direct" and not measure.of_direct
            else _number(statistics.median(values[name]), measure.digits)
            for name in NAMES[:-1]
        ]
        cells = [
            measure.label,
            _aim(measure),
            f"**{_number(middle, measure.digits)}**{spread}{_verdict(measure, middle)}",
            *others,
            f"{statistics.median(ratios):.2f}" if ratios else "-",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _processes(results: Results) -> str:
    assert results.starts is not None
    assert results.commands is not None
    assert results.endurance is not None
    memory, endurance, times, run = results.memory, results.endurance, results.starts, results.commands
    ready, base = memory["gateway"].ready, memory[BASELINE]
    growth = (endurance.after / endurance.before - 1) * 100
    total = (endurance.after / ready - 1) * 100
    rows = [
        (
            "memory (RSS) when ready, MiB",
            "≤ 130",
            f"**{ready:.0f}**{_mark(ready <= 130)}",
            f"{BASELINE}: {base.ready:.0f}",
        ),
        (
            f"memory after {endurance.requests:,} requests, MiB",
            "≤ +5 % of ready",
            f"**{endurance.after:.0f}** ({total:+.1f} %){_mark(total <= 5)}",
            f"the gateway's own process; {growth:+.1f} % since the rounds ended; {BASELINE} at its end: {base.end:.0f}",
        ),
        (
            "`serve`: start to first answer, s",
            "≤ 1.5",
            f"**{times.serve_again:.2f}**{_mark(times.serve_again <= 1.5)}",
            f"the very first start, with an empty data directory: {times.serve_first:.2f}",
        ),
        (
            "`stdio`: start to the answer to `tools/list`, s",
            "-",
            f"**{times.stdio_tools:.2f}**",
            f"to the answer to `initialize`: {times.stdio_handshake:.2f}",
        ),
        (
            "`true` in a session over REST, p50, ms",
            "-",
            f"**{run.rest:.1f}**",
            f"`subprocess.run(['sh', '-c', 'true'])`: {run.subprocess:.1f}; ratio {run.rest / run.subprocess:.1f}",
        ),
    ]
    lines = ["## The processes\n", "| | aim | gateway | beside it |", "|---|---|---|---|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _circumstances(results: Results) -> str:
    busy = {
        name: statistics.median(each[name].many_cpu / each[name].many.seconds for each in results.rounds)
        for name in NAMES
    }
    pinned = (
        "server on one core, load and mock provider on another" if results.cores.server is not None else "not pinned"
    )
    facts = [
        f"- {_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB; "
        f"{platform.system()}, {platform.machine()}; {pinned}",
        f"- Python {platform.python_version()} ({sys.implementation.name}); "
        + ", ".join(f"{name} {metadata.version(name)}" for name in ("ai-mcp-gateway", *PACKAGES)),
        f"- {len(results.rounds)} rounds, {results.took_seconds:.0f} s in all; load average at the end: {_load_average()}",
        "- share of one core that each target's processes used at 64 connections: "
        + ", ".join(f"{name} {share:.0%}" for name, share in busy.items()),
        "- wrong answers: " + (", ".join(f"{what}: {count}" for what, count in results.faults.items()) or "none"),
    ]
    return "\n".join(["## Circumstances\n", *facts])


def _aim(measure: Measure) -> str:
    if measure.aim is None:
        return "-"
    return f"{'≥' if measure.more_is_better else '≤'} {measure.aim:,g}"


def _verdict(measure: Measure, value: float) -> str:
    if measure.aim is None:
        return ""
    return _mark(value >= measure.aim if measure.more_is_better else value <= measure.aim)


def _mark(reached: bool) -> str:
    return " ✓" if reached else " ✗"


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def _load_average() -> str:
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def _processor() -> str:
    """The processor's name, as far as the machine tells."""
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
