"""The number that an answer comes to: the last one of its last sentence that has one. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

MOST_DIGITS = 50

DIGITS = r"(?:(?:\d{1,3}(?:,\d{3}){1,16}(?!\d)|\d{1,60})(?:\.\d{1,60})?|\.\d{1,60})"
NUMBER = re.compile(
    rf"(?<![\w.])(?P<money>[$€£]\s?)?(?P<sign>(?<![\w)\]%.])-[$€£]?)?(?P<digits>{DIGITS})"
    rf"(?:\s?/\s?(?P<below>\d{{1,20}}(?![\w/]))|:(?P<minutes>\d\d)(?!\d))?(?!(?:st|nd|rd|th)\b)(?P<power>[eE][-+]?\d|\s?\^)?"
    r"\s?(?:(?P<scale>hundred|thousand|million|billion|trillion|k|bn)\b)?[\s-]?(?P<unit>%|°\s?[CF]\b|[a-zA-Z]+(?:\.m\b)?)?"
)
FRACTION = re.compile(r"\\[dt]?frac\{(\d{1,20})\}\{(\d{1,20})\}")
LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]{0,200})\}")
ANNOTATION = re.compile(r"<<[^<>\n]{0,200}>>")
MARKER = re.compile(r"^\s*(?:(?:step\s+)?\d{1,3}[.):]|[-*+>•#]+)\s+", re.IGNORECASE)
SENTENCE = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][*\"')\]]))\s+(?=[^a-z])|\n+")
BOLD = re.compile(r"\*\*(.{1,200}?)\*\*")
OPERATOR = re.compile(r"^\W{0,4}?[+*/x^]\s*[$€£]?\d")
WORKING = re.compile(r"\d[^\n=+*/-]{0,30}[-+*/x][^\n=\d]{0,12}\d[^\n=]{0,80}=[^\n\d=]{0,12}\d")

ASIDE = re.compile(r"\([^()\n]*[a-zA-Z]{2}[^()\n]*\)")
TOTAL = re.compile(r"\b(?:total(?:l?ing)?(?:\s+(?:of|is|cost|amount))*|altogether|in all)[\s:,]{0,3}(?=[$€£*]{0,3}\d)")
LEAD = re.compile(r"^\W*(?:since|because|as|if|after|given|when|while|with|for|at)\b[^,]{1,200},\s+", re.IGNORECASE)
TRAIL = re.compile(r",?\s+(?:since|because|if|when|after|given|at the end of)\s.*$", re.IGNORECASE)
CLAUSE = re.compile(r"[,;]\s|\b(?:and|or|so)\b")
SIGNS = (
    *(("\\$", "$"), ("\\%", "%"), ("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("{,}", ",")),
    *(("\u00d7", "*"), ("\u00f7", "/"), ("\u2212", "-"), ("\u2019", "'")),
)
"""How LaTeX and typography write a sign, and the sign."""

ALGEBRA = re.compile(
    r"\^|\\[a-z]+|√|π|\b[a-zA-Z]\s*[-+*/]\s*\d|\d\s*[-+*/]\s*[a-zA-Z]\b|(?<![\w.])\d+[abnxyz]\b|\d\s+(?:or|to)\s+[$€£]?\d|\bbetween\s+[$€£]?\d"
)

SCALES = {"hundred": 2, "thousand": 3, "k": 3, "million": 6, "bn": 9, "billion": 9, "trillion": 12}
UNITS = {
    name: unit
    for unit, names in {
        "%": "% percent percentage",
        "dollar": "dollar dollars usd",
        "cent": "cent cents",
        "euro": "euro euros eur",
        "second": "s sec second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
        "am": "am a.m",
        "pm": "pm p.m",
        "mm": "mm millimeters millimetres",
        "cm": "cm centimeter centimeters centimetres",
        "metre": "meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "inch": "inch inches",
        "foot": "foot feet ft",
        "yard": "yard yards",
        "mile": "mile miles",
        "gram": "g gram grams",
        "kg": "kg kilogram kilograms",
        "pound": "pound pounds lb lbs",
        "ounce": "ounce ounces oz",
        "ml": "ml milliliters millilitres",
        "litre": "l liter liters litre litres",
        "celsius": "°c celsius",
        "fahrenheit": "°f fahrenheit",
        "mb": "mb",
        "gb": "gb",
        "tb": "tb",
    }.items()
    for name in names.split()
}
CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound sterling"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit; the unit is empty where it is none that we know."""

    value: Decimal
    unit: str = ""
    minutes: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a text comes to: its number, the sentence with it, and the other results that the sentence names."""

    number: Number
    sentence: str
    named: frozenset[tuple[Decimal, str]]


def same_number(one: Number, other: Number) -> bool:
    """Whether two numbers are equal; a unit that only one of them has is no difference."""
    if (one.value, one.minutes) != (other.value, other.minutes):
        return False
    return one.unit == other.unit or "" in (one.unit, other.unit)


def same_result(one: Result, other: Result) -> bool:
    """Whether two texts come to the same: the same number, and no other result that speaks against it."""
    agree = same_number(one.number, other.number)
    return agree and (one.named <= other.named or other.named <= one.named)


def shows_working(text: str) -> bool:
    """Whether a text calculates something, such as "3 * 4 = 12"."""
    return WORKING.search(plain(text)) is not None


def is_algebra(result: Result) -> bool:
    """Whether a result is a formula, a range or one of several, so that its last number does not tell it."""
    return ALGEBRA.search(result.sentence[result.sentence.rfind("=") + 1 :]) is not None


def numbers(text: str) -> list[Number]:
    """All numbers of a text, in order."""
    return [number for _, number in _located(plain(text))]


def values(text: str) -> frozenset[tuple[Decimal, str]]:
    """The values of all numbers of a text."""
    return frozenset((number.value, number.minutes) for number in numbers(text))


def result_of(text: str, given: frozenset[tuple[Decimal, str]] = frozenset()) -> Result | None:
    """The result of a text; None when it has none. `given` are the numbers of the question, which are seldom its answer."""
    for sentence in reversed(sentences(text)):
        if _located(sentence):
            return _picked(sentence, text, given)
    return None


def sentences(text: str) -> list[str]:
    """The sentences of a text, without the marks of lists."""
    return [bare for part in SENTENCE.split(plain(text)) if (bare := MARKER.sub("", part).strip())]


def plain(text: str) -> str:
    """A text without calculator annotations and LaTeX around its numbers, in ASCII's signs."""
    text = ANNOTATION.sub("", text)
    text = LATEX.sub(r" \1", FRACTION.sub(r"\1/\2", text))
    for mark, sign in SIGNS:
        text = text.replace(mark, sign)
    return text


