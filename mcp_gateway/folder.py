"""The folder that a client has open: where its process was started, and how a bridge tells a gateway of it."""

from __future__ import annotations

import os
from urllib.parse import quote, unquote_to_bytes

HEADER = "x-gateway-folder"
LONGEST = 4096


def project_folder() -> str:
    """The folder that the client has started this process in; empty where that says nothing, as `/` does."""
    try:
        here = os.getcwd()
    except OSError:  # it has been deleted
        return ""
    return "" if here in ("/", os.path.expanduser("~")) else here


def encoded(folder: str) -> str:
    """A folder as the value of the header."""
    return quote(os.fsencode(folder))


def decoded(value: bytes) -> str:
    """The folder that the header names; empty where it is no whole path."""
    folder = os.fsdecode(unquote_to_bytes(value[:LONGEST]))
    return folder if folder.startswith("/") and "\0" not in folder else ""
