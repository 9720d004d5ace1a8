"""`mcp-gateway config`: the settings in force, and where each comes from."""

from pathlib import Path
from typing import Any

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="See the settings.", no_args_is_help=True)
    app.command()(show)
    app.callback()(_group)
    return app


def show(as_json: AsJson = False) -> None:
    """Show every setting with its value and source; secrets are masked."""
    rows = _rows()
    if as_json:
        print_json({"settings": rows})
        return
    shown = [
        (row["name"], "" if row["value"] is None else row["value"], row["source"], row["description"]) for row in rows
    ]
    print_table(("setting", "value", "source", "meaning"), shown)


def _rows() -> list[dict[str, Any]]:
    from mcp_gateway.commands.opening import settings_here
    from shared.security.redaction import Redactor
    from shared.settings import Settings, secret_fields, sources

    settings = settings_here()
    origin = sources(directory=Path.cwd())
    hidden = frozenset(secret_fields())
    redactor = Redactor()

    def value_of(name: str) -> Any:
        value = getattr(settings, name)
        if name in hidden:
            return "********" if value.get_secret_value() else ""
        return value if isinstance(value, bool | int | float) else redactor.text(str(value))

    return [
        {
            "name": name.upper(),
            "value": value_of(name),
            "source": origin.get(name, "default"),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]


def _group() -> None:
    """Keeps `show` a command of the group, although it is the only one."""
