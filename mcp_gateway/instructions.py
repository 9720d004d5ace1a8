"""What the server tells a model of itself: of the tools that are offered, and of no others."""

from collections.abc import Collection

MODELS = """\
Other language models. `chat` asks one; with model `auto` the gateway picks the cheapest that can do it and goes on \
to another when one fails. Layers: L0 free, L1 cheap, L2 balanced, L3 premium. Say which model answered when the user \
would want to know, and ask before spending on L3."""
TERMINAL = """\
A terminal. `run_command` runs one command; `open_terminal` opens a session that stays (here, over SSH or telnet) for \
what is interactive or keeps state: `send_to_terminal` types and shows what came, `read_terminal` waits on, \
`close_terminal` ends it. It acts for real: look before you change things, and have the user agree to what cannot be \
undone. Passwords belong into saved connections, never into your calls."""
SHOWN: tuple[tuple[str, str], ...] = (
    ("list_models", "`list_models` shows the language models of the gateway and what they cost"),
    ("explain_route", "`explain_route` says which of them a chat would go to"),
    ("usage", "`usage` says what was spent"),
    ("list_terminals", "`list_terminals` shows the terminal sessions there are"),
    ("read_terminal", "`read_terminal` shows what one of them has written"),
    ("list_remote_files", "`list_remote_files` shows what is in a directory of a host"),
    ("read_remote_file", "`read_remote_file` reads a file there"),
)
"""Tools that only look, told of where those that act on the same are not offered."""
TOLD_OF: tuple[tuple[str, str], ...] = (("chat", MODELS), ("run_command", TERMINAL))
COVERED = {"chat": ("list_models", "explain_route", "usage"), "run_command": ("list_terminals", "read_terminal")}
END = """\
A call ends within a minute; what takes longer gives you an id to go on with. A result's `note` says what to do next, \
an error what is wrong and what to do about it.
"""


def instructions_for(offered: Collection[str]) -> str:
    """The text for a client that gets these tools."""
    things = [text for name, text in TOLD_OF if name in offered]
    covered = {name for acting, names in COVERED.items() if acting in offered for name in names}
    shown = [text for name, text in SHOWN if name in offered and name not in covered]
    if len(things) == len(TOLD_OF):
        numbered = [f"{number}. {text}" for number, text in enumerate(things, 1)]
        return "\n\n".join(["Two things are here.", *numbered, END])
    only = [f"To look at: {'; '.join(shown)}."] if shown else []
    return "\n\n".join([*things, *only, END])
