"""Schemas and response formats."""

from typing import Any

import pytest

from shared.errors import InvalidInput
from shared.providers.anthropic.structured import ANY_JSON, adapt, output_format, within_limits
from shared.providers.anthropic.traits import traits_of

NEW = traits_of("claude-sonnet-4-5")
OLD = traits_of("claude-3-5-haiku-latest")

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": ["integer", "null"], "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1, "maxItems": 3},
        "kind": {"enum": ["a", "b"]},
        "home": {"$ref": "#/$defs/place"},
    },
    "required": ["name"],
    "$defs": {"place": {"type": "object", "properties": {"town": {"type": "string"}}, "additionalProperties": False}},
}


def response_format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}


def test_objects_are_closed_and_bounds_become_words() -> None:
    adapted = adapt(PERSON)
    assert adapted is not None
    assert adapted["additionalProperties"] is False
    assert adapted["required"] == ["name"]
    assert adapted["properties"]["name"] == {"type": "string", "description": '{"minLength":1}'}
    assert adapted["properties"]["age"] == {"type": ["integer", "null"], "description": '{"minimum":0}'}
    assert adapted["properties"]["tags"] == {
        "type": "array",
        "items": {"type": "string", "format": "uuid"},
        "minItems": 1,
        "description": '{"maxItems":3}',
    }
    assert adapted["properties"]["kind"] == {"enum": ["a", "b"]}
    assert adapted["properties"]["home"] == {"$ref": "#/$defs/place"}
    assert adapted["$defs"]["place"]["additionalProperties"] is False


def test_the_callers_schema_is_left_alone() -> None:
    before = repr(PERSON)
    adapt(PERSON)
    assert repr(PERSON) == before


def test_one_of_becomes_any_of() -> None:
    adapted = adapt({"oneOf": [{"type": "string"}, {"type": "integer"}]})
    assert adapted == {"anyOf": [{"type": "string"}, {"type": "integer"}]}


NODE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"any": {}}},
        {"type": "array"},
        {"type": "array", "items": [{"type": "string"}]},
        {"type": "shape"},
        {"type": {}},
        {"$ref": "https://a.example/schema.json"},
        {"type": "object", "properties": 5},
        {"type": "object", "properties": {}, "required": 5},
        {"anyOf": 5},
        {"$defs": [1], "type": "string"},
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {"type": "array", "items": {"$ref": "#/$defs/b"}},
                "b": {"type": "array", "items": {"$ref": "#/$defs/a"}},
            },
        },
        NODE,
    ],
)
def test_what_cannot_be_compiled_is_not_adapted(schema: Any) -> None:
    assert adapt(schema) is None


def test_endless_nesting_is_not_adapted() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5_000):
        schema = {"type": "array", "items": schema}
    assert adapt(schema) is None


def test_limits_count_over_all_schemas_of_a_request() -> None:
    optional = {"type": "object", "properties": {str(n): {"type": "string"} for n in range(13)}}
    union = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}
    assert within_limits([optional])
    assert not within_limits([optional, optional])
    assert within_limits([union] * 16)
    assert not within_limits([union] * 17)


def test_a_json_schema_becomes_an_output_format_where_the_model_has_them() -> None:
    form, note = output_format(response_format(PERSON), NEW)
    assert form == {"type": "json_schema", "schema": adapt(PERSON)}
    assert note == ""


@pytest.mark.parametrize(("traits", "schema"), [(OLD, PERSON), (NEW, NODE)])
def test_a_json_schema_becomes_an_instruction_elsewhere(traits: Any, schema: Any) -> None:
    form, note = output_format(response_format(schema), traits)
    assert form is None
    assert '"$defs"' in note


def test_a_schema_that_no_one_could_read_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(500):
        schema = {"type": "array", "items": schema}
    with pytest.raises(InvalidInput, match="nested"):
        output_format(response_format(schema), NEW)


def test_any_json_is_an_instruction() -> None:
    assert output_format({"type": "json_object"}, NEW) == (None, ANY_JSON)


def test_plain_text_needs_nothing() -> None:
    assert output_format({"type": "text"}, NEW) == output_format(None, NEW) == (None, "")


def test_a_format_without_a_schema_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"response_format\.json_schema\.schema"):
        output_format({"type": "json_schema", "json_schema": {"name": "x"}}, NEW)
