"""Find the secrets in command lines, wherever in a text they stand: one pass over the words after a known program."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.security.secret_forms import FORMS, READERS, WRITERS, Form, Part, Reader

MOST_ACTIVE = 4
"""Programs of one command whose options are known at a time, as of `sudo sshpass -p … mysql -p…`."""

Span = tuple[int, int]

_STEP = re.compile(
    r"(?P<separator>\\[nr]|[|&;()`]++)|(?P<here><<<?-?)|(?P<quote>\\?[\"'])"
    r"|(?P<word>(?:[^\s\"'`;&|()<\\]|(?<=>)&|\\(?![nr\"']))++)|[\s\S]"
)
_BARE = re.compile(r"(?:[^\s\"'`;&|()<>\\]|\\(?![\"']).?)++")
_QUOTE = re.compile(r"\\?[\"']")
_REFERENCE = re.compile(r"(?:\\?\")?(?:\$\{?[A-Za-z0-9_]+\}?|\$\(.*|`.*|-|<[a-z_-]+>?)(?:\\?\")?\Z", re.DOTALL)
_DELIMITER = re.compile(r"<<-?[ \t]*\\?[\"']?([A-Za-z0-9_]+)")
_MADE_BLANK = {number: " " for number in range(128) if not (chr(number).isalnum() or chr(number) in "-_.")}
_MARK: Mapping[Part, str] = {
    "after :": ":",
    "after =": "=",
    "after %": "%",
    "after ,": ",",
    "after /": "/",
    "pass:": "pass:",
}


def _by_program(rows: tuple[Form, ...] | tuple[Reader, ...]) -> dict[str, tuple[Form | Reader, ...]]:
    found: dict[str, tuple[Form | Reader, ...]] = {}
    for row in rows:
        for program in row.programs.split():
            found[program] = (*found.get(program, ()), row)
    return found


_FORMS = {name: tuple(row for row in rows if isinstance(row, Form)) for name, rows in _by_program(FORMS).items()}
_READERS = {name: tuple(row for row in rows if isinstance(row, Reader)) for name, rows in _by_program(READERS).items()}
_PROGRAMS = frozenset(_FORMS) | frozenset(_READERS)


def names_program(lowered: str) -> bool:
    """Whether a text in lower case has the name of a program in the table."""
    return not _PROGRAMS.isdisjoint(lowered.replace("\\n", " ").translate(_MADE_BLANK).split())


def spans(text: str) -> Iterator[Span]:
    """Where secrets stand in the text, in order. Takes time linear in its length."""
    begin, until, carried = 0, "", None
    for line in text.split("\n"):
        if until:
            if line.strip() == until:
                until = ""
            elif line.strip():
                yield begin, begin + len(line.rstrip("\r"))
        elif carried is not None or names_program(line.lower()):
            scan = _Scan(line, carried)
            yield from sorted((begin + first, begin + last) for first, last in scan.run())
            carried = scan.command if line.rstrip().endswith("\\") else None
            until = scan.until
        begin += len(line) + 1


@dataclass(slots=True)
class _Command:
    """One simple command as far as it was read; `depth` is how many quotes were open at its first word."""

    depth: int = 0
    programs: list[str] = field(default_factory=list)
    forms: list[tuple[Form, int]] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    words: list[Span] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Its words without a dash."""
    places: list[Span] = field(default_factory=list)
    letters: set[str] = field(default_factory=set)
    reads: bool = False
    writes: bool = False
    """Whether it writes its arguments, as `echo` does; then `words` are those."""


