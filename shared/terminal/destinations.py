"""From what callers ask for to targets with nothing left open: saved connections and SSH aliases are looked up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from shared.domain.targets import MAX_JUMPS, Jump, SshLogin, SshTarget, Target, TargetFields
from shared.errors import Forbidden, InvalidInput, invalid_field

CREDENTIALS = ("password", "private_key", "passphrase", "certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """What an SSH configuration says of a host; None and nothing where it says nothing."""

    host: str
    port: int | None = None
    username: str | None = None
    identities: tuple[str, ...] = ()
    only_identities: bool = False
    jumps: tuple[Jump, ...] = ()


class Aliases(Protocol):
    """The SSH configuration of the gateway's user."""

    async def look_up(self, host: str, *, port: int | None, username: str | None) -> Alias | None:
        """What it says of a host; None where there is no such file. Raises InvalidInput for what we do not do."""


SavedFields = Callable[[str], Awaitable[TargetFields]]
"""The fields of a saved connection, by its id or name. Raises NotFound."""


class Destinations:
    """Looks up what one caller may use: its saved connections, and with `aliases` the SSH configuration.

    With `agent`, a login may be by the keys in the SSH agent of the gateway's user.
    """

    def __init__(self, saved: SavedFields, aliases: Aliases | None, *, agent: bool = False) -> None:
        self._saved = saved
        self._aliases = aliases
        self._agent = agent

    async def target(self, fields: TargetFields) -> Target:
        """The target that is meant. Raises InvalidInput, NotFound."""
        if fields.type != "ssh":
            return fields.near_target()
        if fields.use_config and self._aliases is None:
            raise Forbidden(
                "The SSH configuration of the gateway's user is not for these credentials; leave 'useConfig' out and "
                "give host, username and key.",
                code="ssh_config_refused",
            )
        way = await self._way(fields, fields.hops, self._aliases)
        return SshTarget(
            login=way[-1], jumps=tuple(way[:-1]), known_hosts=fields.known_hosts, cwd=fields.cwd, env=fields.env or {}
        )

    async def _way(
        self, given: TargetFields | Jump, hops: tuple[Jump, ...], aliases: Aliases | None, depth: int = 0
    ) -> list[SshLogin]:
        """The logins on the way to a host, its own the last. As with ssh, the first jump is reached on its own way."""
        if depth > MAX_JUMPS:
            raise _too_many()
        alias = await _looked_up(given, aliases)
        way: list[SshLogin] = []
        for hop in hops or (alias.jumps if alias else ()):
            opened = await self._opened(hop)
            if way:
                way.append(self._login(opened, await _looked_up(opened, aliases)))
            else:
                way = await self._way(opened, _hops_of(opened), aliases, depth + 1)
        if len(way) > MAX_JUMPS:
            raise _too_many()
        return [*way, self._login(given, alias)]

    async def _opened(self, hop: Jump) -> TargetFields | Jump:
        if hop.connection_id is None:
            return hop
        saved = await self._saved(hop.connection_id)
        if saved.type != "ssh":
            raise invalid_field("jump", "the saved connection is not one over SSH")
        return saved

    def _login(self, given: TargetFields | Jump, alias: Alias | None) -> SshLogin:
        if given.agent and not self._agent:
            raise Forbidden(
                "The SSH agent of the gateway's user is not for these credentials; leave 'agent' out and give "
                "'privateKey' or 'password'.",
                code="ssh_agent_refused",
            )
        alias = alias or Alias(host=given.host or "")
        username = given.username or alias.username
        if username is None:
            raise invalid_field("username", "this field is required for the type 'ssh'")
        return SshLogin(
            host=alias.host,
            port=given.port or alias.port or 22,
            username=username,
            identities=alias.identities,
            only_identities=alias.only_identities,
            agent=given.agent if self._agent else False,
            **{name: getattr(given, name) for name in CREDENTIALS},
        )


def _hops_of(given: TargetFields | Jump) -> tuple[Jump, ...]:
    return given.hops if isinstance(given, TargetFields) else ()


async def _looked_up(given: TargetFields | Jump, aliases: Aliases | None) -> Alias | None:
    if aliases is None or (isinstance(given, TargetFields) and given.use_config is False):
        return None
    return await aliases.look_up(given.host or "", port=given.port, username=given.username)


def _too_many() -> InvalidInput:
    return invalid_field("jump", f"more than {MAX_JUMPS} hosts would have to be gone through")
