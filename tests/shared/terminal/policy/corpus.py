"""The two corpora: one command a line, `⏎` for a line feed, `{V}` for the directory that is after all about."""

from pathlib import Path

from shared.domain.identity import LOCAL, Caller
from shared.domain.policy import Action, CommandPolicy, Policy, Rule
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


NATURAL = (
    "git grep egrep ls cat head tail awk gawk sed curl python3 node make tar find xargs rg env bash sh ssh sort uniq cp tee docker "
    "kubectl helm gh npm pip systemctl journalctl echo printf read export declare unset : cd jq wc ps df du free uptime uname whoami "
    "id pwd date printenv which command type diff stat file tree realpath basename sha256sum xxd cut tr ss ip lsof ping apt apt-get "
    "dpkg crontab unzip zcat set timeout time nice mkdir touch seq test [ true less hostname split strace sqlite3 perf vim iconv "
    "strip tclsh ipython tmux fish zsh cmake pyenv history fc jobs eval trap alias hash openssl ssh-agent gpg-agent faketime newgrp "
    "enable"
)
"""What somebody would put on a list of allowed programs, also where it is unwise."""


def natural(default: Action) -> CommandPolicy:
    """A policy that allows them by name, and for the rest says `default`."""
    rules = [Rule(action="allow", commands=NATURAL.split())]
    return CommandPolicy(policies=[Policy(name="natural", default=default, unknown=default, rules=rules)])
