"""Whether a text is nothing but an apology for not answering. Pure."""

import re

LONGEST = 600
"""A longer text also says something, in characters."""

_SORRY = (
    r"(?:i['\u2019]?m|i am|we['\u2019]?re) (?:very |really |truly |so )?sorry|sorry|i apologi[sz]e|my apologies|apologies|unfortunately|regrettably|"
    r"as an ai(?: language model| assistant| model)?"
)
_UNABLE = (
    r"(?:can['\u2019]?t|cannot|can not|am unable to|['\u2019]m unable to|am not able to|['\u2019]m not able to|won['\u2019]?t|will not|"
    r"am not allowed to|['\u2019]m not allowed to|must decline to|have to decline to|do not feel comfortable|don['\u2019]?t feel comfortable)"
)
_HELP = r"(?:assist|help(?! but\b)|comply|fulfil+|engage|support)"
_ANSWER = r"(?:provide|provid\w+|answer|discuss|create|generate|complete|continue|share|write|offer|do (?:that|this)|say|respond|process)"

REFUSAL = re.compile(
    rf"\W*(?:(?:{_SORRY})\b[^.!?]{{0,60}}?\bi\s?{_UNABLE} (?:\w+ ){{0,2}}?(?:{_HELP}|{_ANSWER})\b|"
    rf"i\s?{_UNABLE} (?:\w+ )?{_HELP}\b[^.!?]{{0,20}}\b(?:with|that|this|request)\b|"
    r"es tut mir leid[^.!?]{0,20}\bich kann\b[^.!?]{0,80}\bnicht\b|"
    r"(?:je suis )?d\u00e9sol\u00e9e?[^.!?]{0,20}\bje ne (?:peux|suis)\b[^.!?]{0,12}\bpas\b|"
    r"lo siento[^.!?]{0,20}\bno (?:puedo|me es posible)\b|(?:sinto muito|desculpe)[^.!?]{0,20}\bn\u00e3o posso\b|"
    r"(?:\u62b1\u6b49|\u5bf9\u4e0d\u8d77).{0,12}(?:\u65e0\u6cd5|\u4e0d\u80fd))",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a short text begins with an apology for not answering, or says that it cannot help."""
    return len(text) <= LONGEST and REFUSAL.match(text.strip()) is not None
