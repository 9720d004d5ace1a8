"""What an SSH host is told besides the commands of a session: scripts only, no I/O.

A command for a terminal is put into a file of its own first, since a command line can be seen by every user of the host,
and a terminal takes only short lines.
"""

from collections.abc import Mapping
from hashlib import sha256
from shlex import quote

from shared.domain.signals import SignalName
from shared.terminal.marker import MARKER
from shared.terminal.ssh import remote_shell

NOBODY = 9
"""Exit code of `signaller` where it found nothing on a terminal of this connection."""


def folder_of(nonce: str) -> str:
    """The folder of a command on the host, which its mark cannot be told from."""
    return f"/tmp/mcp-gateway-{sha256(nonce.encode()).hexdigest()[:32]}"  # noqa: S108 - made with mkdir, which refuses one that is there


def keeping(nonce: str) -> str:
    """A command that keeps its standard input as the file that `running` runs."""
    folder = folder_of(nonce)
    return f"umask 077; mkdir {folder} && cat >{folder}/run"


def kept(command: str, *, cwd: str, env: Mapping[str, str], marker: str, nonce: str) -> str:
    """What that file holds: it takes itself away, and becomes the command."""
    exports = "\n".join(f"export {name}={quote(value)}" for name, value in {**env, MARKER: marker}.items())
    return (
        f"rm -rf {folder_of(nonce)}\n{exports}\n{f'cd {_place(cwd)} || exit 1' if cwd else ''}\n"
        f'b=$(command -v bash || command -v sh)\nexec "$b" -c {quote(command)} "${{b##*/}}"\n'
    )


def running(nonce: str) -> str:
    """The command line that runs the file, in words that every shell reads alike."""
    return f"exec /bin/sh {folder_of(nonce)}/run"


def signaller(name: SignalName, marker: str) -> str:
    """A command that sends a signal to the job in front on the terminals of this connection, which the host knows best.

    sshd passes a signal to the login shell alone. Processes are found as `remote_shell.reaper` finds them.
    """
    return (
        f"exec 2>/dev/null; n=0; {remote_shell.OWN_CONNECTION}; {remote_shell.looking(f'{MARKER}={marker}', whole=True)}\n"
        "for e in $(l); do\n"
        "  s=$(cat ${e%environ}stat); set -- ${s##*) }\n"
        f'  [ "${{6:-0}}" -gt 0 ] && case " $d " in *" $6 "*) ;; *) d="$d $6"; kill -{name} -$6 && n=1;; esac\n'
        f"done; [ $n = 1 ] || exit {NOBODY}"
    )


def jobs(marker: str) -> str:
    """A command that succeeds where something of the session runs beside its login shell and this command itself.

    The login shell is a session leader with a terminal, and waits while no other process group is in front.
    """
    return (
        f"exec 2>/dev/null; {remote_shell.OWN_CONNECTION}; {remote_shell.looking(f'{MARKER}={marker}:')}\n"
        "s=$(cat /proc/$$/stat); set -- ${s##*) }; own=$4\n"
        "for e in $(l); do\n"
        "  p=${e#/proc/}; p=${p%/environ}; s=$(cat ${e%environ}stat); set -- ${s##*) }\n"
        '  [ "${4:-$own}" = $own ] && continue\n'
        f"  [ $p = $4 ] && {{ [ $5 != 0 ] || grep -qF {quote(f'{MARKER}={marker}:shell')} $e; }} "
        "&& { [ $6 -le 0 ] || [ $6 = $3 ]; } && continue\n"
        f"  exit 0\ndone; exit {NOBODY}"
    )


def joined(base: str, path: str) -> str:
    """The path as the directory `base` has it."""
    return path if path.startswith(("/", "~")) or not base else f"{base.rstrip('/')}/{path}"


def _place(path: str) -> str:
    if path == "~" or path.startswith("~/"):
        return f'"$HOME"{quote(path[1:])}' if path[1:] else '"$HOME"'
    return quote(path if path.startswith("/") else f"./{path}")
