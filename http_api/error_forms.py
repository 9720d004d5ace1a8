"""The form of error bodies that a client reads, recognised by a table of its headers and paths. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ErrorForm = Literal["flat", "openai", "anthropic"]
ErrorFormat = Literal["auto", "flat", "openai", "anthropic"]
"""A setting: one form for every client, or `auto`, the form that each client reads."""

USER_AGENT = b"user-agent"


@dataclass(frozen=True, slots=True)
class Marker:
    """`header` is there, and, with `product`, one of the products in it begins so (lower case). `seen` names who sends it."""

    form: ErrorForm
    header: bytes
    product: str = ""
    seen: str = ""


MARKERS = (
    Marker("anthropic", b"anthropic-version", seen="Anthropic's SDKs, Claude Code"),
    Marker("anthropic", USER_AGENT, "anthropic", "Anthropic's SDKs"),
    Marker(
        "openai", b"x-stainless-lang", seen="OpenAI's SDKs, and what is built on them: langchain-openai, litellm, Cline"
    ),
    Marker("openai", USER_AGENT, "openai", "OpenAI's SDKs and agents"),
    Marker("openai", USER_AGENT, "ai-sdk", "Vercel AI SDK"),
    Marker("openai", USER_AGENT, "langchain", "langchain"),
    Marker("openai", USER_AGENT, "litellm", "litellm"),
    Marker("openai", USER_AGENT, "llama-index", "LlamaIndex"),
    Marker("openai", USER_AGENT, "pydantic-ai", "Pydantic AI"),
    Marker("openai", USER_AGENT, "opencode", "opencode"),
    Marker("openai", USER_AGENT, "continue", "Continue"),
    Marker("openai", USER_AGENT, "zed", "Zed"),
    Marker("openai", USER_AGENT, "cline", "Cline"),
    Marker("openai", USER_AGENT, "roo", "Roo Code"),
    Marker("openai", USER_AGENT, "kilo", "Kilo Code"),
    Marker("openai", USER_AGENT, "aider", "aider"),
    Marker("openai", USER_AGENT, "codex", "Codex"),
    Marker("openai", USER_AGENT, "goose", "goose"),
    Marker("openai", USER_AGENT, "cursor", "Cursor"),
)
PATHS: Mapping[str, ErrorForm] = {"/v1/messages": "anthropic", "/v1/responses": "openai", "/api": "flat"}
"""Prefixes of paths whose clients all read one form. Ollama's clients read `error` as a text, as it is in the flat form."""


NO_SERVER_ERRORS = ("/v1/responses",)
"""Prefixes of paths where 429 stands for every status of 500 and more: Codex makes 30 requests of one that gets a 500, and
one of one that gets a 429.
"""


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def status_for(status: int, path: str) -> int:
    """The status that the clients of a path get in place of another."""
    return 429 if status >= 500 and any(_is_under(path, prefix) for prefix in NO_SERVER_ERRORS) else status


def form_for(wanted: ErrorFormat, headers: Mapping[bytes, bytes], path: str) -> ErrorForm:
    """Return the form of errors that the client of a request reads."""
    if wanted != "auto":
        return wanted
    for prefix, form in PATHS.items():
        if _is_under(path, prefix):
            return form
    products = headers.get(USER_AGENT, b"").decode("latin-1").lower().split()
    for marker in MARKERS:
        if marker.header in headers and (
            not marker.product or any(product.startswith(marker.product) for product in products)
        ):
            return marker.form
    return "flat"
