"""JSON Schemas as hosts take them best: no references, no titles, no nulls among the arguments, and few bytes."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

_DEFS = "$defs"
_REF = "$ref"
CHECKED_HERE = ("minLength", "maxLength", "pattern", "minItems", "maxItems", "ge")
"""What a model need not read about a text or a list: whoever goes beyond it is told so."""


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they cost tokens and say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        found.pop("title", None)
        found.pop("description", None)  # what a class is for is said to its readers
        if self.mode == "serialization":
            found.pop("additionalProperties", None)  # a later version may say more
            found.pop("required", None)  # all that is described is always there
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

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Text is taken too, but numbers are what models are to write."""
        bounds = {"minimum": schema.get("ge"), "maximum": schema.get("le")}
        return {"type": "number", **{name: float(value) for name, value in bounds.items() if value is not None}}


def arguments_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's arguments."""
    schema = _schema(model, "validation", _Arguments)
    schema["properties"] = {name: _without(rules, CHECKED_HERE) for name, rules in schema.get("properties", {}).items()}
    return schema


def not_again(schema: Mapping[str, Any], said: Mapping[str, Any], instead: str) -> dict[str, Any]:
    """The same schema, with other words for properties that `said` has described in the same ones; without any if empty."""
    known = {name: rules.get("description") for name, rules in said["properties"].items()}
    found = {
        name: _described(rules, instead) if name in known and rules.get("description") == known[name] else rules
        for name, rules in schema["properties"].items()
    }
    return {**schema, "properties": found}


def _described(rules: Mapping[str, Any], words: str) -> dict[str, Any]:
    bare: dict[str, Any] = _without(rules, ("description",))
    return {**bare, "description": words} if words else bare


def result_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's structured result, as it is on the wire."""
    return _schema(model, "serialization", _Plain)


def _schema(model: type[BaseModel], mode: JsonSchemaMode, generator: type[GenerateJsonSchema]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode=mode, schema_generator=generator)
    definitions = schema.pop(_DEFS, {})
    found: dict[str, Any] = _inlined(schema, definitions)
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


def _without(rules: Any, left_out: tuple[str, ...]) -> Any:
    """The rules of an argument or result, and of all within it, without those keywords."""
    if isinstance(rules, list):
        return [_without(item, left_out) for item in rules]
    if not isinstance(rules, dict):
        return rules
    return {
        key: {name: _without(rule, left_out) for name, rule in value.items()}
        if key == "properties"
        else _without(value, left_out)
        for key, value in rules.items()
        if key not in left_out
    }
