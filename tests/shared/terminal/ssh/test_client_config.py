"""Reading the SSH configuration of the gateway's user."""

from pathlib import Path

import pytest

from shared.errors import InvalidInput, TerminalError
from shared.terminal.destinations import Alias
from shared.terminal.ssh.client_config import ClientConfig


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config"


async def look_up(
    path: Path, text: str, host: str = "box", *, port: int | None = None, username: str | None = None
) -> Alias:
    path.write_text(text)
    found = await ClientConfig(path).look_up(host, port=port, username=username)
    assert found is not None
    return found


async def test_what_an_alias_says(path: Path) -> None:
    text = """
        Host other
          User nobody
        Host box b?x !c*
          HostName 10.1.2.3
          User me
          Port=2222
          IdentityFile ~/.ssh/%h_key
          IdentityFile /keys/second
          IdentitiesOnly yes
          ProxyJump jim@gate.example:2200,[fd00::1]:22,last
        Host *
          User everybody
    """
    found = await look_up(path, text)
    assert (found.host, found.port, found.username, found.only_identities) == ("10.1.2.3", 2222, "me", True)
    assert found.identities == (str(Path("~/.ssh/10.1.2.3_key").expanduser()), "/keys/second")
    assert [(jump.username, jump.host, jump.port) for jump in found.jumps] == [
        ("jim", "gate.example", 2200),
        (None, "fd00::1", 22),
        (None, "last", None),
    ]
    assert await look_up(path, text, "elsewhere") == Alias(host="elsewhere", username="everybody")


async def test_there_may_be_no_file(path: Path) -> None:
    assert await ClientConfig(path).look_up("box", port=None, username=None) is None


async def test_files_that_are_included_count(path: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host box\n  Port 99\n")
    assert (await look_up(path, f"Include {tmp_path}/mor*\nHost box\n  Port 1\n")).port == 99


async def test_conditions_on_names_count(path: Path) -> None:
    text = "Match host box user me\n  Port 5\nMatch originalhost box\n  Port 6\n"
    assert (await look_up(path, text, username="me")).port == 5
    assert (await look_up(path, text, username="you")).port == 6


@pytest.mark.parametrize("condition", ["exec", "host box exec", "!exec", "EXEC", "host box !exec"])
async def test_nothing_is_ever_run_for_a_condition(path: Path, tmp_path: Path, condition: str) -> None:
    text = f'Match {condition} "touch {tmp_path}/ran"\n  Port 5\nMatch all\n  User me\n'
    found = await look_up(path, text)
    assert (found.port, found.username) == (None, "me")
    assert not (tmp_path / "ran").exists()


async def test_a_host_that_needs_a_proxy_command_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        await look_up(path, f"Host box\n  ProxyCommand touch {tmp_path}/ran %h\n")
    assert refused.value.code == "proxy_command_refused"
    assert not (tmp_path / "ran").exists()
    assert (await look_up(path, "Host box\n  ProxyCommand none\n")).host == "box"
    assert (await look_up(path, "Host box\n  ProxyJump none\n")).jumps == ()


@pytest.mark.parametrize(
    "text",
    [
        "Host box\n  HostName -oProxyCommand=x\n",
        "Host box\n  HostName 127.1\n",
        "Host box\n  ProxyJump a:99999999\n",
        "Host box\n  ProxyJump -l@gate\n",
        "Host box\n  Port many\n",
        "Host box\n  HostName 'open\n",
    ],
)
async def test_what_makes_no_sense_is_said_without_what_it_is(path: Path, text: str) -> None:
    with pytest.raises(TerminalError) as unusable:
        await look_up(path, text)
    assert unusable.value.code == "ssh_config_unusable"
    assert str(path) not in f"{unusable.value.message}{unusable.value.details}"


async def test_a_file_that_others_may_write_is_not_followed(path: Path) -> None:
    path.write_text("Host box\n  Port 5\n")
    path.chmod(0o666)
    with pytest.raises(TerminalError) as unusable:
        await ClientConfig(path).look_up("box", port=None, username=None)
    assert unusable.value.code == "ssh_config_unusable"


async def test_options_that_we_do_not_use_are_passed_over(path: Path) -> None:
    text = "Host box\n  Ciphers +nothing\n  ServerAliveInterval x\n  PKCS11Provider /evil.so\n  RemoteCommand rm\n  Port 5\n"
    assert (await look_up(path, text)).port == 5
