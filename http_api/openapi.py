"""The OpenAPI 3.1 description, derived from the same rows as the routes."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from http_api.binding import WITHOUT_BODY, Row
from http_api.openapi_chat import CHAT_PATHS, CHAT_SCHEMAS
from http_api.openapi_messages import MESSAGE_PATHS, MESSAGE_SCHEMAS
from http_api.openapi_ollama import OLLAMA_PATHS, OLLAMA_SCHEMAS
from http_api.openapi_options import OPTION_HEADERS, described_options
from http_api.openapi_responses import RESPONSE_PATHS, RESPONSE_SCHEMAS
from http_api.renderings import FORMAT, JSON
from http_api.routing import PARAMETER
from shared.domain.chat import ChatRequest
from shared.domain.routing import RoutingOptions

REFERENCES = "#/components/schemas/{model}"
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
DECIMAL = [{"type": "number"}, {"type": "string"}]
"""What pydantic says of a decimal. We take it as a number only."""
PYDANTICS = frozenset({"decimal_places", "max_digits"})
"""Words that JSON Schema does not have."""
INTRODUCTION = (
    "One gateway for any AI client: chat with the right model through an OpenAI-compatible API, manage models, "
    "providers and keys, and work in terminals. Errors are `{error, details, code, requestId}`; clients that parse "
    "OpenAI's or Anthropic's form, known by their headers (`ERROR_FORMAT`), get that. Every answer carries `X-Request-ID`, those of "
    "limited paths also `X-RateLimit-Limit`, `-Remaining` and `-Reset`. A live terminal is at "
    "`WS /v1/terminal/{id}/ws`."
)
ERROR = {
    "type": "object",
    "required": ["error", "details", "code", "requestId"],
    "properties": {
        "error": {"type": "string", "description": "What is wrong and what to do."},
        "details": {
            "description": "More of it; empty when there is no more.",
            "anyOf": [{"type": "string"}, {"type": "object"}],
        },
        "code": {"type": "string", "description": "Stable and machine-readable."},
        "requestId": {"type": "string"},
    },
}
HEADERS: dict[str, Any] = {
    "X-Request-ID": {"schema": {"type": "string"}, "description": "The request's own id, or the one it brought."},
    "X-Trace-Id": {"schema": {"type": "string"}, "description": "The trace that it belongs to (W3C Trace Context)."},
    "X-RateLimit-Limit": {"schema": {"type": "integer"}, "description": "Size of the limit that is nearer."},
    "X-RateLimit-Remaining": {"schema": {"type": "integer"}, "description": "What is left of it."},
    "X-RateLimit-Reset": {"schema": {"type": "integer"}, "description": "When some of it comes back (epoch seconds)."},
}
ERROR_RESPONSE = {
    "description": "400 bad input, 401 no valid credentials, 403 not allowed, 404 unknown, 405 wrong method, 409 "
    "conflict, 413 too large, 415 not JSON, 421 unknown host, 429 too many requests (`Retry-After`), 500 bug, "
    "502 provider or terminal failed, 503 nothing available, 504 provider timed out.",
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS},
    "content": {"application/json": {"schema": {"$ref": REFERENCES.format(model="Error")}}},
}
CHAT_REQUEST = {"$ref": REFERENCES.format(model="ChatRequest")}
"""The request of whatever takes a chat: pydantic does not know its form."""

PLAIN_PATHS: dict[str, Any] = {
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "tags": ["system"],
            "summary": "Counters, gauges and histograms for Prometheus",
            "description": "Needs the scope `metrics` or `admin`. With several workers any of them tells of all.",
            "responses": {"200": {"description": "Prometheus text.", "content": {"text/plain": {}}}},
        }
    },
    "/openapi.json": {
        "get": {
            "operationId": "openapi",
            "tags": ["system"],
            "summary": "This description; GET /docs shows it as a page",
            "responses": {"200": {"description": "OpenAPI 3.1.", "content": {"application/json": {}}}},
        }
    },
}


def describe(rows: Iterable[Row], version: str) -> dict[str, Any]:
    """The whole document."""
    rows = tuple(rows)
    schemas, definitions = _schemas(rows)
    definitions |= {"RoutingOptions": described_options(definitions["RoutingOptions"])}
    definitions |= {**CHAT_SCHEMAS, **MESSAGE_SCHEMAS, **OLLAMA_SCHEMAS, **RESPONSE_SCHEMAS}
    paths: dict[str, Any] = {**CHAT_PATHS, **MESSAGE_PATHS, **OLLAMA_PATHS, **RESPONSE_PATHS}
    for row in rows:
        path = PARAMETER.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row, schemas, definitions)
    paths.update(PLAIN_PATHS)
    known = {**definitions, "Error": ERROR}
    return {
        "openapi": "3.1.0",
        "info": {"title": "AI MCP gateway", "version": version, "description": INTRODUCTION},
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": {name: known[name] for name in _referred([paths, ERROR_RESPONSE], known)},
            "headers": HEADERS,
            "responses": {"Error": ERROR_RESPONSE},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A login token or an API key."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


Schemas = Mapping[tuple[str, str], dict[str, Any]]


def _schemas(rows: Iterable[Row]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of each operation's request and result, and the definitions that they refer to."""
    inputs: list[Any] = [("RoutingOptions", "validation", TypeAdapter(RoutingOptions))]
    for operation in {row.operation.name: row.operation for row in rows}.values():
        if operation.request is not ChatRequest:
            inputs.append((f"{operation.name}.request", "validation", TypeAdapter(operation.request)))
        inputs.append((f"{operation.name}.result", "serialization", TypeAdapter(operation.result)))
    schemas, rest = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=REFERENCES)
    tidied = {(str(key), str(mode)): _tidied(schema) for (key, mode), schema in schemas.items()}
    return tidied, {name: _tidied(schema) for name, schema in rest.get("$defs", {}).items()}


