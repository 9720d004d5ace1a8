"""Secrets that the gateway makes for itself: files that only their owner can read."""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.errors import Conflict, Unavailable
from shared.structured import get_logger

log = get_logger(__name__)

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


def private_directory(path: Path) -> Path:
    """The directory, made if need be, with mode 0700. Raises Unavailable."""
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        _restrict(path, path.stat(), PRIVATE_DIRECTORY)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; where there is none, `make` provides it.

    Of several processes that start at once exactly one makes it, and all get the same. Raises Unavailable.
    """
    private_directory(path.parent)
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _publish(path, make())
        return _read(path)
    except OSError as error:
        raise _unusable(path, error) from error


def read(path: Path) -> bytes:
    """The file's content. Raises Unavailable."""
    try:
        return _read(path)
    except OSError as error:
        raise _unusable(path, error) from error


def replace(path: Path, content: bytes) -> None:
    """Put other content into the file, all at once. Raises Unavailable, and has changed nothing then."""
    try:
        draft = _drafted(path, content)
        draft.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _unusable(path, error) from error


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes that ask for the same out until the block ends. Raises Conflict when one is in."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise _unusable(lock, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict(f"Another process is just changing {path.name}; try again when it has ended.") from None
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _restrict(path, os.fstat(descriptor), PRIVATE_FILE)
        return file.read().strip()


def _publish(path: Path, content: bytes) -> None:
    """Write beside it, then link: the name never stands for half a file, and never for two secrets."""
    draft = _drafted(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its secret counts
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _drafted(path: Path, content: bytes) -> Path:
    """A private file with that content beside the one that it is to become."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        draft.unlink()
        raise
    return draft


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _restrict(path: Path, found: os.stat_result, wanted: int) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~wanted & 0o777:
        path.chmod(wanted)
        log.warning("others could read this; its mode is corrected", path=str(path), was=oct(mode), now=oct(wanted))


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "A private file or directory of the gateway cannot be used; check DATA_DIR, its owner and its mode.",
        operator_detail=f"{path}: {error}",
    )
