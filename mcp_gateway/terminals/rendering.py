"""Results of the terminal tools as a person reads them. Pure."""

from mcp_gateway.terminals.results import (
    ClosedTerminal,
    KeptText,
    OpenedTerminal,
    RemoteContent,
    RemoteListing,
    RemoteWritten,
    TerminalEntry,
    TerminalList,
    TerminalOutput,
)
from shared.terminal.visible import visible


def output(result: TerminalOutput) -> str:
    """What was shown, and how it stands."""
    state = [result.view, result.wait_ended.replace("_", " ")]
    if not result.connected:
        state.append("ended" if result.exit_code is None else f"ended with exit code {result.exit_code}")
    parts = [result.text.rstrip("\n"), f"[{', '.join(state)}; cursor {result.cursor}]", result.note]
    return "\n".join(part for part in parts if part)


def kept(result: KeptText) -> str:
    """The text, and where it goes on."""
    more = "end" if result.next_cursor is None else f"goes on at cursor {result.next_cursor}"
    return "\n".join(filter(None, [result.text.rstrip("\n"), f"[from line {result.line}; {more}]", result.note]))


def opened(result: OpenedTerminal) -> str:
    """The session, and what it shows first."""
    return f"Session {result.session_id} ({_place(result.type, result.host, result.username)})\n{output(result)}"


def listing(result: TerminalList) -> str:
    """A line for each session and connection."""
    lines = [_session(entry) for entry in result.sessions] or ["No session is open."]
    lines += [
        f"saved connection {entry.name} ({_place(entry.type, entry.host, entry.username)})"
        for entry in result.connections
    ]
    if result.more_connections:
        lines.append(f"… and {result.more_connections} more saved connections.")
    if result.incomplete:
        lines.append(
            f"Incomplete: {len(result.incomplete)} of the gateway's processes did not answer in time "
            f"({', '.join(result.incomplete)}), and their sessions are missing. Call again."
        )
    return visible("\n".join(lines))


def closed(_: ClosedTerminal) -> str:
    """That it is gone."""
    return "Closed."


def files(result: RemoteListing) -> str:
    """A line for each entry, as `ls -l` has it."""
    lines = [f"{result.path}:"]
    for entry in result.entries:
        link = f" -> {entry.target}" if entry.target else ""
        lines.append(f"{entry.type:9} {entry.mode} {entry.size:>10} {entry.name}{link}".replace("\n", "\\n"))
    return visible("\n".join([*lines, *(["… and more."] if result.truncated else [])]))


def content(result: RemoteContent) -> str:
    """The part of the file, and where it goes on."""
    more = "" if result.next_offset is None else f"\n[goes on at offset {result.next_offset} of {result.size}]"
    return result.content + more


def written(result: RemoteWritten) -> str:
    """What was done."""
    return f"{'Created' if result.created else 'Replaced'} {result.path} ({result.size} bytes)."


def _session(entry: TerminalEntry) -> str:
    ended = "" if entry.exit_code is None else f", exit code {entry.exit_code}"
    state = "" if entry.connected else f" — ended{ended}"
    login = {"not_asked": " — not logged in", "unconfirmed": " — perhaps not logged in"}.get(entry.login or "", "")
    busy = f" — busy {entry.busy}" if entry.busy else ""
    watched = f" — {entry.watched}" if entry.watched else ""
    label = f" {entry.label}" if entry.label else ""
    return f"{entry.session_id} ({_place(entry.type, entry.host, entry.username)}){label}{state}{login}{busy}{watched}"


def _place(kind: str, host: str | None, username: str | None) -> str:
    user = f"{username}@" if username else ""
    return visible(f"{kind} {user}{host}") if host else kind
