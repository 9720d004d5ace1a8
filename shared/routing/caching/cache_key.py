"""The name under which an answer is kept: a digest of everything that could make it another one. Pure."""

from hashlib import sha256

import orjson

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.errors import InvalidInput

ALL = "answer:"
"""What every key begins with."""

FORM = 1
"""Counts up when the kept form changes, so that no process reads another version's."""

NO_MATTER = {"cache", "cache_control", "timeout_ms", "tags"}
"""Options that say how long to wait, whether to keep and how to book an answer, and nothing of the answer itself."""


def key_of(caller: Caller, request: ChatRequest, terms: str) -> str:
    """The key of this caller's request, under `terms`: what the gateway's configuration has to say of it.

    Every field of the payload counts, the unknown ones and `user` and `metadata` too: providers read them. The order
    of the top level does not, while that inside does: a model fills in a schema in the order of its properties.

    Raises InvalidInput for a payload that is nested too deeply to be written.
    """
    payload = {**request.payload, "model": request.facts.model, "stream": request.stream}
    options = request.options.model_dump(mode="json", exclude=NO_MATTER)
    allowed = [sorted(caller.models) if caller.models is not None else None, caller.max_layer]
    try:
        native = None if request.native is None else sorted(request.native.payload.items())
        said = orjson.dumps([FORM, sorted(payload.items()), sorted(options.items()), allowed, terms, native])
    except orjson.JSONEncodeError:
        raise InvalidInput("The request body is nested too deeply.") from None
    return prefix_of(caller) + sha256(said).hexdigest()


def prefix_of(caller: Caller) -> str:
    """What the keys of one caller's answers begin with."""
    return f"{ALL}{sha256(caller.id.encode()).hexdigest()[:32]}:"
