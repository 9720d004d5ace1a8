"""A real telnet server on loopback: whichever of the system's is installed, started for each connection as inetd does."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PLACES = "/usr/sbin:/usr/libexec:/usr/local/sbin"
LOGIN = """#!/bin/sh
printf 'login: '; read -r name
stty -echo; printf 'Password: '; read -r word; stty echo; echo
[ "$name/$word" = me/tr0ub4dor ] || { echo 'Login incorrect'; exit 1; }
PS1='device> ' exec bash --norc --noprofile -i
"""
"""In place of login(1), which knows no users of ours. The server's terminal is real, and so is its echo."""


def telnetd() -> str | None:
    """The server of inetutils, which takes another program for login."""
    found = shutil.which("telnetd", path=PLACES) or shutil.which("inetutils-telnetd", path=PLACES)
    if found is None:
        return None
    said = subprocess.run([found, "--help"], capture_output=True, timeout=5, text=True, check=False).stdout
    return found if "--exec-login" in said else None


@asynccontextmanager
async def running_telnetd(program: str, folder: Path) -> AsyncIterator[int]:
    """Its port. All of it is gone when the block ends."""
    login = folder / "login"
    login.write_text(LOGIN)
    login.chmod(0o700)
    running: list[subprocess.Popen[bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        accepting = asyncio.create_task(_accept(listener, [program, "-h", f"--exec-login={login}"], running))
        try:
            yield listener.getsockname()[1]
        finally:
            accepting.cancel()
            await asyncio.wait({accepting})
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await asyncio.to_thread(process.wait, 5)


async def _accept(listener: socket.socket, command: list[str], running: list["subprocess.Popen[bytes]"]) -> None:
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        with connection:
            connection.setblocking(True)
            running.append(subprocess.Popen(command, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL))