class _Scan:
    """The scan of one line."""

    def __init__(self, line: str, command: _Command | None = None) -> None:
        self.command = command or _Command()
        self.until = ""
        self._line = line
        self._open: list[str] = []
        self._outer: list[_Command] = []
        self._before: _Command | None = None
        self._found: set[Span] = set()
        if command is not None:
            command.depth, command.words, command.places = 0, [], [(0, 0)] * len(command.names)

    def run(self) -> set[Span]:
        at = 0
        while at < len(self._line):
            step = _STEP.match(self._line, at)
            if step is None:
                break
            at = self._after(step)
        if not self._line.rstrip().endswith("\\"):
            self._end(piped=False)
        return self._found

    def _after(self, step: "re.Match[str]") -> int:
        """Take in one step. Returns where the next begins."""
        if step.lastgroup == "word":
            return self._word(step.start(), step.end())
        if step.lastgroup == "quote":
            return self._quote(step)
        if step.lastgroup == "here" and self.command.readers:
            return self._here(step)
        if step.lastgroup == "separator" and len(self._open) <= self.command.depth:
            self._end(piped=step[0] == "|")
        return step.end()

    def _quote(self, step: "re.Match[str]") -> int:
        quote, at = step[0], step.start()
        if quote in self._open:
            while self._open.pop() != quote:
                pass
            while len(self._open) < self.command.depth:
                self._end(piped=False)
                if self._outer:
                    self.command = self._outer.pop()
        elif not (quote == "'" and at and self._line[at - 1].isalnum()):
            if self.command.writes and len(self._open) == self.command.depth:
                return self._argument(at)
            self._open.append(quote)
        return step.end()

    def _argument(self, at: int) -> int:
        """What `echo` and `printf` are told to write, in one piece."""
        end = self._value_end(at)
        self.command.words.append((at, end))
        return max(end, at + 1)

    def _here(self, step: "re.Match[str]") -> int:
        self._judge_reader(None)
        if not self.command.reads:
            return step.end()
        if step[0].startswith("<<<"):
            return self._mask_value(self._blank_end(step.end()), "all")
        if found := _DELIMITER.match(self._line, step.start()):
            self.until = found[1]
        return step.end()

    def _end(self, *, piped: bool) -> None:
        """The command is over; with `piped` the next reads what it writes."""
        command = self.command
        for form, named in command.forms:
            if -1 in form.places and self._holds(form, named) and (not form.given or command.letters & set(form.given)):
                places = self._places(form, named)
                if places:
                    self._mask(places[-1], form.part)
        self._before = command if piped and command.writes else None
        self.command = _Command(depth=len(self._open))

    def _begun(self) -> _Command:
        """The command that a program's name belongs to: one of its own where a quote has been opened since."""
        if len(self._open) > self.command.depth:
            self._outer.append(self.command)
            self.command = _Command(depth=len(self._open))
        return self.command

    def _word(self, start: int, end: int) -> int:
        command, word = self.command, self._line[start:end]
        if command.writes:
            return self._argument(start)
        if word.rpartition("/")[2] in WRITERS:
            command = self._begun()
            command.writes, command.words = True, []
            return end
        command.words.append((start, end))
        for form, named in reversed(command.forms):
            if (after := self._option(form, named, word, start)) is not None:
                return after
        self._judge_reader(word)
        if word.startswith("-") and len(word) > 1:
            command.letters.update(word[1:17] if word[1] != "-" else "")
            return end
        self._named(word, (start, end))
        return end

    def _named(self, word: str, span: Span) -> None:
        name = word.rpartition("/")[2].lower().removesuffix(".exe")
        command = self._begun() if name in _PROGRAMS else self.command
        if len(command.names) < 16:  # enough for every place in the table
            command.names.append(word)
        elif command.places:
            command.places[-1] = span
        if len(command.places) < 16:
            command.places.append(span)
        for form, named in command.forms:
            self._place(form, named, span)
        if name in _PROGRAMS and name not in command.programs and len(command.programs) < MOST_ACTIVE:
            command.programs.append(name)
            command.forms += [(form, len(command.names)) for form in _FORMS.get(name, ())]
            command.readers += _READERS.get(name, ())
            self._judge_reader(None)

    def _holds(self, form: Form, named: int) -> bool:
        """Whether the words are there that the form demands, and no first argument where options end with it."""
        names = self.command.names
        if form.leading:
            return len(names) == named
        return all(word in names[named:] for word in form.after)

    def _places(self, form: Form, named: int) -> list[Span]:
        skipped = named
        for word in form.after:
            skipped = self.command.names.index(word, skipped) + 1
        return self.command.places[skipped:]

    def _place(self, form: Form, named: int, span: Span) -> None:
        if form.places and self._holds(form, named) and not form.given:
            places = self._places(form, named)
            if places and places[-1] == span and len(places) in form.places and "=" not in self._line[slice(*span)]:
                self._mask(span, form.part)

    def _option(self, form: Form, named: int, word: str, start: int) -> int | None:
        """Where the scan goes on after an option of the form and its value; None where the word is no such option."""
        if not (form.letters or form.words or form.joined) or not self._holds(form, named):
            return None
        for prefix in (*form.joined, *(f"{name}=" for name in form.words)):
            if word.startswith(prefix):
                return self._mask_value(start + len(prefix), form.part)
        if word in form.words:
            return self._mask_value(self._blank_end(start + len(word)), form.part)
        at = self._letter(form, word)
        if at is None:
            return None
        if at + 1 < len(word) or self._line[start + at + 1 : start + at + 2] in ("'", '"'):
            return None if form.apart else self._mask_value(start + at + 1, form.part)
        if form.attached:
            quoted = _QUOTE.match(self._line, start + at + 1)
            return self._mask_value(quoted.start(), form.part) if quoted and quoted[0] not in self._open else None
        return self._mask_value(self._blank_end(start + at + 1), form.part)

    def _letter(self, form: Form, word: str) -> int | None:
        if len(word) < 2 or word[0] != "-" or not form.letters:
            return None
        for at in range(1, len(word)):
            if word[at] in form.letters:
                return at
            if word[at] not in form.flags:
                return None
        return None

    def _judge_reader(self, word: str | None) -> None:
        """Whether the command reads a secret, as its words say so far; then what is piped into it is masked."""
        command = self.command
        if command.reads or not any(_reads(reader, command, word) for reader in command.readers):
            return
        command.reads = True
        for span in self._before.words if self._before else ():
            if self._line[span[0]] != "-":
                self._mask(span, "all")

    def _blank_end(self, at: int) -> int:
        while at < len(self._line) and self._line[at] in " \t":
            at += 1
        return at

    def _value_end(self, at: int) -> int:
        """The end of a value in shell quotes or without; a quote that was open before ends it."""
        line = self._line
        while at < len(line):
            if bare := _BARE.match(line, at):
                at = bare.end()
            elif (quote := _QUOTE.match(line, at)) and quote[0] not in self._open:
                close = line.find(quote[0], quote.end())
                at = len(line.rstrip("\r")) if close < 0 else close + len(quote[0])
            else:
                break
        return at

    def _mask_value(self, at: int, part: Part) -> int:
        end = self._value_end(at)
        self._mask((at, end), part)
        self._judge_reader(self._line[at:end])
        return end

    def _mask(self, span: Span, part: Part) -> None:
        begin, end = span
        if _REFERENCE.match(self._line[begin:end]) or self._line[begin : begin + 1] == "$":
            return
        quote = _QUOTE.match(self._line, begin, end)
        if quote:
            begin = quote.end()
            if end - begin >= len(quote[0]) and self._line.endswith(quote[0], begin, end):
                end -= len(quote[0])
        if mark := _MARK.get(part, ""):
            found = self._line.find(mark, begin, end)
            if found < 0 or (part == "pass:" and found != begin):
                return
            begin = found + len(mark)
            if part == "after /" and (place := self._line.rfind("@", begin, end)) > begin:
                end = place
        if begin < end:
            self._found.add((begin, end))


def _reads(reader: Reader, command: _Command, word: str | None) -> bool:
    if not all(name in command.names or name == word for name in reader.after):
        return False
    if not reader.option and not reader.letters:
        return True
    if word is None:
        return False
    if word in reader.option:
        return True
    if len(word) < 2 or word[0] != "-" or not reader.letters:
        return False
    for letter in word[1:]:
        if letter in reader.letters:
            return True
        if letter not in reader.flags:
            return False
    return False
