"""How processes agree on shares of the budgets while Redis is away. Pure.

Each process looks at the agreement now and then, in a transaction of its own. It goes through three stages:

- declaring: nobody spends. Each process declares what it has spent and holds; once all have, the rest is divided.
- sharing: each spends its share, until Redis answers all of them.
- closing: nobody spends. Each tells Redis everything; once all have, Redis counts again.

A process that looks when the shares are divided already has none until the end.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Literal, Self

DECLARE_SECONDS = 8.0
"""Processes that have not declared by then were killed: each looks every five seconds at least."""
SILENT_SECONDS = 20.0
"""A process that did not look for so long has died; it stops spending in half of that itself."""
SMALLEST = Decimal("1e-9")

Stage = Literal["declaring", "sharing", "closing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where one process stands with one counter: what Redis said last, what is known to be spent, what Redis has not
    heard, and what is held.
    """

    told: Decimal
    confirmed: Decimal
    unsent: Decimal
    held: Decimal

    def to_json(self) -> list[str]:
        return [str(self.told), str(self.confirmed), str(self.unsent), str(self.held)]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        told, confirmed, unsent, held = map(Decimal, value)
        return cls(told=told, confirmed=confirmed, unsent=unsent, held=held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The process that looks. `ready`: Redis answers it. `stopped`: it spends nothing now. `told`: Redis knows all of it."""

    id: str
    now: float
    ready: bool
    stopped: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A process that declared: when it looked last, whether Redis answers it, and whether it has told Redis everything."""

    seen: float
    ready: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The agreement as it is stored; `epoch` names it, `began` is when."""

    epoch: str
    began: float
    stage: Stage = "declaring"
    members: Mapping[str, Member] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        members = {name: [each.seen, each.ready, each.told] for name, each in self.members.items()}
        return {"epoch": self.epoch, "began": self.began, "stage": self.stage, "members": members}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        members = {name: Member(*each) for name, each in value["members"].items()}
        return cls(epoch=value["epoch"], began=value["began"], stage=value["stage"], members=members)


def looked(found: Agreement | None, me: Me, known: Collection[str], epoch: str) -> Agreement | None:
    """The agreement after a process's look; None when Redis counts. `known` are those that must declare, `epoch` is for
    a new one.
    """
    begun = Agreement(epoch=epoch, began=me.now)
    if found is None:
        return None if me.told else _declared(begun, me, known)
    there = {name: member for name, member in found.members.items() if me.now - member.seen <= SILENT_SECONDS}
    found = replace(found, members=there)
    if found.stage == "declaring":
        return _declared(found, me, known) if me.stopped else found
    if not there:
        return None if me.told else _declared(begun, me, known)
    if me.id not in there:
        return found
    if found.stage == "closing" and not me.ready:
        return _declared(begun, me, known) if me.stopped else found
    members = {**there, me.id: Member(me.now, me.ready, me.told and found.stage == "closing")}
    if found.stage == "sharing":
        closing = all(member.ready for member in members.values())
        return replace(found, members=members, stage="closing" if closing else "sharing")
    return None if all(member.told for member in members.values()) else replace(found, members=members)


def _declared(found: Agreement, me: Me, known: Collection[str]) -> Agreement:
    members = {**found.members, me.id: Member(me.now)}
    whole = set(known) <= members.keys() or me.now - found.began >= DECLARE_SECONDS
    return replace(found, members=members, stage="sharing" if whole else "declaring")


def divided(
    limits: Mapping[str, Decimal], positions: Collection[Mapping[str, Position]]
) -> dict[str, tuple[Decimal, Decimal]]:
    """The share of each process in each counter, and what Redis last said that the counter has spent.

    Redis only adds, so its highest word covers everything that it has heard; the rest each process knows itself.
    """
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for key, limit in limits.items():
        each = [position[key] for position in positions if key in position]
        told = max((position.told for position in each), default=Decimal(0))
        unsent = sum((position.unsent for position in each), Decimal(0))
        held = sum((position.held for position in each), Decimal(0))
        known = max((position.confirmed + position.unsent for position in each), default=Decimal(0))
        left = max(limit - max(told + unsent, known) - held, Decimal(0))
        found[key] = (left / len(positions)).quantize(SMALLEST, ROUND_FLOOR), told
    return found
