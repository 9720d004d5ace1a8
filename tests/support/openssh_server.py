"""OpenSSH's own server on a high port, with a configuration and keys of its own; where there is none, tests skip."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import psutil
import pytest
from pydantic import SecretStr

PRIVILEGE_SEPARATION = Path("/run/sshd")

CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AuthorizedKeysFile {folder}/authorized_keys
AllowTcpForwarding yes
AcceptEnv LANG LC_*
SetEnv HOME={home} PATH={path} ENV=
PrintMotd no
PrintLastLog no
MaxStartups 200
Subsystem sftp internal-sftp
{more}
"""


@dataclass(frozen=True)
class OpenSsh:
    """Where it listens, its host key, and the key that logs in."""

    port: int
    home: Path
    host_key: asyncssh.SSHKey
    client_key: asyncssh.SSHKey
    process: "subprocess.Popen[bytes]"

    @property
    def username(self) -> str:
        return getpass.getuser()

    @property
    def private_key(self) -> SecretStr:
        return SecretStr(self.client_key.export_private_key("pkcs8-pem").decode())

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve connections, not what they have started."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if process.name().startswith("sshd")]

    def drop(self) -> None:
        """Break off every connection."""
        for session in self.sessions():
            session.kill()


def find_sshd() -> str:
    """Its path; the test that asks is skipped where there is none that can be used."""
    path = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip("there is no sshd on PATH or in /usr/sbin (package openssh-server)")
    if os.getuid() == 0:
        try:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            pytest.skip(f"sshd needs the directory {PRIVILEGE_SEPARATION}, which cannot be made")
    return path


@contextmanager
def running_openssh(
    folder: Path, home: Path, *, port: int = 0, more: str = "", by: Sequence[str] = ()
) -> Iterator[OpenSsh]:
    """A server on loopback, started `by` these words; its sessions end with the block."""
    sshd = find_sshd()
    folder.mkdir(exist_ok=True)
    host_key, client_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host_key.write_private_key(folder / "host_key")
    (folder / "host_key").chmod(0o600)
    client_key.write_public_key(folder / "authorized_keys")
    with closing(socket.create_server(("127.0.0.1", port))) as taken:
        port = taken.getsockname()[1]
    config = folder / "sshd_config"
    for lenient in ("PerSourcePenalties no", ""):  # versions before 9.8 do not know it
        settings = CONFIG.format(port=port, folder=folder, home=home, path=os.environ["PATH"], more=more)
        config.write_text(f"{settings}{lenient}\n")
        if subprocess.run([sshd, "-t", "-f", config], capture_output=True, check=False).returncode == 0:
            break
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*by, sshd, "-D", "-e", "-f", config], stderr=log, stdin=subprocess.DEVNULL)
    server = OpenSsh(port, home, host_key, client_key, process)
    try:
        _wait_for(server, folder / "log")
        yield server
    finally:
        descendants = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        process.wait(5)
        for child in descendants:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue


def _wait_for(server: OpenSsh, log: Path) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and server.process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"sshd does not answer: {log.read_text(errors='replace')}")
