"""How much the callers whose commands are limited have run in a day."""

from typing import NamedTuple

from sqlalchemy import delete
from sqlmodel import Session, col

from shared.storage import exclusive
from shared.storage.tables import CommandDayRow


class Ran(NamedTuple):
    """What was run so far."""

    commands: int
    milliseconds: int


def add(session: Session, caller: str, day: str, *, commands: int, milliseconds: int) -> None:
    """Count what was run; less than nothing takes back what was set aside."""
    row = session.get(CommandDayRow, (caller, day))
    if row is None:
        session.exec(delete(CommandDayRow).where(col(CommandDayRow.caller) == caller, col(CommandDayRow.day) < day))
        row = CommandDayRow(caller=caller, day=day, commands=0, milliseconds=0)
    row.commands += commands
    row.milliseconds = max(0, row.milliseconds + milliseconds)
    session.add(row)


def ran(session: Session, caller: str, day: str) -> Ran:
    """What the caller has run that day. Nobody else counts until the transaction ends."""
    exclusive.alone(session, exclusive.COMMANDS)
    row = session.get(CommandDayRow, (caller, day))
    return Ran(0, 0) if row is None else Ran(row.commands, row.milliseconds)
