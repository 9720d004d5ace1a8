"""Password prompts answered with the session's own password, which nobody gets to see."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget
from shared.errors import Conflict, Unsupported
from shared.terminal.answers import check_prompt
from shared.terminal.sessions import Sessions
from tests.support.ssh_server import PASSWORD, SshServer
from tests.support.terminals import Terminal, make_sessions, opened, ssh_target, until

SUDO = f"""#!/bin/sh
stty -echo
printf '[sudo] password for tester: '
read -r given
stty echo
echo
if [ "$given" = '{PASSWORD}' ]; then exec "$@"; fi
echo 'Sorry, try again.'
exit 1
"""


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def terminal(sessions: Sessions, ssh_server: SshServer) -> AsyncIterator[Terminal]:
    sudo = ssh_server.home / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    async with opened(sessions, ssh_target(ssh_server)) as made:
        yield made
        await sessions.__aexit__()


@pytest.mark.parametrize(
    "line",
    [
        "Password:",
        "[sudo] password for me: ",
        "(current) UNIX password: ",
        "Enter new password:",
        "me@host's sudo password:",
    ],
)
def test_prompts_for_the_users_password_count(line: str) -> None:
    check_prompt(line)


@pytest.mark.parametrize(
    "line",
    [
        None,
        "",
        "$ ",
        "me@elsewhere's password: ",
        "Enter passphrase for key '/k': ",
        "Verification code: ",
        "password",
        "password: hunter2",
    ],
)
def test_others_do_not(line: str | None) -> None:
    with pytest.raises(Conflict) as refused:
        check_prompt(line)
    assert refused.value.code == "no_password_prompt"


async def test_sudo_is_answered_and_the_password_is_nowhere(terminal: Terminal) -> None:
    await terminal.session.send("./sudo echo did-$((1+1))\n")
    await terminal.session.answer(timeout=5)
    shown = await terminal.shows("did-2")
    assert PASSWORD not in shown
    assert PASSWORD not in "\n".join((await terminal.session.screen()).look.lines)
    assert PASSWORD not in repr(terminal.session.info)


async def test_a_program_that_echoes_it_does_not_show_it(terminal: Terminal) -> None:
    await terminal.session.send("stty -echo; PS1=; printf 'Password: '; read -r x; echo \"got-$((1+1)) <$x>\"\n")
    await terminal.session.answer(timeout=5)
    assert "got-2 <********>" in await terminal.shows("got-2 <********>")
    await terminal.session.send("stty echo; printf 'Password: '; read -r x; echo the-$((1+1))-end\n")
    await terminal.session.answer(timeout=5)
    shown = await terminal.shows("the-2-end")
    assert PASSWORD not in shown
    assert "********" in shown


async def test_without_a_prompt_nothing_is_typed(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.session.send("cat >typed\n")
    with pytest.raises(Conflict):
        await terminal.session.answer(timeout=0.5)
    await terminal.session.send("\x04")
    await until((ssh_server.home / "typed").exists)
    assert (ssh_server.home / "typed").read_text() == ""


async def test_a_prompt_that_scrolled_by_is_none(terminal: Terminal) -> None:
    await terminal.session.send("PS1='$ '; echo 'Password:'; echo more-$((1+1))\n")
    await terminal.shows("more-2")
    with pytest.raises(Conflict):
        await terminal.session.answer(timeout=0.5)


async def test_a_session_without_a_password_says_so(sessions: Sessions) -> None:
    async with opened(sessions, LocalTarget()) as terminal:
        with pytest.raises(Unsupported) as none_held:
            await terminal.session.answer(timeout=1)
        assert none_held.value.code == "sudo_without_credentials"
