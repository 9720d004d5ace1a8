"""Tools of the Responses API as functions that any model can call, and the calls of them back. Pure.

Source: https://developers.openai.com/api/docs/guides/tools

Tools with free text become functions with one string, those of a namespace get its name in front, and a search that the
client makes is a function like any other. What runs at OpenAI is left out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from shared.dialects.tool_names import short_name, with_digest
from shared.errors import invalid_field

Item = dict[str, Any]

SEARCH = "tool_search"
INPUT = "input"
"""The one parameter of a tool that takes free text."""

FREE_TEXT: Mapping[str, Any] = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The whole input of the tool, as it is."}},
    "required": [INPUT],
    "additionalProperties": False,
}
NOT_PLAIN = re.compile(r"[^a-zA-Z0-9_-]")
FENCED = re.compile(r"\s*```[a-zA-Z_-]*\n(.*?)\n?```\s*", re.DOTALL)
DEEPEST = 2
"""A namespace holds tools, and no other namespace."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A tool as the client declared it."""

    kind: Literal["function", "custom", "tool_search"]
    name: str
    namespace: str = ""


@dataclass(slots=True)
class Toolbox:
    """The tools of a request: as functions, and by the names that these have what the client declared."""

    functions: list[Item] = field(default_factory=list)
    declared: dict[str, Declared] = field(default_factory=dict)

    def add(self, tools: Any, where: str, namespace: str = "", depth: int = 1) -> None:
        """Take in a list of declarations. Raises InvalidInput that names the field."""
        if tools is None:
            return
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            raise invalid_field(where, "must be a list of objects")
        for index, tool in enumerate(tools):
            self._add(tool, f"{where}.{index}", namespace, depth)

    def called(self, name: str) -> Declared:
        """What a model calls by that name; models leave the namespace out at times."""
        if (found := self.declared.get(name)) is not None:
            return found
        likely = [tool for tool in self.declared.values() if tool.name == name]
        return likely[0] if len(likely) == 1 else Declared("function", name)

    def choice(self, asked: Any) -> dict[str, Any]:
        """The fields of a chat that say which tools may be called, and `tools` themselves. Raises InvalidInput."""
        if not self.functions:
            return {}
        if asked is not None and not isinstance(asked, str | dict):
            raise invalid_field("tool_choice", "must be text or an object")
        if not isinstance(asked, dict):
            return {"tools": self.functions, **({"tool_choice": asked} if asked else {})}
        if asked.get("type") == "allowed_tools":
            return self._allowed(asked)
        name = self._sent(asked)
        named = {"tool_choice": {"type": "function", "function": {"name": name}}} if name in self.declared else {}
        return {"tools": self.functions, **named}

    def _add(self, tool: Item, where: str, namespace: str, depth: int) -> None:
        kind, name = tool.get("type"), tool.get("name")
        if kind == SEARCH and tool.get("execution") == "client":
            self._declare(Declared("tool_search", SEARCH), tool, tool.get("parameters"))
            return
        if kind not in ("function", "custom", "namespace"):
            return
        if not isinstance(name, str) or not name:
            raise invalid_field(f"{where}.name", "this field is required")
        if kind == "namespace":
            if depth < DEEPEST:
                self.add(tool.get("tools"), f"{where}.tools", name, depth + 1)
        elif kind == "custom":
            self._declare(Declared("custom", name, namespace), tool, FREE_TEXT, described=_free_text(tool))
        else:
            self._declare(Declared("function", name, namespace), tool, tool.get("parameters"))

    def _declare(self, declared: Declared, tool: Item, parameters: Any, described: str = "") -> None:
        sent = sent_name(declared.name, declared.namespace)
        if sent in self.declared:
            return  # declared again in a later item: the first one stands, and prompt caches go on
        description = described or tool.get("description")
        function: Item = {"name": sent, "parameters": parameters or {"type": "object", "properties": {}}}
        if isinstance(description, str) and description:
            function["description"] = description
        if tool.get("strict") is True and declared.kind == "function":
            function["strict"] = True
        self.declared[sent] = declared
        self.functions.append({"type": "function", "function": function})

    def _allowed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        tools = asked.get("tools")
        names = {self._sent(tool) for tool in tools if isinstance(tool, dict)} if isinstance(tools, list) else set()
        kept = [function for function in self.functions if function["function"]["name"] in names]
        if not kept:
            return {"tools": self.functions}
        return {"tools": kept, "tool_choice": "required" if asked.get("mode") == "required" else "auto"}

    def _sent(self, asked: Mapping[str, Any]) -> str:
        """The name of the function that a choice means."""
        name = SEARCH if asked.get("type") == SEARCH else asked.get("name")
        return sent_name(str(name or ""), str(asked.get("namespace") or ""))


def sent_name(name: str, namespace: str = "") -> str:
    """The name of the function that stands for a tool: one that every vendor takes."""
    full = f"{namespace}__{name}" if namespace else name
    plain = NOT_PLAIN.sub("_", full)
    return short_name(full) if plain == full else with_digest(plain, full)


def free_text(arguments: str, *, fenced: bool = True) -> str:
    """The free text in a call's arguments; models put it under other names at times, or write it without an object."""
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        found = arguments
    if isinstance(found, dict):
        texts = [value for value in found.values() if isinstance(value, str)]
        found = found[INPUT] if isinstance(found.get(INPUT), str) else texts[0] if len(texts) == 1 else arguments
    text = found if isinstance(found, str) else arguments
    unfenced = FENCED.fullmatch(text) if fenced else None
    return unfenced[1] if unfenced else text


def _free_text(tool: Item) -> str:
    """The description of a tool that takes free text, with the grammar that it must follow."""
    form = tool.get("format")
    told = [tool["description"]] if isinstance(tool.get("description"), str) else []
    if isinstance(form, dict) and isinstance(grammar := form.get("definition"), str):
        syntax = form.get("syntax") or "lark"
        told.append(f"'{INPUT}' must follow this grammar:\n```{syntax}\n{grammar.strip()}\n```")
    return "\n\n".join(told)
