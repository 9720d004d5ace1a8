"""Traces: W3C Trace Context as it is sent by others, well or badly."""

import pytest

from shared.domain.trace import begun, current_id, tracing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("text", [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-ff", f"cc-{TRACE}-{PARENT}-01-what"])
def test_a_trace_that_others_began_goes_on_with_a_step_of_ours(text: str) -> None:
    step = begun(text)
    assert step.trace_id == TRACE
    assert step.span_id != PARENT
    assert step.traceparent == f"00-{TRACE}-{step.span_id}-01"


def test_a_trace_that_is_not_sampled_stays_so() -> None:
    assert begun(f"00-{TRACE}-{PARENT}-00").traceparent.endswith("-00")


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "00",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-0g",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 10_000}",
    ],
)
def test_what_is_malformed_is_ignored(text: object) -> None:
    one, two = begun(text), begun(text)
    assert one.trace_id not in (TRACE, two.trace_id)
    assert begun(one.traceparent).trace_id == one.trace_id


def test_a_trace_is_current_inside_its_block() -> None:
    step = begun()
    with tracing(step):
        assert current_id() == step.trace_id
    assert current_id() == ""
