"""OpenAI's tools and tool choice as Anthropic's. Pure.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.providers.anthropic.content import invalid, unsupported
from shared.providers.anthropic.structured import MAX_STRICT_TOOLS, adapt, within_limits
from shared.providers.anthropic.traits import Traits

Tool = dict[str, Any]

OPTIONS = ("cache_control", "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers")
CHOICES: Mapping[str, str] = {"auto": "auto", "none": "none", "required": "any", "any": "any"}
ANY_TOOL = "Your next answer must call at least one of the tools."
ONE_TOOL = "Your next answer must call the tool '{}'."
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of a request. `note` is an instruction that stands in for a choice the model does not take."""

    tools: list[Tool]
    choice: dict[str, Any] | None = None
    note: str = ""

    @property
    def forced(self) -> bool:
        """Whether the model must call a tool, which it cannot do while it thinks."""
        return self.choice is not None and self.choice["type"] in ("any", "tool")


def toolbox(payload: Mapping[str, Any], traits: Traits, called: Iterable[str]) -> Toolbox:
    """The tools and the choice among them. `called` names tools that earlier turns called: with no tools in the request
    those are declared without being offered, since Anthropic refuses calls of tools that were never defined.
    """
    tools = [_tool(tool, f"tools.{index}") for index, tool in enumerate(payload.get("tools") or ())]
    for index, function in enumerate(payload.get("functions") or ()):
        tools.append(_function(function, f"functions.{index}"))
    if not tools:
        known = [{"name": name, "input_schema": {**NO_PARAMETERS}} for name in sorted(called) if name]
        return Toolbox(known, {"type": "none"} if known else None)
    choice = _choice(payload, tools)
    if payload.get("parallel_tool_calls") is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    tools = _strict(_allowed(payload.get("tool_choice"), tools), traits)
    if choice is None or traits.forced_tools or choice["type"] not in ("any", "tool"):
        return Toolbox(tools, choice)
    note = ONE_TOOL.format(choice.pop("name")) if choice["type"] == "tool" else ANY_TOOL
    return Toolbox(tools, {**choice, "type": "auto"}, note)


def _tool(tool: Tool, where: str) -> Tool:
    if isinstance(function := tool.get("function"), dict):
        made = _function({**{key: tool[key] for key in OPTIONS if key in tool}, **function}, f"{where}.function")
        if "strict" in tool and "strict" not in made:
            made["strict"] = tool["strict"]
        return made
    if isinstance(tool.get("custom"), dict):
        raise unsupported(f"{where}.type", "Anthropic's models take tools with a JSON Schema, not free-text tools")
    if isinstance(tool.get("name"), str) and ("input_schema" in tool or tool.get("type") not in ("function", None)):
        return {**tool}
    if isinstance(tool.get("name"), str):
        return _function(tool, where)
    if isinstance(tool.get("type"), str) and tool["type"] not in ("function", "custom"):
        return {**tool}
    raise invalid(where, "must hold a function with a name")


def _function(function: Tool, where: str) -> Tool:
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise invalid(f"{where}.name", "this field is required")
    parameters = function.get("parameters") or NO_PARAMETERS
    if not isinstance(parameters, dict):
        raise invalid(f"{where}.parameters", "must be a JSON Schema object")
    made: Tool = {"name": name, "input_schema": {**parameters, "type": "object"}}
    if isinstance(description := function.get("description"), str) and description:
        made["description"] = description
    made.update({key: function[key] for key in OPTIONS if key in function})
    if function.get("strict") is True:
        made["strict"] = True
    return made


def _strict(tools: list[Tool], traits: Traits) -> list[Tool]:
    """Strictness where Anthropic can keep it: all of a request's strict schemas are compiled into one grammar."""
    schemas = {index: adapt(tool["input_schema"]) for index, tool in enumerate(tools) if _wants_strict(tool, traits)}
    adapted = {index: schema for index, schema in schemas.items() if schema is not None}
    if len(adapted) > MAX_STRICT_TOOLS or not within_limits(adapted.values()):
        adapted = {}
    return [
        {**tool, "input_schema": adapted[index]}
        if index in adapted
        else {key: value for key, value in tool.items() if key != "strict"}
        for index, tool in enumerate(tools)
    ]


def _wants_strict(tool: Tool, traits: Traits) -> bool:
    return traits.structured_output and tool.get("strict") is True and isinstance(tool.get("input_schema"), dict)


def _choice(payload: Mapping[str, Any], tools: list[Tool]) -> dict[str, Any] | None:
    asked = payload.get("tool_choice")
    if asked is None:
        asked = payload.get("function_call")
    if asked is None:
        return None
    if isinstance(asked, str):
        if asked not in CHOICES:
            raise invalid("tool_choice", "must be 'auto', 'none', 'required' or name a tool")
        return {"type": CHOICES[asked]}
    if not isinstance(asked, dict):
        raise invalid("function_call", "must be text or an object")
    kind = asked.get("type")
    if kind is not None and not isinstance(kind, str):
        raise invalid("tool_choice.type", "must be text")
    if kind == "allowed_tools":
        allowed = asked.get("allowed_tools")
        return {"type": "any" if isinstance(allowed, dict) and allowed.get("mode") == "required" else "auto"}
    if kind is not None and kind in CHOICES:
        return {**asked, "type": CHOICES[kind]}
    named = asked.get("function")
    name = named.get("name") if isinstance(named, dict) else asked.get("name")
    if not isinstance(name, str) or all(tool.get("name") != name for tool in tools):
        raise invalid("tool_choice", "must name one of 'tools'")
    parallel = asked.get("disable_parallel_tool_use")
    return {"type": "tool", "name": name, **({"disable_parallel_tool_use": parallel} if parallel is not None else {})}


def _allowed(asked: Any, tools: list[Tool]) -> list[Tool]:
    """Only the tools that an `allowed_tools` choice names."""
    allowed = asked.get("allowed_tools") if isinstance(asked, dict) and asked.get("type") == "allowed_tools" else None
    if not isinstance(allowed, dict) or not isinstance(allowed.get("tools"), list):
        return tools
    functions = [entry.get("function", entry) for entry in allowed["tools"] if isinstance(entry, dict)]
    names = {_name(function) for function in functions if isinstance(function, dict)} - {""}
    return [tool for tool in tools if _name(tool) in names] or tools


def _name(tool: Mapping[str, Any]) -> str:
    """A tool's name, empty where it has none that is text."""
    name = tool.get("name")
    return name if isinstance(name, str) else ""
