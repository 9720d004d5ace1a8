"""Structured output: OpenAI's `response_format` and strict schemas in the narrower form that Anthropic compiles. Pure.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from shared.providers.anthropic.content import invalid
from shared.providers.anthropic.traits import Traits

MAX_STRICT_TOOLS = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
STRING_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
SIMPLE_TYPES = frozenset({"string", "integer", "number", "boolean", "null"})
MAX_DEPTH = 64
SCHEMA_FIELD = "response_format.json_schema.schema"

ANY_JSON = "Answer with one valid JSON object and nothing else: no prose before or after it, no code fence."
JSON_BY_SCHEMA = (
    "Answer with one valid JSON value that follows this JSON Schema, and nothing else: no prose before or after it, "
    "no code fence.\n"
)

Schema = dict[str, Any]


def output_format(response_format: Any, traits: Traits) -> tuple[Schema | None, str]:
    """Anthropic's output format for a `response_format`, or else an instruction for the model that asks for the same."""
    if not isinstance(response_format, dict):
        return None, ""
    kind = response_format.get("type")
    if kind == "json_object":
        return None, ANY_JSON
    if kind != "json_schema":
        return None, ""
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise invalid(SCHEMA_FIELD, "must be a JSON Schema object")
    if traits.structured_output and (adapted := adapt(schema)) is not None and within_limits([adapted]):
        return {"type": "json_schema", "schema": adapted}, ""
    try:
        return None, JSON_BY_SCHEMA + orjson.dumps(schema).decode()
    except orjson.JSONEncodeError:
        raise invalid(SCHEMA_FIELD, "is nested too deeply") from None


def adapt(schema: Schema) -> Schema | None:
    """A schema as Anthropic compiles it, or None where it cannot say the same (free-form maps, recursion, …).

    Bounds that it does not know (`minimum`, `maxLength`, `pattern`, …) move into the description.
    """
    try:
        adapted = _adapted(schema, 0)
        return None if _is_recursive(schema) else adapted
    except (ValueError, TypeError):
        return None


def within_limits(schemas: Iterable[Schema]) -> bool:
    """Whether the schemas of one request stay under Anthropic's limits for optional and union parameters."""
    optional = unions = 0
    for schema in schemas:
        for node in _nodes(schema):
            optional += len(set(node.get("properties", ())) - set(node.get("required", ())))
            unions += "anyOf" in node or isinstance(node.get("type"), list)
    return optional <= MAX_OPTIONAL and unions <= MAX_UNIONS


def _adapted(schema: Any, depth: int) -> Schema:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        raise ValueError("only nested schema objects can be compiled")
    rest = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    result: Schema = {}
    for name in ("$defs", "definitions"):
        if name in rest:
            result[name] = {key: _adapted(value, depth + 1) for key, value in dict(rest.pop(name)).items()}
    if "$ref" in rest:
        result["$ref"] = rest["$ref"]
        return result
    _combinations(rest, result, depth)
    for name in ("title", "description", "const", "enum"):
        if name in rest:
            result[name] = rest.pop(name)
    kind = rest.pop("type", None)
    if kind is not None:
        result["type"] = kind
        for single in kind if isinstance(kind, list) else [kind]:
            _typed(single, rest, result, depth)
    elif not result.keys() & {"anyOf", "allOf", "enum", "const"}:
        raise ValueError("a schema without a type allows anything")
    if rest:
        said = orjson.dumps(rest).decode()
        result["description"] = f"{result['description']}\n\n{said}" if result.get("description") else said
    return result


def _combinations(rest: Schema, result: Schema, depth: int) -> None:
    for theirs, ours in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if theirs in rest:
            result[ours] = [_adapted(option, depth + 1) for option in rest.pop(theirs)]


def _typed(kind: str, rest: Schema, result: Schema, depth: int) -> None:
    if kind == "object":
        extra = rest.pop("additionalProperties", None)
        if isinstance(extra, dict) or extra is True or ("properties" not in rest and extra is not False):
            raise ValueError("an object of any keys cannot be compiled")
        properties = dict(rest.pop("properties", {}))
        result["properties"] = {name: _adapted(value, depth + 1) for name, value in properties.items()}
        result["required"] = [name for name in rest.pop("required", ()) if name in properties]
        result["additionalProperties"] = False
    elif kind == "array":
        result["items"] = _adapted(rest.pop("items", None), depth + 1)
        if rest.get("minItems") in (0, 1):
            result["minItems"] = rest.pop("minItems")
    elif kind not in SIMPLE_TYPES:
        raise ValueError(f"no such type: {kind}")
    elif kind == "string" and rest.get("format") in STRING_FORMATS:
        result["format"] = rest.pop("format")


def _nodes(schema: Any) -> Iterator[Schema]:
    """Every schema object inside a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
        for name, value in schema.items():
            if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
                for inner in value.values():
                    yield from _nodes(inner)
            elif name in ("items", "anyOf", "oneOf", "allOf"):
                for inner in value if isinstance(value, list) else [value]:
                    yield from _nodes(inner)


def _is_recursive(schema: Schema) -> bool:
    definitions = {
        f"#/{place}/{name}": value
        for place in ("$defs", "definitions")
        for name, value in dict(schema.get(place, {})).items()
    }
    links = {ref: {node["$ref"] for node in _nodes(value) if "$ref" in node} for ref, value in definitions.items()}
    used = {node["$ref"] for node in _nodes(schema) if "$ref" in node}
    if not used <= definitions.keys():
        return True
    return any(_reaches(ref, ref, links, set()) for ref in definitions)


def _reaches(start: str, target: str, links: dict[str, set[str]], seen: set[str]) -> bool:
    for ref in links.get(start, ()):
        if ref == target:
            return True
        if ref not in seen:
            seen.add(ref)
            if _reaches(ref, target, links, seen):
                return True
    return False
