"""What is sent to a POSIX host to run one command there: scripts only, no I/O.

An outer shell starts an inner one that takes over the state of the command before, and runs the command. At the end the
inner one tells its state on stderr, between two unguessable marks; the outer one writes the mark to both streams, also where
the command has replaced or killed its shell. `Separator` takes all that out again. The inner one has stderr twice, as 9 too,
since a command may redirect the output of the shell that it runs in. Nothing is written to the host's disk.

Both shells read what they are to do as lines from standard input, ahead of what the command will read there: a command
line can be seen by every user of the host, and variables hold secrets. `read` takes no byte beyond its line from a pipe.
The mark, too, is on no command line, so that not even a listing of all processes has it, and the inner shell knows it in
two halves, so that not even a listing of its variables has it.

Between the channel and the inner shell stands a watcher, since a host tells a command without a terminal nothing of a
connection that has ended.

What begins the shells and what they are to do then are told apart, since shells can be begun before there is a command.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote

from shared.terminal import declarations, notices
from shared.terminal.environment import TRACEPARENT
from shared.terminal.marker import MARKER

_READ = "IFS= read -r s"
LAUNCHER = f'exec /bin/sh -c \'{_READ} && eval "$(printf "$s")"\''
"""The command line of every command. Its standard input has the lines of `shells`, then those of `task`."""

MAX_STATE = 48 * 1024
"""Bytes of variables that are kept: shells read them a byte at a time."""

MAX_REPORT = 4 * 1024 * 1024
"""Bytes of a report that are taken in; a host hardly hands more variables to a process."""

GONE = "directory gone"
_ANEW = frozenset({"_", "OLDPWD", TRACEPARENT, MARKER})
"""Variables that are set for each command, whatever the one before has left in them."""
OWN_CONNECTION = "t=${SSH_CONNECTION:+SSH_CONNECTION=$SSH_CONNECTION}"
"""Shell text that sets `t` as `looking` takes it, to the connection that it runs on."""
_OWN = "__mcp_gateway_"
_MARK = f'"${_OWN}a" "${_OWN}b"'
_REPORT = f'LC_ALL=C; printf "%s%s%s\\n%s%s%s" {_MARK} "${{#1}}" "$1" {_MARK} >&9'
"""Tells what is in the first parameter, and how long it is."""

_PAUSE = "{ sleep 0.3 || sleep 1; }"
_END = (
    'k() { n=0; [ -n "$g" ] && kill -$1 -$g; '
    "for e in $(l); do p=${e#/proc/}; kill -$1 ${p%/environ} && n=1; done; return $n; }; "
    f"k TERM || {_PAUSE}; i=0; until k KILL; do i=$((i+1)); [ $i -gt 50 ] && break; done; "
)
"""Ends the process group `g`, where that is set, and every process of which `l` tells the environ."""

_LINE = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in "\\%"} | {ord("%"): "%%"}
_PORTABLE = {byte: text for byte, text in _LINE.items() if text not in "'\"$`!"}


@dataclass(frozen=True, slots=True)
class RemoteState:
    """Directory, umask and variables. `exports` are assignments as the remote shell wrote them, to be read by it.

    `notice` says what of it could not be kept.
    """

    cwd: str = ""
    umask: str = ""
    exports: str = ""
    notice: str | None = None


def root_launcher(*, prompt: str, ready: str) -> str:
    """The command line of a command that runs by sudo; the same lines follow, once the shell has said that it is ready.

    sudo asks for the password with this prompt on stderr and reads it from standard input, up to the end of its line. What
    it remembers of earlier passwords does not count, and it remembers nothing of this one.
    """
    return f'exec sudo -k -S -p {prompt} -- /bin/sh -c \'echo {ready} >&2; {_READ} && eval "$(printf "$s")"\''


def shells(state: RemoteState, env: Mapping[str, str], *, marker: str, nonce: str) -> bytes:
    """Lines that begin both shells, with the variables of the state and these; the inner one then waits for its task."""
    inner = quote(_inner(marker=marker, nonce=nonce))
    clean = f'env -i PATH="$PATH" {MARKER}={quote(marker)}' if state.exports else ""
    outer = (
        f"{MARKER}={quote(marker)}; export {MARKER}; trap 'exit 143' HUP INT TERM; "
        "b=bash; o=--norc; command -v $b >/dev/null || { b=sh; o=; }; "
        f"exec 3>&2 2>/dev/null; exec 4<&0; {_watcher(marker)} | {{ exec 4<&-; trap : HUP INT TERM; read -r w; "
        f"(exec {clean} $b $o -c {inner} $b $$ 2>&3 9>&3 3>&-); r=$?; kill -KILL $w; exit $r; }}; r=$?; "
        f'printf "%s0\\n%s" {nonce} {nonce} >&3; printf %s%s {nonce} {nonce}; exit $r'
    )
    half = len(nonce) // 2
    marks = f"{_OWN}a={nonce[:half]} {_OWN}b={nonce[half:]}"
    variables = "\n".join([marks, state.exports, _exports(env)])
    return f"{_escaped(outer, _LINE)}\n{_escaped(variables, _LINE)}\n".encode("ascii")


def task(command: str, state: RemoteState, env: Mapping[str, str], *, nonce: str, stdin: bytes = b"") -> bytes:
    """Lines that have the shells run a command, where and with what the state says, and with these variables too.

    The size of its standard input and that input follow. What is sent after it belongs to nothing: the watcher waits for
    the end of the stream, which is that of the channel. The first thing is a greeting, so that a shell is known to be there and to have begun, its process group and the
    directory of the login.
    """
    umask = f"umask {quote(state.umask)}; " if state.umask else ""
    report = f'set -- "\n\n{_line(nonce)}\n{GONE}"; {_REPORT}'
    directory = f"cd {_directory(state.cwd)} 2>/dev/null || {{ {report}; exit 1; }}; " if state.cwd else ""
    login = 'case $PWD in *"\n"*) echo;; *) printf "%s\\n" "$PWD";; esac'
    greets = f'{{ printf "%s%s " {greeting(nonce)} "${_OWN}g"; {login}; }} >&2; '
    before = f"{greets}{umask}{directory}{_exports(env)}"
    lines = f"{_escaped(before, _LINE)}\n{_escaped(f' {command}', _LINE)}\n{len(stdin)}\n"
    return lines.encode("ascii") + stdin


def greeting(nonce: str) -> str:
    """What the shells say before anything else."""
    return hashlib.sha256(f"greeting {nonce}".encode()).hexdigest()


def reaper(pattern: str, *, group: int | None = None) -> str:
    """A command line that ends every process whose marker begins with the pattern, and those of a process group (0: none).

    Without a group it also ends what the terminals of its own connection have started: OpenSSH takes no marker for those,
    but tells all of them the connection, and only them the terminal.
    """
    here = f"g=; {OWN_CONNECTION}; "
    if group is not None:  # whose number may be another's by now
        here = f'g={group or ""}; t=; case "$(ps -o args= -p $g)" in *{quote(_READ)}*) ;; *) g=;; esac; '
    return _portable(f"exec 2>/dev/null; {here}{looking(f'{MARKER}={pattern}')}{_END}exit 0")


def looking(variable: str, *, whole: bool = False) -> str:
    """Shell text that defines `l`, which tells the environ of every process whose environment has a variable that begins so.

    Or, with `whole`, is so. And of those on a terminal of the connection that `t` has. One grep looks at all processes
    where it knows -z.
    """
    wanted, exactly = quote(variable), "x" if whole else ""
    return (
        f"if printf 'x\\0a' | grep -qzxF a; then m() {{ grep -lzs{exactly}F {wanted} /proc/[0-9]*/environ; }}; "
        'o() { grep -lzsxF "$t" /proc/[0-9]*/environ | while read -r e; do grep -qzs ^SSH_TTY= $e && echo $e; done; }; '
        "else w() { tr '\\0' '\\n' <$1; }; "
        f"m() {{ for e in /proc/[0-9]*/environ; do w $e | grep -q{exactly}F {wanted} && echo $e; done; }}; "
        'o() { for e in /proc/[0-9]*/environ; do w $e | grep -qxF "$t" && w $e | grep -q ^SSH_TTY= && echo $e; done; }; fi; '
        'l() { m; [ -n "$t" ] && o; }; '
    )


def content(report: bytes) -> bytes | None:
    """What the report holds: nothing where the command replaced or killed its shell.

    None when a background process wrote into it, which its length tells: what it says is later read by a shell, and
    must be what a shell wrote.
    """
    length, _, held = report.partition(b"\n")
    return held if length.isdigit() and int(length) == len(held) else None


def parse(report: bytes, nonce: str, before: RemoteState | None = None) -> RemoteState | None:
    """The state in a report that is whole; with the variables of `before` where its own are too many and cannot be read."""
    text = (content(report) or b"").decode("utf-8", errors="surrogateescape")
    umask, _, rest = text.partition("\n")
    cwd, separator, exports = rest.partition(f"\n{_line(nonce)}\n")
    if not separator or not cwd:
        return None
    told = exports.encode("utf-8", errors="surrogateescape")
    if len(told) <= MAX_STATE:
        return RemoteState(cwd, umask, exports)
    statements = declarations.statements(told + b"\n")
    if statements is None:
        return RemoteState(cwd, umask, before.exports if before else "", notices.UNTOLD)
    sizes = {name: len(statement) for name, statement in statements.items()}
    left_out = declarations.too_large(sizes, each=MAX_STATE, total=MAX_STATE)
    kept = b"".join(statement for name, statement in statements.items() if name not in left_out)
    return RemoteState(cwd, umask, kept.decode("utf-8", errors="surrogateescape"), notices.left_out(left_out))


def variables(state: RemoteState) -> dict[str, str]:
    """The exported variables of a state, each as the statement that sets it, without those that each command has anew.

    The shell sets OLDPWD to PWD when it goes to the directory; a PWD that is that directory says nothing more.
    """
    statements = declarations.statements(f"{state.exports}\n".encode("utf-8", errors="surrogateescape"))
    if statements is None:
        return {"": state.exports}
    texts = {name: statement.decode("utf-8", errors="surrogateescape") for name, statement in statements.items()}
    if declarations.value_of(texts.get("PWD", "")) == state.cwd:
        del texts["PWD"]
    return {name: text for name, text in texts.items() if name not in _ANEW}


def is_gone(report: bytes) -> bool:
    """Whether the report says that the directory to run in does not exist."""
    held = content(report) or b""
    return held.endswith(f"\n{GONE}".encode()) and held.startswith(b"\n\n")


class Separator:
    """Takes what is between two marks out of a stream; the rest goes to `sink` as it comes. The first such is the report."""

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
        while (at := self._held.find(self._mark)) >= 0:
            self._pass(at)
            del self._held[: len(self._mark)]
            self.whole = self.whole or self._inside
            self._inside = not self._inside
        self._pass(len(self._held) - self._partial())

    def finish(self) -> None:
        """The stream has ended."""
        self._pass(len(self._held))

    def _pass(self, count: int) -> None:
        data = bytes(self._held[:count])
        del self._held[:count]
        if not self._inside:
            if data:
                self._sink(data)
        elif not self.whole and len(self.report) <= MAX_REPORT:
            self.report += data

    def _partial(self) -> int:
        """How many bytes at the end could be the beginning of the mark."""
        most = min(len(self._mark) - 1, len(self._held))
        return next((size for size in range(most, 0, -1) if self._held.endswith(self._mark[:size])), 0)


def _watcher(marker: str) -> str:
    """Shell text that feeds the inner shell its lines and the command's standard input, then waits for the channel's end.

    That comes when the gateway or its connection has gone while the command runs; then the command's process group is ended,
    and so is what has left the group and bears the marker. Its own process id is the first line, for the shell beside it,
    which kills it once the command has ended; so another process does the ending. No shell waits for it, since that one may be
    killed itself.
    """
    own_id = "{ read -r w l </proc/self/stat; } || w=$(exec sh -c 'echo $PPID'); echo $w; "
    feeds = "for n in 1 2 3; do IFS= read -r l || exit; printf '%s\\n' \"$l\"; done; read -r n || exit; [ $n = 0 ] || head -c $n; "
    waits = "exec >/dev/null; while read -r l; do :; done; "
    ends = f"unset {MARKER}; kill -TERM -$$; {_PAUSE}; g=; t=; {looking(f'{MARKER}={marker}')}{_END}kill -KILL -$$; "
    return f"{{ {{ trap '' HUP INT TERM; {own_id}{feeds}{waits}( {ends}) & }} <&4 3>&- 4<&- & }}"


def _inner(*, marker: str, nonce: str) -> str:
    """What the inner shell runs: three lines in turn, of which the last is the command.

    bash has no 9 while the command runs; in other shells it could stay closed when the command leaves the shell.
    """
    told = f'set -- "$(umask; command pwd; echo {_line(nonce)}; export -p)"; {_REPORT}'
    dump = f'{{ [ -n "${{{_OWN}done-}}" ] || {{ set +aeuxv; {_OWN}done=1; {told}; }}; }} 2>/dev/null'
    line, meant = f"IFS= read -r {_OWN}line || exit", f'"$(printf "${_OWN}line")"'
    return (
        f"{_OWN}g=$1; shift; {line}; eval {meant}; export {MARKER}={quote(marker)}; {line}; eval {meant}; trap {quote(dump)} EXIT; {line}; "
        f'if [ -n "${{BASH_VERSION-}}" ]; then eval {meant} 9>&-; else eval {meant}; fi; '
        f'{{ {_OWN}status=$?; set +euxv; }} 2>/dev/null; {dump}; exit "${_OWN}status"'
    )


def _exports(env: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={quote(value)}" for name, value in env.items())


def _line(nonce: str) -> str:
    """The line between directory and variables; not the mark itself, which the report must not contain."""
    return hashlib.sha256(nonce.encode()).hexdigest()[32:]


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
