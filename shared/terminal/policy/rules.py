"""The rules against what a command line does. Pure: no file, no clock, no caller but as a value."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shared.domain.identity import Caller
from shared.domain.policy import SEVERITY, Action, Asking, CommandPolicy, Policy, Rule
from shared.domain.targets import SessionType
from shared.terminal.policy import patterns
from shared.terminal.policy.acts import NOWHERE, Act, Whence, readings
from shared.terminal.policy.commands import Seen
from shared.terminal.policy.known import FOLDERS
from shared.terminal.policy.patterns import Match
from shared.terminal.policy.words import MARKS, SPLIT

Part = Literal["writes", "paths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command runs. `connection` are the id and the name of a saved connection."""

    type: SessionType = "local"
    host: str = ""
    connection: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What policies may call it."""
        return (*self.connection, f"type:{self.type}", *([f"host:{self.host}"] if self.host else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be done, and by which rule: its place in the policy from 1, None for a default."""

    action: Action
    policy: str | None = None
    rule: int | None = None
    reason: str = ""
    decisive: str = ""
    unsure: bool = False
    ask: tuple[Asking, ...] = ()


ALLOWED = Verdict(action="allow")


def applying(document: CommandPolicy, caller: Caller, place: Place) -> tuple[Policy, ...]:
    """The policies that hold for this caller in this place."""
    who = (caller.id, caller.name, f"kind:{caller.kind}", *([f"role:{caller.role}"] if caller.role else []))
    return tuple(
        policy
        for policy in document.policies
        if _selected(policy.callers, who) and _selected(policy.connections, place.names)
    )


def judge(policies: Iterable[Policy], seen: Seen) -> Verdict:
    """The strictest of what the policies say of anything that the line does."""
    worst = ALLOWED
    for policy in policies:
        for act in seen.acts:
            for verdict in _verdicts(policy, act, Whence(seen.directories, seen.home)):
                if SEVERITY[verdict.action] > SEVERITY[worst.action] or (worst is ALLOWED and verdict.rule):
                    worst = verdict
    return worst


def _selected(selectors: Sequence[str], names: Sequence[str]) -> bool:
    def fits(selector: str) -> bool:
        return any(patterns.surely(selector, name) for name in names)

    if any(fits(selector[1:]) for selector in selectors if selector.startswith("!")):
        return False
    wanted = [selector for selector in selectors if not selector.startswith("!")]
    return not wanted or any(fits(selector) for selector in wanted)


def _verdicts(policy: Policy, act: Act, whence: Whence) -> Iterator[Verdict]:
    """What the first rule says that surely fits, and those before it that may fit."""

    def verdict(action: Action, number: int | None, reason: str, *, unsure: bool = False) -> Verdict:
        return Verdict(
            action=action,
            policy=policy.name,
            rule=number,
            reason=reason,
            decisive=act.shown[:200],
            unsure=unsure,
            ask=tuple(policy.ask),
        )

    passed = ""
    for number, rule in enumerate(policy.rules, 1):
        found = fit(rule, act, whence)
        if found is Match.YES and rule.action == "allow" and policy.default != "allow" and act.doubt and not rule.lines:
            passed = passed or f"{act.doubt}, so that a rule with `lines` has to spell it out"
            continue
        if found is Match.YES:
            yield verdict(rule.action, number, rule.reason)
            return
        if found is Match.MAYBE and rule.action != "allow":
            action = min(rule.action, policy.unknown, key=SEVERITY.__getitem__)
            if action != "allow":
                yield verdict(action, number, rule.reason, unsure=True)
    if act.words or act.writes or policy.default == "allow":
        yield verdict(policy.default, None, passed)
    elif act.variable or act.reads:
        yield verdict(policy.default if act.variable else "allow", None, passed)


def fit(rule: Rule, act: Act, whence: Whence = NOWHERE) -> Match:
    """Whether a rule fits an act. One that allows must fit whatever the unknown parts turn out to be."""
    if act.hidden:
        return Match.NO if rule.action == "allow" else Match.MAYBE
    strict = rule.action == "allow"
    found = Match.YES
    if rule.commands:
        found = min(found, _command(rule.commands, act, strict=strict))
    if rule.lines:
        found = min(found, _line(rule.lines, act, strict=strict))
    if found is not Match.NO and (rule.options or rule.arguments):
        found = min(found, _arguments(rule, act, whence, strict=strict))
    if found is not Match.NO and rule.writes:
        found = min(found, _any(rule.writes, act.writes, whence, strict=strict))
    if found is not Match.NO and rule.paths:
        mentioned = (*act.words[1:], *act.writes, *act.reads)
        found = min(found, _any(rule.paths, mentioned, whence, strict=strict))
    if rule.variables:
        found = min(found, _any(rule.variables, (act.variable,) if act.variable else (), NOWHERE, strict=strict))
    return found


