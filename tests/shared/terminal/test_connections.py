"""Saved connections on a real database, with real sealing."""

import asyncio
from typing import Any

import pytest
from cryptography.fernet import Fernet

from shared.domain.connections import ConnectionInfo, CreateConnection, UpdateConnection
from shared.domain.targets import LocalTarget, SshTarget
from shared.errors import Conflict, InvalidInput, NotFound
from shared.operations.dispatch import parse
from shared.security.secrets_box import SecretsBox
from shared.storage import connection_rows
from shared.storage.database import Database
from shared.terminal import connections as connections_module
from shared.terminal.connections import Connections
from tests.support.clock import Clock

SSH = {
    "name": "server",
    "type": "ssh",
    "host": "host.example",
    "username": "me",
    "password": "hunter2",
    "privateKey": "hunter3",
    "passphrase": "hunter4",
    "env": {"TOKEN": "hunter5"},
    "jump": {"host": "jump.example", "port": 2222, "username": "you", "password": "hunter6"},
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connections(database: Database, clock: Clock) -> Connections:
    return Connections(database, SecretsBox(Fernet.generate_key().decode()), clock)


async def create(connections: Connections, owner: str = "me", **fields: Any) -> ConnectionInfo:
    return await connections.create(owner, parse(CreateConnection, {**SSH, **fields}))


async def update(connections: Connections, row_id: str, **fields: Any) -> ConnectionInfo:
    return await connections.update("me", parse(UpdateConnection, {"id": row_id, **fields}))


async def ssh(connections: Connections, row_id: str) -> SshTarget:
    target = await connections.target("me", row_id)
    assert isinstance(target, SshTarget)
    return target


async def test_secrets_are_kept_but_never_shown(connections: Connections, database: Database) -> None:
    made = await create(connections)
    for shown in (made, await connections.get("me", made.id), *(await connections.list("me"))):
        text = shown.model_dump_json()
        assert "hunter" not in text
        assert shown.has_password
        assert shown.has_private_key
        assert shown.has_passphrase
        assert shown.env_names == ["TOKEN"]
        assert shown.jump is not None
        assert (shown.jump.host, shown.jump.port, shown.jump.has_password, shown.jump.has_private_key) == (
            "jump.example",
            2222,
            True,
            False,
        )
    rows = await database.read(
        lambda session: [row.model_dump_json() for row in connection_rows.of_owner(session, "me")]
    )
    assert "host.example" in rows[0]
    assert "hunter" not in rows[0]


async def test_a_target_has_everything_again(connections: Connections) -> None:
    made = await create(connections)
    for word in (made.id, "server"):
        target = await ssh(connections, word)
        login, (jump,) = target.login, target.jumps
        assert (login.host, login.port, login.username) == ("host.example", 22, "me")
        assert login.password is not None
        assert login.password.get_secret_value() == "hunter2"
        assert login.private_key is not None
        assert login.private_key.get_secret_value() == "hunter3"
        assert jump.password is not None
        assert jump.password.get_secret_value() == "hunter6"
        assert target.env == {"TOKEN": "hunter5"}


async def test_connections_without_secrets_need_no_sealing(connections: Connections) -> None:
    made = await connections.create("me", parse(CreateConnection, {"name": "here", "type": "local", "cwd": "/usr"}))
    assert not made.has_password
    assert await connections.target("me", made.id) == LocalTarget(cwd="/usr")


async def test_others_see_nothing(connections: Connections) -> None:
    made = await create(connections)
    assert await connections.list("you") == []
    for use in (
        connections.get("you", made.id),
        connections.target("you", made.id),
        connections.target("you", "server"),
        connections.delete("you", made.id),
        connections.update("you", parse(UpdateConnection, {"id": made.id, "host": "evil.example"})),
    ):
        with pytest.raises(NotFound) as refused:
            await use
        assert refused.value.code == "connection_not_found"
    assert (await connections.get("me", made.id)).host == "host.example"


async def test_names_are_taken_once_by_each_owner(connections: Connections) -> None:
    first = await create(connections)
    await create(connections, "you")
    with pytest.raises(Conflict) as taken:
        await create(connections)
    assert taken.value.code == "connection_exists"
    second = await create(connections, name="other")
    with pytest.raises(Conflict):
        await update(connections, second.id, name="server")
    assert (await update(connections, first.id, name="server")).name == "server"


async def test_a_rush_for_one_name_has_one_winner(connections: Connections) -> None:
    rush = await asyncio.gather(*(create(connections) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(answer, ConnectionInfo) for answer in rush) == 1
    assert len(await connections.list("me")) == 1


async def test_a_change_leaves_the_rest_as_it_was(connections: Connections, clock: Clock) -> None:
    made = await create(connections)
    clock.advance(minutes=5)
    changed = await update(connections, made.id, host="new.example")
    assert (changed.host, changed.username) == ("new.example", "me")
    assert changed.created_at == made.created_at
    assert (changed.updated_at - made.updated_at).total_seconds() == 300
    target = await ssh(connections, made.id)
    assert target.login.password is not None
    assert target.login.password.get_secret_value() == "hunter2"


async def test_a_telnet_password_goes_to_no_other_host(connections: Connections) -> None:
    saved = {"name": "switch", "type": "telnet", "host": "10.0.0.1", "username": "me", "password": "hunter2"}
    made = await connections.create("me", parse(CreateConnection, saved))
    for elsewhere in ({"host": "10.0.0.2"}, {"port": 2323}):
        with pytest.raises(InvalidInput, match="give it again with another host or port"):
            await update(connections, made.id, **elsewhere)
    assert (await update(connections, made.id, port=23, username="you")).has_password
    assert not (await update(connections, made.id, host="10.0.0.2", password=None)).has_password
    assert (await update(connections, made.id, host="10.0.0.3")).host == "10.0.0.3"


async def test_null_takes_a_field_away(connections: Connections) -> None:
    made = await create(connections)
    changed = await update(connections, made.id, password=None, jump=None, env=None, name=None)
    assert not changed.has_password
    assert changed.jump is None
    assert changed.env_names == []
    assert changed.name == "server"
    assert changed.has_private_key


async def test_a_new_key_does_not_inherit_the_old_passphrase(connections: Connections) -> None:
    made = await create(connections)
    assert not (await update(connections, made.id, privateKey="another")).has_passphrase


async def test_a_jump_host_keeps_its_secrets_for_the_same_login_only(connections: Connections) -> None:
    made = await create(connections)
    login = {"host": "jump.example", "port": 2222, "username": "you"}
    same = await update(connections, made.id, jump=login)
    assert same.jump is not None
    assert same.jump.has_password
    other = await update(connections, made.id, jump={**login, "host": "elsewhere.example"})
    assert other.jump is not None
    assert not other.jump.has_password


@pytest.mark.parametrize(
    ("change", "field"),
    [({"host": None}, "host"), ({"shell": "zsh"}, "shell"), ({"privateKey": None, "passphrase": "x"}, "passphrase")],
)
async def test_a_change_that_does_not_fit_is_refused_and_changes_nothing(
    connections: Connections, change: dict[str, Any], field: str
) -> None:
    made = await create(connections)
    with pytest.raises(InvalidInput) as refused:
        await update(connections, made.id, **change)
    assert isinstance(refused.value.details, dict)
    assert refused.value.details["fields"][0]["field"] == field
    assert "hunter" not in f"{refused.value.message}{refused.value.details}"
    assert await connections.get("me", made.id) == made


async def test_a_deleted_one_is_gone(connections: Connections) -> None:
    made = await create(connections)
    await connections.delete("me", made.id)
    with pytest.raises(NotFound):
        await connections.get("me", made.id)


async def test_there_is_an_end_to_how_many(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "MAX_PER_OWNER", 2)
    await create(connections, name="1")
    await create(connections, name="2")
    with pytest.raises(Conflict) as full:
        await create(connections, name="3")
    assert full.value.code == "too_many_connections"


async def test_several_jumps_keep_their_secrets_apart(connections: Connections, database: Database) -> None:
    gate = await create(connections, name="gate", jump=None, host="gate.example", password="hunter7")
    jumps = [
        {"host": "one.example", "username": "you", "password": "hunter8"},
        {"connectionId": gate.id},
        {"host": "three.example", "username": "you", "privateKey": "hunter9"},
    ]
    made = await create(connections, jump=None, jumps=jumps)
    assert "hunter" not in made.model_dump_json()
    assert made.jumps is not None
    assert [(hop.host, hop.connection_id, hop.has_password, hop.has_private_key) for hop in made.jumps] == [
        ("one.example", None, True, False),
        (None, gate.id, False, False),
        ("three.example", None, False, True),
    ]
    rows = await database.read(
        lambda session: [row.model_dump_json() for row in connection_rows.of_owner(session, "me")]
    )
    assert not [row for row in rows if "hunter" in row]
    target = await ssh(connections, made.id)
    assert [login.host for login in target.jumps] == ["one.example", "gate.example", "three.example"]
    assert [login.password and login.password.get_secret_value() for login in target.jumps] == [
        "hunter8",
        "hunter7",
        None,
    ]
    changed = await update(connections, made.id, jumps=[{"host": "one.example", "username": "you"}])
    assert changed.jumps is not None
    assert [hop.has_password for hop in changed.jumps] == [True]


async def test_a_jump_may_only_be_ones_own(connections: Connections) -> None:
    gate = await create(connections, owner="somebody else", name="gate", jump=None)
    made = await create(connections, jump={"connectionId": gate.id})
    with pytest.raises(NotFound):
        await connections.target("me", made.id)


async def test_a_new_key_does_not_keep_the_certificate_of_the_old_one(connections: Connections) -> None:
    made = await create(connections, certificate="ssh-ed25519-cert-v01@openssh.com AAAA")
    assert (await ssh(connections, made.id)).login.certificate is not None
    await update(connections, made.id, privateKey="hunter3b")
    assert (await ssh(connections, made.id)).login.certificate is None
