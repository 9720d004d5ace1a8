"""The most that a chat's prompt can come to, for what is set aside before it is sent. Pure.

A token is a byte of UTF-8 at least, so the bytes of everything that is sent bound its tokens. What is not sent as text has
bounds of its own: an image, whatever its size, and a file that the provider already has.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import InvalidInput

IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})
TOKENS_PER_IMAGE = 6_000
TOKENS_PER_FILE = 500_000
"""What is not in the request cannot be measured: about the largest document that any provider takes."""

TOKENS_PER_MESSAGE = 16
MOST_SEARCHES = 10
SEARCHING = ("web_search", "google_search", "browser_search")


def most_tokens(payload: Mapping[str, Any]) -> int:
    """An upper bound of the prompt's tokens. Raises InvalidInput for what no JSON can hold."""
    added = 0
    messages = []
    for message in payload["messages"]:
        added += TOKENS_PER_MESSAGE
        content = message.get("content")
        if isinstance(content, list):
            kept = [part for part in content if part["type"] not in IMAGE_PARTS]
            added += TOKENS_PER_IMAGE * (len(content) - len(kept))
            added += TOKENS_PER_FILE * sum(map(_is_elsewhere, kept))
            message = {**message, "content": kept}
        messages.append(message)
    try:
        return added + len(orjson.dumps({**payload, "messages": messages}, default=str))
    except orjson.JSONEncodeError:
        raise InvalidInput("The request cannot be sent as JSON: it is nested too deeply.") from None


def most_searches(payload: Mapping[str, Any]) -> int:
    """How many web searches the provider may make for it, which some bill one by one."""
    kinds = [str(tool.get("type")) for tool in payload.get("tools") or ()]
    asked = payload.get("web_search_options") is not None or payload.get("plugins")
    return MOST_SEARCHES if asked or any(kind.startswith(SEARCHING) for kind in kinds) else 0


def _is_elsewhere(part: Mapping[str, Any]) -> bool:
    """Whether a part only names a file that the provider has, or fetches."""
    file = part.get("file")
    return isinstance(file, dict) and "file_data" not in file
