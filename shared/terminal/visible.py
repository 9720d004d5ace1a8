"""Text for people to judge: what would be invisible, or would change the order of what is read, is written out."""

import hashlib
import json
import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
MOST = 1000
"""Characters of an input that are shown; of all of it there is a hash."""


def visible(text: str) -> str:
    """The text with every such character but blank, tab and line feed as its code: U+202E is `\\u202e`."""
    return "".join(
        _code(sign) if unicodedata.category(sign) in UNSEEN and sign not in " \t\n" else sign for sign in text
    )


def visible_json(document: str) -> str:
    """The same JSON document with such characters as the escapes of its strings."""
    return "".join(
        json.dumps(sign)[1:-1] if unicodedata.category(sign) in UNSEEN and sign not in " \t\n" else sign
        for sign in document
    )


def cut(text: str) -> str:
    """The visible beginning of a text; of one that is longer also how long, and a hash that tells it from others."""
    if len(text) <= MOST:
        return visible(text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{visible(text[:MOST])}\n[... {len(text) - MOST} more characters; SHA-256 of all: {digest}]"


def _code(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) <= 0xFFFF else f"\\U{ord(sign):08x}"
