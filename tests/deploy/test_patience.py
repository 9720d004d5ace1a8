"""What stops the gateway waits longer than the gateway itself does."""

import plistlib
import re
from pathlib import Path

from shared.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
CLOSING = 15
"""Seconds to close databases and sessions once nothing runs any more."""
PATIENCE = Settings.model_fields["shutdown_drain"].default + Settings.model_fields["shutdown_grace"].default + CLOSING


def test_systemd_waits_longer_than_the_gateway() -> None:
    (found,) = re.findall(r"^TimeoutStopSec=(\d+)$", (DEPLOY / "mcp-gateway.service").read_text("utf-8"), re.MULTILINE)
    assert int(found) > PATIENCE


def test_launchd_waits_longer_than_the_gateway() -> None:
    assert plistlib.loads((DEPLOY / "io.github.ai-mcp-gateway.plist").read_bytes())["ExitTimeOut"] > PATIENCE
