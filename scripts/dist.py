"""Build a release into dist/: sdist, wheel, a bill of materials (CycloneDX) of a clean installation, and checksums."""

import email
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable
from email.message import Message
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements" / "run.txt"
EXTRAS = ("local", "otel", "postgres")
"""The extras that requirements/run.txt pins, so that the bill lists them too."""


def release(out: Path, environment: Path) -> None:
    """Write the release into the folder `out`; `environment` is where its wheel is installed with what it needs."""
    shutil.rmtree(out, ignore_errors=True)
    wheel = build(out)
    python = install(wheel, environment)
    output([str(python.with_name("mcp-gateway")), "--version"])
    bill = out / f"{project()['name']}-{project()['version']}.cdx.json"
    bill.write_text(bill_of(wheel, packages_of(python)) + "\n", "utf-8")
    sums = "".join(f"{digest(path)}  {path.name}\n" for path in sorted(out.iterdir()))
    (out / "SHA256SUMS").write_text(sums, "utf-8")


def build(out: Path) -> Path:
    """Build the sdist, and the wheel from it, with the pinned tools of this environment; returns the wheel."""
    output([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)])
    (wheel,) = out.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel with the pinned and hashed packages into a new environment; returns its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(python), "install"]
    output([*pip, "--require-hashes", "--requirement", str(PINS)])
    output([*pip, "--no-deps", "--no-index", str(wheel)])
    return python


def packages_of(python: Path) -> list[metadata.Distribution]:
    """The distributions that are installed in an environment, by name."""
    (folder,) = python.parents[1].glob("lib/python*/site-packages")
    return sorted(metadata.distributions(path=[str(folder)]), key=lambda found: canonicalize_name(found.name))


def bill_of(wheel: Path, distributions: Iterable[metadata.Distribution]) -> str:
    """The bill of materials, in CycloneDX 1.6 JSON: each package with its licence, and what needs what."""
    installed = {str(canonicalize_name(found.name)): found for found in distributions}
    components = {name: component(found) for name, found in installed.items()}
    root = components.pop(canonicalize_name(project()["name"]))
    root.type = ComponentType.APPLICATION
    root.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest(wheel)))
    bom = Bom(components=components.values())
    bom.metadata.component = root
    for name, found in installed.items():
        needs = [components[need] for need in needed(found) if need in components]
        bom.register_dependency(components.get(name, root), needs)
    return str(JsonV1Dot6(bom).output_as_string(indent=2))


def component(distribution: metadata.Distribution) -> Component:
    """One package."""
    about = message(distribution)
    url = PackageURL("pypi", name=canonicalize_name(distribution.name), version=distribution.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=distribution.name,
        version=distribution.version,
        description=about["Summary"],
        licenses=[LicenseFactory().make_from_string(text) for text in [licence(about)] if text],
        purl=url,
        bom_ref=url.to_string(),
    )


def message(distribution: metadata.Distribution) -> Message:
    """The metadata of a package, with None for a field that it lacks."""
    return email.message_from_string(distribution.read_text("METADATA") or "")


def licence(about: Message) -> str:
    """The licence that a package declares: its SPDX expression, else the short text of older metadata, else none."""
    older = str(about["License"] or "").strip()
    return str(about["License-Expression"] or "") or (older if "\n" not in older else "")


def needed(distribution: metadata.Distribution) -> set[str]:
    """The names of the packages that a package needs here, extras of the gateway included."""
    requirements = [Requirement(text) for text in distribution.requires or ()]
    return {
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *EXTRAS))
    }


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def project() -> dict[str, str]:
    """The table `project` of pyproject.toml."""
    found: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def output(command: list[str]) -> str:
    """What a command prints; ends with its output when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"error: {command[0]} failed (exit {done.returncode})\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        release(ROOT / "dist", Path(folder))
    sys.stdout.write("".join(f"{path.relative_to(ROOT)}\n" for path in sorted((ROOT / "dist").iterdir())))
