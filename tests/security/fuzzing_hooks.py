"""What the fuzzer does not do: ask anything of other machines."""

from typing import Any

import schemathesis

NOWHERE = "http://127.0.0.1:9/v1"
"""The discard port, where nothing listens."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Sessions are opened on this machine only, and providers are nowhere; what else is wrong stays wrong."""
    if not isinstance(case.body, dict):
        return
    operation, body = case.operation.definition.raw.get("operationId"), case.body
    if operation == "open_terminal" and (body.get("type") in ("ssh", "telnet") or "connectionId" in body):
        case.body = {name: value for name, value in body.items() if name != "connectionId"} | {"type": "local"}
    if operation in ("add_provider", "update_provider") and str(body.get("baseUrl")).startswith("http"):
        case.body = body | {"baseUrl": NOWHERE}
