"""The use of a session."""

import time

from shared.terminal.uses import Uses
from tests.support.clock import Clock


def test_it_is_idle_from_the_end_of_the_last_use() -> None:
    clock = Clock()
    uses = Uses(clock)
    made, began = uses.last, time.monotonic()
    with uses.during():
        with uses.during():
            clock.advance(minutes=1)
        assert uses.now == 1
        assert uses.idle_seconds == 0
        clock.advance(minutes=1)
    assert (uses.last - made).total_seconds() == 120
    assert uses.now == 0
    assert 0 < uses.idle_seconds <= time.monotonic() - began