def _picked(sentence: str, text: str, given: frozenset[tuple[Decimal, str]]) -> Result | None:
    sentence = _shortened(sentence)
    found = _located(sentence)
    equal = max(sentence.rfind("="), sentence.rfind("≈"))
    if equal >= 0 and (total := TOTAL.search(sentence, equal)):
        return _picked(sentence[total.end() :], text, given)
    after = [(at, number) for at, number in found if at > equal] if equal >= 0 else []
    if after:
        if OPERATOR.match(sentence[after[0][0] :].lstrip("$€£").lstrip("0123456789.,")):
            return None  # a calculation that is not carried out
        return Result(after[0][1], sentence, _after_equals(sentence, found))
    bold = [number for part in BOLD.findall(sentence) for _, number in _located(part)]
    own = [number for _, number in found if (number.value, number.minutes) not in given]
    named = frozenset((number.value, number.minutes) for number in own)
    return Result(_chosen(bold, own, [number for _, number in found], text), sentence, named)


def _shortened(sentence: str) -> str:
    """A sentence without parentheses and, where it has no equation, without clauses that give a reason or condition."""
    for part in (ASIDE,) if "=" in sentence else (ASIDE, LEAD, TRAIL):
        short = part.sub(" ", sentence)
        sentence = short if _located(short) else sentence
    return sentence


def _chosen(bold: Sequence[Number], own: Sequence[Number], found: Sequence[Number], text: str) -> Number:
    money = [number for number in own or found if number.unit in CURRENCIES.values()]
    if bold or len(money) == 1:
        return bold[-1] if bold else money[0]
    worked = [number.value for number in _worked_out(text)]
    for among in (own, found):
        results = [number for number in among if number.value in worked]
        if results:
            return max(results, key=lambda number: _last_place(worked, number.value))
        if among:
            return among[-1]
    return found[-1]


def _worked_out(text: str) -> list[Number]:
    """The numbers that directly follow an equals sign, in order."""
    parts = plain(text).split("=")[1:]
    return [found[0][1] for part in parts if (found := _located(part[:80])) and found[0][0] < 6]


def _last_place(worked: Sequence[Decimal], value: Decimal) -> int:
    return max(place for place, found in enumerate(worked) if found == value)


def _after_equals(sentence: str, found: Sequence[tuple[int, Number]]) -> frozenset[tuple[Decimal, str]]:
    """The end of each chain of equations in a sentence."""
    chains = (chain[chain.rfind("=") + 1 :] for chain in CLAUSE.split(sentence) if "=" in chain)
    ends = [located[0][1] for chain in chains if (located := _located(chain))]
    return frozenset((number.value, number.minutes) for number in ends or [found[-1][1]])


def _located(text: str) -> list[tuple[int, Number]]:
    found = ((match.start(), _read(match)) for match in NUMBER.finditer(text))
    return [(at, number) for at, number in found if number is not None]


def _read(match: re.Match[str]) -> Number | None:
    digits = match["digits"].replace(",", "")
    if len(digits) > MOST_DIGITS or match["power"]:
        return None
    try:
        value = Decimal(digits)
        if match["below"]:
            value = (value / Decimal(match["below"])).quantize(Decimal("1e-6"))
        value = value.scaleb(SCALES.get((match["scale"] or "").lower(), 0))
    except (InvalidOperation, ZeroDivisionError):
        return None
    signed = -value if match["sign"] else value
    unit = UNITS.get((match["unit"] or "").lower().replace(" ", ""), "")
    money = CURRENCIES.get((match["money"] or match["sign"] or "").strip(" -"), "")
    return Number(signed.normalize() + 0, money or unit, match["minutes"] or "")
