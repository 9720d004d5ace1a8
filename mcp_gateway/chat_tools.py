"""The tools for asking other models: a literal table."""

from typing import TYPE_CHECKING

from mcp.types import InputRequiredResult

from mcp_gateway import rendering
from mcp_gateway.arguments import ChatArguments, Question
from mcp_gateway.results import ChatResult, RouteResult
from mcp_gateway.tool import ASKS, READS, AnyTool, Tool

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Call


async def _chat(call: "Call", arguments: ChatArguments) -> ChatResult | InputRequiredResult:
    from mcp_gateway.calls import chat

    return await chat.run(call, arguments)


async def _explain_route(call: "Call", arguments: Question) -> RouteResult:
    from mcp_gateway.calls import routing

    return await routing.run(call, arguments)


CHAT_TOOLS: tuple[AnyTool, ...] = (
    Tool(
        name="chat",
        title="Ask another model",
        description=(
            "Ask a language model and get its answer: for a second opinion, for work that a cheaper or stronger model "
            "should do (summaries, translations, drafts, reviews), or when the user names a model. It sees only what "
            "you send, and has no tools.\n"
            "`auto` picks the cheapest model that can do it and goes on to the next when one fails; layers are L0 "
            "free, L1 cheap, L2 balanced, L3 premium. When it must be right, set `crossCheck`. To save, set "
            "`escalate` or `agreement` with `maxLayer`: cheap models try first, and the user is asked before a better "
            "one costs money. `checks` says what came of it.\n"
            "An answer that takes longer than the call comes back `unfinished`: call again with its `chatId`. With "
            "`waitSeconds` 0 you can have several models work at once."
        ),
        arguments=ChatArguments,
        result=ChatResult,
        annotations=ASKS,
        operations=("chat_stream",),
        first="looking for a model …",
        run=_chat,
        render=rendering.chat,
    ),
    Tool(
        name="explain_route",
        title="Explain where a chat would go",
        description=(
            "Show which models `chat` would ask, in order, with costs and cool-downs, and why others are left out. "
            "Nobody is asked. Use it before something long or dear, or when the user asks why a model was or was not "
            "used."
        ),
        arguments=Question,
        result=RouteResult,
        annotations=READS,
        operations=("explain_route",),
        first="making the plan …",
        run=_explain_route,
        render=rendering.route,
        like="chat",
    ),
)
"""In the order in which hosts list them."""
