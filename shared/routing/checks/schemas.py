"""Whether a value keeps to a JSON schema that a caller wrote. Pure.

Callers are not trusted: a schema fetches nothing, its patterns are matched in linear time, and one that takes too many steps
says nothing against an answer, as does one that is no schema at all.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

MOST_STEPS = 20_000
MOST_BYTES = 200_000


class _TooMuch(Exception):
    """The schema asks for more work than an answer is worth."""


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value keeps to a schema, as far as can be said."""
    from jsonschema import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        if len(orjson.dumps(schema)) + len(orjson.dumps(value)) > MOST_BYTES:
            return True
        kind = _kind(schema)
        kind.check_schema(schema)
        return bool(kind(schema, registry=Registry()).is_valid(value))
    except (SchemaError, Unresolvable, RecursionError, _TooMuch, orjson.JSONEncodeError):
        return True


def _kind(schema: Mapping[str, Any]) -> Any:
    """The validator of the schema's draft, with steps that are counted and patterns that cannot run away."""
    from jsonschema import validators

    base = validators.validator_for(schema)
    left = [MOST_STEPS]
    counted = {name: _counted(rule, left) for name, rule in base.VALIDATORS.items()}
    return validators.extend(  # type: ignore[no-untyped-call]
        base, {**counted, "pattern": _pattern, "uniqueItems": _unique, "patternProperties": _unknown}
    )


def _counted(rule: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def step(validator: Any, rule_value: Any, instance: Any, schema: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise _TooMuch
        return rule(validator, rule_value, instance, schema)

    return step


def _pattern(_: Any, pattern: Any, instance: Any, __: Any) -> Iterator[Exception]:
    if isinstance(instance, str) and not _matcher(pattern)(instance):
        yield _mismatch()


def _unique(_: Any, wanted: Any, instance: Any, __: Any) -> Iterator[Exception]:
    if wanted and isinstance(instance, list):
        seen = {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in instance}
        if len(seen) < len(instance):
            yield _mismatch()


def _unknown(_: Any, __: Any, ___: Any, ____: Any) -> Iterator[Exception]:
    """Python's own patterns would be matched here, and in `additionalProperties` beside it."""
    raise _TooMuch


def _mismatch() -> Exception:
    from jsonschema import ValidationError

    return ValidationError("no match")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Matches with Rust's engine, in linear time; what that does not know says nothing."""
    from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return lambda _: True

    def matches(text: str) -> bool:
        try:
            validator.validate_python(text)
        except ValidationError:
            return False
        return True

    return matches
