"""Runs the official conformance suite: against `serve` as it is, and against the same with the suite's fixtures added.

`make conformance` installs what this takes; it writes bench/conformance.md, and fails where anything does.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "bench" / "conformance.md"
SUITE = "0.2.0-alpha.12"
REVISIONS = ("2025-11-25", "2026-07-28")
APPLY_TO_ANY = (
    "server-initialize", "server-session-lifecycle", "ping", "logging-set-level", "completion-complete", "tools-list",
    "tools-call-simple-text", "tools-call-error", "resources-list", "prompts-list", "server-sse-multiple-streams",
    "dns-rebinding-protection", "sep-2164-resource-not-found", "caching", "http-header-validation",
    "input-required-result-unsupported-methods",
)  # fmt: skip
"""What needs none of the suite's own tools, prompts and resources."""
NOTES = {
    "server-sse-polling": "streams are not resumed (no event is kept for a client that comes back), which the protocol leaves open",
}
"""What the report says of scenarios that test nothing here."""
SECONDS = 60
ENVIRON = {
    "OSS_DISCOVERY": "false",
    "EMBEDDED_MODEL": "off",
    "RATE_LIMIT_PER_MINUTE": "0",
    "RATE_LIMIT_PER_HOUR": "0",
    "API_PORT": "0",
}


@dataclass(frozen=True)
class Outcome:
    """What came of one scenario."""

    server: str
    revision: str
    scenario: str
    passed: bool
    checks: str
    why: str


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", required=True, help="the program node, 22 or newer")
    parser.add_argument("--modules", required=True, type=Path, help="the folder that the suite was installed into")
    parser.add_argument("--scenario", help="only this one")
    options = parser.parse_args()
    command = [options.node, str(options.modules / "@modelcontextprotocol/conformance/dist/index.js")]
    outcomes: list[Outcome] = []
    for server, module in (
        ("gateway", ("mcp_gateway", "serve")),
        ("with fixtures", ("tests.conformance.fixture_server",)),
    ):
        with tempfile.TemporaryDirectory() as folder, serving(module, Path(folder)) as url:
            for revision in REVISIONS:
                for scenario in _scenarios(command, revision):
                    if server == "gateway" and scenario not in APPLY_TO_ANY:
                        continue
                    if options.scenario in (None, scenario):
                        outcomes.append(_run(command, url, server, revision, scenario, Path(folder)))
                        _say(outcomes[-1])
    if options.scenario is None:
        REPORT.write_text(_report(outcomes), "utf-8")
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"{passed} of {len(outcomes)} pass.")
    return 0 if passed == len(outcomes) else 1


def _scenarios(command: list[str], revision: str) -> list[str]:
    listed = subprocess.run([*command, "list"], capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    servers = listed.partition("Server scenarios")[2].partition("Client scenarios")[0]
    return [name for name, revisions in re.findall(r"- (\S+) \[([^]]*)\]", servers) if revision in revisions]


def _run(command: list[str], url: str, server: str, revision: str, scenario: str, folder: Path) -> Outcome:
    done = subprocess.run(
        [
            *command,
            "server",
            "--url",
            f"{url}/mcp",
            "--scenario",
            scenario,
            "--spec-version",
            revision,
            "-o",
            str(folder / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    output = done.stdout + done.stderr
    checks = re.search(r"Passed: (\S+), (\d+) failed, (\d+) warnings", output)
    said = re.findall(r"Error: (.*)", output)
    return Outcome(
        server=server,
        revision=revision,
        scenario=scenario,
        passed=done.returncode == 0,
        checks=f"{checks[1]}, {checks[3]} warnings" if checks and checks[3] != "0" else checks[1] if checks else "?",
        why="" if done.returncode == 0 else "; ".join(said)[:300] or output[-300:],
    )


@contextmanager
def serving(module: tuple[str, ...], folder: Path) -> Iterator[str]:
    """The server as a process; its address."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(folder / "data"),
    }
    arguments = [str(folder / "data")] if "fixture" in module[0] else []
    process = subprocess.Popen(
        [sys.executable, "-m", *module, *arguments],
        env={**environ, **ENVIRON},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://[\d.]+:\d+", line)))
    finally:
        process.terminate()
        process.wait(SECONDS)


def _say(outcome: Outcome) -> None:
    end = "pass" if outcome.passed else f"FAIL {outcome.why}"
    print(f"{outcome.server:13} {outcome.revision} {outcome.scenario:45} {outcome.checks:16} {end}", flush=True)


def _report(outcomes: list[Outcome]) -> str:
    lines = [
        "# Conformance",
        "",
        f"`make conformance`: the official suite `@modelcontextprotocol/conformance` {SUITE} over Streamable HTTP, in both eras of",
        "the protocol. `gateway` is `mcp-gateway serve` as it is, with the scenarios that need no tools of the suite's own;",
        "`with fixtures` is the same server and the same transports with these tools added (`tests/conformance/`).",
        "",
        f"{sum(outcome.passed for outcome in outcomes)} of {len(outcomes)} pass. A warning is something that the suite would like and the protocol does not demand.",
        "",
        "| server | revision | scenario | checks | |",
        "|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        end = NOTES.get(outcome.scenario, "") if outcome.passed else f"**fails**: {outcome.why}"
        lines.append(f"| {outcome.server} | {outcome.revision} | {outcome.scenario} | {outcome.checks} | {end} |")
    extensions = "The extensions `tasks` and `skills` are not offered, so their scenarios are not run."
    return "\n".join([*lines, "", extensions, ""])


if __name__ == "__main__":
    sys.exit(main())
