"""Commands by their words: what they do, and what they run in turn."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from shared.terminal.policy import variables, wrappers
from shared.terminal.policy.acts import HIDDEN, Act, values_of, within, written
from shared.terminal.policy.grammar import Unparsable
from shared.terminal.policy.known import doubt
from shared.terminal.policy.row import Row, find, subcommand
from shared.terminal.policy.rows import COMMANDS, RUNUSER
from shared.terminal.policy.words import ANY, MARKS, SPLIT, STAR
from shared.terminal.policy.wrappers import Reading

MAX_WRAPPED = 30
MAX_ACTS = 1_000

RUNS_AGAIN = re.compile(r"\w\[[^\]]*(?:\$\(|`)")
"""An index that a shell evaluates once more, with the commands in it, wherever it takes a variable's name."""

_SUBSTITUTION = re.compile(r"\$\(|`|\$\{[\s|(]")
"""A command substitution in a text that a shell expands."""
_MAKE_CALLS = re.compile(r"`|\$[({]\w+\s")
_READ_INTO = frozenset({"read", "mapfile", "readarray", "printf", "getopts", "wait", "vared"})
"""Commands that set the variables that they name."""
_GIVEN = re.compile(r"(?:-\w|--?[\w-]+[= ]|[Ss]et[Ee]nv[= ])?([A-Za-z_]\w*(?:%%|\(\))?)=(.*)", re.DOTALL)
"""A variable that some program is to give to another one."""
_START_FILES = ("--rcfile", "--init-file")
INPUTS = re.compile(r"-|/dev/stdin|/dev/fd/.*|/proc/(?:self|thread-self|\d+)/fd/.*")
"""Files that are a shell's own input."""
_FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FIND_WRITES = frozenset({"-fprint", "-fprintf", "-fprint0", "-fls"})
_ASSIGN = frozenset(["env", "sudo", "time", "coproc", "export", "declare", "typeset", "local", "readonly"])
_PROGRAM = re.compile(r"/(?:usr/)?(?:local/)?s?bin/[^/]+")


