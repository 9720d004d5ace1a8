"""From measurements to bench/terminal-results.md. A ratio is taken inside a round, and the median of the rounds is shown."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import psutil
from processes import Cores
from report import _load_average as load_average
from report import _processor as processor
from terminal_crowds import Crowd, Endured

HEAD = ("figure", "ours", "reference", "ratio", "aim", "reached?", "what limits it")
FLAT_MIB = 16.0
RSS_GROWTH = 0.05


@dataclass(frozen=True, slots=True)
class Executed:
    """Milliseconds for `true`: over REST, the same in a sandbox, in process; of the last, the session's part and a row
    of the audit trail, each alone; and `subprocess.run`, with `sh` and with the shell that sessions have."""

    rest: float
    boxed: float
    process: float
    session: float
    audit: float
    reference: float
    bash: float


@dataclass(frozen=True, slots=True)
class Remote:
    """Milliseconds for `true` over SSH: over REST, in process, and by OpenSSH's client."""

    rest: float
    process: float
    reference: float


@dataclass(frozen=True, slots=True)
class Echo:
    """Milliseconds from a key to its echo: over a WebSocket, in process, on a plain terminal."""

    rest: float
    process: float
    reference: float


@dataclass(frozen=True, slots=True)
class Flood:
    """MB/s through a terminal: nobody reading, a live one reading, in process, plain; the share that the live one
    missed, and MiB that the gateway grew by."""

    rest: float
    live: float
    process: float
    reference: float
    missed: float
    growth_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Every figure once."""

    executed: Executed
    remote: Remote | None
    echo: Echo
    flood: Flood


@dataclass(slots=True)
class Results:
    """Everything that was measured. `ssh` is why there is nothing about SSH."""

    cores: Cores
    ssh: str | None
    rounds: list[Round] = field(default_factory=list)
    crowd: Crowd | None = None
    endured: Endured | None = None
    took_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A line of the table. `ours` and `reference` take a round; `reached` takes ours and the ratio."""

    label: str
    ours: Callable[[Round], float]
    reference: Callable[[Round], float]
    unit: str = "ms"
    digits: int = 2
    aim: str = "-"
    reached: Callable[[float, float], bool] | None = None
    limit: Callable[[list[Round]], str] = lambda _: ""

    def row(self, rounds: list[Round]) -> tuple[str, ...]:
        """Its cells."""
        ours = [self.ours(each) for each in rounds]
        reference = [self.reference(each) for each in rounds]
        ratio = median(own / base for own, base in zip(ours, reference, strict=True))
        spread = f" ({_number(min(ours), self.digits)} to {_number(max(ours), self.digits)})" if len(ours) > 1 else ""
        return (
            self.label,
            f"**{_number(median(ours), self.digits)}** {self.unit}{spread}",
            f"{_number(median(reference), self.digits)} {self.unit}",
            f"{ratio:.2f}",
            self.aim,
            "" if self.reached is None else _mark(self.reached(median(ours), ratio)),
            self.limit(rounds),
        )


def _parts(rounds: list[Round]) -> str:
    """Where the time of a command goes."""
    middle = [
        median(getattr(each.executed, name) for each in rounds)
        for name in ("rest", "process", "session", "audit", "bash")
    ]
    rest, process, session, audit, bash = middle
    other = max(0.0, process - session - audit)
    return (
        f"HTTP and the other process {max(0.0, rest - process):.1f} ms, the audit row on disk {audit:.1f} ms, "
        f"keeper, bash and its state {session:.1f} ms (`subprocess.run(['bash', '-c', 'true'])`: {bash:.1f} ms), "
        f"the rest {other:.1f} ms"
    )


def _missed(rounds: list[Round]) -> str:
    return f"a text message for each 64 Ki characters; {median(each.flood.missed for each in rounds):.0%} passed it by"


