"""What the gateway itself says on a session's terminal, and of the state of its commands."""

from collections.abc import Sequence

UNTOLD = (
    "The exported variables could not be kept; directory and umask are, and the variables of the next command are "
    "those that this one began with."
)
NO_STATE = (
    "The shell ended without telling its state, as `exec`, a signal or a `trap ... EXIT` of the command's own makes it: "
    "directory, umask and exported variables of the session are those from before this command."
)
MOST_NAMED = 10


def left_out(names: Sequence[str]) -> str:
    """Which variables the next command will not have."""
    named = ", ".join(name.encode(errors="replace").decode()[:100] for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Too large to be kept for the next command, and no longer set there: {named}{more}. Use a file instead."


def new_shell(exit_code: int | None, place: str) -> bytes:
    """That the shell before has ended: what follows is typed into another one, which knows nothing of it."""
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return notice(f"the shell before this has ended{code}; this is a new one, in {place}")


def notice(text: str) -> bytes:
    """A line of its own that no program wrote."""
    return f"\r\n[gateway: {text}]\r\n".encode()
