"""`mcp-gateway models`: the registry from a shell, and the embedded model's weights."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table, shown
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from mcp_gateway.results import ModelEntry
    from shared.gateway import Gateway

ModelId = Annotated[str, typer.Argument(metavar="ID", help="The model's id, as `models list` shows it.")]


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="See and arrange the models; by itself it lists them.", invoke_without_command=True)
    app.callback()(list_all)
    app.command(name="list")(list_models)
    app.command()(show)
    app.command()(enable)
    app.command()(disable)
    app.command()(priority)
    app.command()(alias)
    app.command()(pull)
    return app


def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """See and arrange the models; by itself it lists them."""
    if context.invoked_subcommand is None:
        list_models(as_json=as_json)


def list_models(
    layer: Annotated[str | None, typer.Option(help="Only this layer, L0 to L3.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    available: Annotated[bool, typer.Option("--available", help="Only what can be used now.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models, in the order in which they are asked."""
    from mcp_gateway.arguments import ListModelsArguments
    from mcp_gateway.calls.models import entries
    from mcp_gateway.commands.opening import with_gateway
    from shared.domain.identity import LOCAL
    from shared.operations import dispatch

    wanted = dispatch.parse(ListModelsArguments, {"layer": layer, "provider": provider})

    async def work(gateway: "Gateway") -> "list[ModelEntry]":
        if provider is not None:
            gateway.accounts_of_providers.get(provider)  # an unknown one is an error, and no empty list
        return await entries(gateway, LOCAL, wanted)

    found = [entry for entry in with_gateway(work) if entry.available or not available]
    if as_json:
        print_json({"models": [entry.model_dump(mode="json", by_alias=True) for entry in found]})
    else:
        print_table(("layer", "id", "$/M in/out", "context", "use"), map(_row, found))
        for line in _legend(found):
            print(visible(line))


def show(model_id: ModelId, as_json: AsJson = False) -> None:
    """Show all of one model."""
    from mcp_gateway.commands.opening import call
    from shared.operations.models import GET_MODEL

    found = call(GET_MODEL, {"id": model_id}).model_dump(mode="json", by_alias=True)
    if as_json:
        print_json(found)
    else:
        print_table(("field", "value"), ((name, shown(value)) for name, value in found.items()))


def enable(model_id: ModelId, as_json: AsJson = False) -> None:
    """Turn a model on."""
    _update(model_id, {"enabled": True}, as_json)


def disable(model_id: ModelId, as_json: AsJson = False) -> None:
    """Turn a model off; it stays in the registry."""
    _update(model_id, {"enabled": False}, as_json)


def priority(
    model_id: ModelId,
    place: Annotated[int, typer.Argument(min=0, max=1_000_000, help="0 is asked first in its layer.")],
    as_json: AsJson = False,
) -> None:
    """Set a model's place in its layer."""
    _update(model_id, {"priority": place}, as_json)


def alias(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A name that is not registered; `*` stands for any text.")
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="TARGET…", help="`auto`, layers or models; the first one that can answer is used."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the rule of that name.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Return to the rules that a new gateway has.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the aliases of models, the one that counts for NAME, or set where NAME leads."""
    from mcp_gateway.commands.aliases import changed, listed

    if (remove or targets) and name is None:
        raise typer.BadParameter("Give the NAME of the rule.")
    if (remove and targets) or (reset and name is not None):
        raise typer.BadParameter("Set a rule, remove one, or reset all of them.")
    found = changed(name, targets or [], remove=remove) if remove or reset or targets else listed(name)
    if as_json:
        print_json(found)
        return
    print_table(
        ("name", "targets", "leads to"), ((rule.name, " ".join(rule.targets), rule.leads_to) for rule in found.aliases)
    )
    if name is not None and not found.aliases:
        print(visible(f"No alias is for '{name}'."))


def pull(as_json: AsJson = False) -> None:
    """Fetch the embedded model's weights, so that there is an answer with no key and no server."""
    from mcp_gateway.commands.opening import settings_here
    from mcp_gateway.commands.pulling import pull_weights

    pull_weights(settings_here().data_dir, as_json=as_json)


def _update(model_id: str, change: dict[str, object], as_json: bool) -> None:
    from mcp_gateway.commands.opening import call
    from shared.operations.models import UPDATE_MODEL

    changed = call(UPDATE_MODEL, {"id": model_id, **change})
    if as_json:
        print_json(changed)
    else:
        model = changed.model
        state = "on" if model.enabled else "off"
        print(visible(f"{model.id}: {state}, layer {model.layer}, priority {model.priority}"))


def _row(entry: "ModelEntry") -> tuple[object, ...]:
    prices = "not known"
    if entry.input_price is not None and entry.output_price is not None:
        prices = f"{entry.input_price:g}/{entry.output_price:g}"
    return entry.layer, entry.id, prices, _in_short(entry.context_window), shown(entry.available)


def _in_short(tokens: int | None) -> str:
    """Tokens to three digits: 8.19k, 262k, 1.05M."""
    if tokens is None:
        return ""
    if tokens < 1000:
        return str(tokens)
    return f"{tokens / 1000:.3g}k" if tokens < 999_500 else f"{tokens / 1_000_000:.3g}M"


def _legend(found: "list[ModelEntry]") -> list[str]:
    """Why models cannot be used, each reason once."""
    reasons = Counter((entry.provider, entry.why_not) for entry in found if not entry.available)
    if not reasons:
        return []
    lines = [f"  {provider} ({count}): {why}" for (provider, why), count in reasons.items()]
    return ["", "Not to be used now:", *lines]