EXECUTED = (
    Figure(
        label="`execute true`, local, no sandbox, over REST",
        ours=lambda each: each.executed.rest,
        reference=lambda each: each.executed.reference,
        aim="≤ 1.5 of `subprocess.run(['sh', '-c', 'true'])`",
        reached=lambda _, ratio: ratio <= 1.5,
        limit=_parts,
    ),
    Figure(
        label="the same in process",
        ours=lambda each: each.executed.process,
        reference=lambda each: each.executed.reference,
        aim="≤ 1.5",
        reached=lambda _, ratio: ratio <= 1.5,
        limit=lambda _: "as above, without HTTP",
    ),
    Figure(
        label="of it the session alone: no audit row, no policy",
        ours=lambda each: each.executed.session,
        reference=lambda each: each.executed.reference,
        limit=lambda _: "two processes take turns, and bash restores and reports its state",
    ),
    Figure(
        label="`execute true`, local, in the sandbox, over REST",
        ours=lambda each: each.executed.boxed,
        reference=lambda each: each.executed.reference,
    ),
)
REMOTE = (
    Figure(
        label="`execute true` on an open SSH session, over REST",
        ours=lambda each: _remote(each).rest,
        reference=lambda each: _remote(each).reference,
        aim="faster than `ssh -o ControlMaster`",
        reached=lambda _, ratio: ratio < 1,
        limit=lambda _: "HTTP and the audit row; what keeps the session's state costs less than starting `ssh`",
    ),
    Figure(
        label="the same in process",
        ours=lambda each: _remote(each).process,
        reference=lambda each: _remote(each).reference,
        aim="faster",
        reached=lambda _, ratio: ratio < 1,
    ),
)
ECHO = (
    Figure(
        label="keystroke echo at bash, p50, WebSocket",
        ours=lambda each: each.echo.rest,
        reference=lambda each: each.echo.reference,
        aim="< 5 ms",
        reached=lambda ours, _: ours < 5,
    ),
    Figure(
        label="the same in process",
        ours=lambda each: each.echo.process,
        reference=lambda each: each.echo.reference,
        aim="< 5 ms",
        reached=lambda ours, _: ours < 5,
    ),
)


def rendered(results: Results, megabytes: int) -> str:
    """The whole of terminal-results.md."""
    rows = [figure.row(results.rounds) for figure in EXECUTED]
    if results.ssh is None:
        rows += [figure.row(results.rounds) for figure in REMOTE]
    else:
        rows.append((REMOTE[0].label, "not measured", "-", "-", REMOTE[0].aim, "-", results.ssh))
    rows += [figure.row(results.rounds) for figure in (*_flood(megabytes), *ECHO)]
    rows += [_memory(results.rounds, megabytes), *_crowd(results.crowd), *_endured(results.endured)]
    lines = [_line(HEAD), "|---" * len(HEAD) + "|", *map(_line, rows)]
    about = "Written by `make bench-terminal`; [README.md](README.md) says what is measured and how to read it."
    parts = ["# Terminal benchmark results", about, "\n".join(lines), _circumstances(results)]
    return "\n\n".join(parts) + "\n"


def _flood(megabytes: int) -> tuple[Figure, ...]:
    rate = {"unit": "MB/s", "digits": 0}
    return (
        Figure(
            label=f"{megabytes} MB of output, nobody reading, over REST",
            ours=lambda each: each.flood.rest,
            reference=lambda each: each.flood.reference,
            aim="≥ 0.5 of `cat` through a plain terminal",
            reached=lambda _, ratio: ratio >= 0.5,
            limit=lambda _: "a terminal gives at most 4 KiB at a time; each goes through the event loop",
            **rate,  # type: ignore[arg-type]
        ),
        Figure(
            label="the same in process",
            ours=lambda each: each.flood.process,
            reference=lambda each: each.flood.reference,
            aim="≥ 0.5",
            reached=lambda _, ratio: ratio >= 0.5,
            **rate,  # type: ignore[arg-type]
        ),
        Figure(
            label="the same, shown live over a WebSocket",
            ours=lambda each: each.flood.live,
            reference=lambda each: each.flood.reference,
            limit=_missed,
            **rate,  # type: ignore[arg-type]
        ),
    )


