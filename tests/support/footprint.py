"""What a request may leave behind in a gateway: nothing."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import psutil

from shared.gateway import Gateway
from shared.providers.scripted import ScriptedServer
from shared.routing.health import Health
from tests.support.waiting import until

CONTAINERS = (list, tuple, set, frozenset, deque)
OURS = ("shared.", "http_api.")


@dataclass(frozen=True)
class Footprint:
    """What is under way now: tasks, open sockets, calls counted as busy, dollars held, answers being given."""

    tasks: int
    sockets: int
    busy: int
    held: Decimal
    answering: int

    @classmethod
    def of(cls, gateway: Gateway, *servers: ScriptedServer) -> "Footprint":
        return cls(
            tasks=len(asyncio.all_tasks()),
            sockets=len(psutil.Process().net_connections("inet")),
            busy=busy(gateway.health),
            held=held(gateway),
            answering=sum(server.active for server in servers),
        )


def busy(health: Health) -> int:
    """How many calls are counted as under way, and breakers as being tried."""
    return sum(speed.busy for speed in health._speeds.values()) + sum(
        breaker.probing for breaker in health._breakers.values()
    )


def held(gateway: Gateway) -> Decimal:
    """The dollars that are held in all budgets."""
    return sum((counter.held for counter in gateway.budgets._counters.values()), Decimal(0))


async def nothing_left(before: Footprint, now: Callable[[], Footprint]) -> None:
    """Return once no more is under way than before. Raises AssertionError when that does not come."""

    def gone() -> bool:
        return all(value <= getattr(before, name) for name, value in asdict(now()).items())

    try:
        await until(gone)
    except TimeoutError:
        raise AssertionError(f"left behind: {now()}, before: {before}") from None


def sizes(*roots: Any) -> dict[str, int]:
    """How many things are in each container (`Class.attribute`, summed over the instances) of everything of ours that
    can be reached from these.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Mapping):
            waiting += thing.values()
        elif isinstance(thing, CONTAINERS):
            waiting += thing
        elif type(thing).__module__.startswith(OURS):
            for name, value in _attributes(thing):
                if isinstance(value, (Mapping, *CONTAINERS)):
                    found[f"{type(thing).__name__}.{name}"] += len(value)
                waiting.append(value)
    return dict(found)


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    slots = (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
    for name in (*getattr(thing, "__dict__", ()), *slots):
        if hasattr(thing, name):
            yield name, getattr(thing, name)
