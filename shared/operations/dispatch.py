"""The one door to the core: validate, authorise, run, record."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from pydantic import BaseModel, ValidationError

from shared.domain.identity import Caller
from shared.errors import Forbidden, GatewayError, InvalidInput, Unauthenticated, Unavailable
from shared.operations import elsewhere
from shared.operations.operation import AnyOperation, Operation, Request, Result, Stream, StreamOperation
from shared.operations.tool_spans import executing

if TYPE_CHECKING:
    from shared.gateway import Gateway

T = TypeVar("T")


async def call(
    gateway: "Gateway",
    caller: Caller,
    operation: Operation[Request, Result],
    payload: Mapping[str, Any],
    *,
    strict: bool = True,
    here: bool = False,
) -> Result:
    """Run an operation for a caller. `strict=False` is for payloads that came as text (query strings, flags).

    What is about a terminal session of another process of the gateway runs there, unless `here` says that this is
    the one. Raises Unauthenticated, Forbidden, InvalidInput, and whatever the operation raises.
    """
    request = await _admitted(gateway, caller, operation, payload, strict=strict)
    if not here and (node := await elsewhere.node_of(gateway, request)):
        return await elsewhere.call(gateway, node, caller, operation, payload, strict=strict)
    result: Result | None = None
    try:
        async with _recorded(gateway, caller, operation, request) as facts:
            if operation.tool and gateway.telemetry is not None:
                with executing(gateway.telemetry, caller, operation.tool, request) as tell:
                    result = await operation.run(gateway, caller, request)
                    tell({} if operation.told is None else operation.told(result), result)
            else:
                result = await operation.run(gateway, caller, request)
            if facts is not None and operation.told is not None:
                facts.update(operation.told(result))
    except BaseException:
        if result is not None and operation.undo is not None:
            with anyio.CancelScope(shield=True):
                await operation.undo(gateway, caller, result)
        raise
    return result


@asynccontextmanager
async def open_stream(
    gateway: "Gateway",
    caller: Caller,
    operation: StreamOperation[Request, Stream],
    payload: Mapping[str, Any],
    *,
    here: bool = False,
) -> AsyncIterator[Stream]:
    """Open a stream operation for a caller; leaving the block ends whatever produces its events. `here` as in `call`."""
    request = await _admitted(gateway, caller, operation, payload)
    if not here and (node := await elsewhere.node_of(gateway, request)):
        async with elsewhere.stream(gateway, node, caller, operation, payload) as there:
            yield there
        return
    async with _recorded(gateway, caller, operation, request) as facts:
        told = None if facts is None else operation.told
        if operation.tool and gateway.telemetry is not None:
            with executing(gateway.telemetry, caller, operation.tool, request) as tell:
                async with operation.open(gateway, caller, request) as stream:
                    watched = _telling(stream, operation.told or (lambda _: {}), tell)
                    yield cast("Stream", watched if facts is None or told is None else _noting(watched, told, facts))
            return
        async with operation.open(gateway, caller, request) as stream:
            yield stream if facts is None or told is None else cast("Stream", _noting(stream, told, facts))


async def _noting(events: Any, told: Callable[[Any], dict[str, Any]], facts: dict[str, Any]) -> AsyncIterator[Any]:
    """The same events; what the audit trail is to have of them is put into the facts."""
    async for event in events:
        facts.update(told(event))
        yield event


async def _telling(
    events: Any, told: Callable[[Any], dict[str, Any]], tell: Callable[[dict[str, Any], Any], None]
) -> AsyncIterator[Any]:
    """The same events; those that say something of the end of a command are told to its span."""
    async for event in events:
        if facts := told(event):
            tell(facts, getattr(event, "result", None))
        yield event


def admit(caller: Caller, operation: AnyOperation, payload: Mapping[str, Any], *, strict: bool = True) -> Any:
    """The validated request, if this caller may make it."""
    allow(caller, operation)
    return parse(operation.request, payload, strict=strict)


def allow(caller: Caller, operation: AnyOperation) -> None:
    """Raises Unauthenticated or Forbidden unless this caller may ask for such operations."""
    if not caller.may(operation.scope):
        if caller.kind == "anonymous":
            raise Unauthenticated()
        if caller.restricted:
            raise Forbidden(caller.restricted, code="not_your_gateway")
        raise Forbidden(
            f"This needs the scope '{operation.scope}', which these credentials do not have.",
            details={"operation": operation.name, "scope": operation.scope},
        )


def parse(kind: type[T], payload: Mapping[str, Any], *, strict: bool = True) -> T:
    """A request of that kind from plain data. Raises InvalidInput that names each field, never its value."""
    own = getattr(kind, "parse", None)
    if own is not None:
        return cast("T", own(payload))
    if not isinstance(payload, dict):
        raise InvalidInput("The request body must be a JSON object.", details={"fields": []})
    try:
        return cast("T", cast("type[BaseModel]", kind).model_validate(payload, strict=strict))
    except ValidationError as error:
        raise invalid(error, known=_names(kind)) from None


def _names(kind: type[Any]) -> list[str]:
    """The fields of a request as callers write them."""
    if not issubclass(kind, BaseModel):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def invalid(error: ValidationError, *, known: Sequence[str] = ()) -> InvalidInput:
    """Pydantic's findings as one sentence and a list of fields. For an unknown field it names the known one that is like it."""
    fields = [
        {
            "field": ".".join(str(part) for part in found["loc"]) or "(body)",
            "reason": _reason(found["type"], found["msg"]) + _meant(found["type"], found["loc"], known),
        }
        for found in error.errors(include_url=False, include_input=False, include_context=False)[:20]
    ]
    first = fields[0]
    return InvalidInput(f"'{first['field']}' is not valid: {first['reason']}.", details={"fields": fields})


