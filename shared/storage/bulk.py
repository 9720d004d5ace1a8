"""Many rows at once, in as few statements as the database takes, each stored once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql
from sqlmodel import Session

MOST_VALUES = 900
"""In one statement: SQLite has always taken 999."""
SKIP = " ON CONFLICT DO NOTHING"


def add(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns; those left out get their defaults. Rows that are there already, by a
    unique index of the table, are skipped.

    SQLite's driver lets go of the interpreter and takes it back for each row of an `executemany`. Beside a busy event
    loop every one of these costs a switch of threads, 5 ms, and rows come in faster than they are written.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), [dict(row) for row in rows])
        return
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names = compiled.positiontup or []
    processors = [
        table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for name in names
    ]
    defaults = {name: table.c[name].default.arg for name in names if name not in rows[0]}  # type: ignore[union-attr]
    another = f", ({', '.join('?' * len(names))})"
    for part in _parts(rows, MOST_VALUES // len(names)):
        values = tuple(
            value if process is None else process(value)
            for row in part
            for name, process in zip(names, processors, strict=True)
            for value in (row[name] if name in row else defaults[name],)
        )
        connection.exec_driver_sql(str(compiled) + another * (len(part) - 1) + SKIP, values)


def _parts(rows: Sequence[Mapping[str, Any]], most: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    """In lengths that are powers of two: the driver keeps a statement of each length, and few are to be kept."""
    start = 0
    while left := min(len(rows) - start, most):
        size = 1 << (left.bit_length() - 1)
        yield rows[start : start + size]
        start += size
