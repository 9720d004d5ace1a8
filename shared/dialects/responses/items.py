"""The items of a Responses conversation as messages of a chat. Pure.

Source: https://developers.openai.com/api/reference/resources/responses (InputItem)
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from shared.dialects.messages.content import IMAGES_FOLLOW, simplest
from shared.dialects.responses.sealing import Sealing
from shared.dialects.responses.tools import INPUT, SEARCH, Item, sent_name
from shared.errors import InvalidInput, Unsupported, invalid_field

Message = dict[str, Any]
Part = dict[str, Any]

ROLES: Mapping[str, str] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
TEXTS: Mapping[str, str] = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}
"""Parts of content that are text, and the field that has it."""

SUMMARY = "[The conversation so far, in short:]"
OUTPUT = "_output"


def messages_of(items: Iterable[tuple[str, Item]], sealing: Sealing) -> list[Message]:
    """The messages. Each item comes with its place in the request, for errors. Raises InvalidInput, Unsupported."""
    conversation = _Conversation(sealing)
    for where, item in items:
        conversation.take(item, where)
    return conversation.finish()


def items_in(given: Any, where: str = "input") -> list[tuple[str, Item]]:
    """The items of an input, each with its place; text is a message of the user. Raises InvalidInput."""
    if given is None:
        return []
    if isinstance(given, str):
        return [(where, {"type": "message", "role": "user", "content": given})] if given else []
    if not isinstance(given, list):
        raise invalid_field(where, "must be text or a list of items")
    for index, item in enumerate(given):
        if not isinstance(item, dict):
            raise invalid_field(f"{where}.{index}", "must be an object with 'type'")
    return [(f"{where}.{index}", item) for index, item in enumerate(given)]


def kind_of(item: Item, where: str) -> str:
    """The type of an item; one that has only a role is a message. Raises InvalidInput."""
    kind = item.get("type")
    if kind is None and "role" in item:
        return "message"
    if not isinstance(kind, str):
        raise invalid_field(f"{where}.type", "this field is required")
    return kind


class _Conversation:
    """Puts messages together. What stands between a call and its result waits until the results are all there, and what
    an answer consists of becomes one message.
    """

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing
        self._messages: list[Message] = []
        self._open: set[str] = set()
        self._held: list[Message] = []

    def take(self, item: Item, where: str) -> None:
        kind = kind_of(item, where)
        if kind == "message":
            self._message(item, where)
        elif kind == "reasoning":
            self._reasoned(item)
        elif kind == "compaction":
            self._compacted(item)
        elif kind == "item_reference":
            raise Unsupported(
                f"'{where}' refers to an item that is not kept here. Send the item itself.",
                details={"fields": [{"field": where, "reason": "the item is not known"}]},
            )
        elif kind.endswith(f"_call{OUTPUT}") or kind == f"{SEARCH}{OUTPUT}":
            self._result(item, where)
        elif kind.endswith("_call") and isinstance(item.get("call_id"), str):
            self._call(kind, item, where)
        # Everything else runs at its vendor, or says nothing to a model of another one.

    def finish(self) -> list[Message]:
        self._flush()
        return [message for message in self._messages if _says_something(message)]

    def _message(self, item: Item, where: str) -> None:
        role = item.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise invalid_field(f"{where}.role", "must be user, assistant, system or developer")
        parts = parts_of(item.get("content"), f"{where}.content")
        if role == "assistant":
            text = "".join(part["text"] for part in parts if part["type"] == "text")
            answer = self._answer()
            answer["content"] = (answer["content"] or "") + text or None
        elif parts:
            self._place({"role": ROLES[role], "content": simplest(parts)})

    def _place(self, message: Message) -> None:
        if self._open:
            self._held.append(message)
            return
        last = self._messages[-1] if self._messages else {}
        if message["role"] == last.get("role") == "system":
            # Some templates take one system message only, at the beginning.
            last["content"] = simplest([*_parts(last), *_parts(message)])
        else:
            self._messages.append(message)

    def _answer(self) -> Message:
        """The assistant's message that goes on."""
        last = self._messages[-1] if self._messages else {}
        if last.get("role") != "assistant":
            self._flush()
            last = {"role": "assistant", "content": None}
            self._messages.append(last)
        return last

    def _reasoned(self, item: Item) -> None:
        """What we sealed of an earlier answer's reasoning; another vendor's is of no use to this one's model."""
        kept = self._sealing.opened(item.get("encrypted_content"))
        if not kept:
            return
        answer = self._answer()
        if isinstance(text := kept.get("text"), str) and text:
            answer["reasoning_content"] = answer.get("reasoning_content", "") + text
        if isinstance(details := kept.get("details"), list):
            answer["reasoning_details"] = [*answer.get("reasoning_details", ()), *details]
        if isinstance(blocks := kept.get("blocks"), list):
            answer["anthropic_content"] = blocks

    def _compacted(self, item: Item) -> None:
        kept = self._sealing.opened(item.get("encrypted_content"))
        if isinstance(summary := kept.get("summary"), str):
            self._place({"role": "user", "content": f"{SUMMARY}\n\n{summary}"})

    def _call(self, kind: str, item: Item, where: str) -> None:
        identity = str(item["call_id"])
        if kind == "function_call":
            arguments = item.get("arguments")
        elif kind == "custom_tool_call":
            arguments = {INPUT: item.get("input")}
        else:
            arguments = next((item[name] for name in ("arguments", "action", "operation") if name in item), {})
        name = item.get("name") or kind.removesuffix("_call")
        if not isinstance(name, str):
            raise invalid_field(f"{where}.name", "must be text")
        namespace = item.get("namespace") if isinstance(item.get("namespace"), str) else ""
        function = {"name": sent_name(name, str(namespace)), "arguments": _json(arguments)}
        self._answer().setdefault("tool_calls", []).append({"id": identity, "type": "function", "function": function})
        self._open.add(identity)

    def _result(self, item: Item, where: str) -> None:
        identity = item.get("call_id")
        if not isinstance(identity, str) or not identity:
            raise invalid_field(f"{where}.call_id", "this field is required")
        text, others = _told(item, where)
        self._messages.append({"role": "tool", "tool_call_id": identity, "content": text})
        self._open.discard(identity)
        if others:
            self._held.append({"role": "user", "content": others})
        if not self._open:
            self._flush()

    def _flush(self) -> None:
        self._open.clear()
        held, self._held = self._held, []
        for message in held:
            self._place(message)


