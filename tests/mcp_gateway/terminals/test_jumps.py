"""Chains of jump hosts that a model names inline, without secrets; on asyncio only, as the other tests of jumps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from shared.domain.audit import AuditQuery
from shared.domain.identity import LOCAL
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.connections import CREATE_CONNECTION
from tests.support.mcp_stack import ERAS, client_of, facts_of, text_of
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server


@pytest.fixture
async def hosts(tmp_path: Path, home: Path) -> AsyncIterator[list[SshServer]]:
    """Three hosts, each of which takes the key that the SSH configuration of the gateway's user names."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    (home / ".ssh").mkdir()
    key.write_private_key(home / ".ssh" / "id")
    (home / ".ssh" / "config").write_text("Host 127.0.0.1 inner\n  IdentityFile ~/.ssh/id\n  HostName 127.0.0.1\n")
    async with AsyncExitStack() as stack:
        made = []
        for name in ("one", "two", "three"):
            (tmp_path / name).mkdir()
            server = await stack.enter_async_context(running_ssh_server(tmp_path / name))
            server.authorized = key
            made.append(server)
        yield made


def hop(server: SshServer, host: str = "127.0.0.1") -> str:
    return f"{USER}@{host}:{server.port}"


def towards(server: SshServer, *jump: str) -> dict[str, Any]:
    target = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER}
    return {**target, "jump": list(jump)}


@pytest.mark.parametrize("era", ERAS)
async def test_a_session_goes_through_the_hosts_that_a_call_names(
    gateway: Gateway, era: str, hosts: list[SshServer]
) -> None:
    first, second, last = hosts
    first.authorized = None  # the password of the saved connection is all that it takes
    saved = {"name": "near", "type": "ssh", "host": "127.0.0.1", "port": first.port, "username": USER}
    await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, {**saved, "password": PASSWORD})
    async with client_of(gateway, mode=era) as client:
        opened = facts_of(await client.call_tool("open_terminal", towards(last, "near", hop(second, "inner"))))
        ran = await client.call_tool("run_command", {"sessionId": opened["sessionId"], "command": "pwd"})
        assert facts_of(ran)["stdout"] == f"{last.home}\n"
        assert [server.logins for server in hosts] == [1, 1, 1]
        assert [server.forwards for server in hosts] == [[second.port], [last.port], []]
        await client.call_tool("close_terminal", {"sessionId": opened["sessionId"]})


async def test_the_audit_trail_names_the_hosts_that_are_gone_through(gateway: Gateway, hosts: list[SshServer]) -> None:
    async with client_of(gateway) as client:
        await client.call_tool("open_terminal", towards(hosts[1], hop(hosts[0])))
    await gateway.audit.flush()
    (row,) = (await gateway.audit.query(AuditQuery(action="open_terminal"))).entries
    assert row.details["jump"] == hop(hosts[0])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"type": "ssh", "host": "x", "username": "me", "jump": ["me@one"] * 5}, "'jump' is not valid"),
        ({"type": "ssh", "host": "x", "username": "me", "jump": ["me:s3cret@one"]}, "'jump.0' is not valid: must be"),
        ({"type": "ssh", "host": "x", "username": "me", "jump": ["a@b", "me@::1"]}, "'jump.1' is not valid: must be"),
        ({"type": "ssh", "host": "x", "username": "me", "jump": ["me@one:70000"]}, "'jump.0.port' is not valid"),
        ({"type": "ssh", "host": "x", "username": "me", "jump": ["me@-oProxyCommand=x"]}, "'jump.0.host' is not valid"),
        ({"type": "ssh", "host": "x", "username": "me", "jump": [{"host": "x", "password": "s3cret"}]}, "must be text"),
        ({"type": "ssh", "host": "x", "username": "me", "jump": ["nowhere"]}, "not_found)"),
        ({"type": "telnet", "host": "x", "jump": ["me@one"]}, "'jump' is not valid: is for the type 'ssh'"),
        ({"connection": "box", "jump": ["me@one"]}, "'jump' is not valid: comes from the saved connection"),
    ],
)
async def test_what_is_wrong_with_a_chain_is_named(gateway: Gateway, arguments: dict[str, Any], named: str) -> None:
    async with client_of(gateway) as client:
        result = await client.call_tool("open_terminal", arguments)
    assert result.is_error
    assert named in text_of(result)
    assert "s3cret" not in text_of(result)


async def test_a_chain_may_come_as_json_text_and_an_ipv6_address_in_brackets(
    gateway: Gateway, hosts: list[SshServer]
) -> None:
    async with client_of(gateway) as client:
        text = f'["{hop(hosts[0])}"]'
        assert facts_of(await client.call_tool("open_terminal", {**towards(hosts[1]), "jump": text}))
        refused = text_of(await client.call_tool("open_terminal", towards(hosts[1], "me@[::1]:1")))
        assert "::1" in refused
        assert "is not valid" not in refused
