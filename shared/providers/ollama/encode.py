"""The canonical chat payload as a request for Ollama's chat API. Pure.

Source: https://docs.ollama.com/api/chat

What becomes of the fields (those named nowhere here are dropped, since Ollama has nothing like them):

    max_completion_tokens, max_tokens   options.num_predict
    temperature, top_p, seed, stop, …   options (`SAMPLING`); a caller's own `options` win, those for loading are dropped
    response_format                     format: the schema, or "json"
    reasoning_effort, reasoning.effort  think, as far as the model can
    tools, functions                    tools
    tool_choice                         `none` sends no tools, a name or list only those; `required` cannot be enforced
    logprobs, top_logprobs, keep_alive, think, format, truncate, shift     as they are
    n > 1, audio, free-text tools       refused as unsupported
"""

from collections.abc import Mapping
from typing import Any

from shared.errors import invalid_field
from shared.providers.ollama.messages import messages_of, unsupported
from shared.providers.ollama.traits import Traits

Body = dict[str, Any]

SAMPLING = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "typical_p", "tfs_z", "seed", "num_predict", "num_keep"),
        *("presence_penalty", "frequency_penalty", "repeat_penalty", "repeat_last_n"),
        *("mirostat", "mirostat_eta", "mirostat_tau"),
    }
)
PASSED_ON = ("keep_alive", "think", "format", "logprobs", "top_logprobs", "truncate", "shift")
ROOM = 2048
ROOM_TO_THINK = 6144
MOST_TOKENS = 100_000_000
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")


def encode(payload: Mapping[str, Any], traits: Traits, *, model: str, stream: bool) -> Body:
    """The request, but for its window. Ollama is told to refuse a prompt that is too long, not to cut it.

    Raises Unsupported for what Ollama cannot do, InvalidInput for what is malformed.
    """
    _refuse(payload)
    body: Body = {
        "model": model,
        "messages": messages_of(payload["messages"]),
        "stream": stream,
        "truncate": False,
        "shift": False,
        "options": _options(payload),
    }
    if tools := _tools(payload):
        body["tools"] = tools
    if (form := _format(payload.get("response_format"))) is not None:
        body["format"] = form
    if (think := _think(payload, traits.thinking)) is not None:
        body["think"] = think
    body.update({name: payload[name] for name in PASSED_ON if payload.get(name) is not None})
    return body


def asked_window(payload: Mapping[str, Any]) -> int:
    """The window that the caller names in Ollama's own form; 0 for none."""
    own = payload.get("options")
    return _tokens(own.get("num_ctx") if isinstance(own, dict) else payload.get("num_ctx"))


def room_in(body: Body, traits: Traits) -> int:
    """The tokens to leave for the answer of an encoded request: what it asks for, else what an answer commonly needs."""
    thinks = bool(traits.thinking) and body.get("think") is not False
    return _tokens(body["options"].get("num_predict")) or (ROOM_TO_THINK if thinks else ROOM)


def _refuse(payload: Mapping[str, Any]) -> None:
    if (payload.get("n") or 1) > 1:
        raise unsupported("n", "Ollama gives one answer to a request; send several requests instead")
    modalities = payload.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        raise unsupported("modalities", "Ollama answers in text only")


def _options(payload: Mapping[str, Any]) -> Body:
    own = payload.get("options")
    given = {**payload, **(own if isinstance(own, dict) else {})}
    options = {name: value for name, value in given.items() if name in SAMPLING and _is_number(value)}
    limit = payload.get("max_completion_tokens") or payload.get("max_tokens")
    if limit is not None:
        options["num_predict"] = limit
    stop = given.get("stop")
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    if stops := [text for text in stops if isinstance(text, str) and text]:
        options["stop"] = stops
    return options


def _format(response_format: Any) -> Any:
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        return None
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise invalid_field("response_format.json_schema.schema", "must be a JSON Schema object")
    return schema


def _think(payload: Mapping[str, Any], values: tuple[bool | str, ...]) -> bool | str | None:
    """The model's own word for the effort asked for. One that cannot think is asked for nothing: it would refuse."""
    nested = payload.get("reasoning")
    effort = payload.get("reasoning_effort") or (nested.get("effort") if isinstance(nested, dict) else None)
    levels = [value for value in EFFORTS if value in values]
    if effort == "none":
        return levels[0] if levels and False not in values else False
    if effort not in EFFORTS:
        return None
    if levels:
        fitting = [level for level in levels if EFFORTS.index(level) <= EFFORTS.index(effort)]
        return fitting[-1] if fitting else levels[0]
    return True if True in values else None


def _tools(payload: Mapping[str, Any]) -> list[Body]:
    tools = [_tool(tool, f"tools.{index}") for index, tool in enumerate(payload.get("tools") or ())]
    tools += [{"type": "function", "function": function} for function in payload.get("functions") or ()]
    chosen = payload.get("tool_choice")
    chosen = payload.get("function_call") if chosen is None else chosen
    if chosen == "none":
        return []
    if not isinstance(chosen, dict):
        return tools
    allowed = chosen.get("allowed_tools")
    entries = allowed.get("tools") if isinstance(allowed, dict) else [chosen]
    names = {_name(entry) for entry in entries if isinstance(entry, dict)} if isinstance(entries, list) else set()
    names.discard("")
    return [tool for tool in tools if _name(tool) in names] or tools


def _tool(tool: Body, where: str) -> Body:
    if not isinstance(tool.get("function"), dict):
        raise unsupported(f"{where}.type", "Ollama takes tools of the type 'function' only")
    return {"type": "function", "function": tool["function"]}


def _name(entry: Body) -> str:
    """The name of a tool, or of an entry that means one; empty where it has none that is text."""
    function = entry.get("function", entry)
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def _tokens(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_TOKENS else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
