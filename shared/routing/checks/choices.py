"""The letter that an answer to a multiple-choice question chooses. Pure."""

import re

WHOLE = re.compile(
    r"^\W*(?:(?:the\s+)?(?:(?:correct|right|best|final)\s+)*(?:answer|option|choice)(?:\s+is)?\W{0,4})?"
    r"(?:option\s+)?\(?([A-Ja-j])\)?\W*$",
    re.IGNORECASE,
)
SAID = re.compile(
    r"\b(?:answer|option|choice)\s*(?:is|would be|should be|:|is:)\s*(?:option\s*)?[^\w\s]{0,4}\s?[(*]{0,3}([A-J])(?=[)*.,:;!\s]|$)(?!\s+[a-z])",
    re.IGNORECASE,
)
NAMED = re.compile(
    r"\b(?:option|choice|answer)\s+\(?([A-J])\)?\s+(?:is|would be)\s+(?:the\s+)?(?:correct|right|best|true)",
    re.IGNORECASE,
)
HEAD = re.compile(r"^[\s*_(]*([A-J])[)*_]*[).:][\s*)_]")
ITEM = re.compile(r"^[\s*_(]*[A-J][)*_]*[).:][\s*)_]", re.MULTILINE)
LONGEST_WHOLE = 60


def chosen(text: str) -> str | None:
    """The letter, in upper case; None when the text chooses none."""
    text = text.strip()
    if len(text) <= LONGEST_WHOLE and (whole := WHOLE.match(text)):
        return whole[1].upper()
    said = [found for pattern in (SAID, NAMED) for found in pattern.finditer(text) if found[1].isupper()]
    if said:
        return max(said, key=lambda found: found.start())[1]
    head = HEAD.match(text)
    return head[1] if head and len(ITEM.findall(text)) == 1 else None
