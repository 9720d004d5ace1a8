"""The two corpora: one command a line, `⏎` for a line feed, `{V}` for the directory that is after all about."""

from pathlib import Path

from shared.domain.identity import LOCAL, Caller
from shared.domain.policy import CommandPolicy, Policy, Rule
from shared.errors import Forbidden
from shared.terminal.policy import rules
from shared.terminal.policy.commands import seen

FOLDER = Path(__file__).parent
NO_RM = CommandPolicy(policies=[Policy(name="no rm", rules=[Rule(action="deny", commands=["rm"])])])


def lines(name: str) -> list[str]:
    """The commands of a file, those with a `!` before them included."""
    text = (FOLDER / name).read_text("utf-8").splitlines()
    return [line.replace("⏎", "\n") for line in text[text.index("") + 1 :] if line]


def action(
    command: str, policy: CommandPolicy = NO_RM, place: rules.Place | None = None, caller: Caller = LOCAL
) -> str:
    """What becomes of a command; one that cannot be read is refused."""
    try:
        return rules.judge(rules.applying(policy, caller, place or rules.Place()), seen(command)).action
    except Forbidden as error:
        return error.code
