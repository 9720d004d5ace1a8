"""Completion: the known values of an argument that begin with what was typed, or else contain it."""

from collections.abc import Sequence

from mcp.types import CompleteRequestParams, CompleteResult, Completion, PromptReference

from mcp_gateway.core import Ready
from mcp_gateway.identity import Context, caller_of
from mcp_gateway.prompts import PROMPTS
from mcp_gateway.resource_table import TEMPLATES
from shared.errors import GatewayError

MOST = 100
SEPARATOR = ","
OF_ARGUMENTS = {
    "model": "models",
    "layer": "layers",
    "provider": "providers",
    "sessionId": "sessions",
    "connection": "connections",
}
"""Names that are also those of tool arguments, for clients that complete these."""


class Completions:
    """What can be completed on one gateway."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    async def complete(self, context: Context, params: CompleteRequestParams) -> CompleteResult:
        """The values that fit; none where the argument has no known ones, or the caller may not see them."""
        kind = kind_of(params)
        if not kind:
            return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
        try:
            gateway = await self._ready()
            from mcp_gateway.calls import known

            values = await known.values(gateway, caller_of(context), kind)
        except GatewayError:
            values = []
        typed = params.argument.value
        return CompleteResult(completion=listed(values, typed) if kind != "models" else several(values, typed))


def kind_of(params: CompleteRequestParams) -> str:
    """What kind of values an argument takes; empty when any text will do."""
    name = params.argument.name
    if isinstance(params.ref, PromptReference):
        prompt = PROMPTS.get(params.ref.name)
        found = [argument.values for argument in prompt.arguments if argument.name == name] if prompt else []
        return found[0] if found else ""
    template = next((template for template in TEMPLATES if template.uri == params.ref.uri), None)
    return template.values if template is not None and name == "id" else OF_ARGUMENTS.get(name, "")


def several(values: Sequence[str], typed: str) -> Completion:
    """The last of several names, after those that are there already."""
    before, separator, last = typed.rpartition(SEPARATOR)
    head = before + separator + (" " if last.startswith(" ") else "")
    named = {part.strip() for part in before.split(SEPARATOR)}
    return listed([value for value in values if value not in named], last.strip(), head)


def listed(values: Sequence[str], typed: str, head: str = "") -> Completion:
    """What begins with the text comes before what merely contains it."""
    wanted = typed.lower()
    first = [value for value in values if value.lower().startswith(wanted)]
    later = [value for value in values if wanted in value.lower() and not value.lower().startswith(wanted)]
    found = [head + value for value in (*first, *later)]
    return Completion(values=found[:MOST], total=len(found), has_more=len(found) > MOST)
