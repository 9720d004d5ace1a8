"""No limits on commands, for tests that are not about them."""

from datetime import UTC, datetime
from typing import Any, cast

from shared.security.command_limits import CommandLimits


def no_command_limits() -> CommandLimits:
    """Counts nobody's commands without a limit, and needs no database for that."""
    return CommandLimits(cast("Any", None), lambda: datetime.now(UTC))
