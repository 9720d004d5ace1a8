"""An OpenAI conversation as Anthropic's: the system prompt apart, turns that alternate, tool results as user content. Pure.

Source: https://platform.claude.com/docs/en/build-with-claude/working-with-messages
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.providers.anthropic.content import (
    FORMAT,
    THINKING,
    Block,
    arguments_of,
    blocks_of,
    dicts,
    invalid,
    text_blocks,
    tool_id,
    tool_use,
)
from shared.providers.anthropic.traits import Traits

Turn = dict[str, Any]

GO_ON = "Continue."


@dataclass(slots=True)
class Conversation:
    """What `conversation_of` builds up. `called` names the tools that earlier turns called."""

    system: list[Block] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    called: set[str] = field(default_factory=set)

    def has_thinking(self) -> bool:
        """Whether any turn carries thinking blocks."""
        return any(block["type"] in THINKING for turn in self.turns for block in turn["content"])

    def forbids_budget_thinking(self) -> bool:
        """Whether the last assistant turn called tools without a thinking block before: manual thinking refuses that."""
        last = next((turn for turn in reversed(self.turns) if turn["role"] == "assistant"), None)
        if last is None or last["content"][0]["type"] in THINKING:
            return False
        return any(block["type"] == "tool_use" for block in last["content"])


def conversation_of(messages: list[Turn], traits: Traits, model: str, *, keep_thinking: bool) -> Conversation:
    """The conversation. Raises InvalidInput when nothing in it can be sent, Unsupported for parts that cannot."""
    builder = _Builder(traits.inner_system, model, keep_thinking)
    for index, message in enumerate(messages):
        builder.take(message, index)
    conversation = builder.finish()
    for turn in conversation.turns:
        if turn["role"] == "user":
            # Anthropic wants the results of tools before anything else that the same turn says.
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    if not conversation.turns:
        if not conversation.system:
            raise invalid("messages", "there is no text in it")
        conversation.turns, conversation.system = [{"role": "user", "content": conversation.system}], []
    _end_with_the_user(conversation.turns, traits)
    return conversation


class _Builder:
    def __init__(self, inner_system: bool, model: str, keep_thinking: bool) -> None:
        self._result = Conversation()
        self._inner_system = inner_system
        self._model = model
        self._keep_thinking = keep_thinking
        self._waiting: list[Block] = []
        self._function_ids: dict[str, str] = {}
        self._by_role: dict[str, Callable[[Turn, int], None]] = {
            "system": self._system,
            "developer": self._system,
            "user": self._user,
            "assistant": self._assistant,
            "tool": self._tool,
            "function": self._tool,
        }

    def take(self, message: Turn, index: int) -> None:
        self._by_role[message["role"]](message, index)

    def finish(self) -> Conversation:
        self._place_system()
        return self._result

    def _system(self, message: Turn, index: int) -> None:
        blocks = _marked(blocks_of(message.get("content"), f"messages.{index}.content"), message)
        inside = self._inner_system and self._result.turns
        (self._waiting if inside else self._result.system).extend(blocks)

    def _user(self, message: Turn, index: int) -> None:
        self._add("user", _marked(blocks_of(message.get("content"), f"messages.{index}.content"), message))

    def _tool(self, message: Turn, index: int) -> None:
        name = str(message.get("name") or "")
        identity = tool_id(message.get("tool_call_id"), self._function_ids.get(name, f"call_{index}"))
        result: Block = {"type": "tool_result", "tool_use_id": identity}
        if blocks := blocks_of(message.get("content"), f"messages.{index}.content"):
            for block in blocks:
                if mark := block.pop("cache_control", None):
                    result["cache_control"] = mark  # which Anthropic takes on the result, not inside it
            simple = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
            result["content"] = blocks[0]["text"] if simple else blocks
        if isinstance(message.get("is_error"), bool):
            result["is_error"] = message["is_error"]
        self._add("user", _marked([result], message))

    def _assistant(self, message: Turn, index: int) -> None:
        blocks = _native(message)
        if blocks is None:
            blocks = [*_reasoning(message), *blocks_of(message.get("content"), f"messages.{index}.content")]
            if not message.get("content"):
                blocks += text_blocks(message.get("refusal"))
            blocks += self._calls(message, index)
        if not self._keeps(message):
            blocks = [block for block in blocks if block["type"] not in THINKING]
        self._result.called |= {block["name"] for block in blocks if block["type"] == "tool_use"}
        self._add("assistant", _marked(blocks, message))

    def _calls(self, message: Turn, index: int) -> list[Block]:
        blocks = [
            tool_use(call, tool_id(call.get("id"), f"call_{index}_{place}"))
            for place, call in enumerate(dicts(message.get("tool_calls")))
        ]
        legacy = message.get("function_call")
        if isinstance(legacy, dict):
            name = str(legacy.get("name") or "")
            identity = self._function_ids[name] = f"call_{index}"
            arguments = arguments_of(legacy.get("arguments"))
            blocks.append({"type": "tool_use", "id": identity, "name": name, "input": arguments})
        return blocks

    def _keeps(self, message: Turn) -> bool:
        """Whether this model may see the thinking of that message: another model's blocks are of no use to it."""
        makers = [item.get("model") for item in dicts(message.get("reasoning_details"))]
        return self._keep_thinking and all(maker in (None, self._model) for maker in makers)

    def _add(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if role == "assistant":
            self._place_system()
        turns = self._result.turns
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        else:
            turns.append({"role": role, "content": blocks})

    def _place_system(self) -> None:
        """A system message inside the conversation stands right after a user turn and before an assistant's."""
        if not self._waiting:
            return
        turns = self._result.turns
        if turns[-1]["role"] == "user":
            turns.append({"role": "system", "content": self._waiting})
        else:
            self._result.system.extend(self._waiting)
        self._waiting = []


def _marked(blocks: list[Block], message: Turn) -> list[Block]:
    """A cache mark of the message itself belongs on its last block that takes one."""
    mark = message.get("cache_control")
    last = next((block for block in reversed(blocks) if block["type"] not in THINKING), None)
    if last is not None and isinstance(mark, dict):
        last["cache_control"] = mark
    return blocks


def _native(message: Turn) -> list[Block] | None:
    """The blocks that an earlier answer of Anthropic's consisted of, if the message still says the same."""
    blocks = message.get("anthropic_content")
    if not isinstance(blocks, list) or not all(_is_block(block) for block in blocks):
        return None
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    told = [call.get("id") for call in dicts(message.get("tool_calls"))]
    if text != (message.get("content") or "") or calls != told:
        return None
    return [{**block} for block in blocks if block["type"] != "text" or block["text"].strip()]


def _is_block(block: Any) -> bool:
    needed = {"text": ("text",), "tool_use": ("id", "name")}
    kind = block.get("type") if isinstance(block, dict) else None
    return isinstance(kind, str) and all(isinstance(block.get(name), str) for name in needed.get(kind, ()))


def _reasoning(message: Turn) -> list[Block]:
    blocks: list[Block] = []
    for item in dicts(message.get("reasoning_details")):
        if not str(item.get("format") or FORMAT).startswith("anthropic"):
            continue
        if isinstance(signature := item.get("signature"), str) and signature:
            blocks.append({"type": "thinking", "thinking": item.get("text") or "", "signature": signature})
        elif isinstance(data := item.get("data"), str) and data:
            blocks.append({"type": "redacted_thinking", "data": data})
    return blocks


def _end_with_the_user(turns: list[Turn], traits: Traits) -> None:
    """An assistant turn at the end is a prefill, which only older models go on from; the others are told to go on."""
    last = turns[-1]
    if last["role"] != "assistant" or any(block["type"] == "tool_use" for block in last["content"]):
        return
    final = last["content"][-1]
    if not traits.prefill or final["type"] != "text":
        turns.append({"role": "user", "content": text_blocks(GO_ON)})
        return
    # Thinking blocks and blanks at the end are refused in a turn that is to be continued.
    last["content"] = [block for block in last["content"] if block["type"] not in THINKING]
    last["content"][-1] = {**final, "text": final["text"].rstrip()}
