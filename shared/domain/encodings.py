"""Text encodings that a terminal may have."""

import codecs
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def _encoding(value: str) -> str:
    """Those of Python's text encodings that leave ASCII, with the controls of a terminal, as it is."""
    ascii_text = "".join(map(chr, range(128))) + "\x1b[1;31m\x1b(B\x1b$"
    try:
        name = codecs.lookup(value).name
        if (
            ascii_text.encode(name) == ascii_text.encode("ascii")
            and ascii_text.encode("ascii").decode(name) == ascii_text
        ):
            return name
    except (LookupError, UnicodeError):  # there is no such encoding, or it is none of text
        pass
    raise PydanticCustomError(
        "encoding", "must be a text encoding that has ASCII in it, such as utf-8, latin-1 or cp437"
    )


Encoding = Annotated[str, AfterValidator(_encoding), Field(min_length=1, max_length=40)]
