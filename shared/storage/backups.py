"""Copies of a SQLite database: made while a gateway writes, looked over, and put back while none runs."""

import fcntl
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.errors import Conflict, InvalidInput, Unavailable
from shared.storage.sealed_rows import CHECK

PRIVATE = 0o600
LOCK_BYTES = 0x40000000
LOCK_LENGTH = 512
"""Where SQLite locks its files: every open connection in WAL mode holds a shared lock there.
https://www.sqlite.org/fileformat2.html#the_lock_byte_page"""


@dataclass(frozen=True)
class Copy:
    """What a copy says of itself: its schema's revision, and a value sealed with the secrets key, where it has one."""

    revision: str
    sealed: str | None


def make(source: Path, target: Path) -> Copy:
    """Copy a database, as of one moment, into a new file of mode 0600 that stands alone; others write meanwhile.

    Raises InvalidInput, Conflict and Unavailable; a file that was begun is deleted.
    """
    if not source.is_file():
        raise InvalidInput(f"There is no database at {source}; check DATA_DIR and DATABASE_URL.", code="no_database")
    draft = _draft(target)
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL, PRIVATE))
        with closing(_read_only(source)) as database, closing(sqlite3.connect(draft)) as copy:
            database.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # the log is in the file then
        found = look(draft)
        _sync(draft)
        _publish(draft, target)
    except sqlite3.Error as error:
        raise Unavailable(f"The database could not be copied: {error}.", operator_detail=str(source)) from error
    except OSError as error:
        raise _unusable(target, error) from error
    finally:
        draft.unlink(missing_ok=True)
    return found


def look(file: Path) -> Copy:
    """Check a copy from its first page to its last. Raises InvalidInput for what is damaged or not a gateway's."""
    if not file.is_file():
        raise InvalidInput(f"There is no file {file}.", code="no_backup")
    try:
        with closing(_read_only(file, "&immutable=1")) as copy:
            (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise InvalidInput(f"The backup {file} is damaged ({verdict}); take another one.", code="bad_backup")
            (revision,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
            row = copy.execute("SELECT value FROM facts WHERE name = ?", (CHECK,)).fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise InvalidInput(
            f"{file} is not a backup of a gateway, or it is damaged: {error}.", code="bad_backup"
        ) from error
    return Copy(str(revision), None if row is None else str(json.loads(row[0])))


@contextmanager
def unused(path: Path) -> Iterator[None]:
    """Keep every other process from opening the database until the block ends. Raises Conflict while one has it open."""
    try:
        with path.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_LENGTH, LOCK_BYTES)
            except (BlockingIOError, PermissionError):
                raise Conflict(
                    f"A gateway runs on {path}; stop it (every `serve`, `stdio` and other command that uses it), then try again.",
                    code="gateway_running",
                ) from None
            yield
    except FileNotFoundError:
        yield


def put_back(file: Path, path: Path, now: datetime) -> Path | None:
    """Put a copy in the place of the database, inside `unused`; returns where the one before is kept, if there was one.

    An interruption leaves the database before or the copy, and the same call again completes it.
    """
    aside = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%SZ}")
    draft = _draft(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(file, draft)
        draft.chmod(PRIVATE)
        give_to_owner(draft)
        _sync(draft)
        _move_log(path, aside)
        kept = path.exists()
        if kept:
            os.link(path, aside)
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        draft.unlink(missing_ok=True)
    return aside if kept else None


def give_to_owner(path: Path) -> None:
    """Give a new file to the owner of its folder: root restores for the user that the gateway runs as."""
    owner = path.parent.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _read_only(path: Path, more: str = "") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{more}", uri=True, isolation_level=None)


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}")


def _move_log(path: Path, aside: Path) -> None:
    """Take the write-ahead log of a process that was killed away: SQLite would apply it to the copy."""
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:
        log.rename(f"{aside}-wal")
    log.unlink(missing_ok=True)
    Path(f"{path}-shm").unlink(missing_ok=True)


def _publish(draft: Path, target: Path) -> None:
    try:
        os.link(draft, target)
    except FileExistsError:
        raise Conflict(f"{target} exists; a backup overwrites nothing. Choose another name.") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{path} cannot be written: {error.strerror or error}. Check the folder, its owner and the disk."
    )
