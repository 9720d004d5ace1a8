"""Runs the MCP Inspector's command line against the gateway, strict about schemas, over each transport in both eras."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conformance.run import ENVIRON, ROOT, serving

LAUNCHER = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
ERAS = ("legacy", "modern")
ASKED = (
    ("tools/list", "--strict"),
    ("tools/call", "--tool-name", "list_models", "--tool-arg", "limit=3"),
    ("tools/call", "--tool-name", "run_command", "--tool-arg", "command=echo hello"),
    ("resources/list",),
    ("resources/templates/list",),
    ("resources/read", "--uri", "gateway://routing"),
    ("prompts/list",),
    ("prompts/get", "--prompt-name", "choose_model", "--prompt-args", "task=translate"),
)
CLEAN = "No tool-schema portability"
SECONDS = 60


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", required=True, help="the program node, 22 or newer")
    parser.add_argument("--modules", required=True, type=Path, help="the folder that the Inspector was installed into")
    options = parser.parse_args()
    command = [options.node, str(options.modules / LAUNCHER), "--cli"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, serving(("mcp_gateway", "serve"), Path(folder)) as url:
        stdio = [sys.executable, "-m", "mcp_gateway", "stdio"]
        places = {
            "stdio": [*stdio, "--transport", "stdio", *_environment(Path(folder))],
            "http": [f"{url}/mcp", "--transport", "http"],
            "sse": [f"{url}/sse", "--transport", "sse"],
        }
        for transport, place in places.items():
            for era in ERAS:
                for method, *more in ASKED:
                    asked = [*place, "--protocol-era", era, "--method", method, *more]
                    why = _problem(command, asked, Path(folder), strict="--strict" in more)
                    failed += bool(why)
                    print(f"{transport:6} {era:7} {' '.join([method, *more]):70} {why or 'clean'}", flush=True)
    return 1 if failed else 0


def _environment(folder: Path) -> list[str]:
    values = {"DATA_DIR": str(folder / "stdio"), "PYTHONPATH": str(ROOT), **ENVIRON}
    return [part for name, value in values.items() for part in ("-e", f"{name}={value}")]


def _problem(command: list[str], asked: list[str], folder: Path, *, strict: bool) -> str:
    """What is wrong with an answer; empty when nothing is."""
    done = subprocess.run(
        [*command, *asked],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    if done.returncode:
        return f"exit code {done.returncode}: {done.stderr[-300:]}"
    if strict and "Warning" in done.stderr:
        return done.stderr[-300:]
    try:
        return "" if isinstance(json.loads(done.stdout), dict) else "no object"
    except ValueError:
        return f"no JSON: {done.stdout[:200]}"


if __name__ == "__main__":
    sys.exit(main())
