"""All tools, those of them that a client gets, and the one way a call of any of them goes."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.types import CallToolRequestParams, CallToolResult, InputRequiredResult, LoggingLevel, TextContent
from mcp.types import Tool as ToolInfo

from mcp_gateway import client_log, errors
from mcp_gateway.asking import User
from mcp_gateway.cancellation import in_its_own_task
from mcp_gateway.chat_tools import CHAT_TOOLS
from mcp_gateway.command_tools import COMMAND_TOOLS
from mcp_gateway.core import Ready
from mcp_gateway.icons import icon_of
from mcp_gateway.identity import Context, caller_of, folder_of, trace_of
from mcp_gateway.model_tools import MODEL_TOOLS
from mcp_gateway.progress import progress_of
from mcp_gateway.schemas import not_again
from mcp_gateway.spans import served
from mcp_gateway.terminals.tools import FILE_TOOLS, TERMINAL_TOOLS
from mcp_gateway.tool import AnyTool, Tool
from mcp_gateway.toolsets import Selection, toolset_of
from shared.domain.identity import Caller
from shared.domain.trace import tracing
from shared.domain.wire import Wire
from shared.errors import (
    Forbidden,
    GatewayError,
    InvalidInput,
    NotFound,
    Overloaded,
    RateLimited,
    Unavailable,
    UpstreamError,
)
from shared.operations import dispatch

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits
    from mcp_gateway.calls.ongoing import OngoingChats
    from shared.gateway import Gateway

log = logging.getLogger(__name__)

A = TypeVar("A", bound=Wire)

TOOLS: Mapping[str, AnyTool] = {
    tool.name: tool for tool in (*CHAT_TOOLS, *MODEL_TOOLS, *COMMAND_TOOLS, *TERMINAL_TOOLS, *FILE_TOOLS)
}
"""In the order in which hosts list them."""
TROUBLE = (Overloaded, Unavailable, UpstreamError)
"""Failures that are nobody's mistake: the client's log gets them as warnings."""


class Tools:
    """The tools on one gateway. Without `limits` the usual ones hold, which are imported with the first call.

    `running` counts the calls under way. `folder` is the project that the client has open.
    """

    def __init__(self, ready: Ready, selection: Selection, limits: "Limits | None" = None, folder: str = "") -> None:
        self._ready = ready
        self._selection = selection
        self._limits = limits
        self._folder = folder
        self._chats: OngoingChats | None = None
        self._leaving = False
        self.running = 0
        self.offered = tuple(tool.name for tool in TOOLS.values() if not _against(selection, tool))
        self.infos = [_under_its_name(selection, info_of(TOOLS[name])) for name in self.offered]
        self._schemas = {info.name: info.input_schema for info in self.infos}

    def schema_of(self, name: str) -> Mapping[str, Any] | None:
        """The schema of a tool's arguments; None when there is no such tool."""
        return self._schemas.get(name)

    async def call(self, context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        """Call a tool; every failure comes back as a result that the model can read."""
        caller, started = caller_of(context), time.perf_counter()
        self.running += 1
        try:
            result, level, outcome = await self._outcome(context, caller, params)
        finally:
            self.running -= 1
        if client_log.wanted(context, level):
            facts: dict[str, Any] = {"tool": params.name[:100], "outcome": outcome, "requestId": caller.request_id}
            facts["ms"] = round((time.perf_counter() - started) * 1000)
            await client_log.tell(context, level, "tools", facts)
        return result

    async def _outcome(
        self, context: Context, caller: Caller, params: CallToolRequestParams
    ) -> tuple[CallToolResult | InputRequiredResult, LoggingLevel, str]:
        """What comes of a call, and what the client's log is told of it."""
        try:
            with tracing(trace_of(context)):
                tool = await self._offered(caller, params.name)
                result = await in_its_own_task(self._run(context, caller, tool, params))
            return result, "info", "ok"
        except GatewayError as error:
            if isinstance(error, RateLimited):
                (await self._ready()).limits_reached[error.code] += 1
            return errors.tool_result(error), "warning" if isinstance(error, TROUBLE) else "notice", error.code
        except Exception:
            log.exception("tool %s failed (request %s)", params.name, caller.request_id)
            return errors.failed(errors.internal(caller.request_id)), "error", "internal_error"

    def leave(self) -> None:
        """Take no more calls; those under way may end."""
        self._leaving = True

    async def aclose(self) -> None:
        """End the chats that still go on."""
        if self._chats is not None:
            await self._chats.aclose()

    async def _folder_of(self, context: Context) -> str:
        """The client's folder, where it is one on this machine."""
        if self._folder or not (folder := folder_of(context)):
            return self._folder
        return folder if await asyncio.to_thread(os.path.isdir, folder) else ""

    def _chats_on(self, gateway: "Gateway") -> "OngoingChats":
        """The chats under way, made with the first call; those of callers who are gone end."""
        if self._chats is None:
            from mcp_gateway.calls.ongoing import OngoingChats

            self._chats = OngoingChats(gateway.nodes.id)
            gateway.departures.watch(self._chats.end_of)
        return self._chats

    async def _offered(self, caller: Caller, name: str) -> AnyTool:
        """The tool of that name. Raises NotFound, Overloaded, and Forbidden, of which there is a row as of a scope that lacks."""
        if self._leaving:
            raise Overloaded(
                "The gateway is shutting down; start it again, then repeat the call.", code="shutting_down"
            )
        if (tool := TOOLS.get(self._selection.plain(name))) is None:
            known = ", ".join(self._schemas)
            raise NotFound(f"There is no tool '{name[:100]}'; there are {known}.", code="unknown_tool")
        if why := _against(self._selection, tool):
            if caller.kind != "anonymous":  # strangers could fill the disk
                with suppress(GatewayError):
                    await (await self._ready()).audit.record(
                        caller, tool.operations[0], {"tool": tool.name}, "tool_not_offered"
                    )
            raise Forbidden(f"The tool '{name}' is not offered here: {why}.", code="tool_not_offered")
        return tool

    async def _run(
        self, context: Context, caller: Caller, tool: AnyTool, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        arguments = _parsed(tool, params.arguments or {})
        async with progress_of(context, tool.first) as progress:
            gateway = await self._ready()
            from mcp_gateway.calls.call import Call, Limits, noted

            limits, chats = self._limits or Limits(), self._chats_on(gateway)
            telemetry = gateway.telemetry
            span = nullcontext() if telemetry is None else served(telemetry, context, tool.name)
            with span, noted(f"tool {tool.name}", caller):
                async with _within(limits.call_seconds) as time:
                    user = User(context, params, time)
                    call = Call(
                        gateway=gateway,
                        caller=caller,
                        user=user,
                        progress=progress,
                        limits=limits,
                        chats=chats,
                        folder=await self._folder_of(context),
                    )
                    result = await tool.run(call, arguments)
        if isinstance(result, InputRequiredResult):
            return result
        return CallToolResult(
            content=[TextContent(type="text", text=tool.render(result))],
            structured_content=result.model_dump(mode="json", by_alias=True),
        )


def info_of(tool: AnyTool) -> ToolInfo:
    """What hosts are told of a tool: with an icon, and without what another tool has said in the same words."""
    info = tool.info()
    info.icons = [icon_of(toolset_of(tool.name))]
    if tool.like:
        like = TOOLS[tool.like].info()
        info.input_schema = not_again(info.input_schema, like.input_schema, f"As in `{tool.like}`.")
        info.output_schema = not_again(info.output_schema or {}, like.output_schema or {}, "")
    return info


def _against(selection: Selection, tool: AnyTool) -> str:
    return selection.against(tool.name, reads=tool.annotations.read_only_hint)


def _under_its_name(selection: Selection, info: ToolInfo) -> ToolInfo:
    if not selection.prefix:
        return info
    return ToolInfo.model_validate(selection.described(info.model_dump(mode="json", by_alias=True, exclude_none=True)))


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Give up what takes longer: hosts wait for a minute and then know nothing."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield limit
    except TimeoutError:
        if not limit.expired():
            raise
        raise Overloaded(
            f"This took longer than {seconds:g} seconds and was given up; what it was to do may be done in part.",
            code="call_timeout",
        ) from None


def _parsed(tool: Tool[A, Any], given: Mapping[str, Any]) -> A:
    """The arguments, checked. Models write numbers as text now and then, so types are taken in their wider sense."""
    try:
        return dispatch.parse(tool.arguments, dict(given), strict=False)
    except InvalidInput as error:
        names = ", ".join(field.alias or name for name, field in tool.arguments.model_fields.items())
        raise InvalidInput(f"{error.message} {tool.name} takes: {names}.", details=error.details) from None
