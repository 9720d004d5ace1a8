"""The operator's policy in a TOML or JSON file."""

import tomllib
from pathlib import Path

import orjson
from pydantic import ValidationError

from shared.domain.policy import CommandPolicy
from shared.errors import Unavailable

MAX_BYTES = 1024 * 1024
MAX_TOLD = 10


def load(path: Path) -> CommandPolicy:
    """The policy in a file. Raises Unavailable that names each mistake, OSError when there is no such file."""
    text = path.read_bytes()
    if len(text) > MAX_BYTES:
        raise _wrong(path, f"it has more than {MAX_BYTES} bytes")
    try:
        found = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text.decode("utf-8"))
        return CommandPolicy.model_validate(found)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False, include_context=False)
        told = [f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}" for found in mistakes[:MAX_TOLD]]
        raise _wrong(path, "; ".join(told)) from None
    except ValueError as error:
        raise _wrong(path, str(error)) from None


def _wrong(path: Path, reason: str) -> Unavailable:
    return Unavailable(f"The command policy in {path} cannot be used: {reason}.", code="wrong_policy")
