"""Secret files."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.security.secret_files import private_directory, read_or_create


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    assert read_or_create(path, lambda: b"first") == b"first"
    assert read_or_create(path, lambda: b"second") == b"first"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_all_of_many_that_start_at_once_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    together = threading.Barrier(16)

    def start(number: int) -> bytes:
        together.wait(5)
        return read_or_create(path, lambda: b"made by %d" % number)

    with ThreadPoolExecutor(16) as pool:
        seen = set(pool.map(start, range(16)))
    assert len(seen) == 1
    assert path.read_bytes() in seen
    assert list(tmp_path.iterdir()) == [path]


def test_a_umask_does_not_open_it_up(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        read_or_create(tmp_path / "new" / "secret", lambda: b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o700
    assert mode(tmp_path / "new" / "secret") == 0o600


def test_modes_that_let_others_in_are_corrected(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "secret"
    path.write_bytes(b"old\n")
    path.chmod(0o644)
    assert read_or_create(path, lambda: b"new") == b"old"
    assert mode(path) == 0o600
    assert mode(tmp_path) == 0o700


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable) as refused:
        read_or_create(tmp_path / "secret", lambda: b"x")
    assert str(tmp_path) not in refused.value.message
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_a_directory_that_cannot_be_made_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="DATA_DIR"):
        private_directory(tmp_path / "file" / "data")
