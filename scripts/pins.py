"""Renew constraints.txt: install the newest versions that fit into a scratch environment and write down what came."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = "# Exact versions of everything that make installs, on every Python we support. Renewed by 'make pins'.\n"


def main() -> None:
    """Only names and versions are written; where they came from is the installer's own matter."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
        subprocess.run([*pip, "install", "--editable", ".[local,postgres]", "--group", "dev"], check=True, cwd=ROOT)
        frozen = subprocess.run([*pip, "freeze", "--exclude-editable"], check=True, capture_output=True, text=True)
    pins = [line for line in frozen.stdout.splitlines() if "==" in line]
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(pins) + "\n", "utf-8")
    sys.stdout.write(f"constraints.txt: {len(pins)} pins\n")


if __name__ == "__main__":
    main()
