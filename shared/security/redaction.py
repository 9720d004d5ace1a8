"""Take secrets and control characters out of what is logged, stored or shown."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.security.command_secrets import names_program, spans
from shared.security.secret_forms import NAMES, OPTION_NAMES, PHRASES, SENSITIVE_FIELD, TOKEN_PREFIXES

MASK = "[redacted]"
LONGEST_LOOKED_AT = 64 * 1024
LONGEST_TEXT = 4_000
MOST_ITEMS = 100
DEEPEST = 8
SHORTEST_KNOWN_SECRET = 6

_SECRET_NAME = re.compile(SENSITIVE_FIELD, re.IGNORECASE)

# The look-behinds and possessive quantifiers keep every pattern linear in a hostile text.
_BLOCK = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)"
_JWT = r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{4,}+\.[A-Za-z0-9_\-]{2,}+\.[A-Za-z0-9_\-]*+"
_PROVIDER_KEY = rf"(?<![A-Za-z0-9_\-])(?:{'|'.join(TOKEN_PREFIXES)})"
_WHOLE = re.compile(f"{_BLOCK}|{_JWT}|{_PROVIDER_KEY}", re.DOTALL)
_BEARER = re.compile(r"(\bbearer[ \t]{1,8})[A-Za-z0-9._~+/=\-]{4,}+", re.IGNORECASE)
_USERINFO = re.compile(r"(://[^\s/?#@:\"']{0,128}+:)[^\s/?#@\"']{1,512}+(?=@)")
_TOKEN_BEFORE_HOST = re.compile(r"(://)(?=[^\s/@]{0,80}[0-9])[A-Za-z0-9_\-]{20,512}+(?=@)")
_ASSIGNED = (
    r"\\?[\"']?[ \t]{0,4}[=:][ \t]{0,4}"
    r"(?:(?:bearer|basic|token|digest|negotiate)[ \t]{1,4})?"
)
_VALUE = r"(?:(\")(?:[^\"\\\r\n]|\\.)*+\"?|(\\\")(?:[^\"\\\r\n]|\\(?!\"))*+(?:\\\")?|(')[^'\r\n]*+'?|(?:[^\s\"'&,;\\]|\\(?![\"']))++)"
_NAMED = re.compile(rf"((?:{'|'.join(NAMES)}){_ASSIGNED}){_VALUE}", re.IGNORECASE)
_OPTION = rf"(?<![A-Za-z0-9_\-])--(?!no-)(?:[a-z0-9]{{1,20}}-){{0,3}}(?:{'|'.join(OPTION_NAMES)})[ \t]{{1,4}}(?!-)"
_ANNOUNCED = re.compile(rf"({_OPTION}|{'|'.join(PHRASES)}){_VALUE}", re.IGNORECASE)
_PLACED = re.compile(
    r"(\b(?:set-)?cookie\\?[\"']?[ \t]{0,4}:[ \t]{0,4}\\?[\"']?)[^\s\"'\\][^\r\n\"'\\]*+"
    r"|([ \t](?:-u|--user)[ \t=]{1,4}[\"']?[^\s:/\"']{1,64}:)(?![0-9]{1,10}(?:\s|$))[^\s\"']++"
    r"|((?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/)[A-Za-z0-9/_\-]++",
    re.IGNORECASE,
)
"""Secrets that only their place tells: cookies, a user and a password, and webhooks."""

_MARKS = (
    *(
        "-----begin",
        "eyj",
        "bearer",
        "://",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "authorization",
        "cookie",
        "pass=",
        "-pass",
        "auth",
        "identified",
        "community",
        "accountkey",
        "account-key",
        "account_key",
        "sharedaccesskey",
        "sig=",
        "requirepass",
        "apikey",
        "-u",
        "--user",
    ),
    *(
        f"{name}{joint}key"
        for name in ("api", "private", "access", "signing", "encryption", "sealed")
        for joint in ("", "_", "-")
    ),
    *(f"{name}{joint}" for name in ("sk", "pk", "rk", "mgw", "xai", "hf", "pat", "npm", "pypi") for joint in "_-"),
    *(f"{name}{joint}" for name in ("ghp", "gho", "ghs", "ghu", "ghr") for joint in "_-"),
    *(
        "nvapi-",
        "tskey-",
        "whsec_",
        "shpat_",
        "glrt-",
        "dop_v1_",
        "lin_api_",
        "figd_",
        "hvs.",
        "hvb.",
        "ya29.",
        "sg.",
        "atatt3",
    ),
    *("xox", "aiza", "akia", "asia", "slack.com", "discord"),
)
"""In lower case, one of them stands in everything that a pattern above finds (`gsk_` holds `sk_`, `glpat-` holds `pat-`).
To look for these first costs a thirtieth, and most lines of the log have none.
"""


class Redactor:
    """Masks what looks like a secret, and the very values given as `secrets` wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these values too from now on, whatever they look like."""
        values = self._values.union(value for value in secrets if len(value) >= SHORTEST_KNOWN_SECRET)
        if values != self._values:
            self._values = values
            self._known = re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True))))

    def text(self, text: str) -> str:
        """The text with secrets masked."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if not _may_hold_secrets(text):
            return text
        text = _WHOLE.sub(MASK, text)
        text = _without_spans(text)
        text = _BEARER.sub(rf"\1{MASK}", text)
        text = _USERINFO.sub(rf"\1{MASK}", text)
        text = _TOKEN_BEFORE_HOST.sub(rf"\1{MASK}", text)
        text = _PLACED.sub(lambda match: f"{match[match.lastindex or 0]}{MASK}", text)
        text = _NAMED.sub(_masked_value, text)
        return _ANNOUNCED.sub(_masked_value, text)

    def line(self, text: str) -> str:
        """The text as one safe line: secrets masked, control characters escaped, the rest of a long one cut off."""
        looked_at = text[:LONGEST_LOOKED_AT]
        return cut(escaped(self.text(looked_at)), LONGEST_TEXT, len(text) - len(looked_at))

    def data(self, value: Any, depth: int = 0) -> Any:
        """The value as plain JSON data, every text in it as `line`, what a secret name stands for masked whole."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if value.bit_length() < 64 else "[large number]"
        if isinstance(value, str):
            return self.line(value)
        if isinstance(value, float):
            return value if value - value == 0 else str(value)
        if depth >= DEEPEST:
            return "[too deep]"
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            items = [self.data(item, depth + 1) for _, item in zip(range(MOST_ITEMS), value, strict=False)]
            return items if len(value) <= MOST_ITEMS else [*items, f"[{len(value) - MOST_ITEMS} more]"]
        return self.line(str(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for _, (key, item) in zip(range(MOST_ITEMS), value.items(), strict=False):
            name = cut(escaped(str(key)), 200)
            answer[name] = MASK if item and is_secret_name(name) else self.data(item, depth + 1)
        if len(value) > MOST_ITEMS:
            answer["…"] = f"[{len(value) - MOST_ITEMS} more]"
        return answer


def _may_hold_secrets(text: str) -> bool:
    """Beyond ASCII there are letters that only the patterns know as lower case of others."""
    if not text.isascii():
        return True
    lowered = text.lower()
    if names_program(lowered):
        return True
    for mark in _MARKS:  # noqa: SIM110 - a generator would be resumed for each of them, with every line of the log
        if mark in lowered:
            return True
    return False


def _without_spans(text: str) -> str:
    """The text without what programs take as secrets on their command lines."""
    pieces, end = [], 0
    for begin, last in spans(text):
        if begin >= end:
            pieces += [text[end:begin], MASK]
        end = max(end, last)
    return "".join((*pieces, text[end:])) if pieces else text


def _masked_value(match: re.Match[str]) -> str:
    """The quotes stay, so that JSON stays JSON."""
    name, *quotes = match.groups()
    quote = next(filter(None, quotes), "")
    return f"{name}{quote}{MASK}{quote}"


def is_secret_name(name: str) -> bool:
    """Whether a field of that name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def escaped(text: str) -> str:
    """Everything that could move a cursor, break a line or hide text, as a visible escape."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def cut(text: str, length: int, more: int = 0) -> str:
    """At most `length` characters, and how many are gone; `more` were gone before."""
    gone = max(len(text) - length, 0) + more
    return f"{text[:length]}… [{gone} more]" if gone else text
