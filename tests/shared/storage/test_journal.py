"""The journal of rows that wait for the database."""

import errno
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.storage import journal as module
from shared.storage.journal import Journal


def opened(folder: Path) -> Journal:
    made = Journal(folder)
    made.open()
    return made


def killed(journal: Journal) -> None:
    """End it as SIGKILL does: the locks go, the files stay."""
    journal.close(stored=False)


def left_lines(folder: Path) -> list[bytes]:
    """Everything that killed processes left there, taken over."""
    journal, lines = Journal(folder), list[bytes]()
    while (file := journal.left()) is not None:
        lines += file.lines()
        file.delete()
    return lines


def test_what_is_appended_is_there_after_a_kill_and_taken_over_once(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    journal.append(b"two")
    assert left_lines(tmp_path) == []
    killed(journal)
    assert left_lines(tmp_path) == [b"one", b"two"]
    assert left_lines(tmp_path) == []
    assert [*tmp_path.iterdir()] == []


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    opened(folder).append(b"one")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_stored_rows_are_forgotten_while_others_come(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    journal.rotate(1)
    journal.append(b"two")
    journal.rotate(2)
    journal.release(0)
    journal.append(b"three")
    journal.release(1)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == len("\ntwo\nthree")
    for number in range(3, 1000):
        journal.rotate(number)
        journal.release(number)
        journal.append(b"next")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 20
    killed(journal)
    assert left_lines(tmp_path) == [b"next"]


def test_a_clean_end_leaves_nothing(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    journal.close(stored=True)
    assert [*tmp_path.iterdir()] == []


def test_a_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    living, dead = opened(tmp_path), opened(tmp_path)
    living.append(b"of the living")
    dead.append(b"of the dead")
    killed(dead)
    assert left_lines(tmp_path) == [b"of the dead"]
    killed(living)
    assert left_lines(tmp_path) == [b"of the living"]


def test_a_full_disk_loses_the_journal_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    write = os.write

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with capture_logs() as logs:
        for cut in (full, lambda descriptor, line: write(descriptor, line[:2])):
            monkeypatch.setattr(os, "write", cut)
            journal.append(b"two")
            journal.append(b"three")
    assert journal.missed == 4
    assert [log["reason"] for log in logs] == ["No space left on device"]
    monkeypatch.setattr(os, "write", write)
    journal.append(b"four")
    killed(journal)
    assert left_lines(tmp_path) == [b"one", b"t", b"t", b"four"]


def test_a_full_journal_and_one_that_cannot_be_opened_miss_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    journal = opened(tmp_path / "full")
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        for _ in range(5):
            journal.append(b"12345")
        nowhere = opened(tmp_path / "file")
        nowhere.append(b"one")
    assert (journal.missed, nowhere.missed) == (3, 1)
    assert len(logs) == 2
    assert nowhere.left() is None
