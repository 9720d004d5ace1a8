"""The gateway's own known_hosts file."""

import asyncio
import base64
import hashlib
import hmac
import stat
from pathlib import Path

import asyncssh
import pytest

from shared.errors import TerminalError
from shared.terminal.ssh.known_hosts import HostKey, Known, KnownHosts

ONE, TWO = HostKey("ssh-ed25519", b"one"), HostKey("ssh-rsa", b"two")


def line(names: str, key: HostKey, marker: str = "") -> str:
    return f"{marker} {names} {key.type} {base64.b64encode(key.blob).decode()} a comment\n".lstrip()


def hashed(name: str) -> str:
    salt = b"0123456789abcdef0123"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "known_hosts"


async def test_nothing_is_known_before_there_is_a_file(path: Path) -> None:
    assert await KnownHosts(path).of("host", 22) == Known()


async def test_what_was_remembered_is_known_for_that_port_only(path: Path) -> None:
    hosts = KnownHosts(path)
    assert await hosts.remember("Host.Example", 2222, ONE) == Known()
    assert (await hosts.of("host.example", 2222)).keys == (ONE,)
    assert (await hosts.of("host.example", 22)).keys == ()
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


async def test_the_first_to_remember_wins(path: Path) -> None:
    hosts = KnownHosts(path)
    answers = await asyncio.gather(*(hosts.remember("host", 22, HostKey("t", bytes([i]))) for i in range(10)))
    assert len((await hosts.of("host", 22)).keys) == 1
    assert [answer.keys for answer in answers].count(()) == 1


@pytest.mark.parametrize(
    "names",
    ["host", "HOST", "other,host", "ho?t", "h*", hashed("host"), "*,!elsewhere"],
)
async def test_names_match_as_in_openssh(path: Path, names: str) -> None:
    write(path, "# comment\n\n" + line("unrelated", TWO) + line(names, ONE))
    assert (await KnownHosts(path).of("host", 22)).keys == (ONE,)


@pytest.mark.parametrize("names", ["hos", "*,!host", "[host]:22", hashed("hosts"), "|1|broken", "|1|a|b"])
async def test_other_names_do_not(path: Path, names: str) -> None:
    write(path, line(names, ONE))
    assert await KnownHosts(path).of("host", 22) == Known()


async def test_ports_match_literally(path: Path) -> None:
    write(path, line("[host]:2222", ONE) + line(hashed("[host]:2222"), TWO))
    assert (await KnownHosts(path).of("host", 2222)).keys == (ONE, TWO)


async def test_revoked_keys_and_authorities_are_not_taken_for_known(path: Path) -> None:
    write(path, line("host", ONE, "@revoked") + line("*", TWO, "@cert-authority") + "host only two\nhost t ***\n")
    assert await KnownHosts(path).of("host", 22) == Known((), (ONE,))


def test_fingerprints_are_those_that_ssh_shows() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    assert HostKey(key.get_algorithm(), key.public_data).fingerprint == key.get_fingerprint()


async def test_a_last_line_without_an_end_is_ended_first(path: Path) -> None:
    write(path, line("other", TWO).rstrip())
    hosts = KnownHosts(path)
    await hosts.remember("host", 22, ONE)
    assert (await hosts.of("host", 22)).keys == (ONE,)
    assert (await hosts.of("other", 22)).keys == (TWO,)
    await hosts.remember("third", 22, ONE)
    assert len(path.read_text().splitlines()) == 3


async def test_a_file_that_cannot_be_used_is_an_error_that_says_so(path: Path) -> None:
    path.mkdir(parents=True)
    hosts = KnownHosts(path)
    for use, what in ((hosts.of("host", 22), "read"), (hosts.remember("host", 22, ONE), "written")):
        with pytest.raises(TerminalError, match=f"cannot be {what}: Is a directory") as unusable:
            await use
        assert unusable.value.code == "known_hosts_unusable"
