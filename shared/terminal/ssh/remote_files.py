"""Files of an SSH host, over SFTP."""

import asyncio
import posixpath
import stat
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from secrets import token_hex
from typing import TypeVar

import anyio
import asyncssh

from shared.domain.files import FileInfo, FileType
from shared.errors import Conflict, NotFound, TerminalError, invalid_field
from shared.terminal.files import Part, Progress
from shared.terminal.ssh.file_errors import explained

T = TypeVar("T")

CHUNK = 256 * 1024
"""Bytes between two looks at how far it is; asyncssh sends many packets of each at once."""
STALL = 30
"""Seconds that the host gets for each step."""
CLEAN_UP = 4
TEMPORARY = ".mcp-gateway-"


class RemoteFiles:
    """The files of a host. Relative paths begin in `cwd`, which may be relative to the home directory itself."""

    def __init__(self, sftp: asyncssh.SFTPClient, *, cwd: str, umask: int) -> None:
        self.over = asyncio.Event()
        self._sftp = sftp
        self._cwd = cwd
        self._umask = umask
        self._stopped = False

    def stop(self) -> None:
        """End what is going on, at its next step; what was half written is taken away again."""
        self._stopped = True

    async def look(self, path: str) -> FileInfo:
        """What is at a path; a symlink is followed where it leads somewhere."""
        with explained(path):
            try:
                real = await self._real(path)
                return _info(real, await self._step(self._sftp.stat(real)))
            except asyncssh.SFTPError as error:
                link = await self._unfollowed(path)
                if link is None:
                    raise error
                return link

    async def entries(self, folder: FileInfo, most: int) -> list[FileInfo]:
        """What is in a directory, by name, at most so many."""
        path = folder.path.encode()
        found: list[asyncssh.SFTPName] = []
        with explained(folder.path):
            async with asyncio.timeout(STALL):
                async for entry in self._sftp.scandir(path):
                    if _bytes(entry.filename) not in (b".", b".."):
                        found.append(entry)
                    if len(found) >= most:
                        break
                links = (self._link(posixpath.join(path, _bytes(entry.filename)), entry.attrs) for entry in found)
                return sorted(await asyncio.gather(*links), key=lambda info: info.name)

    async def read(self, path: str, offset: int, limit: int, on_progress: Progress | None = None) -> Part:
        """At most `limit` bytes from `offset` on."""
        with explained(path):
            info = await self._regular(path)
            data = bytearray()
            async with await self._step(self._sftp.open(info.path.encode(), "rb", encoding=None)) as file:
                _check_regular((await self._step(file.stat())).permissions)
                while len(data) < limit:
                    chunk = _bytes(await self._step(file.read(min(CHUNK, limit - len(data)), offset + len(data))))
                    data += chunk
                    if on_progress:
                        on_progress(len(data), min(limit, max(info.size - offset, len(data))))
                    if not chunk:
                        break
        return Part(info, bytes(data), len(data) < limit or offset + len(data) == info.size)

    async def write(
        self, path: str, data: bytes, *, mode: int | None, overwrite: bool, on_progress: Progress | None = None
    ) -> tuple[FileInfo, bool]:
        """Write a temporary file beside the place, then put it there in one step."""
        with explained(path):
            with _within_folder(path):
                real = await self._real(path)
            before = await self._attrs(real)
            if before is not None:
                if not overwrite:
                    raise _exists(path)
                _check_regular(before.permissions)
            temporary = posixpath.join(posixpath.dirname(real), f"{TEMPORARY}{token_hex(8)}".encode())
            try:
                with _within_folder(path):
                    await self._fill(temporary, data, on_progress)
                await self._step(self._sftp.chmod(temporary, self._mode(mode, before)))
                await self._put(temporary, real, overwrite=overwrite, path=path)
            except BaseException:
                with anyio.move_on_after(CLEAN_UP, shield=True):
                    await self._take_away(temporary)
                raise
            return _info(real, await self._step(self._sftp.stat(real))), before is None

    async def _fill(self, temporary: bytes, data: bytes, on_progress: Progress | None) -> None:
        attrs = asyncssh.SFTPAttrs(permissions=0o600)
        async with await self._step(self._sftp.open(temporary, "xb", attrs, encoding=None)) as file:
            for at in range(0, len(data), CHUNK):
                await self._step(file.write(data[at : at + CHUNK], at))
                if on_progress:
                    on_progress(min(at + CHUNK, len(data)), len(data))
            try:
                await self._step(file.fsync())
            except asyncssh.SFTPOpUnsupported:
                pass

    async def _put(self, temporary: bytes, real: bytes, *, overwrite: bool, path: str) -> None:
        if overwrite:
            try:
                await self._step(self._sftp.posix_rename(temporary, real))
                return
            except asyncssh.SFTPOpUnsupported:
                await self._take_away(real)
        try:
            await self._step(self._sftp.rename(temporary, real))
        except asyncssh.SFTPError:
            if await self._attrs(real) is not None:  # it came meanwhile
                raise _exists(path) from None
            raise

    async def _take_away(self, path: bytes) -> None:
        try:
            await self._sftp.remove(path)
        except (asyncssh.Error, OSError):
            return

    async def _attrs(self, real: bytes) -> asyncssh.SFTPAttrs | None:
        try:
            return await self._step(self._sftp.stat(real))
        except asyncssh.SFTPNoSuchFile:
            return None

    async def _regular(self, path: str) -> FileInfo:
        info = await self.look(path)
        if info.type != "file":
            raise _not_a_file()
        return info

    async def _real(self, path: str) -> bytes:
        """Absolute, without `..` and symlinks, as the host resolves them."""
        home = path == "~" or path.startswith("~/")
        whole = path[2:] or "." if home else posixpath.join(_from_home(self._cwd), path)
        found = await self._step(self._sftp.realpath(whole.encode("utf-8", "surrogateescape")))
        return _bytes(found)

    async def _unfollowed(self, path: str) -> FileInfo | None:
        """What is itself at a path that leads nowhere, or in circles: a symlink, or nothing."""
        folder, name = posixpath.split(path)
        try:
            place = posixpath.join(await self._real(folder or "."), name.encode("utf-8", "surrogateescape"))
            info = await self._link(place, await self._step(self._sftp.lstat(place)))
        except asyncssh.SFTPError:
            return None
        return info if info.type == "symlink" else None

    async def _link(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> FileInfo:
        if _type(attrs.permissions) != "symlink":
            return _info(path, attrs)
        target = await self._step(self._sftp.readlink(path))
        return _info(path, attrs, _bytes(target))

    def _mode(self, wanted: int | None, before: asyncssh.SFTPAttrs | None) -> int:
        if wanted is not None:
            return wanted
        if before is not None and before.permissions is not None:
            return stat.S_IMODE(before.permissions) & 0o777
        return 0o666 & ~self._umask

    async def _step(self, work: Awaitable[T]) -> T:
        if self._stopped:
            asyncio.ensure_future(work).cancel()
            raise TerminalError("This session has been closed; open another one.", code="session_closed")
        return await asyncio.wait_for(work, STALL)


def _from_home(cwd: str) -> str:
    """The session's directory as SFTP takes it, which begins in the home directory."""
    return "" if cwd == "~" else cwd.removeprefix("~/")


def _info(path: bytes, attrs: asyncssh.SFTPAttrs, target: bytes | None = None) -> FileInfo:
    moment = None if attrs.mtime is None else datetime.fromtimestamp(attrs.mtime, UTC)
    return FileInfo(
        name=_text(posixpath.basename(path) or path),
        path=_text(path),
        type=_type(attrs.permissions),
        size=attrs.size or 0,
        mode=f"{stat.S_IMODE(attrs.permissions or 0):04o}",
        modified_at=moment,
        target=None if target is None else _text(target),
    )


def _type(permissions: int | None) -> FileType:
    kinds: dict[int, FileType] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
    return kinds.get(stat.S_IFMT(permissions or 0), "other")


def _check_regular(permissions: int | None) -> None:
    if _type(permissions) != "file":
        raise _not_a_file()


def _bytes(given: bytes | str) -> bytes:
    """What asyncssh has as text or bytes, by how it was asked."""
    return given if isinstance(given, bytes) else given.encode("utf-8", "surrogateescape")


def _text(path: bytes) -> str:
    return path.decode(errors="replace")


def _not_a_file() -> Exception:
    return invalid_field("path", "it is not a regular file")


@contextmanager
def _within_folder(path: str) -> Iterator[None]:
    """What is missing where a file is to be written can only be the directory."""
    try:
        yield
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory):
        folder = posixpath.dirname(path) or "."
        raise NotFound(
            f"There is no directory {folder} on the host to write into; make it first, as with `mkdir -p`.",
            code="directory_not_found",
            details={"directory": folder},
        ) from None


def _exists(path: str) -> Conflict:
    return Conflict(f"There is a file {path} already; give 'overwrite': true to replace it.", code="file_exists")
