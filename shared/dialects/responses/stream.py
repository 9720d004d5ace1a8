"""A stream of OpenAI's chunks as the events of the Responses API. Pure: fed with bytes, it does no I/O.

Source: https://developers.openai.com/api/reference/resources/responses/streaming-events
"""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.dialects.block_stream import BlockStream, Call, Kind
from shared.dialects.responses.answer import (
    Asked,
    Status,
    annotations_of,
    call_id_of,
    call_item,
    ending,
    message_item,
    reasoning_item,
    refusal_part,
    shell,
    text_part,
    usage_object,
)
from shared.dialects.responses.tools import Declared, Item, free_text

EVENT = b"event: %b\ndata: %b\n\n"
DELTA = b'event: %b\ndata: {"type":"%b","sequence_number":%d,"item_id":"%b","output_index":%d,%b"delta":%b}\n\n'
DELTAS: Mapping[Kind, tuple[bytes, bytes]] = {
    "text": (b"response.output_text.delta", b'"content_index":0,"logprobs":[],'),
    "refusal": (b"response.refusal.delta", b'"content_index":0,'),
    "thinking": (b"response.reasoning_summary_text.delta", b'"summary_index":0,'),
    "call": (b"response.function_call_arguments.delta", b""),
}
ENDS: Mapping[str, str] = {"completed": "response.completed", "incomplete": "response.incomplete"}


