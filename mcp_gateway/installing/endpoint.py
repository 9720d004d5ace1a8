"""The gateway as the models of a coding agent: what each agent's file says of it. Pure.

Sources: https://code.claude.com/docs/en/llm-gateway, https://opencode.ai/docs/providers, https://docs.cline.bot,
https://docs.continue.dev/reference, https://zed.dev/docs/ai/use-api-access, https://developers.openai.com/codex/config-advanced,
https://qwenlm.github.io/qwen-code-docs, https://goose-docs.ai, https://aider.chat/docs/llms/openai-compat.html,
https://llm.datasette.io/en/stable/other-models.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_gateway.installing.entry import Entry, Role, at

ID = "ai-mcp-gateway"
TITLE = "AI MCP gateway"
LOCAL_KEY = "ai-mcp-gateway"
"""The key of a gateway that asks for none: agents insist on one, and we know our entries by it."""
KEY_PREFIX = "mgw_"
VARIABLE = "MCP_GATEWAY_TOKEN"
"""The variable that holds the key where an agent's file can name one."""
OUR_FILE = f"{ID}.json"
"""A file that holds nothing but what is ours."""
MODELS = ("auto", "haiku", "sonnet", "opus")
"""The models that are named to agents that want a list: the gateway's own choice, and the roles of its layers."""
WINDOW = 128_000
LONGEST = 32_000
"""Tokens of a prompt and an answer, for agents that ask for these numbers. Requests that are too long get an error that they know."""
UPDATED = "2026-01-01T00:00:00.000Z"
"""Cline wants a time; a fixed one, so that installing again changes nothing."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the gateway is, without a path, and the key that agents show it."""

    url: str
    key: str

    @property
    def openai(self) -> str:
        """The base URL of OpenAI's form."""
        return f"{self.url}/v1"


