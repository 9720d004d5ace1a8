"""Search stored output line by line with a regular expression, in blocks, so that memory stays bounded. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.domain.kept import MatchingLine
from shared.terminal.patterns import Pattern
from shared.terminal.sequences import plain

BLOCK = 256 * 1024
AROUND = 16 * 1024
"""Bytes that are looked through for the lines around a match."""
LONGEST_LINE = 2000
"""Characters that are shown of a line."""
MOST_TEXT = 256 * 1024
"""Characters of all lines of one answer."""

Read = Callable[[int, int], bytes]
"""Bytes from a position on, fewer than asked for at the end."""


@dataclass(frozen=True, slots=True)
class Found:
    """The lines that match, and where to search on; None at the end."""

    matches: list[MatchingLine]
    next_cursor: int | None


def search(read: Read, size: int, pattern: Pattern, *, start: int, context: int, most: int) -> Found:
    """The first `most` lines that match in the text from `start` on."""
    matches: list[MatchingLine] = []
    shown = 0
    for begin, block, first in _blocks(read, size, start):
        position = 0
        while (span := pattern.span(block, position)) is not None:
            line_start = block.rfind(b"\n", 0, span[0]) + 1
            if line_start == len(block):
                break  # an empty match behind the last line
            line_end = block.find(b"\n", span[0])
            line_end = len(block) if line_end < 0 else line_end
            if len(matches) >= most or shown > MOST_TEXT:
                return Found(matches, begin + line_start)
            match = MatchingLine(
                line=first + block.count(b"\n", 0, line_start),
                text=_around(block[line_start:line_end], span[0] - line_start),
                before=_before(read, begin + line_start, context),
                after=_after(read, begin + line_end + 1, size, context),
            )
            matches.append(match)
            shown += sum(map(len, (match.text, *match.before, *match.after)))
            position = line_end + 1
            if position >= len(block):
                break
    return Found(matches, None)


def search_text(text: str, pattern: Pattern, *, start: int, context: int, most: int) -> Found:
    """The same for text with control sequences, which are left out; positions count characters."""
    lines = [plain(line).rstrip("\r") for line in text.split("\n")]
    matches: list[MatchingLine] = []
    position = shown = 0
    for number, (raw, line) in enumerate(zip(text.split("\n"), lines, strict=True)):
        begin, position = position, position + len(raw) + 1
        encoded = line.encode()
        if begin < start or (begin == len(text) and not raw) or (span := pattern.span(encoded, 0)) is None:
            continue
        if len(matches) >= most or shown > MOST_TEXT:
            return Found(matches, begin)
        match = MatchingLine(
            line=number + 1,
            text=_around(encoded, span[0]),
            before=[_around(one.encode(), 0) for one in lines[max(0, number - context) : number]],
            after=[_around(one.encode(), 0) for one in lines[number + 1 : number + 1 + context]],
        )
        matches.append(match)
        shown += sum(map(len, (match.text, *match.before, *match.after)))
    return Found(matches, None)


def line_at(read: Read, position: int) -> int:
    """The number of the line that a position is in, from 1."""
    return 1 + sum(read(at, min(BLOCK, position - at)).count(b"\n") for at in range(0, position, BLOCK))


def tail_start(read: Read, size: int, lines: int) -> int:
    """Where the last so many lines begin."""
    end, missing = size, lines
    if size and read(size - 1, 1) == b"\n":
        end -= 1
    while end > 0:
        begin = max(0, end - BLOCK)
        block = read(begin, end - begin)
        found = block.count(b"\n")
        if found >= missing:
            for _ in range(missing):
                end = block.rindex(b"\n", 0, end - begin) + begin
            return end + 1
        missing -= found
        end = begin
    return 0


def _blocks(read: Read, size: int, start: int) -> Iterator[tuple[int, bytes, int]]:
    """Whole lines from `start` on: position, bytes, number of the first line. A line longer than a block is cut."""
    position, line = start, line_at(read, start)
    while position < size:
        block = read(position, BLOCK)
        if position + len(block) < size and (end := block.rfind(b"\n")) >= 0:
            block = block[: end + 1]
        if not block:
            return
        yield position, block, line
        position += len(block)
        line += block.count(b"\n")


def _before(read: Read, position: int, count: int) -> list[str]:
    if not count or not position:
        return []
    begin = max(0, position - AROUND)
    lines = read(begin, position - 1 - begin).split(b"\n")
    return [_around(line, 0) for line in lines[-count:]]


def _after(read: Read, position: int, size: int, count: int) -> list[str]:
    if not count or position >= size:
        return []
    block = read(position, AROUND)
    if block.endswith(b"\n"):
        block = block[:-1]
    return [_around(line, 0) for line in block.split(b"\n")[:count]]


def _around(line: bytes, at: int) -> str:
    """A line without its carriage return, cut around a position where it is very long."""
    begin = max(0, at - LONGEST_LINE // 2) if len(line) > LONGEST_LINE else 0
    text = line[begin : begin + LONGEST_LINE].decode(errors="replace").rstrip("\r")
    return f"{'…' if begin else ''}{text}{'…' if begin + LONGEST_LINE < len(line) else ''}"
