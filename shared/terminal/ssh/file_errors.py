"""What went wrong with a remote file, as callers are told."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh

from shared.errors import Forbidden, GatewayError, NotFound, TerminalError, Unsupported
from shared.terminal.ssh.link import lost


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turns the errors of SFTP into ours."""
    try:
        yield
    except asyncssh.SFTPError as error:
        raise _explained(path, error) from error
    except TimeoutError as error:
        raise TerminalError("The host does not answer; try again.", code="file_failed") from error
    except (asyncssh.Error, OSError) as error:
        raise lost(str(error)) from error


def no_sftp(error: Exception) -> Unsupported:
    """The host has no SFTP."""
    return Unsupported(
        "The host offers no file transfer (SFTP); use commands such as cat instead.", operator_detail=str(error)
    )


def _explained(path: str, error: asyncssh.SFTPError) -> GatewayError:
    if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
        return NotFound(f"There is no {path} on the host.", code="file_not_found")
    if isinstance(error, asyncssh.SFTPPermissionDenied | asyncssh.SFTPWriteProtect):
        return Forbidden(f"The host's user may not do that with {path}.", code="file_refused")
    if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
        return lost(error.reason)
    reason = "".join(letter for letter in error.reason if letter.isprintable())[:200]
    return TerminalError(f"The host could not do that with {path}: {reason}.", code="file_failed")
