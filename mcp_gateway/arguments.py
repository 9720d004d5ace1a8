"""The arguments of the tools, described for the model that fills them in."""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BeforeValidator, Field, model_validator

from shared.domain.models import Layer
from shared.domain.routing import Quality
from shared.domain.targets import Id, Path, refuse
from shared.domain.terminal import Command
from shared.domain.wire import Money, Wire

MAX_CHAT_CHARACTERS = 2_000_000
MAX_COMMAND_SECONDS = 50
DEFAULT_PAGE = 40
MAX_PAGE = 100

Text = Annotated[str, Field(min_length=1, max_length=MAX_CHAT_CHARACTERS)]


def _from_text(value: Any) -> Any:
    """Some hosts hand over a list as JSON text."""
    if isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


class ChatMessage(Wire):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Question(Wire):
    """What `explain_route` takes: what a chat is, and what bears on where it goes."""

    message: Text | None = Field(
        None,
        description="What to ask. Give either this or `messages`. The model sees nothing of your own conversation.",
    )
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000), BeforeValidator(_from_text)] | None = (
        Field(None, description="A conversation to go on with, oldest message first, instead of `message`.")
    )
    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        "auto",
        description="`auto` (the gateway picks the cheapest that can do it), a layer `L0` to `L3` (free to premium), "
        "or a model's `id` or `model` from `list_models`.",
    )
    system: Text | None = Field(None, description="Instructions for the model, put before the conversation.")
    max_layer: Layer | None = Field(
        None, description="With `auto`: the dearest layer it may go on to when cheaper ones cannot answer."
    )
    quality: Quality = Field(
        "normal",
        description="With `auto`: how much hangs on the answer; `high` starts in L1 where the message looks hard, "
        "`critical` in L2, which may cost money.",
    )
    max_tokens: Annotated[int, Field(ge=1, le=32_000)] | None = Field(
        None, description="Longest answer in tokens (1 to 32000). Leave out for the model's own limit."
    )
    budget_usd: Annotated[Money, Field(ge=0)] | None = Field(
        None, description="The most US dollars that all of it may cost; 0 leaves free models only."
    )
    allow_paid: bool = Field(False, description="`true`: models of the free layer L0 that cost money may be asked too.")
    session: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="A name for the conversation: calls of the same name stay with the same model."
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.message is not None and self.messages is not None:
            raise refuse("messages", "cannot be given together with 'message'")
        if self.message is None and self.messages is None:
            raise refuse("message", "this field is required (or 'messages')")
        return self


class ChatArguments(Question):
    """What `chat` takes."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None, description="0 for the likeliest answer, up to 2 for variety. Leave out for the model's own."
    )
    cross_check: bool = Field(False, description="Have a second model check the answer and correct it.")
    agreement: Annotated[int, Field(ge=0, le=2)] | None = Field(
        None, description="`2`: ask two cheap models at once, and go a layer up when they disagree."
    )
    escalate: bool | None = Field(
        None, description="`true`: go a layer up, as far as `maxLayer`, when the answer is not good enough."
    )


class ListModelsArguments(Wire):
    """What `list_models` takes."""

    layer: Layer | None = Field(None, description="Only this layer: L0 free, L1 cheap, L2 balanced, L3 premium.")
    provider: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Only this provider, e.g. `openrouter`, `openai`, `anthropic`, `oss-local`."
    )
    available: bool | None = Field(
        None, description="`true`: only models that can be used now. `false`: only those that cannot."
    )
    search: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Only models whose id or name contains this, in any case."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(
        DEFAULT_PAGE, description=f"Most models to return, 1 to {MAX_PAGE}."
    )
    cursor: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="`nextCursor` of the page before, to go on from there. Keep the other arguments the same."
    )


class RunCommandArguments(Wire):
    """What `run_command` takes."""

    command: Command = Field(
        description="A shell command line, as you would type it. Pipes, `&&`, redirections and several lines work. "
        "Its standard input is empty: nothing can be typed into it."
    )
    session_id: Id | None = Field(
        None,
        description="Id of an open terminal session to run it in; its directory and exported variables carry over from "
        "command to command. Leave out for a fresh shell on the gateway's machine.",
    )
    connection: Id | None = Field(
        None, description="Name or id of a saved connection (an SSH host) to run it there, instead of on this machine."
    )
    cwd: Path | None = Field(None, description="Absolute path of the directory to run it in.")
    timeout_seconds: Annotated[float, Field(gt=0, le=MAX_COMMAND_SECONDS)] = Field(
        30,
        description=f"Seconds it gets, {MAX_COMMAND_SECONDS} at most, before it is ended with all its children. "
        "Do longer work in the background.",
    )
    background: bool = Field(
        False,
        description="Start it on the gateway's machine and return at once with a `sessionId`, for `read_terminal` (output, "
        "wait for its end) and `close_terminal` (end it).",
    )
    approval_id: Id | None = Field(
        None,
        description="Id of an approval that a person has given for exactly this command, from the error that asked for it.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.session_id is not None and self.connection is not None:
            raise refuse("connection", "cannot be given together with 'sessionId'")
        if self.background:
            for name in ("session_id", "connection"):
                if getattr(self, name) is not None:
                    raise refuse(name, "cannot be given together with 'background'")
            if "timeout_seconds" in self.model_fields_set:
                raise refuse("timeout_seconds", "has no use with 'background'; leave it out")
        return self
