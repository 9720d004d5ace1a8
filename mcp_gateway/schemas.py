"""JSON Schemas as hosts take them best: no references, no titles, no nulls among the arguments."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

_DEFS = "$defs"
_REF = "$ref"


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they cost tokens and say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        found.pop("title", None)
        if self.mode == "serialization":
            found.pop("additionalProperties", None)  # a later version may say more
        return found


class _Arguments(_Plain):
    """An argument that may be left out is simply not required; a null for it is taken all the same."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found


def arguments_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's arguments."""
    return _schema(model, "validation", _Arguments)


def result_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's structured result, as it is on the wire."""
    return _schema(model, "serialization", _Plain)


def _schema(model: type[BaseModel], mode: JsonSchemaMode, generator: type[GenerateJsonSchema]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode=mode, schema_generator=generator)
    definitions = schema.pop(_DEFS, {})
    found: dict[str, Any] = _inlined(schema, definitions)
    found.pop("description", None)
    return found


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """The same with each reference replaced by what it names; some hosts do not follow references."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get(_REF)
    if isinstance(reference, str):
        target = definitions[reference.rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != _REF}}
    return {key: _inlined(value, definitions) for key, value in node.items()}
