"""Translated chats, as vendors of another dialect take them."""

from typing import Any

import pytest

from shared.domain.chat import ChatRequest, Native, Translated
from shared.errors import Unsupported
from shared.providers.translated import OPERATOR, in_place, payload_of

NATIVE = Native("messages", b"{}", {}, {})


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def calls(*names: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [{"id": name} for name in names]}


def result(name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "done"}


def told(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (
            message["role"],
            "|".join(part["text"] for part in message["content"])
            if isinstance(message["content"], list)
            else message["content"] or "",
        )
        for message in in_place(messages)
    ]


def test_a_beginning_stays_as_it_is() -> None:
    messages = [system("a"), system("b"), user("c")]
    assert in_place(messages) == messages


def test_a_later_system_message_joins_the_users_turn_where_it_stands() -> None:
    assert told([system("a"), user("b"), system("c"), {"role": "assistant", "content": "d"}]) == [
        ("system", "a"),
        ("user", f"b|{OPERATOR}|c"),
        ("assistant", "d"),
    ]


def test_none_comes_between_a_call_and_its_result() -> None:
    assert told([user("a"), calls("x", "y"), result("x"), system("s"), result("y"), user("b")]) == [
        ("user", "a"),
        ("assistant", ""),
        ("tool", "done"),
        ("tool", "done"),
        ("user", f"{OPERATOR}|s"),
        ("user", "b"),
    ]


def test_one_at_the_end_after_a_result() -> None:
    assert told([user("a"), calls("x"), result("x"), system("s")])[-1] == ("user", f"{OPERATOR}|s")


def request(native: Native | None = NATIVE, **fields: Any) -> ChatRequest:
    payload = {"messages": [user("a"), system("b")], **fields}
    return ChatRequest.parse(payload if native is None else Translated(payload, native))


def test_a_chat_of_our_own_form_is_never_touched() -> None:
    mine = request(None, tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert payload_of(mine, late_system=False) is mine.payload


def test_tools_that_run_at_anthropic_are_refused_by_their_name() -> None:
    asked = request(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    with pytest.raises(Unsupported, match="'web_search' runs on Anthropic's servers"):
        payload_of(asked, late_system=True)
    assert payload_of(asked, late_system=True, server_tools=True) is asked.payload