def _told(item: Item, where: str) -> tuple[str, list[Part]]:
    """What a tool gave back: its text, and the images and files in it, which a tool's message cannot carry."""
    if item.get("type") == f"{SEARCH}{OUTPUT}":
        return _json({"tools": _found(item.get("tools"))}), []
    output = item.get("output")
    if output is None or isinstance(output, str):
        return output or "", []
    if not isinstance(output, list):
        return _json(output), []
    parts = parts_of(output, f"{where}.output")
    texts = [part["text"] for part in parts if part["type"] == "text"]
    others = [part for part in parts if part["type"] != "text"]
    return "\n".join([*texts, IMAGES_FOLLOW] if others else texts), others


def _found(tools: Any) -> list[str]:
    """The names of the tools that a search found, as they can be called now."""
    found: list[str] = []
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        inner, name = tool.get("tools"), str(tool.get("name") or "")
        if isinstance(inner, list):
            found += [sent_name(str(each.get("name") or ""), name) for each in inner if isinstance(each, dict)]
        else:
            found.append(sent_name(name))
    return found


def parts_of(content: Any, where: str) -> list[Part]:
    """The parts of a content, in a chat's form. Raises InvalidInput."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise invalid_field(where, "must be text or a list of content parts")
    parts = []
    for index, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise invalid_field(f"{where}.{index}", "must be an object with 'type'")
        made = _part(part, f"{where}.{index}")
        if made is not None:
            parts.append(made)
    return parts


def _part(part: Part, where: str) -> Part | None:
    kind = part["type"]
    if (name := TEXTS.get(kind)) is not None:
        if not isinstance(text := part.get(name), str):
            raise invalid_field(f"{where}.{name}", "must be text")
        return {"type": "text", "text": text} if text else None
    if kind == "input_image" and isinstance(url := part.get("image_url"), str):
        detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
        return {"type": "image_url", "image_url": {"url": url, **detail}}
    if kind == "input_file":
        file = {name: part[name] for name in ("filename", "file_data", "file_id") if isinstance(part.get(name), str)}
        if url := part.get("file_url"):
            file["file_url"] = url
        return {"type": "file", "file": file}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    return dict(part)  # a file at OpenAI and the like, which no other vendor can read


def _parts(message: Message) -> list[Part]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps({} if value is None else value).decode()
    except orjson.JSONEncodeError:
        raise InvalidInput("The request body is nested too deeply.") from None


def _says_something(message: Message) -> bool:
    return message["role"] != "assistant" or bool(message.get("content") or message.get("tool_calls"))
