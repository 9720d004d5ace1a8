"""The tools: a literal table of what hosts are told, and the one way a call of any of them goes."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.types import CallToolRequestParams, CallToolResult, InputRequiredResult, TextContent, ToolAnnotations

from mcp_gateway import errors, rendering
from mcp_gateway.arguments import ChatArguments, ListModelsArguments, Question, RunCommandArguments
from mcp_gateway.asking import User
from mcp_gateway.cancellation import in_its_own_task
from mcp_gateway.core import Ready
from mcp_gateway.identity import Context, caller_of
from mcp_gateway.progress import progress_of
from mcp_gateway.results import ChatResult, CommandResult, ModelsPage, RouteResult
from mcp_gateway.terminals.tools import FILE_TOOLS, TERMINAL_TOOLS
from mcp_gateway.tool import Tool
from shared.domain.identity import Caller
from shared.domain.wire import Wire
from shared.errors import GatewayError, InvalidInput
from shared.operations import dispatch

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Call, Limits

log = logging.getLogger(__name__)

A = TypeVar("A", bound=Wire)


class Tools:
    """The tools on one gateway. Without `limits` the usual ones hold, which are imported with the first call."""

    def __init__(self, ready: Ready, limits: "Limits | None" = None) -> None:
        self._ready = ready
        self._limits = limits
        self.infos = [tool.info() for tool in TOOLS.values()]
        self._schemas = {info.name: info.input_schema for info in self.infos}

    def schema_of(self, name: str) -> Mapping[str, Any] | None:
        """The schema of a tool's arguments; None when there is no such tool."""
        return self._schemas.get(name)

    async def call(self, context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        """Call a tool; every failure comes back as a result that the model can read."""
        tool = TOOLS.get(params.name)
        if tool is None:
            return errors.failed(
                f"There is no tool '{params.name[:100]}'; there are {', '.join(TOOLS)}.\n(code: unknown_tool)"
            )
        caller = caller_of(context)
        try:
            return await in_its_own_task(self._run(context, caller, tool, params))
        except GatewayError as error:
            return errors.tool_result(error)
        except Exception:
            log.exception("tool %s failed (request %s)", params.name, caller.request_id)
            return errors.failed(errors.internal(caller.request_id))

    async def _run(
        self, context: Context, caller: Caller, tool: Tool[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        arguments, user = _parsed(tool, params.arguments or {}), User(context, params)
        async with progress_of(context, tool.first) as progress:
            gateway = await self._ready()
            from mcp_gateway.calls.call import Call, Limits, noted

            limits = self._limits or Limits()
            call = Call(gateway=gateway, caller=caller, user=user, progress=progress, limits=limits)
            with noted(f"tool {tool.name}", caller):
                result = await tool.run(call, arguments)
        if isinstance(result, InputRequiredResult):
            return result
        return CallToolResult(
            content=[TextContent(type="text", text=tool.render(result))],
            structured_content=result.model_dump(mode="json", by_alias=True),
        )


def _parsed(tool: Tool[A, Any], given: Mapping[str, Any]) -> A:
    """The arguments, checked. Models write numbers as text now and then, so types are taken in their wider sense."""
    try:
        return dispatch.parse(tool.arguments, dict(given), strict=False)
    except InvalidInput as error:
        names = ", ".join(field.alias or name for name, field in tool.arguments.model_fields.items())
        raise InvalidInput(f"{error.message} {tool.name} takes: {names}.", details=error.details) from None


async def _chat(call: "Call", arguments: ChatArguments) -> ChatResult | InputRequiredResult:
    from mcp_gateway.calls import chat

    return await chat.run(call, arguments)


async def _explain_route(call: "Call", arguments: Question) -> RouteResult:
    from mcp_gateway.calls import routing

    return await routing.run(call, arguments)


async def _list_models(call: "Call", arguments: ListModelsArguments) -> ModelsPage:
    from mcp_gateway.calls import models

    return await models.run(call, arguments)


async def _run_command(call: "Call", arguments: RunCommandArguments) -> CommandResult | InputRequiredResult:
    from mcp_gateway.calls import commands

    return await commands.run(call, arguments)


_MAIN_TOOLS: tuple[Tool[Any, Any], ...] = (
    Tool(
        name="chat",
        title="Ask another model",
        description=(
            "Ask a language model through the gateway and get its answer. Use it for a second opinion, for work "
            "that a cheaper or a stronger model should do (summaries, translations, drafts, reviews), or when the "
            "user names a model.\n"
            "With `model` left at `auto` the gateway picks the cheapest model that can do it and goes on to the "
            "next when one fails. Name a layer (`L0` free, `L1` cheap, `L2` balanced, `L3` premium) or a model "
            "from `list_models` to choose yourself; `maxLayer` lets `auto` go higher, which may cost money.\n"
            "When it must be right, `crossCheck` has another model look it over. To save, let cheap models try first: "
            "`escalate` and `agreement` go a layer up, as far as `maxLayer`, when their answer is not good enough; the "
            "user is asked before that costs money. `checks` in the result says what came of it. `budgetUsd` bounds "
            "it all.\n"
            "The model sees only what you send: put everything it needs into `message` (or `messages`). It has no "
            "tools and no memory of earlier calls.\n"
            "An answer gets 50 seconds; what there is by then comes back with `truncated: true` and "
            "`finishReason: time_limit`. Ask for less at once, or set `maxTokens`, when that happens."
        ),
        arguments=ChatArguments,
        result=ChatResult,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        ),
        operations=("chat_stream",),
        first="looking for a model …",
        run=_chat,
        render=rendering.chat,
    ),
    Tool(
        name="explain_route",
        title="Explain where a chat would go",
        description=(
            "Show where `chat` would send a message, without sending it: the models in the order in which they would "
            "be asked, each with its layer, what it may cost and whether it is cooling down, and why others are left "
            "out. Use it before something long or dear, or when the user asks why a model was or was not used. It "
            "takes the arguments of `chat` that bear on this, and costs nothing."
        ),
        arguments=Question,
        result=RouteResult,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        operations=("explain_route",),
        first="making the plan …",
        run=_explain_route,
        render=rendering.route,
    ),
    Tool(
        name="list_models",
        title="List models",
        description=(
            "List the models that `chat` can use, with layer, price, context window and capabilities, in the order "
            "in which the gateway would ask them. Use it before naming a model in `chat`, or when the user asks "
            "what there is; `chat` with `auto` does not need it. Filter with `layer`, `provider`, `available` and "
            "`search`; go on with `cursor` when `nextCursor` is not null."
        ),
        arguments=ListModelsArguments,
        result=ModelsPage,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        operations=("list_models", "list_providers", "list_layers"),
        first="reading the list …",
        run=_list_models,
        render=rendering.models,
    ),
    Tool(
        name="run_command",
        title="Run a command",
        description=(
            "Run a shell command on the machine where the gateway runs (or on a saved `connection`) and get its "
            "output and exit code. It acts for real, with the rights of the gateway's user: prefer reading over writing, and have the user agree "
            "to anything that deletes, overwrites, installs or sends.\n"
            "Use it for whatever runs to its end by itself. Each call is a fresh shell: no directory or variable "
            "outlives it, unless you pass the `sessionId` of an open terminal session. A command gets 30 seconds "
            "unless `timeoutSeconds` says otherwise (50 at most); then it is ended with all its children and you get "
            "the output so far. Cancelling the call ends it too. Nothing can be typed into it: use the flags that "
            "keep programs from asking, or `open_terminal` and `send_to_terminal` for what must be answered.\n"
            "For a server or a long build set `background`: you get a `sessionId` at once; follow it with "
            "`read_terminal`, end it with `close_terminal`.\n"
            "A non-zero `exitCode` is an answer, not a failure of the tool. Long output is cut in the middle; "
            "`note` then says how to read the rest."
        ),
        arguments=RunCommandArguments,
        result=CommandResult,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
        ),
        operations=("run_command_events", "confirm_command"),
        first="running …",
        run=_run_command,
        render=rendering.command,
    ),
)

TOOLS: Mapping[str, Tool[Any, Any]] = {tool.name: tool for tool in (*_MAIN_TOOLS, *TERMINAL_TOOLS, *FILE_TOOLS)}
"""In the order in which hosts list them."""
