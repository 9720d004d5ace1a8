"""`mcp-gateway config`: the settings in force, and where each comes from."""

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mcp_gateway.commands.output import AsJson, on_terminal, print_json, print_table
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.settings import Settings

STORED = "stored (PUT /v1/config)"


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="See the settings.", no_args_is_help=True)
    app.command()(show)
    app.callback()(_group)
    return app


def show(as_json: AsJson = False) -> None:
    """Show every setting with its value and source; secrets are masked."""
    from mcp_gateway.commands.opening import settings_here
    from shared.errors import GatewayError

    settings = settings_here()
    stored: dict[str, Any] = {}
    reached = True
    try:
        stored = _stored(settings)
    except (GatewayError, ImportError) as error:
        reached = False
        print(
            f"warning: what PUT /v1/config stored is not shown, since the database cannot be read: {error}",
            file=sys.stderr,
        )
    rows = _rows(settings, stored)
    if as_json:
        print_json({"settings": rows, "database": reached})
    elif on_terminal():
        _print_paragraphs(rows)
    else:
        names = ("name", "value", "source", "description")
        print_table(("setting", "value", "source", "meaning"), ([_cell(row[name]) for name in names] for row in rows))


def _rows(settings: "Settings", stored: dict[str, Any]) -> list[dict[str, Any]]:
    from shared.security.redaction import Redactor
    from shared.setting_sources import sources
    from shared.settings import Settings, secret_fields

    origin = {**sources(directory=Path.cwd()), **dict.fromkeys(stored, STORED)}
    hidden = frozenset(secret_fields())
    redactor = Redactor()

    def value_of(name: str) -> Any:
        value = stored.get(name, getattr(settings, name))
        if name in hidden:
            return "********" if value.get_secret_value() else ""
        return value if isinstance(value, bool | int | float) else redactor.text("" if value is None else str(value))

    return [
        {
            "name": name.upper(),
            "value": value_of(name),
            "source": origin.get(name, "default"),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]


def _stored(settings: "Settings") -> dict[str, Any]:
    """The values that an operator stored, by field name; looks only, and makes neither database nor tables.

    Raises Unavailable.
    """
    from sqlmodel import Session

    from shared.domain.configuration import Configuration
    from shared.registry.configuration import FACT
    from shared.storage import facts
    from shared.storage.database import Database
    from shared.storage.tables import FactRow

    if not settings.database_url and not Path(settings.data_dir / "gateway.sqlite3").exists():
        return {}

    def look(session: Session) -> dict[str, Any]:
        connection = session.connection()
        there = connection.dialect.has_table(connection, FactRow.__tablename__)
        return dict(facts.read(session, FACT, {})) if there else {}

    database = Database(settings.database)
    try:
        found = database.run_sync(look, write=False)
    finally:
        database.engine.dispose()
    given = {name: value for name, value in found.items() if value is not None and name in Configuration.model_fields}
    values = Configuration.model_validate(given).model_dump(by_alias=False, include=set(given))
    return {
        name: value if isinstance(value, bool | int | float | str) else float(value) for name, value in values.items()
    }


def _print_paragraphs(rows: list[dict[str, Any]]) -> None:
    import shutil

    width = max(40, shutil.get_terminal_size().columns)
    for row in rows:
        typer.secho(row["name"], bold=True, nl=False)
        value = _cell(row["value"])
        typer.echo(visible(f" = {value}  ({row['source']})" if value else f" is empty  ({row['source']})"))
        typer.echo(textwrap.fill(row["description"], width, initial_indent="    ", subsequent_indent="    "))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _group() -> None:
    """Keeps `show` a command of the group, although it is the only one."""
