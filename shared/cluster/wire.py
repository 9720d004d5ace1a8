"""What one process tells another, as JSON: callers, errors and events."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared import errors
from shared.domain.identity import Caller
from shared.errors import GatewayError, Unavailable


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """How values of a kind are read and written; made once."""
    return _adapter(kind)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def caller_to_json(caller: Caller) -> dict[str, Any]:
    """A caller for another process, which believes it."""
    dumped: dict[str, Any] = adapter_of(Caller).dump_python(caller, mode="json")
    return dumped


def caller_from_json(value: Any) -> Caller:
    """The caller that another process names."""
    caller: Caller = adapter_of(Caller).validate_python(value, strict=False)
    return caller


def error_to_json(error: GatewayError) -> dict[str, Any]:
    """A failure with all that its caller may know, and its kind."""
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "details": error.details,
        "operator_detail": error.operator_detail,
        "retry_after": error.retry_after,
        "code": error.code,
    }


def error_from_json(value: Any) -> GatewayError:
    """The same failure here; one that is not known here (of another version) is one that nothing can be done about."""
    try:
        more = dict(value)
        known = getattr(errors, str(more.pop("kind", "")), None)
        kind = known if isinstance(known, type) and issubclass(known, GatewayError) else Unavailable
        return kind(more.pop("message"), **more)
    except (ValueError, KeyError, TypeError):
        return _not_understood()


def event_to_json(event: Any) -> dict[str, Any]:
    """An event of a stream, under the name of its kind."""
    return {
        "kind": type(event).__name__,
        "value": adapter_of(type(event)).dump_python(event, mode="json", by_alias=True),
    }


def event_from_json(value: dict[str, Any], kinds: Iterable[type]) -> Any:
    """The event, if it is of one of these kinds. Raises Unavailable."""
    for kind in kinds:
        if kind.__name__ == value["kind"]:
            return read(kind, value["value"])
    raise _not_understood()


def read(kind: Any, value: Any) -> Any:
    """A value of that kind. Raises Unavailable when another version of the gateway wrote it in another form."""
    try:
        return adapter_of(kind).validate_python(value, strict=False)
    except ValidationError as error:
        raise _not_understood() from error


def _not_understood() -> Unavailable:
    return Unavailable(
        "The process that has this session answered in a form that is not known here; run one version of the gateway."
    )