def _operation(row: Row, schemas: Schemas, definitions: Mapping[str, Any]) -> dict[str, Any]:
    operation = row.operation
    request = schemas.get((f"{operation.name}.request", "validation"), CHAT_REQUEST)
    fields = _resolved(request, definitions)
    in_path = [match[1] for match in PARAMETER.finditer(row.path)]
    properties: dict[str, Any] = fields.get("properties", {})
    required = set(fields.get("required", ()))
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [_tag(row.path)],
        "summary": operation.summary,
        "parameters": [_parameter(name, "path", properties.get(name, {"type": "string"}), True) for name in in_path],
        "responses": {
            str(row.status): {
                "description": "Done.",
                "headers": _headers(row),
                "content": _contents(row, schemas),
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    if operation.scope is not None:
        described["description"] = f"Needs the scope `{operation.scope}`."
    if row.public:
        described["security"] = []
    if row.as_chat is not None:
        described["parameters"] += OPTION_HEADERS
    rest = {name: schema for name, schema in properties.items() if name not in in_path}
    if row.method in WITHOUT_BODY:
        described["parameters"] += [_parameter(name, "query", rest[name], name in required) for name in rest]
        described["parameters"] += _format(row)
    elif rest or "oneOf" in fields or "anyOf" in fields:
        body = request if not in_path else _without(fields, in_path)
        needed = bool(required - set(in_path)) or _refuses_nothing(operation.request, in_path)
        described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": body}}}
    return described


def _refuses_nothing(request: Any, in_path: list[str]) -> bool:
    """Whether a request without a body is refused, by rules over several fields that a schema does not show."""
    if request is ChatRequest:
        return True
    try:
        TypeAdapter(request).validate_python(dict.fromkeys(in_path, "x"))
    except ValidationError as error:
        return any(not found["loc"] or found["loc"][0] not in in_path for found in error.errors())
    return False


def _contents(row: Row, schemas: Schemas) -> dict[str, Any]:
    """The forms of the answer."""
    if row.form is not None:
        return {row.form.media: {"schema": {"type": "string"}}}
    return {
        "application/json": {"schema": schemas[(f"{row.operation.name}.result", "serialization")]},
        **{form.media: {"schema": {"type": "string"}} for form in row.renderings.values()},
    }


def _tidied(schema: Any) -> Any:
    """Without titles that only repeat names and defaults of null, and with bounds of decimals in JSON Schema's words."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("anyOf") == DECIMAL:
        schema = {"type": "number"} | {key: value for key, value in schema.items() if key in BOUNDS}
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in BOUNDS and not isinstance(value, dict):
            made[BOUNDS[key]] = float(value)
        elif (
            key not in PYDANTICS
            and not (key == "title" and isinstance(value, str))
            and (key, value) != ("default", None)
        ):
            made[key] = _tidied(value)
    return made


def _referred(roots: Any, known: Mapping[str, Any]) -> list[str]:
    """The names of the schemas that anything in there refers to, directly or through others."""
    found: set[str] = set()
    waiting: list[Any] = [roots]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            name = str(item.get("$ref", "")).removeprefix(REFERENCES.format(model=""))
            if name in known and name not in found:
                found.add(name)
                waiting.append(known[name])
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return sorted(found)


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema


def _without(schema: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """The schema of an object less those of its properties that come in the path."""
    rest = dict(schema)
    rest["properties"] = {name: value for name, value in schema.get("properties", {}).items() if name not in names}
    if required := [name for name in schema.get("required", ()) if name not in names]:
        rest["required"] = required
    else:
        rest.pop("required", None)
    return rest


def _parameter(name: str, place: str, schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    described = {"name": name, "in": place, "required": required, "schema": schema}
    if description := schema.get("description"):
        described["description"] = description
    return described


def _format(row: Row) -> list[dict[str, Any]]:
    """The parameter that asks for another form than JSON, where there are any."""
    if not row.renderings:
        return []
    schema = {"type": "string", "enum": [JSON, *row.renderings], "default": JSON}
    schema["description"] = "The form of the answer; without it, what `Accept` asks for."
    return [_parameter(FORMAT, "query", schema, False)]


def _headers(row: Row) -> dict[str, Any]:
    names = HEADERS if row.limited else ("X-Request-ID", "X-Trace-Id")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "v1" and len(parts) > 1 else "system"
