"""Private keys that are made to keep the gateway busy, given by callers."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import psutil
import pytest
from asyncssh.asn1 import ObjectIdentifier, der_encode
from pydantic import SecretStr

from shared.domain.targets import SshLogin
from shared.errors import InvalidInput
from shared.terminal.sessions import Sessions
from shared.terminal.ssh.private_keys import PrivateKeys
from tests.support.http_gateway import surface
from tests.support.ssh_server import USER, SshServer, running_ssh_server
from tests.support.terminals import make_sessions, opened, ssh_target, until

PASSPHRASE = SecretStr("open sesame")


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


def pem(kind: str, data: bytes) -> SecretStr:
    lines = base64.encodebytes(data).decode()
    return SecretStr(f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}-----END {kind}PRIVATE KEY-----\n")


def openssh_key(rounds: int) -> SecretStr:
    """A key in OpenSSH's form that is encrypted with so many rounds of bcrypt."""

    def text(value: bytes) -> bytes:
        return struct.pack(">I", len(value)) + value

    kdf = text(b"0123456789abcdef") + struct.pack(">I", rounds)
    body = text(b"aes256-ctr") + text(b"bcrypt") + text(kdf) + struct.pack(">I", 1) + text(b"") + text(b"x" * 64)
    return pem("OPENSSH ", b"openssh-key-v1\0" + body)


def pkcs8_key(iterations: int, length: int = 32) -> SecretStr:
    """A key in PKCS#8 form that is encrypted with so many iterations of PBKDF2, or a derived key of that length."""
    derivation = (ObjectIdentifier("1.2.840.113549.1.5.12"), (b"saltsalt", iterations, length))
    cipher = (ObjectIdentifier("2.16.840.1.101.3.4.1.42"), b"i" * 16)
    return pem("ENCRYPTED ", der_encode(((ObjectIdentifier("1.2.840.113549.1.5.13"), (derivation, cipher)), b"x" * 64)))


def pkcs12_key(iterations: int) -> SecretStr:
    """The same with the derivation of PKCS#12."""
    parameters = (ObjectIdentifier("1.2.840.113549.1.12.1.3"), (b"saltsalt", iterations))
    return pem("ENCRYPTED ", der_encode((parameters, b"x" * 64)))


def endless_keys() -> list[tuple[str, SecretStr]]:
    return [
        ("bcrypt", openssh_key(4_000_000_000)),
        ("pbkdf2", pkcs8_key(2_000_000_000)),
        ("pbkdf2-length", pkcs8_key(2048, 2_000_000_000)),
        ("pkcs12", pkcs12_key(2_000_000_000)),
    ]


def key_readers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if any("private_key_child" in word for word in child.cmdline())
    ]


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.terminal.ssh.private_keys.WALL_SECONDS", 1.0)


@pytest.mark.parametrize("key", [pytest.param(key, id=name) for name, key in endless_keys()])
async def test_a_key_with_endless_derivation_is_refused(
    sessions: Sessions, ssh_server: SshServer, key: SecretStr, small_limit: None
) -> None:
    target = ssh_target(ssh_server, password=None, private_key=key, passphrase=PASSPHRASE)
    with pytest.raises(InvalidInput) as refused:
        await sessions.open("a", target)
    assert "privateKey" in refused.value.message or "passphrase" in refused.value.message
    assert not ssh_server.connections
    assert not key_readers()


async def test_a_saved_connection_with_an_endless_key_is_a_400_over_rest(
    tmp_path: Path, ssh_server: SshServer, small_limit: None
) -> None:
    given = {"name": "host", "type": "ssh", "host": "127.0.0.1", "port": ssh_server.port, "username": USER}
    secrets = {"privateKey": openssh_key(4_000_000_000).get_secret_value(), "passphrase": "open sesame"}
    async with surface(tmp_path / "data") as made:
        saved = await made.http.post("/v1/terminal/connections", json={**given, **secrets})
        connection = saved.json()["connection"]["id"]
        refused = await made.http.post("/v1/terminal/sessions", json={"connectionId": connection})
    assert refused.status_code == 400
    assert "key derivation" in refused.text
    assert not ssh_server.connections


