"""The base of every value that crosses a surface: camelCase on the wire, strict, nothing unknown."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A value of our own API. Unknown fields are refused, keys are camelCase, instances are frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


class NoInput(Wire):
    """The request of an operation that takes nothing."""


def iso(moment: datetime) -> str:
    """Milliseconds and a Z, as JavaScript writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(value: Any) -> Any:
    """JSON has no dates: text in ISO 8601 is one even where types are strict."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("it must be a date, or a date and time, in ISO 8601") from None


def _amount(value: Any) -> Any:
    """JSON numbers are money even where types are strict; through their text, so that 0.1 stays 0.1."""
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


Timestamp = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(iso, return_type=str, when_used="json")]
Moment = Annotated[Timestamp, AfterValidator(lambda moment: moment if moment.tzinfo else moment.replace(tzinfo=UTC))]
"""A time that a caller gives; without a zone it means UTC."""

Money = Annotated[Decimal, BeforeValidator(_amount), PlainSerializer(float, return_type=float, when_used="json")]
"""US dollars: Decimal inside, a JSON number outside."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A short text without control characters."""
