"""What is sent to a POSIX host to run one command there: scripts only, no I/O.

An outer shell starts the command in an inner one that takes over the state of the command before. At the end it
writes an unguessable mark to both streams, and on stderr the state, where `Separator` takes them out again. The outer
shell is needed because a command may redirect the output of the shell that it runs in.

Both shells read what they are to do as lines from standard input, ahead of what the command will read there: a command
line can be seen by every user of the host, and variables hold secrets. `read` takes no byte beyond its line from a pipe.
The mark, too, is on no command line, so that not even a listing of all processes has it.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote

from shared.terminal.marker import MARKER

LAUNCHER = 'exec /bin/sh -c \'IFS= read -r s && eval "$(printf "$s")"\''
"""The command line of every command; `script` makes what its standard input begins with."""

MAX_STATE = 48 * 1024
"""Bytes of variables that are kept: shells read them a byte at a time."""

GONE = "directory gone"
_OWN = "__mcp_gateway_"
_LINE = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in "\\%"} | {ord("%"): "%%"}
_PORTABLE = {byte: text for byte, text in _LINE.items() if text not in "'\"$`!"}


@dataclass(frozen=True, slots=True)
class RemoteState:
    """Directory, umask and variables. `exports` are assignments as the remote shell wrote them, to be read by it."""

    cwd: str = ""
    umask: str = ""
    exports: str = ""


def script(command: str, state: RemoteState, env: Mapping[str, str], *, marker: str, nonce: str) -> bytes:
    """The lines that the shells read: what the outer one runs, and the variables for the inner one."""
    folder = folder_of(nonce)
    inner = quote(_inner(state, marker=marker, folder=folder, nonce=nonce))
    clean = f'env -i PATH="$PATH" {MARKER}={quote(marker)}' if state.exports else ""
    outer = (
        f"{MARKER}={quote(marker)}; export {MARKER}; d={folder}; {{ mkdir -m 700 $d && echo $$ >$d/pid; }} 2>/dev/null; "
        f"trap 'rm -rf $d' EXIT; trap 'exit 143' HUP INT TERM; b=bash; command -v $b >/dev/null || b=sh; exec 3>&2 2>/dev/null; "
        f"(exec {clean} $b -c {inner} $b {quote(command)} 2>&3 3>&-); r=$?; "
        f's=$(cat $d/state); trap - EXIT; rm -rf $d >/dev/null 2>&1 3>&- & LC_ALL=C; printf "%s%s\\n%s%s" {nonce} "${{#s}}" "$s" {nonce} >&3; '
        f"printf %s%s {nonce} {nonce}; exit $r"
    )
    variables = "\n".join([state.exports, *(f"export {name}={quote(value)}" for name, value in env.items())])
    return f"{_escaped(outer, _LINE)}\n{_escaped(variables, _LINE)}\n".encode("ascii")


def folder_of(nonce: str) -> str:
    """The folder of a command on the host, which its mark cannot be told from."""
    return f"/tmp/mcp-gateway-{_derived(nonce)[:32]}"  # noqa: S108 - made with mkdir, which refuses one that is there


def reaper(pattern: str, *, nonce: str = "") -> str:
    """A command line that ends every process whose marker begins with the pattern, and the group of one command.

    Without a nonce it also ends what the terminals of its own connection have started: OpenSSH takes no marker for those,
    but tells all of them the connection, and only them the terminal.
    """
    folder = folder_of(nonce) if nonce else ""
    wanted = quote(f"{MARKER}={pattern}")
    look = (
        f"if printf 'x\\0a' | grep -qzxF a; then m() {{ grep -lzsF {wanted} /proc/[0-9]*/environ; }}; "
        'o() { grep -lzsxF "$t" /proc/[0-9]*/environ | while read -r e; do grep -qzs ^SSH_TTY= $e && echo $e; done; }; '
        f"else w() {{ tr '\\0' '\\n' <$1; }}; m() {{ for e in /proc/[0-9]*/environ; do w $e | grep -qF {wanted} && echo $e; done; }}; "
        'o() { for e in /proc/[0-9]*/environ; do w $e | grep -qxF "$t" && w $e | grep -q ^SSH_TTY= && echo $e; done; }; fi; '
        'l() { m; [ -n "$t" ] && o; }; '
    )
    end = (
        'k() { n=0; [ -n "$g" ] && kill -$1 -$g; '
        "for e in $(l); do p=${e#/proc/}; kill -$1 ${p%/environ} && n=1; done; return $n; }; "
        "k TERM || { sleep 0.3 || sleep 1; }; i=0; until k KILL; do i=$((i+1)); [ $i -gt 50 ] && break; done; "
    )
    group = f"g=$(cat {folder}/pid); t=; " if nonce else "g=; t=${SSH_CONNECTION:+SSH_CONNECTION=$SSH_CONNECTION}; "
    return _portable(f"exec 2>/dev/null; {group}{look}{end}" + (f"rm -rf {folder}; " if nonce else "") + "exit 0")


def content(report: bytes) -> bytes | None:
    """What the report holds: nothing where the command replaced or killed its shell.

    None when a background process wrote into it, which its length tells: what it says is later read by a shell, and
    must be what a shell wrote.
    """
    length, _, held = report.partition(b"\n")
    return held if length.isdigit() and int(length) == len(held) else None


def parse(report: bytes, nonce: str) -> RemoteState | None:
    """The state in a report, where there is one that is whole and not too long."""
    text = (content(report) or b"").decode("utf-8", errors="surrogateescape")
    umask, _, rest = text.partition("\n")
    cwd, separator, exports = rest.partition(f"\n{_line(nonce)}\n")
    if not separator or not cwd or len(exports.encode("utf-8", errors="surrogateescape")) > MAX_STATE:
        return None
    return RemoteState(cwd, umask, exports)


def is_gone(report: bytes) -> bool:
    """Whether the report says that the directory to run in does not exist."""
    held = content(report) or b""
    return held.endswith(f"\n{GONE}".encode()) and held.startswith(b"\n\n")


class Separator:
    """Takes the report out of a stream that has it between two marks; the rest goes to `sink` as it comes."""

    def __init__(self, nonce: str, sink: Callable[[bytes], None]) -> None:
        self.report = bytearray()
        self.whole = False
        self._mark = nonce.encode()
        self._sink = sink
        self._held = bytearray()
        self._inside = False

    def feed(self, data: bytes) -> None:
        """Take in some of the stream."""
        self._held += data
        while (at := self._held.find(self._mark)) >= 0 and not self.whole:
            self._pass(at)
            del self._held[: len(self._mark)]
            self.whole = self._inside
            self._inside = not self._inside
        self._pass(len(self._held) if self.whole else len(self._held) - self._partial())

    def finish(self) -> None:
        """The stream has ended."""
        self._pass(len(self._held))

    def _pass(self, count: int) -> None:
        data = bytes(self._held[:count])
        del self._held[:count]
        if not self._inside:
            if data:
                self._sink(data)
        elif len(self.report) <= 4 * MAX_STATE:
            self.report += data

    def _partial(self) -> int:
        """How many bytes at the end could be the beginning of the mark."""
        most = min(len(self._mark) - 1, len(self._held))
        return next((size for size in range(most, 0, -1) if self._held.endswith(self._mark[:size])), 0)


def _inner(state: RemoteState, *, marker: str, folder: str, nonce: str) -> str:
    """What the inner shell runs; the command is its first parameter."""
    umask = f"umask {quote(state.umask)}; " if state.umask else ""
    gone = f"{{ echo; echo; echo {_line(nonce)}; echo '{GONE}'; }} >{folder}/state; exit 1"
    directory = f"cd {_directory(state.cwd)} 2>/dev/null || {{ {gone}; }}; " if state.cwd else ""
    dump = (
        f'{{ [ -n "${{{_OWN}done-}}" ] || {{ set +euxv; umask; command pwd; echo {_line(nonce)}; export -p; '
        f"{_OWN}done=1; }} >{folder}/state; }} 2>/dev/null"
    )
    given = f'IFS= read -r {_OWN}given; eval "$(printf "${_OWN}given")"; unset {_OWN}given; '
    return (
        f"{given}export {MARKER}={quote(marker)}; {umask}{directory}trap {quote(dump)} EXIT; "
        f'{_OWN}command=$1; shift; eval "${_OWN}command"; '
        f"{{ {_OWN}status=$?; set +euxv; }} 2>/dev/null; {dump}; exit ${_OWN}status"
    )


def _line(nonce: str) -> str:
    """The line between directory and variables; not the mark itself, which the report must not contain."""
    return _derived(nonce)[32:]


def _derived(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()


def _directory(path: str) -> str:
    if path == "~":
        return '"$HOME"'
    return (
        f'"$HOME"/{quote(path[2:])}' if path.startswith("~/") else quote(path if path.startswith("/") else f"./{path}")
    )


def _portable(shell_script: str) -> str:
    """A script as one word of ASCII that even csh and fish take literally: what they would read is written in octal."""
    return f'exec /bin/sh -c \'eval "$(printf "{_escaped(shell_script, _PORTABLE)}")"\''


def _escaped(text: str, plain: Mapping[int, str]) -> str:
    """A format for printf that makes the text, in one line of ASCII."""
    encoded = text.encode("utf-8", errors="surrogateescape")
    return "".join(plain.get(byte) or f"\\{byte:03o}" for byte in encoded)