def _line(wanted: Iterable[str], act: Act, *, strict: bool) -> Match:
    """Whether a whole command is one of these; an allowed one that is unknown with its options spelled out."""
    line = " ".join(act.words)
    if not line:
        return Match.NO
    if strict and act.doubt and not any(patterns.spelled_out(pattern, line) for pattern in wanted):
        return Match.NO
    return _any(wanted, (line,), NOWHERE, strict=strict)


def _command(wanted: Iterable[str], act: Act, *, strict: bool) -> Match:
    if not act.words:
        return Match.NO
    whole = act.words[0]
    folder, _, name = whole.rpartition("/")
    if not name or (strict and folder not in FOLDERS):
        name = whole  # who may run `ls` may not run whatever is called so somewhere
    best = Match.NO
    for pattern in wanted:
        first, *subcommands = pattern.split(" ")
        found = _word(first, (whole if "/" in first else name,), strict=strict)
        if strict and subcommands:
            operands: Sequence[str] = act.words[1:]  # an option before them might change what they mean
        else:
            operands = act.operands
        for at, subcommand in enumerate(subcommands):
            following = operands[at : at + 1] if not any(SPLIT in word for word in operands[:at]) else operands
            found = min(found, _word(subcommand, following, strict=strict))
        best = max(best, found)
    return best


def _arguments(rule: Rule, act: Act, whence: Whence, *, strict: bool) -> Match:
    """Every option is there, and an argument that is not the same word as one of them."""
    given = [*act.words[1:]]
    if act.words and SPLIT in act.words[0]:
        given.insert(0, act.words[0])
    options = [_Option.found(option, given, strict=strict) for option in rule.options]
    if not rule.arguments:
        return min((option.best for option in options), default=Match.YES)
    best = Match.NO
    for at, word in enumerate(given):
        found = _any(rule.arguments, (word,), whence, strict=strict)
        for option in options:
            found = min(found, option.best if SPLIT in word or at != option.only else option.second)
        best = max(best, found)
        if best is Match.YES:
            break
    return best


class _Option(NamedTuple):
    """How well the words give an option. `only` is the place of the one that gives it best, `second` what is left
    without it.
    """

    best: Match
    only: int
    second: Match

    @classmethod
    def found(cls, option: str, given: Sequence[str], *, strict: bool) -> "_Option":
        """Look for the forms of an option, up to where a word ends the options."""
        until = given.index("--") if "--" in given else len(given)
        forms = option.split("|")
        matches = [max(_option(form, word, strict=strict) for form in forms) for word in given[:until]]
        if not matches:
            return cls(Match.NO, -1, Match.NO)
        only = max(range(len(matches)), key=matches.__getitem__)
        second = max(matches[:only] + matches[only + 1 :], default=Match.NO)
        return cls(matches[only], only, second)


def _option(form: str, word: str, *, strict: bool) -> Match:
    """Whether a word gives an option: by its name, shortened, or as one letter among others."""
    if not MARKS.isdisjoint(word):
        may = patterns.match("-**" if form.startswith("-") else form, word)
        return Match.NO if strict else min(may, Match.MAYBE)
    name = word.partition("=")[0]
    if form.startswith("--"):
        return Match.YES if len(name) > 2 and name.startswith("--") and form.startswith(name) else Match.NO
    if len(form) == 2 and form[0] == "-":
        return Match.YES if word[:1] == "-" and word[:2] != "--" and form[1] in word else Match.NO
    return Match.YES if form == name else Match.NO


def _any(wanted: Iterable[str], given: Iterable[str], whence: Whence, *, strict: bool) -> Match:
    words = list(given)
    candidates = words if strict else [reading for word in words for reading in readings(word, whence)]
    if strict and any(".." in word.split("/") for word in words):
        return Match.NO
    return max((_word(pattern, candidates, strict=strict) for pattern in wanted), default=Match.NO)


def _word(pattern: str, words: Iterable[str], *, strict: bool) -> Match:
    if strict:
        return Match.YES if any(patterns.surely(pattern, word) for word in words) else Match.NO
    return max((patterns.match(pattern, word) for word in words), default=Match.NO)
