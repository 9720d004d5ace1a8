"""Messages for the client's log: in the older era from the level that it sets, in the modern one where it asks for them."""

from typing import Any

from mcp.server.connection import allowed_log_levels
from mcp.types import (
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SetLevelRequestParams,
)

from mcp_gateway.connection import connection_of, is_modern
from mcp_gateway.identity import Context

USUAL: LoggingLevel = "warning"
ORDER: tuple[LoggingLevel, ...] = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
_LEVEL = "log level"


async def set_level(context: Context, params: SetLevelRequestParams) -> EmptyResult:
    """Send nothing below that level on this connection."""
    connection_of(context).state[_LEVEL] = params.level
    return EmptyResult()


async def tell(context: Context, level: LoggingLevel, logger: str, data: dict[str, Any]) -> None:
    """Send a message beside the answer of this request, where the client wants it."""
    if not wanted(context, level):
        return
    params = LoggingMessageNotificationParams(level=level, logger=logger, data=data)
    notification = LoggingMessageNotification(params=params)
    await context.session.send_notification(notification, related_request_id=context.request_id)


def wanted(context: Context, level: LoggingLevel) -> bool:
    """Whether the client has asked for messages of that level."""
    if is_modern(context):
        return level in allowed_log_levels(context.protocol_version, context.meta)
    least = connection_of(context).state.get(_LEVEL, USUAL)
    return ORDER.index(level) >= ORDER.index(least)