class ResponseStream(BlockStream):
    """Turns runs of whole chunks into runs of whole events. `response` is what came of it in the end."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked
        self._number = 0
        self._model: Any = None
        self._text: list[str] = []
        self._item_id = ""
        self._call: tuple[str, Declared] | None = None
        self._reasoning: list[Item] = []
        self._summarised = False
        self._annotations: list[Item] = []
        self._late: list[Item] = []
        self._blocks: Any = None
        self._output: list[Item] = []
        self.response: dict[str, Any] = {}

    def failed(self, error: Mapping[str, str]) -> bytes:
        """The event that ends a stream which failed."""
        told = {**shell(self._asked, self._model, status="failed", error=error), "output": self._output}
        self._event("response.failed", response=told)
        return self._taken()

    def _begin(self, chunk: dict[str, Any]) -> None:
        self._model = chunk.get("model")
        begun = shell(self._asked, self._model, status="in_progress")
        self._event("response.created", response=begun)
        self._event("response.in_progress", response=begun)

    def _details(self, delta: Mapping[str, Any]) -> None:
        details = delta.get("reasoning_details")
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict):
                self._detail(detail, said=bool(delta.get("reasoning_content") or delta.get("reasoning")))
        if self._kind == "text":
            self._annotate(annotations_of(delta.get("annotations")))
        self._blocks = delta.get("anthropic_content") or self._blocks

    def _detail(self, detail: Item, *, said: bool) -> None:
        """Part of the reasoning as its vendor wants it back: all of a part, or more of the last one."""
        if self._open_call is not None and not self._open_call.whole:
            self._late.append(detail)
            return
        if self._kind != "thinking":
            self._open("thinking")
        text = detail.get("text")
        if not said and not self._text and isinstance(text, str) and text:
            self._more(text)
        last = self._reasoning[-1] if self._reasoning else None
        if last is not None and last.get("type") == detail.get("type") and "text" in last and not last.get("signature"):
            whole = {"text": str(last["text"] or "") + str(text or "")}
            self._reasoning[-1] = {**last, **{name: value for name, value in detail.items() if value}, **whole}
        else:
            self._reasoning.append(detail)

    def _annotate(self, annotations: list[Item]) -> None:
        for annotation in annotations:
            place = {"content_index": 0, "annotation_index": len(self._annotations)}
            self._annotations.append(annotation)
            self._item_event("response.output_text.annotation.added", **place, annotation=annotation)

    def _opened(self, kind: Kind, call: Call | None) -> None:
        self._text.clear()
        asked, place = self._asked, self._index
        if call is not None:
            tool = asked.toolbox.called(call.name)
            self._call = (call_id_of(call.identity), tool)
            self._added(call_item(asked, place, self._call[0], tool, "", "in_progress"))
        elif kind == "thinking":
            self._reasoning.clear()
            self._summarised = False
            self._added({"id": asked.item_id("rs", place), "type": "reasoning", "summary": []})
        else:
            self._annotations.clear()
            self._added(message_item(asked, place, [], "in_progress"))
            part = text_part("") if kind == "text" else refusal_part("")
            self._item_event("response.content_part.added", content_index=0, part=part)

    def _more(self, text: str) -> None:
        self._text.append(text)
        kind = self._kind
        if kind == "call" and self._call is not None and self._call[1].kind != "function":
            return  # told at the end: its input is a text inside of JSON
        if kind == "thinking" and not self._summarised:
            self._summarised = True
            part = {"type": "summary_text", "text": ""}
            self._item_event("response.reasoning_summary_part.added", summary_index=0, part=part)
        name, more = DELTAS[kind]
        self._delta(name, more, text)

    def _closed(self, kind: Kind) -> None:
        text = "".join(self._text)
        if kind == "call":
            self._done(self._call_told(text))
        elif kind == "thinking":
            self._done(self._thought(text))
        else:
            self._done(self._said(kind, text))

    def _call_told(self, arguments: str) -> Item:
        assert self._call is not None
        call_id, tool = self._call
        arguments = arguments or "{}"
        if tool.kind == "function":
            self._item_event("response.function_call_arguments.done", name=tool.name, arguments=arguments)
        elif tool.kind == "custom":
            text = free_text(arguments)
            self._delta(b"response.custom_tool_call_input.delta", b"", text)
            self._item_event("response.custom_tool_call_input.done", input=text)
        return call_item(self._asked, self._index, call_id, tool, arguments, "completed")

    def _thought(self, text: str) -> Item:
        if self._summarised:
            part = {"type": "summary_text", "text": text}
            self._item_event("response.reasoning_summary_text.done", summary_index=0, text=text)
            self._item_event("response.reasoning_summary_part.done", summary_index=0, part=part)
        return reasoning_item(self._asked, self._index, {"text": text, "details": list(self._reasoning)})

    def _said(self, kind: Kind, text: str) -> Item:
        if kind == "refusal":
            part = refusal_part(text)
            self._item_event("response.refusal.done", content_index=0, refusal=text)
        else:
            part = text_part(text, list(self._annotations))
            self._item_event("response.output_text.done", content_index=0, text=text, logprobs=[])
        self._item_event("response.content_part.done", content_index=0, part=part)
        return message_item(self._asked, self._index, [part])

    def _end(self) -> None:
        if self._asked.sealed and (self._late or self._blocks):
            self._index += 1
            item = reasoning_item(self._asked, self._index, {"details": self._late, "blocks": self._blocks})
            self._added({**item, "encrypted_content": ""})
            self._done(item)
        ended = ending(self._choice)
        status: Status = ended["status"]
        told = {**shell(self._asked, self._model, **ended), "output": self._output}
        self.response = {**told, "usage": usage_object(self._usage)}
        self._event(ENDS[status], response=self.response)

    def _added(self, item: Item) -> None:
        self._item_id = item["id"]
        self._event("response.output_item.added", output_index=self._index, item=item)

    def _done(self, item: Item) -> None:
        self._output.append(item)
        self._event("response.output_item.done", output_index=self._index, item=item)

    def _item_event(self, name: str, /, **more: Any) -> None:
        self._event(name, item_id=self._item_id, output_index=self._index, **more)

    def _delta(self, name: bytes, more: bytes, text: str) -> None:
        place = (name, name, self._number, self._item_id.encode("ascii"), self._index, more)
        self._out.append(DELTA % (*place, orjson.dumps(text)))
        self._number += 1

    def _event(self, name: str, /, **data: Any) -> None:
        body = orjson.dumps({"type": name, "sequence_number": self._number, **data})
        self._out.append(EVENT % (name.encode("ascii"), body))
        self._number += 1
