"""Other gateways under the same load, as far as they are installed: LiteLLM's proxy and Portkey's gateway.

    BENCH_LITELLM   the command `litellm` (otherwise the one on PATH)
    BENCH_PORTKEY   the folder of the npm package @portkey-ai/gateway, or its build/start-server.js; `node` is on PATH

They take turns with this gateway and the bare proxy, on the same mock. Writes peers-results.md.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import figures
import load
from metering import CONNECTIONS, metered
from mock_upstream import STREAM_TOKENS
from processes import Cores, free_port, on_core
from targets import Stage, Target, stage

HERE = Path(__file__).parent
MASTER_KEY = "sk-bench-master"
SHIM = """
const plain = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const found = await plain(input, init);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers: new Headers(found.headers) });
};
"""
"""Portkey changes the headers of what its fetch gives it, which Node does not allow: without this its streams are errors."""

INSTALLING = """none of the other gateways is installed, so nothing was measured. To install them, anywhere outside of this folder:
  python3 -m venv peers && peers/bin/pip install 'litellm[proxy]'   then BENCH_LITELLM=peers/bin/litellm
  npm install --prefix peers @portkey-ai/gateway                    then BENCH_PORTKEY=peers/node_modules/@portkey-ai/gateway"""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another gateway that is installed."""

    name: str
    version: str
    command: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One target in one round."""

    cpu_ms: float
    per_second: float
    p50_ms: float
    token_us: float
    first_token_ms: float
    rss_mib: float


def installed(environ: Mapping[str, str]) -> list[Peer]:
    """Which of them are here."""
    found = []
    litellm = environ.get("BENCH_LITELLM") or shutil.which("litellm", path=environ.get("PATH"))
    if litellm:
        python = Path(litellm).with_name("python")
        asked = [str(python), "-c", "import importlib.metadata as m; print(m.version('litellm'))"]
        found.append(Peer("litellm", _output(asked), str(Path(litellm).absolute())))
    portkey = environ.get("BENCH_PORTKEY")
    if portkey and shutil.which("node", path=environ.get("PATH")):
        script = Path(portkey).absolute()
        script = script if script.suffix == ".js" else script / "build" / "start-server.js"
        package = json.loads((script.parents[1] / "package.json").read_text("utf-8"))
        found.append(Peer("portkey", f"{package['version']}, Node {_output(['node', '--version'])}", str(script)))
    return found


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def started(on: Stage, peer: Peer) -> Target:
    """One of them, in front of the mock."""
    return (_litellm if peer.name == "litellm" else _portkey)(on, peer)


def _litellm(on: Stage, peer: Peer) -> Target:
    """Without a database, which makes it quicker; the key is its master key."""
    names = {"model": "openai/{}", "api_base": f"{on.upstream}/v1", "api_key": "sk-mock"}
    models = [
        {"model_name": name, "litellm_params": {**names, "model": f"openai/{name}"}} for name in ("mock", "mock-paced")
    ]
    file = on.folder / "litellm.json"  # JSON is YAML
    file.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": MASTER_KEY}}), "utf-8")
    port = free_port()
    command = [peer.command, "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environ = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "PATH": f"{Path(peer.command).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return on.other(peer.name, port, command, environ, ready="/health/liveliness", key=MASTER_KEY)


def _portkey(on: Stage, peer: Peer) -> Target:
    shim, port = on.folder / "headers.mjs", free_port()
    shim.write_text(SHIM, "utf-8")
    command = ["node", "--import", str(shim), peer.command, f"--port={port}", "--headless"]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{on.upstream}/v1"}
    return on.other(peer.name, port, command, {"NODE_ENV": "production"}, ready="/", headers=headers)


def measured(target: Target, seconds: float) -> Sample:
    """One target, once."""
    many, cpu = metered(
        target, target.chat(), load.fault_of_chat, connections=CONNECTIONS, seconds=seconds, warm_seconds=0.3
    )
    paced, paced_cpu = metered(
        target, target.chat("mock-paced", stream=True), load.fault_of_stream, connections=CONNECTIONS, each=1
    )
    return Sample(
        cpu_ms=cpu * 1000 / many.served,
        per_second=many.per_second,
        p50_ms=many.latency_ms(0.5),
        token_us=paced_cpu * 1e6 / (paced.served * STREAM_TOKENS),
        first_token_ms=paced.first_token_ms(0.5),
        rss_mib=target.child.rss_mib(),
    )


def report(rounds: Sequence[Mapping[str, Sample]], versions: Mapping[str, str], took: float) -> str:
    """The figures as Markdown."""
    lines = [
        "| | CPU ms a chat | times ours | requests/s | latency p50, ms | CPU µs a streamed token | times ours | first token p50, ms | memory, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in rounds[0]:
        found = [each[name] for each in rounds]
        values = {field: median(getattr(one, field) for one in found) for field in Sample.__slots__}
        lines.append(
            f"| {name} {versions.get(name, '')} | **{values['cpu_ms']:.3f}** | {_times(rounds, name, 'cpu_ms'):.2f} "
            f"| {values['per_second']:,.0f} | {values['p50_ms']:.1f} | **{values['token_us']:.1f}** "
            f"| {_times(rounds, name, 'token_us'):.2f} | {values['first_token_ms']:.0f} | {values['rss_mib']:.0f} |"
        )
    return "\n".join(
        [
            "# Beside other gateways",
            "",
            "Written by `make bench-peers`; [README.md](README.md) says how.",
            "",
            *lines,
            "",
            f"{CONNECTIONS} connections, and {CONNECTIONS} streams of {STREAM_TOKENS} tokens, one every 10 ms; every server on one core, "
            "with the load and the mock on another. A ratio is taken inside a round, and the median of the rounds is shown. The gateway has "
            "everything on: key, rate limits, routing, ledger with prices, metrics, access log. LiteLLM has a key and no database; Portkey "
            "has neither keys nor a ledger.",
            "",
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {len(rounds)} rounds, {took:.0f} s in all; "
            "load average at the end: " + ", ".join(f"{one:.1f}" for one in os.getloadavg()),
            "",
        ]
    )


def _times(rounds: Sequence[Mapping[str, Sample]], name: str, field: str) -> float:
    return median(float(getattr(each[name], field) / getattr(each["gateway"], field)) for each in rounds)


def figures_of(rounds: Sequence[Mapping[str, Sample]], versions: Mapping[str, str]) -> dict[str, float | str]:
    """For the chart."""
    found: dict[str, float | str] = {}
    for name in rounds[0]:
        for field in ("cpu_ms", "token_us"):
            found[f"{field}:{name}"] = round(median(getattr(each[name], field) for each in rounds), 4)
            found[f"{field}_times:{name}"] = round(_times(rounds, name, field), 3)
    return found | {f"version:{name}": version for name, version in versions.items()}


def main() -> None:
    """Measure what is there, show, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the throughput phase; default: 2")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    peers = installed(os.environ)
    if not peers:
        print(INSTALLING)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, cores = time.perf_counter(), Cores.found()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        on_core(cores.load),
        stage(Path(folder), cores) as on,
    ):
        targets = [on.gateway(), on.bare("aiohttp"), *(started(on, peer) for peer in peers)]
        for target in targets:
            target.check()
        rounds = []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            shift = number % len(targets)
            each = {target.name: measured(target, options.seconds) for target in targets[shift:] + targets[:shift]}
            rounds.append({target.name: each[target.name] for target in targets})
    versions = {peer.name: peer.version for peer in peers}
    text = report(rounds, versions, time.perf_counter() - began)
    if not options.dry:
        (HERE / "peers-results.md").write_text(text, "utf-8")
        figures.keep("peers", figures_of(rounds, versions))
    print(text)


if __name__ == "__main__":
    main()
