"""What a person, or a script, is told when a command fails: one clear line with what to do, and no traceback."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import orjson

from shared.errors import Details, GatewayError
from shared.setting_sources import SettingsError
from shared.terminal.visible import visible, visible_json

FAILED = 1
INTERRUPTED = 130
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@contextmanager
def guarded(*, as_json: bool = False) -> Iterator[None]:
    """Whatever fails inside ends the process with its line and code, and with `as_json` its object on stdout."""
    try:
        yield
    except SettingsError as error:
        _object(as_json, str(error), {"problems": error.problems}, "invalid_settings")
        fail(str(error))
    except GatewayError as error:
        _object(as_json, error.message, error.details, error.code)
        fail(error.message, *_more(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _leave_stdout()
    except Exception as error:
        if _called_wrongly(error):
            _misused(as_json, error)
        if isinstance(error, OSError) and _is_about_stdout(error):
            _leave_stdout(f"the output cannot be written: {error.strerror or error}")
        if os.environ.get("LOG_LEVEL", "").lower() == "debug":
            raise
        _object(as_json, f"{type(error).__name__}: {error}", "", GatewayError.code)
        fail(f"{type(error).__name__}: {error}", "This was not expected; LOG_LEVEL=debug shows where it happened.")


def fail(message: str, *more: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong and end the process."""
    with suppress(OSError):
        print(visible(f"error: {message}"), file=sys.stderr)
        for line in more:
            print(visible(f"  {line}"), file=sys.stderr)
    sys.exit(code)


def show_object(wanted: bool, error: GatewayError) -> None:
    """The failure as REST has it, on stdout, where that is wanted."""
    _object(wanted, error.message, error.details, error.code)


def _object(wanted: bool, message: str, details: Details, code: str) -> None:
    """The failure as REST has it."""
    if wanted:
        try:
            body = orjson.dumps({"error": message, "details": details, "code": code}, default=str)
            print(visible_json(body.decode()))
            _flush()
        except OSError:
            _leave_stdout()


def _more(error: GatewayError) -> list[str]:
    """The details that help a person: other wrong fields, and the attempts that failed."""
    if isinstance(error.details, str):
        return error.details.splitlines()
    lines = [f"{found['field']}: {found['reason']}" for found in error.details.get("fields", [])[1:]]
    lines += [f"{found['model']}: {found['message']}" for found in error.details.get("attempts", [])]
    lines += [f"{found['model']}: {found['reason']}" for found in error.details.get("dropped", [])[:8]]
    return lines


def _called_wrongly(error: Exception) -> bool:
    """Whether the command line itself was wrong; typer says so in a class that it does not export."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _misused(as_json: bool, error: Any) -> NoReturn:
    _object(as_json, error.format_message(), "", "invalid_usage")
    fail(error.format_message(), code=error.exit_code)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _is_about_stdout(error: OSError) -> bool:
    """Whether it was stdout that could not be written: an error of a file names it, but for a disk that is full."""
    try:
        _flush()
    except (OSError, ValueError):
        return True
    return error.filename is None and error.errno in NO_ROOM


def _leave_stdout(why: str = "") -> NoReturn:
    """`mcp-gateway … | head`: end, and keep the interpreter from trying to flush once more."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if why:
        fail(why)
    sys.exit(FAILED)
