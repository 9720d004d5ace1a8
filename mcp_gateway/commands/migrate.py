"""`mcp-gateway migrate`: the database's schema, brought up to date or looked at."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.storage.schema import State

BEHIND = 3
NEWER = 4
CODES: "dict[State, int]" = {"current": 0, "behind": BEHIND, "newer": NEWER}


def migrate(
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Change nothing; the exit code says how the schema stands: 0 up to date, 3 migrations are missing, "
            "4 written by a newer version, 1 the database does not answer.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database's schema up to date, as every start does; several may run at once."""
    from mcp_gateway.commands.opening import settings_here
    from shared.storage import schema
    from shared.storage.database import Database

    settings = settings_here()
    if check and not _exists(settings):
        found = None
    else:
        database = Database(settings.database)
        try:
            if not check:
                schema.upgrade(database)
            found = schema.revision(database)
        finally:
            database.engine.dispose()
    state = schema.state(found)
    if as_json:
        print_json({"state": state, "schema": found, "thisVersion": schema.HEAD})
    else:
        print(_sentence(state, found, schema.HEAD))
    sys.exit(CODES[state])


def _exists(settings: "Settings") -> bool:
    """Whether there is anything to look at; opening a SQLite file makes it."""
    from sqlalchemy.engine import make_url

    url = make_url(settings.database)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _sentence(state: "State", found: str | None, head: str) -> str:
    if state == "current":
        return f"The schema is up to date ({head})."
    if state == "behind":
        return f"Migrations are missing: the schema is {found or 'empty'}, this version needs {head}. Run `mcp-gateway migrate`, or start the gateway."
    return f"A newer version wrote the database: its schema is {found}, this version knows {head} and older."
