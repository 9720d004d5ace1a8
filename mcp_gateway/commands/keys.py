"""`mcp-gateway keys`: the gateway's API keys."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import NONE, AsJson, print_json, print_table
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.domain.keys import ApiKey


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Make, list and delete API keys for this gateway.", no_args_is_help=True)
    app.command()(create)
    app.command(name="list")(list_keys)
    app.command()(delete)
    return app


def create(
    name: Annotated[str, typer.Argument(help="What the key is for; --name says it too.")] = "",
    named: Annotated[str, typer.Option("--name", help="The same as an option.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            "--scopes",
            help="chat, models:read, models:write, terminal, metrics or admin; repeatable, or with commas. Default: chat, models:read.",
        ),
    ] = None,
    days: Annotated[float | None, typer.Option(min=0.01, max=36_500, help="Days until it expires.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it expires: a date, or a date and time, in ISO 8601.")
    ] = None,
    rpm: Annotated[
        int | None, typer.Option("--rpm", "--per-minute", min=0, help="Requests a minute; 0 is no limit.")
    ] = None,
    per_hour: Annotated[
        int | None, typer.Option(min=0, help="Requests an hour, instead of RATE_LIMIT_PER_HOUR; 0 is no limit.")
    ] = None,
    tpm: Annotated[
        int | None, typer.Option(min=0, help="Tokens a minute, prompts and answers together; 0 is no limit.")
    ] = None,
    streams: Annotated[
        int | None, typer.Option(min=0, help="Streamed answers under way at once; 0 is no limit.")
    ] = None,
    commands: Annotated[
        int | None, typer.Option("--commands-per-day", min=0, help="Commands a day (UTC); 0 is no limit.")
    ] = None,
    command_seconds: Annotated[
        int | None,
        typer.Option(
            "--command-seconds-per-day", min=0, help="Seconds a day that its commands may run; 0 is no limit."
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="USD", help="US dollars it may spend; 0 leaves it free models only.")
    ] = None,
    budget_period: Annotated[str, typer.Option(help="What the budget is for: day, month or total.")] = "month",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "--models", help="A model it may use, by id or its provider's name; repeatable, or with commas."
        ),
    ] = None,
    max_layer: Annotated[str | None, typer.Option(help="Highest layer it may use: L0, L1, L2 or L3.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once and never again."""
    from mcp_gateway.commands.opening import call
    from shared.operations.keys import CREATE_KEY

    if bool(name) == bool(named):
        raise typer.BadParameter("give the key one name, as an argument or with --name")
    if days is not None and expires:
        raise typer.BadParameter("say when the key expires once, with --days or with --expires")
    payload: dict[str, object] = {"name": name or named, "rateLimitPerHour": per_hour, "maxLayer": max_layer}
    payload |= {"rateLimitPerMinute": rpm, "tokensPerMinute": tpm, "maxStreams": streams}
    payload |= {"commandsPerDay": commands, "commandSecondsPerDay": command_seconds}
    payload |= {"budgetUsd": budget, "budgetPeriod": budget_period, "expiresAt": expires}
    if model:
        payload["models"] = _items(model)
    if scope:
        payload["scopes"] = _items(scope)
    if days is not None:
        payload["expiresAt"] = datetime.now(UTC) + timedelta(days=days)
    made = call(CREATE_KEY, payload, strict=False)
    if as_json:
        print_json(made)
    else:
        print(made.secret)


def list_keys(as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    from mcp_gateway.commands.opening import call
    from shared.operations.keys import LIST_KEYS

    found = call(LIST_KEYS, {})
    if as_json:
        print_json(found)
        return
    rows = [
        (
            key.id,
            key.name,
            key.prefix + "…",
            " ".join(key.scopes),
            _bounds(key),
            _day(key.expires_at),
            _day(key.last_used_at),
        )
        for key in found.keys
    ]
    print_table(("id", "name", "begins", "scopes", "bounds", "expires", "last used"), rows)


def delete(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")], as_json: AsJson = False
) -> None:
    """Delete a key; it stops working at once."""
    from mcp_gateway.commands.opening import call
    from shared.operations.keys import DELETE_KEY

    gone = call(DELETE_KEY, {"keyId": key_id})
    if as_json:
        print_json(gone)
    else:
        print(visible(f"{gone.key_id} is deleted."))


def _items(given: list[str]) -> list[str]:
    return [part.strip() for text in given for part in text.split(",") if part.strip()]


def _bounds(key: "ApiKey") -> str:
    """What the key may spend, ask and use, in words."""
    from shared.domain.budgets import IN_WORDS
    from shared.domain.money import plain

    bounds = [
        None if key.budget_usd is None else f"${plain(key.budget_usd)} {IN_WORDS[key.budget_period or 'total']}",
        None if key.rate_limit_per_minute is None else f"{key.rate_limit_per_minute} requests a minute",
        None if key.rate_limit_per_hour is None else f"{key.rate_limit_per_hour} requests an hour",
        None if key.tokens_per_minute is None else f"{key.tokens_per_minute} tokens a minute",
        None if key.max_streams is None else f"{key.max_streams} streams at once",
        None if key.commands_per_day is None else f"{key.commands_per_day} commands a day",
        None if key.command_seconds_per_day is None else f"{key.command_seconds_per_day} seconds of commands a day",
        None if key.max_layer is None else f"up to {key.max_layer}",
        None if key.models is None else " ".join(key.models),
    ]
    return ", ".join(bound for bound in bounds if bound) or NONE


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
