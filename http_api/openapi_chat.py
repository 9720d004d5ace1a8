"""The chat in the OpenAPI description: the part of OpenAI's schema that people look up here; the rest passes through."""

from typing import Any

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_OBJECT = {"type": "object", "additionalProperties": True}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


CHAT_SCHEMAS: dict[str, Any] = {
    "ChatMessage": {
        "type": "object",
        "required": ["role"],
        "additionalProperties": True,
        "properties": {
            "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
            "content": {"anyOf": [_STRING, {"type": "array", "items": _OBJECT}, {"type": "null"}]},
            "tool_calls": {"type": "array", "items": _OBJECT},
            "tool_call_id": _STRING,
        },
    },
    "ChatRequest": {
        "type": "object",
        "description": "OpenAI's request. A field that the gateway does not know goes to the provider unchanged.",
        "required": ["messages"],
        "additionalProperties": True,
        "properties": {
            "model": {
                "type": "string",
                "default": "auto",
                "description": "`auto`, a layer `L0` to `L3`, a registry id, or a provider's model name.",
            },
            "messages": {"type": "array", "minItems": 1, "items": _reference("ChatMessage")},
            "stream": {"type": "boolean", "default": False},
            "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
            "temperature": {"type": "number", "minimum": 0, "maximum": 2},
            "top_p": {"type": "number", "minimum": 0, "maximum": 1},
            "n": {"type": "integer", "minimum": 1, "maximum": 128},
            "stop": {"anyOf": [_STRING, {"type": "array", "items": _STRING}]},
            "seed": _INTEGER,
            "max_tokens": {"type": "integer", "minimum": 1},
            "max_completion_tokens": {"type": "integer", "minimum": 1},
            "tools": {"type": "array", "items": _OBJECT},
            "tool_choice": {"anyOf": [_STRING, _OBJECT]},
            "response_format": _OBJECT,
            "reasoning_effort": _STRING,
            "user": _STRING,
            "gateway": _reference("RoutingOptions"),
        },
    },
    "ChatAnswer": {
        "type": "object",
        "description": "OpenAI's answer; `model` is the name of the one that answered, `usage.cost` is in US dollars.",
        "additionalProperties": True,
        "properties": {
            "id": _STRING,
            "object": {"const": "chat.completion"},
            "created": _INTEGER,
            "model": _STRING,
            "choices": {"type": "array", "items": _OBJECT},
            "usage": _OBJECT,
        },
    },
}

CHAT_PATHS: dict[str, Any] = {
    "/v1/chat/completions": {
        "post": {
            "operationId": "chat",
            "tags": ["chat"],
            "summary": "Answer a chat with the model that routing finds",
            "description": "Needs the scope `chat`. With `stream: true` the answer is server-sent events ending in "
            '`data: [DONE]`; a stream that fails after it began ends with `data: {"error": …}` instead.',
            "parameters": [
                {
                    "name": "X-Gateway-Options",
                    "in": "header",
                    "description": "The `gateway` object as JSON, for clients that cannot change the body.",
                    "schema": _STRING,
                }
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": _reference("ChatRequest"),
                        "example": {"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]},
                    }
                },
            },
            "responses": {
                "200": {
                    "description": "The answer.",
                    "headers": {
                        "X-Gateway-Model": _header("Registry id of the model that answered."),
                        "X-Gateway-Provider": _header("Its provider."),
                        "X-Gateway-Layer": _header("Its layer."),
                        "X-Gateway-Attempts": _header("How many models were asked.", "integer"),
                        "X-Gateway-Cost-Usd": _header("Cost in US dollars, or `unknown`; not on streams."),
                        "X-Gateway-Cache": _header(
                            "Whether the answer came from a cache: always `off`, there is none."
                        ),
                    },
                    "content": {
                        "application/json": {"schema": _reference("ChatAnswer")},
                        "text/event-stream": {"schema": _STRING},
                    },
                },
                "default": {"$ref": "#/components/responses/Error"},
            },
        }
    }
}
