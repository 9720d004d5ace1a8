"""Output that is kept for paging and searching: what callers ask for and what they are told."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.domain.targets import refuse
from shared.domain.terminal import OutputStream, SessionRef
from shared.domain.wire import Timestamp, Wire

MAX_PAGE_BYTES = 256 * 1024
MAX_MATCHES = 500
MAX_CONTEXT = 20

SearchPattern = Annotated[str, Field(min_length=1, max_length=500)]
Position = Annotated[int, Field(ge=0)]
Context = Annotated[int, Field(ge=0, le=MAX_CONTEXT)]
Matches = Annotated[int, Field(ge=1, le=MAX_MATCHES)]

PATTERN = "Return the lines that match this regular expression (RE2 syntax)."
CONTEXT = "Lines to show before and after each match."


class ReadKept(SessionRef):
    """Page or search the kept output of a command, by the 'outputId' of its result."""

    stream: OutputStream = Field("stdout", description="Which of the two streams.")
    cursor: Position = Field(0, description="Byte to begin with: the 'nextCursor' of the part before.")
    tail: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Begin so many lines before the end."
    )
    max_bytes: Annotated[int, Field(ge=256, le=MAX_PAGE_BYTES)] = Field(64 * 1024, description="Bytes of one page.")
    search: SearchPattern | None = Field(None, description=PATTERN)
    context: Context = Field(0, description=CONTEXT)
    max_matches: Matches = Field(100, description="Matching lines of one answer.")

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.tail is not None and (self.cursor or self.search is not None):
            raise refuse("tail", "cannot be given together with 'cursor' or 'search'")
        return self


class SearchTerminal(SessionRef):
    """Search what the scrollback of a session holds."""

    search: SearchPattern = Field(description=PATTERN)
    cursor: Position = Field(0, description="Character to begin with: the 'nextCursor' of the answer before.")
    context: Context = Field(0, description=CONTEXT)
    max_matches: Matches = Field(100, description="Matching lines of one answer.")


class MatchingLine(Wire):
    """A line that matches, with the lines around it."""

    line: int = Field(description="Its number, from 1.")
    text: str = Field(description="The line; a very long one is cut around the match.")
    before: list[str]
    after: list[str]


class KeptPart(Wire):
    """A page of kept output, or the lines of it that match. One of 'output' and 'matches' is there."""

    output: str | None = Field(None, exclude_if=lambda value: value is None)
    matches: list[MatchingLine] | None = Field(None, exclude_if=lambda value: value is None)
    line: int = Field(description="Number of the line that this part begins in, from 1.")
    next_cursor: int | None = Field(description="Pass it as 'cursor' for the next part; null at the end.")
    bytes: int = Field(description="Bytes that are kept of this stream.")
    total_bytes: int = Field(description="Bytes that the command wrote to this stream.")
    expires_at: Timestamp


class ScrollbackMatches(Wire):
    """Lines of a session's scrollback that match. Numbers count from the first line that the session showed."""

    matches: list[MatchingLine]
    next_cursor: int | None = Field(description="Pass it as 'cursor' to search on; null at the end.")
    dropped: int = Field(description="Lines at the beginning that the scrollback no longer holds.")
