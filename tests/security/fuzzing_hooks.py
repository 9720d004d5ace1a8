"""What the fuzzer is helped with and kept from: ids of things that exist, and asking anything of other machines."""

import json
import os
import zlib
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode

NOWHERE = "http://127.0.0.1:9/v1"
"""The discard port, where nothing listens."""

KNOWN: dict[str, dict[str, str]] = json.loads(os.environ.get("FUZZED_IDS", "{}"))
"""For an operation, what its path names so that it is found."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Half of the sound requests are about something that exists. Sessions are opened on this machine only, and
    providers are nowhere; what else is wrong stays wrong.
    """
    operation = case.operation.definition.raw.get("operationId")
    sound = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if operation in KNOWN and sound and zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 2:
        case.path_parameters = dict(KNOWN[operation])
    if operation == "connect_saved":  # what is saved may name any host
        case.path_parameters = {"id": "none"}
    if isinstance(case.body, dict):
        case.body = _kept_here(operation, case.body)


def _kept_here(operation: str, body: dict[str, Any]) -> dict[str, Any]:
    if operation == "open_terminal" and (body.get("type") in ("ssh", "telnet") or "connectionId" in body):
        return {name: value for name, value in body.items() if name != "connectionId"} | {"type": "local"}
    if operation in ("add_provider", "update_provider") and str(body.get("baseUrl")).startswith("http"):
        return body | {"baseUrl": NOWHERE}
    return body