@dataclass(slots=True, kw_only=True)
class Runs:
    """What was found so far. `line` takes a line for a shell apart, with the text that its commands read.

    `scripts` are the files whose text a shell or another interpreter runs.
    """

    line: Callable[[str, str | None], None]
    directories: list[str]
    acts: list[Act] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    inside: int = 0

    def add(self, act: Act) -> None:
        if act not in self.acts[-3:]:
            self.acts.append(act)
        if len(self.acts) > MAX_ACTS:
            raise Unparsable("it has too many commands")

    def assigned(self, name: str, value: str) -> None:
        """A variable that is set; some of them are commands, and some change what commands mean."""
        if RUNS_AGAIN.search(value):
            self.add(HIDDEN)
        if not variables.HARMLESS.fullmatch(name):
            self.add(Act(variable=name, doubt="what it changes is not known"))
            self._meant(name, value)

    def _meant(self, name: str, value: str) -> None:
        """What a variable that programs read may run: itself, or the command substitutions in it."""
        if name.startswith("BASH_FUNC_"):
            self._attempt(f"f {value}")
        elif variables.COMMANDS.fullmatch(name):
            self._valued(name, value)
        elif (name == "GIT_CONFIG_PARAMETERS" and value) or (
            variables.SCRIPTS.fullmatch(name) and (INPUTS.fullmatch(value) or not MARKS.isdisjoint(value))
        ):
            self.add(HIDDEN)
        elif _SUBSTITUTION.search(value):
            self.add(HIDDEN)  # shells expand the values of ENV, BASH_ENV, PS1, MAILPATH and others

    def _valued(self, name: str, value: str) -> None:
        """What a variable whose value is a command, or may be one, runs."""
        if name.startswith("PS"):
            if _SUBSTITUTION.search(value):
                self.add(HIDDEN)
        elif not name.startswith("GIT_CONFIG"):
            self.line(value, None)
        else:
            self._attempt(value.removeprefix("!"))

    def _attempt(self, text: str) -> None:
        """Text that may be a line for a shell."""
        try:
            self.line(text, None)
        except Unparsable:
            self.add(HIDDEN)

    def run(self, words: Sequence[str], stdin: str | None) -> None:
        """A command by its words, and what it runs in turn."""
        if not words:
            return
        if self.inside >= MAX_WRAPPED:
            raise Unparsable("it has too many commands that run others")
        self.inside += 1
        self._run(words, stdin)
        self.inside -= 1

    def _run(self, words: Sequence[str], stdin: str | None) -> None:
        name = words[0].rpartition("/")[2] or words[0]
        row = find(COMMANDS, name)
        if name == "runuser" and any(re.match(r"-[a-z]*u|--u", word) for word in words[1:]):
            row = RUNUSER
        reading = wrappers.read(row, words[1:]) if row else Reading(operands=[w for w in words[1:] if w[:1] != "-"])
        plain = [word for word in words[1:] if word[:1] != "-"]
        operands = reading.operands if row and row.then == "subcommand" else plain
        writes = written(row.writes if row else "", words[1:], plain)
        unsure = doubt(COMMANDS, words)
        self.add(Act(words=tuple(words), operands=tuple(operands), writes=writes, doubt=unsure))
        if not MARKS.isdisjoint(words[0]) or ("/" in words[0] and self._made(words[0])):
            self.add(HIDDEN)
        if any(RUNS_AGAIN.search(word) for word in words[1:] if not (row and row.then in ("line", "shell", "code"))):
            self.add(HIDDEN)
        if unsure and name not in _ASSIGN:
            self._given(name, words[1:])
        self.directories += [value for option, value in reading.values if row and option in row.moves.split()]
        self._special(name, words[1:])
        if row is not None and not reading.query:
            self._through(row, name, reading, stdin)

    def _special(self, name: str, words: Sequence[str]) -> None:
        """The few commands that no row describes."""
        if name in ("cd", "pushd", "popd", "chdir"):
            self.directories.append(_gone_to(name, words))
        elif name == "alias":
            for word in words:
                self.line(word.partition("=")[2], None)
        elif name in ("cp", "ln", "mv", "install", "link"):
            for word in words:
                if _PROGRAM.fullmatch(word):
                    self.add(Act(words=(word,)))  # under another name no rule would know it
        elif name == "find":
            self._find(words)
        elif name == "git":
            for before, word in pairwise(words):
                if before.startswith("alias.") and word.startswith("!"):
                    self.line(word[1:], None)
        elif name in ("scp", "sftp"):
            for value in values_of(words, ("-S", "-D")):
                self.line(value, None)
        elif name in ("compgen", "complete"):
            for value in values_of(words, ("-W",)):
                if _SUBSTITUTION.search(value):
                    self.line(f": {value}", None)
        elif name == "perl" and any(word.strip()[:1] == "|" or word.strip()[-1:] == "|" for word in words):
            self.add(HIDDEN)  # it takes such names of files for commands
        elif name == "capsh" and "--" in words:
            self.run(["bash", *words[words.index("--") + 1 :]], None)
        elif name == "start-stop-daemon" and any(re.match("-[a-zA-Z]*S|--sta", word) for word in words):
            behind = words[words.index("--") + 1 :] if "--" in words else []
            for program in values_of(words, ("-x", "-a", "--exec", "--startas")):
                self.run([program, *behind], None)
        elif name in _READ_INTO:
            for word in words:
                if re.fullmatch(r"[A-Z_]\w*", word) and not variables.HARMLESS.fullmatch(word):
                    self.assigned(word, ANY)
        elif name in ("make", "gmake"):
            self._make(words)
        elif name in _ASSIGN:
            for word in words:
                variable, equals, value = word.partition("=")
                if equals and variable[:1] != "-":
                    self.assigned(variable, value)

    def _given(self, name: str, words: Sequence[str]) -> None:
        """Variables among the words of a command that may hand them to what it runs, as `docker run -e` does."""
        found = [(given[1], given[2]) for word in words if (given := _GIVEN.fullmatch(word))]
        if name in ("tmux", "setenv"):
            found += pairwise(words)
        for variable, value in found:
            if name in ("make", "gmake") and not _MAKE_CALLS.search(value) and variable != "SHELL":
                continue  # `$(CC)` is another variable there
            if not variables.HARMLESS.fullmatch(variable):
                self._meant(variable, value)

    def _make(self, words: Sequence[str]) -> None:
        """Makefile text among the words of make or in its input, which may run anything."""
        files = values_of(words, ("-f", "--file", "--makefile"))
        if values_of(words, ("-E", "--eval")) or any(INPUTS.fullmatch(file) or SPLIT in file for file in files):
            self.add(HIDDEN)
        for word in words:
            variable, equals, value = word.partition("=")
            if equals and variable[:1] != "-" and (variable[-1:] == "!" or _MAKE_CALLS.search(value)):
                self.add(HIDDEN)

    def _made(self, path: str) -> bool:
        """Whether this line has written such a file, so that nobody knows what is in it."""
        name = path.rpartition("/")[2]
        return any(name == made.rpartition("/")[2] for act in self.acts for made in act.writes)

    def _find(self, words: Sequence[str]) -> None:
        starts = []
        for word in words:
            if word[:1] in ("-", "(", "!"):
                break
            starts.append(word)
        for at, word in enumerate(words):
            if word in _FIND_RUNS:
                command = []
                for part in words[at + 1 :]:
                    if part in (";", "+"):
                        break
                    command.append(part)
                for start in starts or ["."]:
                    self.run([part.replace("{}", start + ANY) for part in command], None)
            elif word in _FIND_WRITES:
                self.add(Act(writes=tuple(words[at + 1 : at + 2])))
            elif word == "-delete":
                self.add(Act(writes=_deleted(starts or ["."], words)))

    def _through(self, row: Row, name: str, found: Reading, stdin: str | None) -> None:
        """What a row says that the command runs."""
        operands = wrappers.placed(found.operands, _places(row, found))
        if found.hidden and row.then != "nothing":
            self.add(HIDDEN)
        for text in found.lines:
            part = re.fullmatch(row.part, text, re.DOTALL) if row.part else None
            if not row.part or part:
                self.line(part[1] if part else text, None)
        if row.reads and not operands and not found.lines and not found.code:
            self._program(row, stdin)
        match row.then:
            case "argv":
                self.run([*operands, SPLIT] if row.adds and operands else operands, stdin)
            case "line":
                words = [*operands, SPLIT] if row.adds and operands else operands[:1] if row.first else operands
                self.line(" ".join(words), stdin)
            case "shell":
                self._shell(found, stdin, is_source=name in ("source", "."))
            case "stdin":
                self._text(stdin)
            case "code":
                given = found.code or (operands[:1] if row.first else [])
                if any(row.runs(text) or SPLIT in text or ANY in text for text in given):
                    self.add(HIDDEN)
                if not given and operands and INPUTS.fullmatch(operands[0]) and MARKS.isdisjoint(operands[0]):
                    self._program(row, stdin)
                files = [value for name, value in found.values if name == "-f"] + operands[:1] * (not given)
                if row.code and not row.permutes:
                    self.scripts += files
                if any(self._made(file) or file.startswith("/dev/") for file in files if not given or file != "-"):
                    self.add(HIDDEN)
            case "subcommand":
                inner = subcommand(COMMANDS, name, operands)
                if inner is not None:
                    self._through(inner[0], name, wrappers.read(inner[0], inner[1]), stdin)

    def _program(self, row: Row, stdin: str | None) -> None:
        """A program that comes from the input."""
        if row.then != "code":
            self._text(stdin)
        elif stdin is not None and (SPLIT in stdin or row.runs(stdin)):
            self.add(HIDDEN)

    def _shell(self, found: Reading, stdin: str | None, *, is_source: bool) -> None:
        """A shell: its line with -c, else the file that it is given, else its input."""
        first = found.operands[0] if found.operands else None
        self.scripts += found.operands[:1]
        self.scripts += [value for name, value in found.values if name in _START_FILES]
        if any(not MARKS.isdisjoint(value) or INPUTS.fullmatch(value) for _, value in found.values):
            self.add(HIDDEN)
        if not is_source and any(
            not flag.startswith("--") and "c" in flag[1:] for flag in found.flags if flag[0] == "-"
        ):
            self.line(first or "", stdin)
        elif not is_source and any(re.match(r"-[a-zA-Z]*s", flag) for flag in found.flags):
            self._text(stdin)
        elif first is not None and (not MARKS.isdisjoint(first) or self._made(first)):
            self.add(HIDDEN)
        elif first is None or INPUTS.fullmatch(first):
            self._text(stdin)

    def _text(self, stdin: str | None) -> None:
        """A shell that reads its commands."""
        if stdin == SPLIT:
            self.add(HIDDEN)
        elif stdin is not None:
            self.line(stdin, None)


def _deleted(starts: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """What `find -delete` takes away: what has the one name that is asked for, else anything from the starts on."""
    names = values_of(words, ("-name",))
    if len(names) != 1 or any(word in ("-o", "-or", "!", "-not", ",") for word in words):
        return within(starts)
    name = re.sub(r"\[.*?\]|[*?\\]+", STAR, names[0])
    return tuple(path for start in starts for path in (f"{start}/{name}", f"{start}/{ANY}/{name}", start))


def _gone_to(name: str, words: Sequence[str]) -> str:
    """The directory that `cd` and the like go to; one that was left before may be any."""
    places = [word for word in words if word[:1] != "-"]
    if name == "popd" or "-" in words or (name == "pushd" and (not places or places[0][:1] == "+")):
        return ANY
    return places[0] if places else "~"


def _places(row: Row, found: Reading) -> list[str]:
    """What stands for input in the words of a command that gets more: `{}`, or what an option says."""
    if not row.adds:
        return []
    return ["{}", *(value for name, value in found.values if name in ("-I", "-J", "--replace"))]