async def test_an_endless_key_of_a_jump_host_is_refused(
    sessions: Sessions, ssh_server: SshServer, small_limit: None
) -> None:
    hop = SshLogin(
        host="127.0.0.1",
        port=ssh_server.port,
        username=USER,
        private_key=openssh_key(4_000_000_000),
        passphrase=PASSPHRASE,
    )
    with pytest.raises(InvalidInput, match="key derivation"):
        await sessions.open("a", ssh_target(ssh_server, jumps=(hop,)))
    assert not ssh_server.connections


async def test_local_sessions_work_while_endless_keys_are_tried_and_closing_ends_them(
    tmp_path: Path, ssh_server: SshServer
) -> None:
    """More keys than the thread pool has threads."""
    target = ssh_target(ssh_server, password=None, private_key=openssh_key(4_000_000_000), passphrase=PASSPHRASE)
    async with make_sessions(tmp_path, sessions=64, sessions_per_caller=64) as sessions:
        tries = [asyncio.create_task(sessions.open("a", target)) for _ in range(40)]
        await until(key_readers)
        async with opened(sessions) as terminal:
            assert (await terminal.run("echo here")).stdout == "here\n"
        for each in tries:
            each.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*tries, return_exceptions=True)
    await until(lambda: not key_readers())


async def test_the_configurations_locked_keys_are_left_to_the_agent(
    sessions: Sessions, tmp_path: Path, client_key: asyncssh.SSHKey
) -> None:
    (tmp_path / "endless").write_text(openssh_key(4_000_000_000).get_secret_value())
    client_key.write_private_key(tmp_path / "key")
    names = (str(tmp_path / "endless"), str(tmp_path / "key"))
    async with (
        running_ssh_server(tmp_path, authorized=client_key) as server,
        opened(sessions, ssh_target(server, password=None, identities=names)) as terminal,
    ):
        assert (await terminal.run("echo in")).stdout == "in\n"
        await terminal.close()


@pytest.fixture
def client_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.mark.parametrize("form", ["openssh", "pkcs1-pem", "pkcs8-pem"])
async def test_large_and_encrypted_rsa_keys_are_read(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.terminal.ssh.private_keys.QUICK_RSA_BITS", 1024)
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    kept = {"passphrase": "open sesame", **({"rounds": 64} if form == "openssh" else {})}
    for options, passphrase in (({}, None), (kept, "open sesame")):
        text = key.export_private_key(form, **options).decode()  # type: ignore[arg-type]
        assert (await PrivateKeys().read(text, passphrase)).public_data == key.public_data


@pytest.mark.parametrize("bits", [20_000, 8_000])
async def test_an_rsa_key_of_numbers_that_do_not_belong_together_is_refused(bits: int) -> None:
    """A check of primes of this size would hold the interpreter's lock for minutes."""
    p, q = (1 << bits) - 1, 65_539
    numbers = (0, p * q, 65_537, p - 2, p, q, 65_537, 3, 3)
    with pytest.raises(InvalidInput, match="privateKey"):
        await PrivateKeys().read(pem("RSA ", der_encode(numbers)).get_secret_value(), None)


async def test_a_key_nested_beyond_reason_is_refused() -> None:
    nested = b""
    while len(nested) < 20_000:
        size = len(nested)
        width = b"" if size < 128 else b"\x81" if size < 256 else b"\x82"
        nested = b"\x30" + width + size.to_bytes(max(1, len(width) and (1 if size < 256 else 2)), "big") + nested
    for passphrase in (None, "open sesame"):
        with pytest.raises(InvalidInput):
            await PrivateKeys().read(pem("", nested).get_secret_value(), passphrase)
