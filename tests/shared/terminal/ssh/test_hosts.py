"""Opening SSH sessions against a real server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
from pydantic import SecretStr

from shared.errors import Conflict, Forbidden, HostKeyChanged, InvalidInput, TerminalError
from shared.terminal.sessions import Sessions
from shared.terminal.ssh.known_hosts import Known, KnownHosts
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server
from tests.support.terminals import make_sessions, open_descriptors, opened, ssh_target, until


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def client_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def exported(key: asyncssh.SSHKey, passphrase: str | None = None, form: str = "pkcs8-pem") -> SecretStr:
    return SecretStr(key.export_private_key(form, passphrase=passphrase, rounds=64).decode())


async def test_a_password_logs_in(sessions: Sessions, ssh_server: SshServer) -> None:
    async with opened(sessions, ssh_target(ssh_server)) as terminal:
        assert (await terminal.run('echo "$USER"')).stdout == f"{USER}\n"
        info = terminal.session.info
        assert (info.type, info.host, info.port, info.username) == ("ssh", "127.0.0.1", ssh_server.port, USER)
        await terminal.close()


@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem"])
@pytest.mark.parametrize("passphrase", [None, "open sesame"])
async def test_a_key_logs_in(
    sessions: Sessions, tmp_path: Path, client_key: asyncssh.SSHKey, passphrase: str | None, form: str
) -> None:
    if form == "openssh" and passphrase:
        pytest.importorskip("bcrypt", reason="OpenSSH's own form of locked keys needs bcrypt")
    secret = SecretStr(passphrase) if passphrase else None
    async with running_ssh_server(tmp_path, authorized=client_key) as server:
        target = ssh_target(
            server, password=None, private_key=exported(client_key, passphrase, form), passphrase=secret
        )
        async with opened(sessions, target) as terminal:
            assert (await terminal.run("echo in")).stdout == "in\n"
            await terminal.close()


async def test_an_agent_logs_in(tmp_path: Path, client_key: asyncssh.SSHKey) -> None:
    agent = await _Agent.start(tmp_path / "agent.sock", client_key)
    async with (
        running_ssh_server(tmp_path, authorized=client_key) as server,
        make_sessions(tmp_path, agent_path=str(tmp_path / "agent.sock")) as sessions,
    ):
        for wanted in (True, None):
            async with opened(sessions, ssh_target(server, password=None, agent=wanted)) as terminal:
                assert (await terminal.run("echo in")).stdout == "in\n"
                await terminal.close()
        assert agent.asked >= 2
        with pytest.raises(TerminalError) as refused:
            await sessions.open("a", ssh_target(server, password=None, agent=False))
        assert refused.value.code == "authentication_failed"
    agent.close()


async def test_a_question_in_any_language_is_answered_with_the_password(sessions: Sessions, tmp_path: Path) -> None:
    async with running_ssh_server(tmp_path, questions=("Passwort fuer tester: ",)) as server:
        async with opened(sessions, ssh_target(server)) as terminal:
            assert (await terminal.run("echo in")).stdout == "in\n"
            await terminal.close()
        assert server.answers == [PASSWORD]


async def test_a_second_question_does_not_get_the_password(sessions: Sessions, tmp_path: Path) -> None:
    async with running_ssh_server(tmp_path, questions=("Password: ", "Verification code: ")) as server:
        with pytest.raises(Conflict) as refused:
            await sessions.open("a", ssh_target(server))
        assert refused.value.code == "code_required"
        assert server.answers == [PASSWORD]


async def test_keys_that_a_configuration_names_log_in(
    sessions: Sessions, tmp_path: Path, client_key: asyncssh.SSHKey
) -> None:
    client_key.write_private_key(tmp_path / "key")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(
        tmp_path / "locked", "pkcs8-pem", passphrase="x", rounds=64
    )
    (tmp_path / "broken").write_text("no key")
    names = tuple(str(tmp_path / name) for name in ("missing", "locked", "broken", "key"))
    async with (
        running_ssh_server(tmp_path, authorized=client_key) as server,
        opened(sessions, ssh_target(server, password=None, identities=names)) as terminal,
    ):
        assert (await terminal.run("echo in")).stdout == "in\n"
        await terminal.close()


async def test_only_identities_keeps_the_agents_other_keys_back(tmp_path: Path, client_key: asyncssh.SSHKey) -> None:
    client_key.write_private_key(tmp_path / "mine", "pkcs8-pem", passphrase="locked", rounds=64)
    client_key.write_public_key(tmp_path / "mine.pub")
    agent = await _Agent.start(tmp_path / "agent.sock", client_key)
    async with (
        running_ssh_server(tmp_path, authorized=client_key) as server,
        make_sessions(tmp_path, agent_path=str(tmp_path / "agent.sock")) as sessions,
    ):
        mine = ssh_target(server, password=None, identities=(str(tmp_path / "mine"),), only_identities=True)
        async with opened(sessions, mine) as terminal:
            assert (await terminal.run("echo in")).stdout == "in\n"
            await terminal.close()
        with pytest.raises(TerminalError):
            await sessions.open("a", ssh_target(server, password=None, only_identities=True))
    agent.close()


async def test_a_certificate_that_is_none_is_refused_by_name(
    sessions: Sessions, ssh_server: SshServer, client_key: asyncssh.SSHKey
) -> None:
    with pytest.raises(InvalidInput, match="certificate"):
        await sessions.open(
            "a", ssh_target(ssh_server, password=None, private_key=exported(client_key), certificate="none")
        )
    assert not ssh_server.connections


async def test_an_agent_that_is_not_there_is_said_so(sessions: Sessions, ssh_server: SshServer, tmp_path: Path) -> None:
    with pytest.raises(TerminalError) as missing:
        await sessions.open("a", ssh_target(ssh_server, password=None, agent=True))
    assert missing.value.code == "no_agent"
    async with make_sessions(tmp_path, agent_path=str(tmp_path / "nothing")) as others:
        with pytest.raises(TerminalError) as gone:
            await others.open("a", ssh_target(ssh_server, password=None, agent=True))
        assert gone.value.code == "no_agent"


async def test_a_wrong_password_is_refused_and_never_shown(sessions: Sessions, ssh_server: SshServer) -> None:
    with pytest.raises(TerminalError) as refused:
        await sessions.open("a", ssh_target(ssh_server, password=SecretStr("hunter2-wrong")))
    assert refused.value.code == "authentication_failed"
    told = f"{refused.value.message}{refused.value.details}{refused.value.operator_detail}{refused.value!r}"
    assert "hunter2" not in told
    assert ssh_server.logins == 0
    assert len(sessions) == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"private_key": SecretStr("not a key")}, "privateKey"),
        (
            {"private_key": SecretStr("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----")},
            "privateKey",
        ),
        ({"private_key": "locked"}, "privateKey"),
        ({"private_key": "locked", "passphrase": SecretStr("wrong")}, "passphrase"),
    ],
)
async def test_a_key_that_does_not_open_is_refused_by_name(
    sessions: Sessions,
    ssh_server: SshServer,
    client_key: asyncssh.SSHKey,
    fields: dict[str, object],
    field: str,
) -> None:
    if fields["private_key"] == "locked":
        fields = {**fields, "private_key": exported(client_key, "right")}
    with pytest.raises(InvalidInput) as refused:
        await sessions.open("a", ssh_target(ssh_server, password=None, **fields))
    assert refused.value.details["fields"][0]["field"] == field  # type: ignore[index, call-overload]
    assert not ssh_server.connections


async def test_a_key_is_remembered_and_a_changed_one_never_gets_the_password(
    sessions: Sessions, tmp_path: Path, host_key: asyncssh.SSHKey
) -> None:
    async with running_ssh_server(tmp_path, host_keys=[host_key]) as server:
        for _ in range(2):
            async with opened(sessions, ssh_target(server)) as terminal:
                await terminal.close()
        target = ssh_target(server)
    async with running_ssh_server(tmp_path, port=server.port) as impostor:
        with pytest.raises(HostKeyChanged) as changed:
            await sessions.open("a", target)
        assert isinstance(changed.value.details, dict)
        assert changed.value.details["knownFingerprint"] == host_key.get_fingerprint()
        assert changed.value.details["presentedFingerprint"] == impostor.fingerprints[0]
        assert impostor.logins == 0
    (tmp_path / "known_hosts").unlink()  # as the operator is told to
    async with running_ssh_server(tmp_path, port=server.port) as successor, opened(sessions, target) as terminal:
        assert successor.logins == 1
        await terminal.close()


async def test_a_key_of_another_type_is_a_change_too(
    sessions: Sessions, tmp_path: Path, host_key: asyncssh.SSHKey
) -> None:
    async with (
        running_ssh_server(tmp_path, host_keys=[host_key]) as server,
        opened(sessions, ssh_target(server)) as terminal,
    ):
        await terminal.close()
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    async with running_ssh_server(tmp_path, host_keys=[other], port=server.port):
        with pytest.raises(HostKeyChanged):
            await sessions.open("a", ssh_target(server))


async def test_a_host_with_several_keys_shows_the_one_we_know(
    sessions: Sessions, tmp_path: Path, host_key: asyncssh.SSHKey
) -> None:
    known = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    async with (
        running_ssh_server(tmp_path, host_keys=[known]) as server,
        opened(sessions, ssh_target(server)) as terminal,
    ):
        await terminal.close()
    async with running_ssh_server(tmp_path, host_keys=[host_key, known], port=server.port) as both:
        async with opened(sessions, ssh_target(both)) as terminal:
            await terminal.close()
        assert both.logins == 1


async def test_an_unknown_key_is_refused_when_strict(sessions: Sessions, ssh_server: SshServer, tmp_path: Path) -> None:
    async with make_sessions(tmp_path, policy="strict") as strict:
        for made, target in (
            (strict, ssh_target(ssh_server, known_hosts="trust-first-use")),
            (sessions, ssh_target(ssh_server, known_hosts="strict")),
        ):
            with pytest.raises(TerminalError) as unknown:
                await made.open("a", target)
            assert unknown.value.code == "host_key_unknown"
            assert ssh_server.fingerprints[0] in unknown.value.message
    assert ssh_server.logins == 0


async def test_first_use_by_many_at_once_remembers_one_key(
    sessions: Sessions, ssh_server: SshServer, tmp_path: Path
) -> None:
    await asyncio.gather(*(sessions.open("a", ssh_target(ssh_server)) for _ in range(5)))
    assert len((tmp_path / "known_hosts").read_text().splitlines()) == 1


async def test_metadata_addresses_are_refused(sessions: Sessions, ssh_server: SshServer) -> None:
    with pytest.raises(Forbidden) as refused:
        await sessions.open("a", ssh_target(ssh_server, host="169.254.169.254"))
    assert refused.value.code == "address_refused"


async def test_a_server_that_is_none_is_told_so(sessions: Sessions, ssh_server: SshServer) -> None:
    async def wrong(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    before = open_descriptors()
    server = await asyncio.start_server(wrong, "127.0.0.1", 0)
    with pytest.raises(TerminalError, match="SSH handshake") as failed:
        await sessions.open("a", ssh_target(ssh_server, port=server.sockets[0].getsockname()[1]))
    assert failed.value.code == "connection_failed"
    server.close()
    await server.wait_closed()
    await until(lambda: open_descriptors() <= before)


async def test_a_server_that_says_nothing_is_given_up(ssh_server: SshServer, tmp_path: Path) -> None:
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with make_sessions(tmp_path, timeout=0.2) as sessions:
            with pytest.raises(TerminalError, match="did not finish the login"):
                await sessions.open("a", ssh_target(ssh_server, port=silent.getsockname()[1]))
            assert len(sessions) == 0
    await until(lambda: open_descriptors() <= before)


async def test_giving_up_while_it_connects_leaves_nothing(sessions: Sessions, ssh_server: SshServer) -> None:
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        opening = asyncio.ensure_future(sessions.open("a", ssh_target(ssh_server, port=silent.getsockname()[1])))
        await until(lambda: open_descriptors() > before + 1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    await until(lambda: open_descriptors() <= before)
    assert not sessions._open_slots._taken


async def test_a_host_key_that_cannot_be_kept_ends_the_connection(
    sessions: Sessions, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Known:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(KnownHosts, "_remember", full)
    before = open_descriptors()
    with pytest.raises(TerminalError, match="No space left") as unusable:
        await sessions.open("a", ssh_target(ssh_server))
    assert unusable.value.code == "known_hosts_unusable"
    await until(lambda: open_descriptors() <= before)


async def test_giving_up_while_the_host_key_is_kept_ends_the_connection(
    sessions: Sessions, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = asyncio.Event()

    async def slow(*_: object) -> Known:
        keeping.set()
        await asyncio.Event().wait()
        return Known()

    monkeypatch.setattr(KnownHosts, "remember", slow)
    before = open_descriptors()
    opening = asyncio.ensure_future(sessions.open("a", ssh_target(ssh_server)))
    await asyncio.wait_for(keeping.wait(), 5)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: open_descriptors() <= before)


class _Agent:
    """Enough of an SSH agent to log in with one key."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self.asked = 0
        self._key = key

    @classmethod
    async def start(cls, path: Path, key: asyncssh.SSHKey) -> "_Agent":
        agent = cls(key)
        agent._server = await asyncio.start_unix_server(agent._serve, path)
        return agent

    def close(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def packed(data: bytes) -> bytes:
            return len(data).to_bytes(4, "big") + data

        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                message = await reader.readexactly(size)
                if message[0] == 11:  # SSH_AGENTC_REQUEST_IDENTITIES
                    self.asked += 1
                    answer = b"\x0c" + (1).to_bytes(4, "big") + packed(self._key.public_data) + packed(b"test")
                else:  # SSH_AGENTC_SIGN_REQUEST: blob, data, flags
                    start = 5 + int.from_bytes(message[1:5], "big")
                    length = int.from_bytes(message[start : start + 4], "big")
                    answer = b"\x0e" + packed(self._key.sign(message[start + 4 : start + 4 + length], b"ssh-ed25519"))
                writer.write(packed(answer))
        except asyncio.IncompleteReadError:
            writer.close()
