"""The chat in the OpenAPI description: the part of OpenAI's schema that people look up here; the rest passes through."""

from typing import Any

from http_api.openapi_options import OPTION_HEADERS

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_OBJECT = {"type": "object", "additionalProperties": True}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _or_null(properties: dict[str, Any]) -> dict[str, Any]:
    """Fields that may also be null, which counts as left out; some clients send it for all that they don't set."""
    return {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in properties.items()}


MESSAGES = {"type": "array", "minItems": 1, "items": _reference("ChatMessage")}

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
        "properties": {"messages": MESSAGES}
        | _or_null(
            {
                "model": {
                    "type": "string",
                    "default": "auto",
                    "description": "`auto`, a layer `L0` to `L3`, a registry id, or a provider's model name.",
                },
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
            }
        ),
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
            "gateway": _reference("ChatNotes"),
        },
    },
    "ChatNotes": {
        "type": "object",
        "description": "What was done with the answer; there when something was. Streams carry it in their last event.",
        "additionalProperties": True,
        "properties": {
            "crossCheck": _reference("ChatVerdict"),
            "selfCheck": _reference("ChatVerdict"),
            "agreement": {
                "type": "object",
                "properties": {
                    "agreed": {"type": ["boolean", "null"], "description": "null when only one model answered."},
                    "unclear": {
                        "type": "boolean",
                        "description": "True where the two answers cannot be compared, which counts as no agreement.",
                    },
                    "models": {"type": "array", "items": _STRING},
                },
            },
            "escalation": {
                "type": "object",
                "properties": {
                    "steps": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"reason": _STRING, "from": _STRING, "to": _STRING},
                        },
                    },
                    "ended": {"type": "string", "description": "`answered`, or why it went no further."},
                },
            },
            "costUsd": {"type": ["number", "null"], "description": "Everything together; null when not known."},
            "answerCostUsd": {"type": ["number", "null"], "description": "The answer alone."},
        },
    },
    "ChatVerdict": {
        "type": "object",
        "properties": {
            "verdict": {
                "enum": ["confirmed", "corrected", "upheld", "disputed", "unclear", "not_checked"],
                "description": "`corrected`: a better answer took the first one's place. `upheld`: the first one stood "
                "against another. `disputed`: nobody could decide.",
            },
            "models": {"type": "object", "additionalProperties": _STRING},
            "issues": {"type": "array", "items": _STRING},
            "reason": _STRING,
            "addedCostUsd": {"type": "number"},
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
            '`data: [DONE]`; a stream that fails after it began ends with `data: {"error": …}` instead. '
            "An answer that is to be judged whole (`crossCheck`, `selfCheck`, `agreement`, `escalate`) is streamed once it "
            "is. 409 `escalation_needs_confirmation` asks before a step that costs money (see `escalation`).",
            "parameters": [
                *OPTION_HEADERS,
                {
                    "name": "Cache-Control",
                    "in": "header",
                    "description": "`no-store`, `no-cache`, `max-age` and `only-if-cached` as in RFC 9111; `cacheControl` in "
                    "the `gateway` object says the same. With `only-if-cached` and nothing cached the answer is 504.",
                    "schema": _STRING,
                },
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
                        "X-Gateway-Notice": _header("What was changed in the request to fit the model."),
                        "X-Gateway-Attempts": _header("How many models were asked.", "integer"),
                        "X-Gateway-Cost-Usd": _header("Cost in US dollars, or `unknown`; not on streams."),
                        "X-Gateway-Cache": _header(
                            "`hit`: the answer came from the cache. `miss`: it was made, and may be kept. `off`: neither."
                        ),
                        "Age": _header("Seconds since an answer from the cache was made.", "integer"),
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
