"""All commands under one name, and the options of the whole."""

import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from mcp_gateway.commands import (
    admin,
    approvals,
    audit,
    backup,
    budgets,
    chat,
    code,
    config,
    doctor,
    install,
    keys,
    migrate,
    models,
    replay,
    route,
    running,
    secrets,
    serve,
    signals,
    stdio,
    trace,
    usage,
)
from mcp_gateway.commands.failures import FAILED, guarded
from mcp_gateway.commands.output import wants_json

NAME = "mcp-gateway"
HELP = "One local gateway for any AI client: the right model at the least cost, and a safe terminal."
EPILOG = (
    "Settings come from the environment, a .env file in this folder or in the data directory, and config.toml there; "
    "`mcp-gateway config show` lists them all."
)


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns the exit code: 0, 1 when it failed, 2 when it was called wrongly."""
    as_json = wants_json(arguments)
    with guarded(as_json=as_json), signals.ending_in_order():
        code = _code_of(arguments, as_json)
        if sys.stdout is not None:
            sys.stdout.flush()
        elif code == 0:
            code = FAILED  # it was closed from the start: what was printed has gone nowhere
    return code


def _code_of(arguments: Sequence[str], as_json: bool) -> int:
    try:
        # By itself typer would print its errors and leave nothing to make an object of.
        code = application()(args=arguments, prog_name=NAME, standalone_mode=not as_json)
    except SystemExit as ended:
        code = ended.code
    return code if isinstance(code, int) else 0


def application() -> typer.Typer:
    """The commands, in the order in which help lists them."""
    app = typer.Typer(
        help=HELP,
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command()(serve.serve)
    app.command()(stdio.stdio)
    app.command()(install.install)
    app.command()(install.uninstall)
    app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})(code.code)
    app.command()(chat.chat)
    app.command()(route.route)
    app.command(name="run", context_settings={"allow_interspersed_args": False})(running.run)
    app.add_typer(models.group(), name="models")
    app.command()(usage.usage)
    app.command()(replay.replay)
    app.command()(doctor.doctor)
    app.add_typer(config.group(), name="config")
    app.add_typer(keys.group(), name="keys")
    app.add_typer(approvals.group(), name="approvals")
    app.add_typer(budgets.group(), name="budgets")
    app.add_typer(admin.group(), name="admin")
    app.add_typer(audit.group(), name="audit")
    app.command()(trace.trace)
    app.add_typer(secrets.group(), name="secrets")
    app.command()(backup.backup)
    app.command()(backup.restore)
    app.command()(migrate.migrate)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {metadata.version('ai-mcp-gateway')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """The options of the whole; each command has its own."""
