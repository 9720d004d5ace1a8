"""OpenAI's Responses API in the OpenAPI description: the part that people look up here."""

from typing import Any

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_OBJECT = {"type": "object", "additionalProperties": True}
_LIST = {"type": "array", "items": _OBJECT}

RESPONSE_SCHEMAS: dict[str, Any] = {
    "ResponseRequest": {
        "type": "object",
        "description": "OpenAI's request; what is not listed here is repeated in the response, or left out.",
        "required": ["model"],
        "additionalProperties": True,
        "properties": {
            "model": {
                "type": "string",
                "description": "`auto`, a layer, a registry id, a provider's model name, or an alias.",
            },
            "input": {"anyOf": [_STRING, _LIST]},
            "instructions": _STRING,
            "stream": {"type": "boolean", "default": False},
            "tools": _LIST,
            "tool_choice": {"anyOf": [_STRING, _OBJECT]},
            "max_output_tokens": {"type": "integer", "minimum": 1},
            "temperature": {"type": "number", "minimum": 0, "maximum": 2},
            "top_p": {"type": "number", "minimum": 0, "maximum": 1},
            "reasoning": _OBJECT,
            "text": _OBJECT,
            "gateway": {"$ref": "#/components/schemas/RoutingOptions"},
        },
    },
    "Response": {
        "type": "object",
        "additionalProperties": True,
        "properties": {
            "id": _STRING,
            "object": {"const": "response"},
            "created_at": _INTEGER,
            "status": {"enum": ["in_progress", "completed", "incomplete", "failed"]},
            "model": _STRING,
            "output": _LIST,
            "error": {"anyOf": [_OBJECT, {"type": "null"}]},
            "incomplete_details": {"anyOf": [_OBJECT, {"type": "null"}]},
            "usage": {"anyOf": [_OBJECT, {"type": "null"}]},
        },
    },
    "ResponseError": {
        "type": "object",
        "description": "OpenAI's form of errors; ours where the setting ERROR_FORMAT says so.",
        "required": ["error", "requestId"],
        "properties": {
            "error": {"anyOf": [_OBJECT, _STRING]},
            "details": {"anyOf": [_STRING, _OBJECT]},
            "code": _STRING,
            "requestId": _STRING,
        },
    },
}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


RESPONSE_PATHS: dict[str, Any] = {
    "/v1/responses": {
        "post": {
            "operationId": "responses",
            "tags": ["chat"],
            "summary": "Answer a chat that is asked for as with OpenAI's Responses API",
            "description": "Needs the scope `chat`. Routing, limits, budgets and the audit trail are those of "
            "`/v1/chat/completions`. With `stream: true` the answer is the events of a response. Where another API would answer "
            "with a status of 500 or more, this one answers 429: Codex repeats any other many times.",
            "requestBody": {"required": True, "content": _content("ResponseRequest")},
            "responses": {
                "200": {
                    "description": "The response.",
                    "content": {**_content("Response"), "text/event-stream": {"schema": _STRING}},
                },
                "default": {
                    "description": "400 bad input, 401 no valid credentials, 402 no money left, 403 not allowed, 404 unknown, "
                    "413 too large, 429 too many requests, or nobody can answer just now.",
                    "content": _content("ResponseError"),
                },
            },
        }
    },
}
