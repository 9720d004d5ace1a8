"""Ollama's API in the OpenAPI description: the part that people look up here; the rest passes through."""

from typing import Any

_STRING = {"type": "string"}
_OBJECT = {"type": "object", "additionalProperties": True}
_LIST = {"type": "array", "items": _OBJECT}
_ASKED: dict[str, Any] = {
    "model": {
        "type": "string",
        "description": "`auto`, a layer, a registry id, a provider's model name, or an alias; `:latest` may follow.",
    },
    "stream": {"type": "boolean", "default": True},
    "format": {"description": '`"json"`, or a JSON Schema.', "anyOf": [_STRING, _OBJECT]},
    "think": {"anyOf": [{"type": "boolean"}, _STRING]},
    "options": {**_OBJECT, "description": "Other vendors get what their API has of it; an Ollama server gets all."},
    "keep_alive": {"anyOf": [_STRING, {"type": "number"}]},
    "gateway": {"$ref": "#/components/schemas/RoutingOptions"},
}


def _schema(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "additionalProperties": True, "properties": properties}


OLLAMA_SCHEMAS: dict[str, Any] = {
    "OllamaChatRequest": _schema({**_ASKED, "messages": _LIST, "tools": _LIST}, "model"),
    "OllamaGenerateRequest": _schema(
        {**_ASKED, "prompt": _STRING, "system": _STRING, "images": {"type": "array", "items": _STRING}}, "model"
    ),
    "OllamaAnswer": _schema(
        {
            "model": _STRING,
            "created_at": _STRING,
            "message": {**_OBJECT, "description": "Of `/api/chat`."},
            "response": {"type": "string", "description": "Of `/api/generate`."},
            "done": {"type": "boolean"},
            "done_reason": _STRING,
            "prompt_eval_count": {"type": "integer"},
            "eval_count": {"type": "integer"},
        },
        "model",
        "done",
    ),
    "OllamaModels": _schema({"models": _LIST}, "models"),
    "OllamaModelRequest": _schema({"model": _STRING}, "model"),
    "OllamaModel": _schema(
        {"details": _OBJECT, "model_info": _OBJECT, "capabilities": {"type": "array", "items": _STRING}}
    ),
    "OllamaVersion": _schema({"version": _STRING}, "version"),
}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _operation(identity: str, summary: str, answer: str, *, body: str = "", scope: str = "") -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": identity,
        "tags": ["ollama"],
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": _json(answer)},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    if body:
        described["requestBody"] = {"required": True, "content": _json(body)}
    if scope:
        described["description"] = f"Needs the scope `{scope}`."
    return described


def _chat(identity: str, summary: str, body: str) -> dict[str, Any]:
    described = _operation(identity, summary, "OllamaAnswer", body=body, scope="chat")
    described["description"] += (
        " Routing, limits, budgets and the audit trail are those of `/v1/chat/completions`. Unless `stream` is false, the "
        "answer is lines of JSON. A request without messages or prompt only checks that there is such a model; that "
        "needs the scope `models:read`."
    )
    described["responses"]["200"]["content"]["application/x-ndjson"] = {"schema": _STRING}
    return {"post": described}


OLLAMA_PATHS: dict[str, Any] = {
    "/api/chat": _chat("ollama_chat", "Answer a chat that is asked for as with Ollama's API", "OllamaChatRequest"),
    "/api/generate": _chat("ollama_generate", "Answer a prompt, as Ollama does", "OllamaGenerateRequest"),
    "/api/tags": {
        "get": _operation(
            "ollama_tags", "List the models that can answer, as Ollama does", "OllamaModels", scope="models:read"
        )
    },
    "/api/show": {
        "post": _operation(
            "ollama_show",
            "Describe a model, as Ollama does",
            "OllamaModel",
            body="OllamaModelRequest",
            scope="models:read",
        )
    },
    "/api/version": {
        "get": _operation("ollama_version", "Tell the version of Ollama whose API this is", "OllamaVersion")
    },
}
