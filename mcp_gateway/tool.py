"""What a tool is: all that hosts are told of it, and what a call of it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mcp.types import InputRequiredResult, ToolAnnotations
from mcp.types import Tool as ToolInfo

from mcp_gateway.schemas import arguments_schema, result_schema
from shared.domain.wire import Wire

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Call

A = TypeVar("A", bound=Wire)
R = TypeVar("R", bound=Wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[A, R]):
    """One tool. `operations` names what it calls, `first` is what progress says until there is news.

    What the tool `like` has described in the same words, of arguments and results, is not described again.
    """

    name: str
    title: str
    description: str
    arguments: type[A]
    result: type[R]
    annotations: ToolAnnotations
    operations: tuple[str, ...]
    first: str
    run: "Callable[[Call, A], Awaitable[R | InputRequiredResult]]"
    render: Callable[[R], str]
    like: str = ""

    def info(self) -> ToolInfo:
        """What hosts are told of it."""
        return ToolInfo(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=arguments_schema(self.arguments),
            output_schema=result_schema(self.result),
            annotations=self.annotations,
        )


AnyTool = Tool[Any, Any]

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
SETS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
ASKS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
"""What hosts are told of tools that read, that set something, that ask a model, and that act on the world."""
