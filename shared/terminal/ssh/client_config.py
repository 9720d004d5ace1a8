"""The SSH configuration of the gateway's user, read as ssh reads it, but for what it would run.

ProxyCommand and `Match exec` name programs; none is ever started. A host that needs one is refused.
"""

import asyncio
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.domain.targets import Jump
from shared.errors import InvalidInput, TerminalError
from shared.terminal.destinations import Alias


class ClientConfig:
    """The file of that path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def look_up(self, host: str, *, port: int | None, username: str | None) -> Alias | None:
        """What the file says of a host; None where there is none. Raises InvalidInput, TerminalError."""
        return await asyncio.to_thread(self._look_up, host, port, username)

    def _look_up(self, host: str, port: int | None, username: str | None) -> Alias | None:
        from shared.terminal.ssh.config_parser import parse

        try:
            _check_owner(self._path)
            known = parse(self._path, host, port=port, username=username, local_user=_local_user())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unusable("it cannot be read", str(error)) from error
        return _alias(host, known)


def _alias(host: str, known: Mapping[str, Any]) -> Alias:
    jumps = tuple(_jump(part) for part in (known["ProxyJump"] or "").split(",") if part)
    if known["ProxyCommand"] and not jumps:
        raise InvalidInput(
            f"The SSH configuration reaches {host} by a ProxyCommand, which the gateway never runs; use ProxyJump there, "
            "or give 'jump'.",
            code="proxy_command_refused",
        )
    name = known["Hostname"] or host
    return Alias(
        host=_checked(name).host or "",
        port=known["Port"],
        username=known["User"],
        identities=tuple(str(Path(path).expanduser()) for path in known["IdentityFile"] or ()),
        only_identities=bool(known["IdentitiesOnly"]),
        jumps=jumps,
    )


def _jump(text: str) -> Jump:
    """`[user@]host[:port]`, an address of IPv6 in brackets, as ProxyJump has it."""
    text = text.strip().removeprefix("ssh://").rstrip("/")
    username, at, place = text.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    return _checked(host, port=port or None, username=username if at else None)


def _checked(host: str, **more: str | None) -> Jump:
    """The same grammar as for hosts that callers name."""
    try:
        return Jump.model_validate({"host": host, **more})
    except ValidationError as error:
        raise _unusable("it names a host, port or user that is none", str(error)) from None


def _check_owner(path: Path) -> None:
    """As ssh does: what others may write is not followed."""
    found = path.stat()
    if found.st_uid not in (0, os.getuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("others may write it")


def _local_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _unusable(why: str, operator_detail: str) -> TerminalError:
    return TerminalError(
        f"The SSH configuration of the gateway's user cannot be used: {why}; correct it, or give 'useConfig': false.",
        code="ssh_config_unusable",
        operator_detail=operator_detail,
    )
