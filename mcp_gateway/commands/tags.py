"""Tags on a command line: `name=value` or `name:value`. Pure."""

import re
from typing import NamedTuple

from shared.errors import invalid_field


class GivenTag(NamedTuple):
    """A tag as somebody wrote it."""

    name: str
    value: str


def tag_of(text: str) -> GivenTag:
    """The tag. Raises InvalidInput where name or value is missing: an empty value would match nothing that anybody sends."""
    name, *rest = re.split("[=:]", text, maxsplit=1)
    if not name or not rest or not rest[0]:
        raise invalid_field("tag", "it must be NAME=VALUE or NAME:VALUE, with a name and a value")
    return GivenTag(name, rest[0])
