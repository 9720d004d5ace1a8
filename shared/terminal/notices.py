"""What the gateway itself says on a session's terminal."""


def new_shell(exit_code: int | None, place: str) -> bytes:
    """That the shell before has ended: what follows is typed into another one, which knows nothing of it."""
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return notice(f"the shell before this has ended{code}; this is a new one, in {place}")


def notice(text: str) -> bytes:
    """A line of its own that no program wrote."""
    return f"\r\n[gateway: {text}]\r\n".encode()
