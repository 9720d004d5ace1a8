"""Kept output and scrollback, paged and searched."""

from mcp_gateway.calls.call import Call
from mcp_gateway.terminals.arguments import ReadOutputArguments
from mcp_gateway.terminals.results import KeptText
from shared.domain.kept import MatchingLine
from shared.operations import dispatch
from shared.operations.kept import READ_KEPT, SEARCH_TERMINAL

PAGE_BYTES = 16_000
MAX_MATCHES = 100


async def read(call: Call, arguments: ReadOutputArguments) -> KeptText:
    """A page, or the lines that match, as `grep -n` shows them."""
    cursor = arguments.cursor or 0
    if arguments.session_id is not None:
        wanted = {"id": arguments.session_id, "search": arguments.search, "cursor": cursor}
        asked = {**wanted, "context": arguments.context, "maxMatches": MAX_MATCHES}
        lines = await dispatch.call(call.gateway, call.caller, SEARCH_TERMINAL, asked)
        return _matching(lines.matches, lines.next_cursor, call.limits.stdout_bytes)
    payload = arguments.model_dump(by_alias=True, exclude_none=True, exclude={"output_id", "session_id"})
    kept = {**payload, "id": arguments.output_id, "maxBytes": PAGE_BYTES, "maxMatches": MAX_MATCHES}
    part = await dispatch.call(call.gateway, call.caller, READ_KEPT, kept)
    missing = part.total_bytes - part.bytes
    note = "" if missing <= 0 else f"The last {missing:,} bytes of this stream were too many to keep."
    if part.matches is not None:
        return _matching(part.matches, part.next_cursor, call.limits.stdout_bytes, note)
    return KeptText(text=part.output or "", line=part.line, next_cursor=part.next_cursor, matches=None, note=note)


def _matching(matches: list[MatchingLine], next_cursor: int | None, limit: int, note: str = "") -> KeptText:
    text, size = [], 0
    for found, match in enumerate(matches):
        block = _block(match)
        size += len(block.encode())
        if size > limit and found:
            note = (
                f"{len(matches) - found} more matches do not fit here; narrow the pattern, or use less context. {note}"
            )
            break
        text.append(block)
    between = "\n--\n" if any(match.before or match.after for match in matches) else "\n"
    return KeptText(
        text=between.join(text),
        line=matches[0].line if matches else 1,
        next_cursor=next_cursor,
        matches=len(matches),
        note=note.strip() if matches else f"No line matches. {note}".strip(),
    )


def _block(match: MatchingLine) -> str:
    first = match.line - len(match.before)
    lines = [f"{first + at}-{text}" for at, text in enumerate(match.before)]
    lines.append(f"{match.line}:{match.text}")
    lines += [f"{match.line + 1 + at}-{text}" for at, text in enumerate(match.after)]
    return "\n".join(lines)
