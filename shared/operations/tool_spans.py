"""The span of a command that is run, in the form of OpenTelemetry's GenAI conventions for tools."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from shared.domain.identity import Caller
from shared.telemetry.tracing import Telemetry, known

if TYPE_CHECKING:
    from pydantic import BaseModel

MOST_CHARACTERS = 16_000
NAMES = {"exitCode": "process.exit.code", "timedOut": "gateway.command.timed_out"}


@contextmanager
def executing(
    telemetry: Telemetry, caller: Caller, tool: str, request: "BaseModel"
) -> Iterator[Callable[[dict[str, Any], Any], None]]:
    """A block in which a command runs. It is given a function that takes the facts of its end, and its result."""
    span = telemetry.child(f"execute_tool {tool}", "internal")

    def tell(facts: dict[str, Any], result: Any) -> None:
        if span is None:
            return
        span.attributes |= known({name: facts.get(fact) for fact, name in NAMES.items()})
        if telemetry.content and result is not None:
            span.attributes["gen_ai.tool.call.result"] = telemetry.text(_json(result), MOST_CHARACTERS)

    with telemetry.within(span):
        if span is not None:
            span.attributes |= known(
                {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": tool,
                    "gen_ai.tool.type": "function",
                    "gen_ai.tool.call.id": caller.tool_call_id,
                    "gateway.caller.id": caller.id,
                }
            )
            if telemetry.content:
                span.attributes["gen_ai.tool.call.arguments"] = telemetry.text(_json(request), MOST_CHARACTERS)
        yield tell


def _json(value: Any) -> str:
    """A Wire model as JSON; anything else by its own name."""
    dump = getattr(value, "model_dump", None)
    return repr(value) if dump is None else orjson.dumps(dump(mode="json", by_alias=True, exclude_none=True)).decode()
