"""How long the process that serves stdio may take to end."""

from mcp_gateway import stdio
from shared.providers import embedded_child
from shared.terminal import child
from shared.terminal.ssh import executor

REAPED = 2.0


def test_nothing_is_cut_short_that_ends_by_its_own_limits() -> None:
    command = max(child.END_LIMIT, executor.REAP_TIMEOUT + executor.CLOSE_TIMEOUT)
    session = max(child.END_LIMIT + REAPED, executor.REAP_TIMEOUT + 3 * executor.CLOSE_TIMEOUT)
    embedded = 2 * embedded_child.END_SECONDS
    assert command + session + embedded < stdio.GRACE_SECONDS
