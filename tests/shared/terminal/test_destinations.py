"""What is looked up before a session is opened: saved connections on the way, and aliases."""

from typing import Any

import pytest

from shared.domain.connections import CreateConnection
from shared.domain.targets import Jump, LocalTarget, SshTarget, TargetFields
from shared.domain.terminal import OpenSession
from shared.errors import Forbidden, InvalidInput, NotFound
from shared.operations.dispatch import parse
from shared.terminal.destinations import Alias, Destinations


class Aliases:
    """A configuration in memory."""

    def __init__(self, **known: Alias) -> None:
        self._known = known

    async def look_up(self, host: str, *, port: int | None, username: str | None) -> Alias:
        return self._known.get(host, Alias(host=host))


SAVED = {
    "gate": {
        "type": "ssh",
        "host": "gate.example",
        "username": "g",
        "password": "hunter1",
        "jump": {"host": "front", "username": "f"},
    },
    "inner": {"type": "ssh", "host": "inner.example", "username": "i", "port": 2222},
    "here": {"type": "local"},
    "ring": {"type": "ssh", "host": "ring.example", "username": "r", "jump": {"connectionId": "ring"}},
}


async def saved(name: str) -> TargetFields:
    if name not in SAVED:
        raise NotFound("no such connection")
    return parse(CreateConnection, {"name": name, **SAVED[name]})


async def target(aliases: Aliases | None = None, **fields: Any) -> SshTarget:
    request = parse(OpenSession, {"type": "ssh", "host": "end", "username": "e", **fields})
    found = await Destinations(saved, aliases).target(request)
    assert isinstance(found, SshTarget)
    return found


def way(found: SshTarget) -> list[str]:
    return [f"{login.username}@{login.host}:{login.port}" for login in (*found.jumps, found.login)]


async def test_other_types_are_what_they_say() -> None:
    assert await Destinations(saved, None).target(parse(OpenSession, {"type": "local", "cwd": "/"})) == LocalTarget(
        cwd="/"
    )


async def test_a_saved_connection_can_be_a_jump_and_brings_its_own_way_and_secrets() -> None:
    found = await target(jump={"connectionId": "gate"})
    assert way(found) == ["f@front:22", "g@gate.example:22", "e@end:22"]
    assert found.jumps[1].password is not None
    assert found.jumps[1].password.get_secret_value() == "hunter1"


async def test_several_jumps_are_gone_through_in_their_order() -> None:
    jumps = [{"host": "a", "username": "x", "port": 1}, {"connectionId": "inner"}, {"host": "c", "username": "y"}]
    assert way(await target(jumps=jumps)) == ["x@a:1", "i@inner.example:2222", "y@c:22", "e@end:22"]


async def test_a_later_jump_is_reached_from_the_one_before() -> None:
    jumps = [{"connectionId": "inner"}, {"connectionId": "gate"}]
    assert way(await target(jumps=jumps)) == ["i@inner.example:2222", "g@gate.example:22", "e@end:22"]


async def test_ways_that_are_too_long_or_go_in_a_circle_are_refused() -> None:
    long = {"host": "x", "username": "x"}
    for jumps in ([{"connectionId": "gate"}, long, long, long], [{"connectionId": "ring"}]):
        with pytest.raises(InvalidInput, match="more than 4 hosts"):
            await target(jumps=jumps)


async def test_a_jump_must_be_an_ssh_connection_that_is_there() -> None:
    with pytest.raises(InvalidInput, match="not one over SSH"):
        await target(jump={"connectionId": "here"})
    with pytest.raises(NotFound):
        await target(jump={"connectionId": "nothing"})


async def test_an_alias_fills_in_what_was_not_given() -> None:
    known = Alias(host="10.0.0.1", port=2200, username="me", identities=("/k",), only_identities=True)
    aliases = Aliases(box=known)
    found = await target(aliases, host="box", username=None)
    assert way(found) == ["me@10.0.0.1:2200"]
    assert (found.login.identities, found.login.only_identities) == (("/k",), True)
    assert way(await target(aliases, host="box", port=22, username="other")) == ["other@10.0.0.1:22"]
    assert way(await target(aliases, host="box", useConfig=False)) == ["e@box:22"]
    assert way(await target(None, host="box")) == ["e@box:22"]


async def test_an_aliases_jumps_are_looked_up_too_and_given_ones_go_before() -> None:
    aliases = Aliases(
        box=Alias(host="box.internal", username="b", jumps=(Jump(host="gw"), Jump(host="second", username="s"))),
        gw=Alias(host="gw.example", username="g", port=443, jumps=(Jump(host="first", username="f"),)),
        second=Alias(host="second.example", jumps=(Jump(host="not-used", username="n"),)),
    )
    assert way(await target(aliases, host="box", username=None)) == [
        "f@first:22",
        "g@gw.example:443",
        "s@second.example:22",
        "b@box.internal:22",
    ]
    assert way(await target(aliases, host="box", jump={"host": "mine", "username": "m"})) == [
        "m@mine:22",
        "e@box.internal:22",
    ]


async def test_the_configuration_is_not_for_everybody() -> None:
    with pytest.raises(Forbidden) as refused:
        await target(None, useConfig=True)
    assert refused.value.code == "ssh_config_refused"


async def test_the_agent_is_not_for_everybody() -> None:
    async def agents(fields: dict[str, Any], *, allowed: bool) -> tuple[bool | None, ...]:
        request = parse(OpenSession, {"type": "ssh", "host": "end", "username": "e", **fields})
        found = await Destinations(saved, None, agent=allowed).target(request)
        assert isinstance(found, SshTarget)
        return tuple(one.agent for one in (*found.jumps, found.login))

    jump = {"jump": {"connectionId": "inner"}}
    assert await agents(jump, allowed=True) == (None, None)
    assert await agents({"agent": True}, allowed=True) == (True,)
    assert await agents(jump, allowed=False) == (False, False)
    for asked in ({"agent": True}, {"jump": {"host": "gate", "username": "g", "agent": True}}):
        with pytest.raises(Forbidden, match="leave 'agent' out") as refused:
            await agents(asked, allowed=False)
        assert refused.value.code == "ssh_agent_refused"


async def test_somebody_has_to_say_who_logs_in() -> None:
    for fields in ({}, {"jump": {"host": "gate"}}):
        with pytest.raises(InvalidInput, match="'username' is not valid"):
            await target(Aliases(), **{"username": None, **fields})
