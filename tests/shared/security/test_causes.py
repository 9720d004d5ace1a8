"""Which chat led to a request."""

from dataclasses import replace

from shared.domain.identity import LOCAL, Caller
from shared.security.causes import Cause, Causes

ASKING = replace(LOCAL, request_id="asked")
RUNNING = replace(LOCAL, request_id="ran")


def known(**names: str) -> Causes:
    causes = Causes()
    for by, name in names.items():
        causes.remember(by, ASKING, name)  # type: ignore[arg-type]
    return causes


def test_the_tool_call_is_surer_than_the_trace_and_that_than_the_session() -> None:
    causes = Causes()
    for by, request in (("session", "1"), ("trace", "2"), ("toolCall", "3")):
        causes.remember(by, replace(LOCAL, request_id=request), "x")  # type: ignore[arg-type]
    assert causes.of(replace(RUNNING, tool_call_id="x", session="x"), "x") == Cause("3", "toolCall")
    assert causes.of(replace(RUNNING, session="x"), "x") == Cause("2", "trace")
    assert causes.of(replace(RUNNING, session="x"), "other") == Cause("1", "session")
    assert causes.of(RUNNING, "") is None


def test_a_newer_chat_takes_a_name_over() -> None:
    causes = known(trace="t")
    causes.remember("trace", replace(LOCAL, request_id="later"), "t")
    assert causes.of(RUNNING, "t") == Cause("later", "trace")


def test_the_chats_of_others_led_to_nothing() -> None:
    stranger = Caller(id="key-2", kind="key", name="k", scopes=frozenset(), request_id="ran")
    assert known(trace="t").of(stranger, "t") is None


def test_no_request_leads_to_itself() -> None:
    assert known(trace="t").of(ASKING, "t") is None


def test_the_oldest_names_are_forgotten() -> None:
    causes = Causes(size=2)
    for name in "abcde":
        causes.remember("trace", ASKING, name)
    assert [name for name in "abcde" if causes.of(RUNNING, name)] == ["c", "d", "e"]


def test_another_process_is_told_what_was_found_here() -> None:
    told = known(trace="t", toolCall="call").told(replace(RUNNING, tool_call_id="call"))
    assert Causes().of(told, "") == Cause("asked", "toolCall")
