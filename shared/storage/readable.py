"""Rows as values of this version: unknown fields are ignored, and rows that cannot be read are skipped and noted.

Another version of the gateway may write to the same database, as during a rolling upgrade.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from sqlmodel import Session

from shared.errors import Conflict
from shared.structured import get_logger

log = get_logger(__name__)

Kind = Literal[
    "models", "apiKeys", "budgets", "providers", "connections", "approvals", "configuration", "policy", "aliases"
]
Row = TypeVar("Row")
Value = TypeVar("Value")
Shape = TypeVar("Shape", bound=BaseModel)

INFO = "unreadable"
"""Where a database session has the `UnreadableRows` of its database."""
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
"""What reading raises for data of another form; pydantic's ValidationError is a ValueError."""


class UnreadableRows:
    """Rows that this process could not read when it last tried, by kind and id, each with the reason."""

    def __init__(self) -> None:
        self._rows: dict[Kind, dict[str, str]] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind that has some."""
        return {kind: len(found) for kind, found in self._rows.copy().items() if found}

    def of(self, kind: Kind) -> Mapping[str, str]:
        """Reasons by id."""
        return self._rows.get(kind, {}).copy()

    def everything(self) -> list[tuple[Kind, str, str]]:
        """Kind, id and reason of each."""
        return [(kind, name, why) for kind, found in self._rows.copy().items() for name, why in found.copy().items()]

    def replace(self, kind: Kind, found: Mapping[str, str]) -> None:
        """Note all rows of a kind that cannot be read; those not named here can be read, or have gone."""
        before, self._rows[kind] = self._rows.get(kind, {}), dict(found)
        for name, reason in found.items():
            if name not in before:
                _warn(kind, name, reason)

    def note(self, kind: Kind, name: str, error: Exception) -> None:
        """Note one row."""
        found = self._rows.setdefault(kind, {})
        if name not in found:
            found[name] = reason_of(error)
            _warn(kind, name, found[name])

    def forget(self, kind: Kind, name: str) -> None:
        """One can be read again, or has gone."""
        self._rows.get(kind, {}).pop(name, None)


def readable(
    session: Session,
    kind: Kind,
    rows: Iterable[Row],
    read: Callable[[Row], Value],
    *,
    name: Callable[[Row], str],
) -> list[Value]:
    """The values of all rows of a kind that can be read; the others are noted as unreadable."""
    values: list[Value] = []
    unreadable: dict[str, str] = {}
    for row in rows:
        try:
            values.append(read(row))
        except UNREADABLE as error:
            unreadable[name(row)] = reason_of(error)
    noted_in(session).replace(kind, unreadable)
    return values


def noted_in(session: Session) -> UnreadableRows:
    """The unreadable rows of the database that this session belongs to."""
    found = session.info.get(INFO)
    return found if isinstance(found, UnreadableRows) else UnreadableRows()


def known_fields(shape: type[Shape], data: Any) -> Shape:
    """The value that the fields make that this version knows. Raises ValidationError."""
    return shape.model_validate(data, extra="ignore")


def refused(what: str, name: str, error: Exception) -> Conflict:
    """The error when a caller asks for a change of a row that cannot be read."""
    return Conflict(
        f"This version of the gateway cannot read the {what} '{name}' ({reason_of(error)}). Delete it, or upgrade this "
        "process to the version that wrote it.",
        code="row_unreadable",
    )


def reason_of(error: Exception) -> str:
    """Why a row cannot be read, without the values in it."""
    if not isinstance(error, ValidationError):
        return f"its data has another form ({type(error).__name__})"
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _warn(kind: Kind, name: str, reason: str) -> None:
    log.error("a row cannot be read by this version and is skipped", kind=kind, id=name, reason=reason)
