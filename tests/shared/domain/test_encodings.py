"""Encodings of terminals: those of text that leave ASCII and control characters as they are."""

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.domain.encodings import Encoding

ENCODING: TypeAdapter[str] = TypeAdapter(Encoding)


@pytest.mark.parametrize(("given", "name"), [("UTF8", "utf-8"), ("latin-1", "iso8859-1"), ("cp437", "cp437")])
def test_an_encoding_has_its_usual_name(given: str, name: str) -> None:
    assert ENCODING.validate_python(given) == name


@pytest.mark.parametrize("given", ["", "utf-16", "base64", "rot13", "nonsense", "cp037", "iso2022_jp"])
def test_what_does_not_have_ascii_in_it_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        ENCODING.validate_python(given)
