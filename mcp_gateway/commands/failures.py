"""What a person is told when a command fails: one clear line with what to do, and no traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from shared.errors import GatewayError
from shared.settings import SettingsError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


@contextmanager
def guarded() -> Iterator[None]:
    """Whatever fails inside ends the process with its line and code."""
    try:
        yield
    except SettingsError as error:
        fail(str(error))
    except GatewayError as error:
        fail(error.message, *_more(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _nobody_reads()
    except Exception as error:
        if os.environ.get("LOG_LEVEL", "").lower() == "debug":
            raise
        fail(f"{type(error).__name__}: {error}", "This was not expected; LOG_LEVEL=debug shows where it happened.")


def fail(message: str, *more: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong and end the process."""
    print(f"error: {message}", file=sys.stderr)
    for line in more:
        print(f"  {line}", file=sys.stderr)
    sys.exit(code)


def _more(error: GatewayError) -> list[str]:
    """The details that help a person: other wrong fields, and the attempts that failed."""
    if isinstance(error.details, str):
        return error.details.splitlines()
    lines = [f"{found['field']}: {found['reason']}" for found in error.details.get("fields", [])[1:]]
    lines += [f"{found['model']}: {found['message']}" for found in error.details.get("attempts", [])]
    lines += [f"{found['model']}: {found['reason']}" for found in error.details.get("dropped", [])[:8]]
    return lines


def _nobody_reads() -> NoReturn:
    """`mcp-gateway … | head`: end in silence, and keep the interpreter from trying to flush once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(FAILED)