def claude_code(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """The variables in Claude Code's settings."""
    proof = ("env", "ANTHROPIC_AUTH_TOKEN")
    address = _entry(file, ("env", "ANTHROPIC_BASE_URL"), endpoint.url, proof)
    return (address, _entry(file, proof, endpoint.key, proof))


def opencode(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """A provider, and its first model as the default one."""
    path = ("provider", ID)
    provider = _entry(file, path, opencode_provider(endpoint), (*path, "options", "apiKey"))
    return (provider, _entry(file, ("model",), f"{ID}/{MODELS[0]}", (*path, "options", "apiKey"), role="default"))


def opencode_provider(endpoint: Endpoint) -> dict[str, Any]:
    """The provider in opencode's form."""
    limit = {"context": WINDOW, "output": LONGEST}
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": TITLE,
        "options": {"baseURL": endpoint.openai, "apiKey": endpoint.key},
        "models": {model: {"name": model, "limit": limit} for model in MODELS},
    }


def cline(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """Cline's only provider with an address of its own, as the one that it starts with."""
    path = ("providers", "openai-compatible")
    proof = (*path, "settings", "apiKey")
    settings = {"provider": path[1], "apiKey": endpoint.key, "model": MODELS[0], "baseUrl": endpoint.openai}
    return (
        _entry(file, ("version",), 1, proof, role="frame"),
        _entry(file, ("modes",), {}, proof, role="frame"),
        _entry(file, path, {"settings": settings, "updatedAt": UPDATED, "tokenSource": "manual"}, proof),
        _entry(file, ("lastUsedProvider",), path[1], proof, role="default"),
    )


def continue_dev(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """A file of our own in Continue's folder of models. It is YAML, of which JSON is a part."""
    models = [
        {
            "name": f"{model} ({TITLE})",
            "provider": "openai",
            "model": model,
            "apiBase": endpoint.openai,
            "apiKey": endpoint.key,
            "roles": ["chat", "edit", "apply"],
            "capabilities": ["tool_use", "image_input"],
        }
        for model in MODELS
    ]
    content = {"name": TITLE, "version": "1.0.0", "schema": "v1", "models": models}
    return tuple(_entry(file, (key,), value, ("name",)) for key, value in content.items())


def zed(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """A provider. Zed takes its key from the keychain or the variable AI_MCP_GATEWAY_API_KEY, never from the file."""
    path = ("language_models", "openai_compatible", TITLE)
    able = {"tools": True, "images": True, "parallel_tool_calls": True, "prompt_cache_key": False}
    models = [
        {"name": model, "display_name": model, "max_tokens": WINDOW, "max_output_tokens": LONGEST, "capabilities": able}
        for model in MODELS
    ]
    value = {"api_url": endpoint.openai, "available_models": models}
    return (Entry(file=file, path=path, value=value, ours=lambda _: True),)


def codex(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """A provider in Codex's form, and its first model as the default one. The key stays in the environment."""
    path = ("model_providers", ID)
    provider = codex_provider(endpoint, VARIABLE if endpoint.key != LOCAL_KEY else None)
    return (
        _entry(file, path, provider, (*path, "name")),
        _entry(file, ("model",), MODELS[0], ("model_provider",), role="default"),
        _entry(file, ("model_provider",), ID, ("model_provider",), role="default"),
    )


def codex_provider(endpoint: Endpoint, variable: str | None) -> dict[str, Any]:
    """The provider in Codex's form, with the variable that holds its key where there is one."""
    keyed = {"env_key": variable} if variable else {}
    return {"name": TITLE, "base_url": endpoint.openai, "wire_api": "responses", **keyed}


def qwen_code(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """The address and key of Qwen Code's OpenAI form, and the first model as the default one."""
    path = ("security", "auth")
    proof = (*path, "apiKey")
    return (
        _entry(file, (*path, "baseUrl"), endpoint.openai, proof),
        _entry(file, (*path, "selectedType"), "openai", proof, role="default"),
        _entry(file, ("model", "name"), MODELS[0], proof, role="default"),
        _entry(file, proof, endpoint.key, proof),
    )


def goose(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """A provider in a file of its own, and an entry in goose's configuration that names it."""
    provider: dict[str, Any] = {
        "name": ID,
        "engine": "openai",
        "display_name": TITLE,
        "description": "Chat routing on this machine",
        "base_url": f"{endpoint.openai}/chat/completions",
        "models": [{"name": model, "context_limit": WINDOW} for model in MODELS],
        "supports_streaming": True,
        "requires_auth": endpoint.key != LOCAL_KEY,
        "api_key_env": "" if endpoint.key == LOCAL_KEY else VARIABLE,
    }
    own = file.parent / "custom_providers" / OUR_FILE
    proof = ("active_provider",)
    chosen = {"enabled": True, "model": MODELS[0], "configured": True}
    return (
        *(_entry(own, (key,), value, ("name",)) for key, value in provider.items()),
        Entry(file=file, path=("providers", ID), value=chosen, ours=lambda _: True),
        _entry(file, proof, ID, proof, role="default"),
    )


def aider(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """The address and key of aider's OpenAI form, and the first model as the default one."""
    proof = ("openai-api-key",)
    return (
        _entry(file, ("openai-api-base",), endpoint.openai, proof),
        _entry(file, proof, endpoint.key, proof),
        _entry(file, ("model",), f"openai/{MODELS[0]}", proof, role="default"),
    )


def llm(file: Path, endpoint: Endpoint) -> tuple[Entry, ...]:
    """A model for each of ours, and their key in llm's file of keys."""
    able = {"vision": True, "supports_tools": True, "supports_schema": True}
    entries = []
    for model in MODELS:
        name = f"{ID}/{model}"
        value = {"model_id": name, "model_name": model, "api_base": endpoint.openai, "api_key_name": ID, **able}
        entries.append(Entry(file=file, path=(name,), value=value, ours=lambda _: True))
    return (*entries, _entry(file.parent / "keys.json", (ID,), endpoint.key, (ID,)))


def _entry(file: Path, path: tuple[str, ...], value: Any, proof: tuple[str, ...], *, role: Role = "own") -> Entry:
    return Entry(file=file, path=path, value=value, ours=lambda content: _is_ours(at(content, proof)), role=role)


def _is_ours(mark: Any) -> bool:
    """Whether a key, or the name of a file's content, is one that we write."""
    return isinstance(mark, str) and (mark in (ID, LOCAL_KEY, TITLE) or mark.startswith(KEY_PREFIX))
