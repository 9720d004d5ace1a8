"""What an operation is: the facts that both surfaces, the docs and the audit trail share."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from shared.domain.identity import Caller, Scope

if TYPE_CHECKING:
    from shared.gateway import Gateway

Effect = Literal["read", "write", "destroy", "execute"]
"""read changes nothing; write can be repeated; destroy takes away; execute acts on the world outside."""

Request = TypeVar("Request")
Result = TypeVar("Result")
Stream = TypeVar("Stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Request, Result]):
    """One thing the gateway does.

    `request` is a Wire model, or a class whose `parse(payload)` raises InvalidInput. Where `audit` is given, each
    call leaves a row in the audit trail with the facts it returns, whether the call succeeded or not; None is for
    no row. `told` adds what the result says to that row, such as an exit code. `undo` takes back what `run` did when its result cannot be handed over: the caller has left, or the audit
    trail has failed. `tool` is the name of the tool that it is for a model, where traces have a span of it.
    """

    name: str
    summary: str
    scope: Scope | None
    effect: Effect
    request: type[Request]
    result: type[Result]
    run: "Callable[[Gateway, Caller, Request], Awaitable[Result]]"
    audit: Callable[[Request], dict[str, Any] | None] | None = None
    told: Callable[[Result], dict[str, Any]] | None = None
    undo: "Callable[[Gateway, Caller, Result], Awaitable[None]] | None" = None
    tool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOperation(Generic[Request, Stream]):
    """An operation that answers bit by bit: what `open` gives is iterated for it, and leaving the block ends it.

    `events` are the kinds of what it gives, for those that another process may run. `told` is as in Operation, asked of
    each event.
    """

    name: str
    summary: str
    scope: Scope | None
    effect: Effect
    request: type[Request]
    open: "Callable[[Gateway, Caller, Request], AbstractAsyncContextManager[Stream]]"
    audit: Callable[[Request], dict[str, Any] | None] | None = None
    told: Callable[[Any], dict[str, Any]] | None = None
    events: tuple[type, ...] = ()
    tool: str = ""


AnyOperation = Operation[Any, Any] | StreamOperation[Any, Any]
