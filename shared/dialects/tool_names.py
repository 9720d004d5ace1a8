"""Names and ids of tools that another dialect does not take, changed in a way that can be undone; arguments as objects. Pure."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

LONGEST_NAME = 64
"""Characters of a tool's name that OpenAI's dialect takes; Anthropic's takes 128."""

DIGEST_CHARACTERS = 8
PLAIN_ID = re.compile(r"[a-zA-Z0-9_-]+")
ENCODED_ID = "toolu_gw_"
"""What an id begins with that is written in base64, since it has characters that Anthropic's dialect does not allow."""


def short_name(name: str) -> str:
    """The name itself, or for a long one its beginning and a digest of all of it."""
    return name if len(name) <= LONGEST_NAME else with_digest(name, name)


def with_digest(name: str, full: str) -> str:
    """The beginning of a name, and a digest of what it stands for."""
    digest = hashlib.sha256(full.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
    return f"{name[: LONGEST_NAME - DIGEST_CHARACTERS - 1]}_{digest}"


def long_names(names: Iterable[str]) -> Mapping[str, str]:
    """The names that were shortened, by what they became."""
    return {short_name(name): name for name in names if len(name) > LONGEST_NAME}


def plain_id(identity: str) -> str:
    """A tool call's id in the characters that Anthropic's dialect allows."""
    if PLAIN_ID.fullmatch(identity):
        return identity
    text = base64.urlsafe_b64encode(identity.encode("utf-8", "surrogatepass")).decode("ascii").rstrip("=")
    return ENCODED_ID + text


def original_id(identity: str) -> str:
    """The id as the model gave it."""
    if not identity.startswith(ENCODED_ID):
        return identity
    text = identity.removeprefix(ENCODED_ID)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "surrogatepass")
    except (binascii.Error, UnicodeDecodeError):
        return identity


def input_of(arguments: Any) -> dict[str, Any]:
    """A call's arguments as an object; what isn't one is wrapped as it stands."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"raw_arguments": arguments}
    return parsed if isinstance(parsed, dict) else {"raw_arguments": arguments}
