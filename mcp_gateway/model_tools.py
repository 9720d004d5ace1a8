"""The tools for the registry, and for what it all costs: a literal table."""

from typing import TYPE_CHECKING

from mcp_gateway import rendering
from mcp_gateway.arguments import ListModelsArguments, SetLayerArguments, SetModelArguments, UsageArguments
from mcp_gateway.results import ModelsPage, SetLayerResult, SetModelResult, UsageResult
from mcp_gateway.tool import READS, SETS, AnyTool, Tool

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Call


async def _list_models(call: "Call", arguments: ListModelsArguments) -> ModelsPage:
    from mcp_gateway.calls import models

    return await models.run(call, arguments)


async def _set_model(call: "Call", arguments: SetModelArguments) -> SetModelResult:
    from mcp_gateway.calls import registry

    return await registry.set_model(call, arguments)


async def _set_layer(call: "Call", arguments: SetLayerArguments) -> SetLayerResult:
    from mcp_gateway.calls import registry

    return await registry.set_layer(call, arguments)


async def _usage(call: "Call", arguments: UsageArguments) -> UsageResult:
    from mcp_gateway.calls import usage

    return await usage.run(call, arguments)


MODEL_TOOLS: tuple[AnyTool, ...] = (
    Tool(
        name="list_models",
        title="List models",
        description=(
            "List the models that `chat` can use, in the order in which they would be asked. Use it before naming a "
            "model, or when the user asks what there is; `chat` with `auto` does not need it."
        ),
        arguments=ListModelsArguments,
        result=ModelsPage,
        annotations=READS,
        operations=("list_models", "list_aliases"),
        first="reading the list …",
        run=_list_models,
        render=rendering.models,
    ),
    Tool(
        name="set_model",
        title="Change a model",
        description=(
            "Turn a model on or off, or move it to another place or layer, for everybody who uses this gateway, until "
            "it is changed again. Only when the user wants that: to choose a model for one question, use `model` of "
            "`chat`."
        ),
        arguments=SetModelArguments,
        result=SetModelResult,
        annotations=SETS,
        operations=("update_model",),
        first="changing it …",
        run=_set_model,
        render=rendering.model_set,
    ),
    Tool(
        name="usage",
        title="Show usage and cost",
        description=(
            "Show how many requests and tokens were used, what they cost, and how the budgets stand. Use it when the "
            "user asks about spending, and before work that may cost much."
        ),
        arguments=UsageArguments,
        result=UsageResult,
        annotations=READS,
        operations=("usage", "list_budgets"),
        first="adding up …",
        run=_usage,
        render=rendering.usage,
    ),
    Tool(
        name="set_layer",
        title="Change a layer",
        description=(
            "Turn a whole layer on or off, or put its models in order, for everybody who uses this gateway, until it "
            "is changed again. Only when the user wants that."
        ),
        arguments=SetLayerArguments,
        result=SetLayerResult,
        annotations=SETS,
        operations=("toggle_layer", "reorder_layer", "list_layers"),
        first="changing it …",
        run=_set_layer,
        render=rendering.layer_set,
    ),
)
"""In the order in which hosts list them."""
