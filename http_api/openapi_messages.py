"""Anthropic's Messages API in the OpenAPI description: the part that people look up here; the rest passes through."""

from typing import Any

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_OBJECT = {"type": "object", "additionalProperties": True}
_CONTENT = {"anyOf": [_STRING, {"type": "array", "items": _OBJECT}]}
_BETA = {
    "name": "anthropic-beta",
    "in": "header",
    "description": "Goes to Anthropic as it is; other vendors' models are asked without it.",
    "schema": _STRING,
}

MESSAGE_SCHEMAS: dict[str, Any] = {
    "MessageRequest": {
        "type": "object",
        "description": "Anthropic's request. A provider that speaks the Messages API gets it as it is, but for `model`.",
        "required": ["model", "max_tokens", "messages"],
        "additionalProperties": True,
        "properties": {
            "model": {
                "type": "string",
                "description": "`auto`, a layer, a registry id, a provider's model name, or an alias such as `sonnet`.",
            },
            "max_tokens": {"type": "integer", "minimum": 0},
            "messages": {"type": "array", "minItems": 1, "items": _OBJECT},
            "system": _CONTENT,
            "stream": {"type": "boolean", "default": False},
            "tools": {"type": "array", "items": _OBJECT},
            "tool_choice": _OBJECT,
            "thinking": _OBJECT,
            "output_config": _OBJECT,
            "gateway": {"$ref": "#/components/schemas/RoutingOptions"},
        },
    },
    "Message": {
        "type": "object",
        "additionalProperties": True,
        "properties": {
            "id": _STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": _STRING,
            "content": {"type": "array", "items": _OBJECT},
            "stop_reason": _STRING,
            "stop_sequence": {"type": ["string", "null"]},
            "usage": _OBJECT,
        },
    },
    "MessageError": {
        "type": "object",
        "description": "Anthropic's form of errors; ours where the setting ERROR_FORMAT says so.",
        "properties": {
            "type": _STRING,
            "error": {"anyOf": [_OBJECT, _STRING]},
            "details": {"anyOf": [_STRING, _OBJECT]},
            "request_id": _STRING,
        },
    },
    "MessageTokens": {"type": "object", "required": ["input_tokens"], "properties": {"input_tokens": _INTEGER}},
}


def _body(schema: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_ERROR = {
    "description": "400 bad input, 401 no valid credentials, 402 no money left, 403 not allowed, 404 unknown, 413 too large, "
    "429 too many requests, 529 nobody can answer just now.",
    "content": _json("MessageError"),
}

MESSAGE_PATHS: dict[str, Any] = {
    "/v1/messages": {
        "post": {
            "operationId": "messages",
            "tags": ["chat"],
            "summary": "Answer a chat that is asked for as with Anthropic's Messages API",
            "description": "Needs the scope `chat`. Routing, limits, budgets and the audit trail are those of "
            "`/v1/chat/completions`. With `stream: true` the answer is Anthropic's events. Errors have Anthropic's form.",
            "parameters": [_BETA],
            "requestBody": _body("MessageRequest"),
            "responses": {
                "200": {
                    "description": "The answer.",
                    "content": {**_json("Message"), "text/event-stream": {"schema": _STRING}},
                },
                "default": _ERROR,
            },
        }
    },
    "/v1/messages/count_tokens": {
        "post": {
            "operationId": "count_tokens",
            "tags": ["chat"],
            "summary": "Count the tokens of a request, without charge and beside the rate limits",
            "description": "Needs the scope `chat`. Anthropic counts for its own models; for others it is an estimate.",
            "parameters": [_BETA],
            "requestBody": _body("MessageRequest"),
            "responses": {"200": {"description": "The count.", "content": _json("MessageTokens")}, "default": _ERROR},
        }
    },
}
