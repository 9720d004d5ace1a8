"""The parser of asyncssh for SSH configurations, with the few options that we use and without what runs programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncssh.config

OPTIONS = ("Hostname", "Port", "User", "IdentityFile", "IdentitiesOnly", "ProxyJump", "ProxyCommand")
NOT_EVALUATED = frozenset({"exec", "localnetwork"})
"""Conditions that run a program or look at this machine's network: a block that has one never applies."""


class _Config(asyncssh.config.SSHClientConfig):
    def _only_harmless(self, option: str, args: list[str]) -> None:
        if NOT_EVALUATED & {arg.lower().lstrip("!") for arg in args}:
            self._matching = False
            args.clear()
        else:
            self._match(option, args)

    _percent_expand = {"IdentityFile"}  # noqa: RUF012 - as its base class has it
    _handlers = {  # noqa: RUF012
        **{
            name: asyncssh.config.SSHClientConfig._handlers[name]
            for name in ("host", "include", *map(str.lower, OPTIONS))
        },
        "match": ("Match", _only_harmless),
    }


def parse(path: Path, host: str, *, port: int | None, username: str | None, local_user: str) -> Mapping[str, Any]:
    """What the file says of a host, by option. Raises OSError, ValueError."""
    found = _Config.load(None, path, False, False, False, local_user, username or (), host, port or ())
    return {name: found.get(name) for name in OPTIONS}