def _meant(kind: str, place: tuple[int | str, ...], known: Sequence[str]) -> str:
    """The known field that is like an unknown one, as a clause; empty where there is none."""
    from difflib import get_close_matches

    if kind != "extra_forbidden" or len(place) != 1:
        return ""
    return "".join(f", but '{name}' is" for name in get_close_matches(str(place[0])[:100], known, 1, 0.7))


OBJECT_KINDS = frozenset({"model_type", "model_attributes_type", "dict_type", "mapping_type"})
"""What pydantic says of these names classes of ours."""


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "this field is not known here"
    if kind == "missing":
        return "this field is required"
    if kind == "string_pattern_mismatch":
        return "it has characters that are not allowed here, or the wrong form"
    if kind == "is_instance_of":
        return "it must be a number"
    if kind in OBJECT_KINDS:
        return "it must be an object"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


async def _admitted(
    gateway: "Gateway", caller: Caller, operation: AnyOperation, payload: Mapping[str, Any], *, strict: bool = True
) -> Any:
    """Whoever asks for what they may not leaves a row; strangers leave none, since they could fill the disk."""
    try:
        return admit(caller, operation, payload, strict=strict)
    except Forbidden as error:
        with suppress(GatewayError):  # the trail counts what it could not write
            await gateway.audit.record(caller, operation.name, {"scope": operation.scope}, error.code)
        raise


def _recorded(
    gateway: "Gateway", caller: Caller, operation: AnyOperation, request: Any
) -> AbstractAsyncContextManager[dict[str, Any] | None]:
    facts = None if operation.audit is None else operation.audit(request)
    return UNRECORDED if facts is None else _audited(gateway, caller, operation, facts)


UNRECORDED: AbstractAsyncContextManager[dict[str, Any] | None] = nullcontext()


@asynccontextmanager
async def _audited(
    gateway: "Gateway", caller: Caller, operation: AnyOperation, facts: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    await gateway.audit.require()
    outcome = "failed"
    try:
        yield facts
        outcome = "ok"
    except GatewayError as error:
        outcome = error.code
        raise
    finally:
        try:
            await gateway.audit.record(caller, operation.name, facts, outcome)
        except Unavailable:
            if isinstance(operation, Operation) and operation.undo is not None:
                raise
            # It has happened and cannot be taken back, so its answer counts; the trail counts what it could not write.
