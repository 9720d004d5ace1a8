"""Measure the gateway against the barest proxies one could write, and write bench/results.md.

Everything runs on loopback, in interleaved rounds, so that the ratios hold on any machine. About two minutes. Into
results.md also goes what the last runs of the other benchmarks came to; the chart in docs/images is made too.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import chart
import figures
import load
import report
import starts
import surfaces
from metering import CONNECTIONS, SETTLE_SECONDS, metered
from mock_upstream import STREAM_TOKENS
from processes import Cores, on_core
from report import Endurance, Memory, Phases, Results
from targets import Target, targets
from terminal_memory import watched

RESULTS = Path(__file__).with_name("results.md")
CHART = Path(__file__).parents[1] / "docs" / "images" / "performance.svg"
IDLE_STREAMS = 1000
ENDURANCE_REQUESTS = 50_000
ENDURANCE_SECONDS = 15.0


def main() -> None:
    """Measure, show, and write it down."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began = time.perf_counter()
    cores = Cores.found()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, on_core(cores.load):
        folder = Path(name)
        say("starting the processes, and checking that each answers rightly …")
        with targets(folder, cores) as all_of_them:
            results = measured(all_of_them, cores, options.rounds, options.seconds)
        say("starting `serve` and `stdio` over and over …")
        results.starts = starts.starts(folder, cores)
    results.took_seconds = time.perf_counter() - began
    numbers = report.figures_of(results)
    if options.out == RESULTS:
        found: Mapping[str, Mapping[str, Any]] = figures.keep("chats", numbers)
        CHART.write_text(chart.svg_of(chart.panels_of(found)), "utf-8")
    else:
        found = {**figures.kept(), "chats": {**numbers, "taken": figures.taken()}}
    text = report.rendered(results, found)
    options.out.write_text(text, "utf-8")
    print(text)
    if results.faults:
        sys.exit("error: some answers were wrong; the figures mean nothing")


def measured(found: list[Target], cores: Cores, rounds: int, seconds: float) -> Results:
    """All targets in turn, round after round; then what only the gateway is asked for."""
    ready = {target.name: target.child.rss_mib() for target in found}
    results = Results(cores=cores)
    for number in range(rounds):
        shift = number % len(found)
        results.rounds.append({})
        for target in found[shift:] + found[:shift]:
            say(f"round {number + 1} of {rounds}: {target.name}")
            results.rounds[-1][target.name] = phases_of(target, seconds)
    gateway = found[-1]
    say("streaming on all surfaces …")
    results.surfaces = [surfaces.measured(gateway, seconds / 2) for _ in range(rounds)]
    say("running commands …")
    results.commands = starts.commands(gateway.port, cores)
    say(f"going on until the gateway has had {ENDURANCE_REQUESTS} requests …")
    before = gateway.child.own_rss_mib()
    served = endure(gateway, already=sum(each["gateway"].served for each in results.rounds))
    results.memory = {target.name: Memory(ready[target.name], target.child.own_rss_mib()) for target in found}
    results.endurance = Endurance(served, before, gateway.child.own_rss_mib())
    say("a thousand streams at once …")
    results.idle_stream_kb = idle_stream_kb(gateway)
    return results


def phases_of(target: Target, seconds: float) -> Phases:
    """One target in one round."""
    whole, burst, paced = target.chat(), target.chat(stream=True), target.chat("mock-paced", stream=True)
    one, _ = metered(target, whole, load.fault_of_chat, connections=1, seconds=seconds / 2, warm_seconds=0.2)
    many, many_cpu = metered(
        target, whole, load.fault_of_chat, connections=CONNECTIONS, seconds=seconds, warm_seconds=0.3
    )
    streams, streams_cpu = metered(target, paced, load.fault_of_stream, connections=CONNECTIONS, each=1)
    fast, fast_cpu = metered(
        target, burst, load.fault_of_stream, connections=CONNECTIONS, seconds=seconds / 2, warm_seconds=0.3
    )
    return Phases(
        one=one,
        many=many,
        paced=streams,
        burst=fast,
        many_cpu=many_cpu,
        paced_cpu=streams_cpu,
        burst_cpu=fast_cpu,
        stream_tokens=STREAM_TOKENS,
    )


def idle_stream_kb(gateway: Target) -> float:
    """Resident kB that each of a thousand streams takes, with a token every 200 ms, at the most."""
    request = gateway.chat("mock-idle", stream=True)
    with watched(gateway.child) as memory:
        sample = load.run(gateway.port, request, load.fault_of_idle_stream, connections=IDLE_STREAMS, each=1)
    if sample.served != IDLE_STREAMS:
        raise RuntimeError(f"{gateway.name}: {dict(sample.faults)}\n{gateway.child.log()}")
    return memory.growth_mib * 1024 * 1024 / 1000 / IDLE_STREAMS


def endure(target: Target, already: int) -> int:
    """Requests that the target has had when it has had enough of them, or the time is up."""
    request = target.chat()
    deadline = time.perf_counter() + ENDURANCE_SECONDS
    served = already
    while served < ENDURANCE_REQUESTS and time.perf_counter() < deadline:
        sample = load.run(target.port, request, load.fault_of_chat, connections=CONNECTIONS, seconds=2.0)
        if sample.faults or not sample.served:
            raise RuntimeError(f"{target.name}: {dict(sample.faults)}")
        served += sample.served
    time.sleep(SETTLE_SECONDS)
    return served


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def _leave(number: int, frame: FrameType | None) -> None:
    """A signal ends us as an exception does, so that every process is cleaned up."""
    sys.exit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 21), metavar="N", help="default: 3")
    parser.add_argument("--seconds", type=float, default=1.5, help="of the throughput phase; default: 1.5")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the table goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