def _memory(rounds: list[Round], megabytes: int) -> tuple[str, ...]:
    most = max(each.flood.growth_mib for each in rounds)
    later = [each.flood.growth_mib for each in rounds[1:]]
    growth = f"**+{most:.1f}** MiB" + (f" (after the first round: +{max(later):.1f})" if later else "")
    limit = "the scrollback (1 MiB of text), the answer, what waits for the live terminal"
    return (
        f"memory during {megabytes} MB, most",
        growth,
        "-",
        "-",
        f"flat: ≤ +{FLAT_MIB:.0f} MiB",
        _mark(most <= FLAT_MIB),
        limit,
    )


def _remote(each: Round) -> Remote:
    assert each.remote is not None
    return each.remote


def _crowd(crowd: Crowd | None) -> list[tuple[str, ...]]:
    assert crowd is not None
    number, before, during, after = crowd.sessions, crowd.before, crowd.during, crowd.after
    ratio = f"{crowd.execute_seconds / crowd.reference_seconds:.2f}"
    p50, p99 = crowd.execute_ms
    return [
        (
            f"{number} sessions at once: opened, each with bash at its prompt",
            f"**{crowd.open_seconds:.2f}** s",
            "-",
            "-",
            "all",
            _mark(True),
            f"each has {(during.rss_mib - before.rss_mib) / number * 1024:.0f} KiB, "
            f"{(during.descriptors - before.descriptors) / number:.1f} descriptors and "
            f"{(during.children - before.children) / number:.1f} processes",
        ),
        (
            f"a command in all {number} at the same moment",
            f"**{crowd.execute_seconds:.2f}** s (p50 {p50:.0f} ms, p99 {p99:.0f} ms)",
            f"{crowd.reference_seconds:.2f} s",
            ratio,
            "all",
            _mark(True),
            "CPU; as many `sh -c true` at once are the reference",
        ),
        (
            f"after the {number} were closed: descriptors, processes",
            f"**{after.descriptors}, {after.children}**",
            f"{before.descriptors}, {before.children} before",
            "-",
            "no more than before",
            _mark(after.nothing_over(before)),
            "processes that wait for the next command, and end with it when they are too many",
        ),
    ]


def _endured(endured: Endured | None) -> list[tuple[str, ...]]:
    assert endured is not None
    before, after, number = endured.before, endured.after, endured.sessions
    growth = after.rss_mib / before.rss_mib - 1
    label = f"{number:,} sessions opened, used and closed"
    return [
        (
            f"{label}: memory",
            f"**{after.rss_mib:.1f}** MiB",
            f"{before.rss_mib:.1f} MiB at the start",
            f"{1 + growth:.3f}",
            f"≤ +{RSS_GROWTH:.0%}",
            _mark(growth <= RSS_GROWTH),
            f"{(after.rss_mib - before.rss_mib) * 1024 / number:+.2f} KiB a session",
        ),
        (
            "descriptors, processes",
            f"**{after.descriptors}, {after.children}**",
            f"{before.descriptors}, {before.children} at the start",
            "-",
            "back at the start",
            _mark(after.nothing_over(before)),
            f"{number / endured.seconds:.0f} sessions a second, with a command, and a line typed, awaited and read, in each",
        ),
    ]


def _circumstances(results: Results) -> str:
    cores = (
        "gateways and references on one core, the load on another" if results.cores.server is not None else "not pinned"
    )
    facts = [
        f"- {processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB; "
        f"{platform.system()}, {platform.machine()}; {cores}",
        f"- Python {platform.python_version()} ({sys.implementation.name})",
        f"- {len(results.rounds)} rounds, {results.took_seconds:.0f} s in all; load average at the end: {load_average()}",
    ]
    return "\n".join(["## Circumstances\n", *facts])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _mark(reached: bool) -> str:
    return "✓" if reached else "✗"


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"
