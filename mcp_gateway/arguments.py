"""The arguments of the tools, described for the model that fills them in."""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.models import Layer, ModelId, Priority
from shared.domain.routing import Quality
from shared.domain.targets import Environment, Id, Path, refuse
from shared.domain.terminal import MAX_STDIN, Command
from shared.domain.wire import Money, Wire

MAX_CHAT_CHARACTERS = 2_000_000
MAX_CHAT_SECONDS = 50
MAX_COMMAND_SECONDS = 45
DEFAULT_PAGE = 40
MAX_PAGE = 100

UsageGrouping = Literal["day", "hour", "model", "provider", "layer", "key"]
Text = Annotated[str, Field(min_length=1, max_length=MAX_CHAT_CHARACTERS)]


def from_text(value: Any) -> Any:
    """Some hosts hand over a list as JSON text."""
    if isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def at_most(limit: float, instead: str) -> BeforeValidator:
    """Refuse a larger number with what to do `instead`; the schema has its maximum from the field."""

    def check(value: Any) -> Any:
        if isinstance(value, int | float) and value > limit:
            raise PydanticCustomError(
                "too_long", "must be less than or equal to {limit}; {instead}", {"limit": limit, "instead": instead}
            )
        return value

    return BeforeValidator(check)


class ChatMessage(Wire):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Question(Wire):
    """What `explain_route` takes: what a chat is, and what bears on where it goes."""

    message: Text | None = Field(
        None, description="What to ask; the model sees nothing of your own conversation. Or give `messages`."
    )
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000), BeforeValidator(from_text)] | None = (
        Field(None, description="A conversation to go on with, oldest first.")
    )
    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        "auto", description="`auto`, a layer `L0` to `L3`, or an `id` from `list_models`."
    )
    system: Text | None = Field(None, description="Instructions for the model.")
    max_layer: Layer | None = Field(None, description="The dearest layer that `auto` may go on to.")
    quality: Quality = Field(
        "normal",
        description="How much hangs on it: with `auto`, `high` starts in L1 where the message looks hard, `critical` "
        "in L2, which may cost money.",
    )
    max_tokens: Annotated[int, Field(ge=1, le=32_000)] | None = Field(None, description="Longest answer in tokens.")
    budget_usd: Annotated[Money, Field(ge=0)] | None = Field(
        None, description="The most US dollars that all of it may cost; 0: free models only."
    )
    allow_paid: bool = Field(False, description="Models of L0 that cost money may be asked too.")
    session: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="A name for the conversation; calls of the same name stay with one model."
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.message is not None and self.messages is not None:
            raise refuse("messages", "cannot be given together with 'message'")
        if self.message is None and self.messages is None and not self._goes_on:
            raise refuse("message", "this field is required (or 'messages')")
        return self

    @property
    def _goes_on(self) -> bool:
        """Whether it is about a chat that has begun."""
        return False


class ChatArguments(Question):
    """What `chat` takes."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(None, description="0: the likeliest answer.")
    cross_check: bool = Field(False, description="Have a second model check the answer and correct it.")
    agreement: Annotated[int, Field(ge=0, le=2)] | None = Field(
        None, description="2: ask two cheap models, and go a layer up when they disagree."
    )
    escalate: bool | None = Field(
        None, description="Go a layer up, as far as `maxLayer`, when the answer is not good enough."
    )
    wait_seconds: Annotated[
        float,
        Field(ge=0, le=MAX_CHAT_SECONDS),
        at_most(MAX_CHAT_SECONDS, "the answer then has a 'chatId', with which chat can be called again to wait on"),
    ] = Field(MAX_CHAT_SECONDS, description="How long this call waits for the answer; 0 only begins it.")
    chat_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Of a chat that goes on: wait for the rest of its answer. Only `waitSeconds` goes with it."
    )

    @model_validator(mode="after")
    def _only_waits(self) -> Self:
        if self.chat_id is not None:
            for name in self.model_fields_set - {"chat_id", "wait_seconds"}:
                if getattr(self, name) is not None:
                    raise refuse(name, "cannot be given together with 'chatId'")
        return self

    @property
    def _goes_on(self) -> bool:
        return self.chat_id is not None


class ListModelsArguments(Wire):
    """What `list_models` takes."""

    layer: Layer | None = Field(None, description="Only this layer.")
    provider: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Only this one, e.g. `openrouter`, `oss-local`."
    )
    available: bool | None = Field(None, description="Only models that can (or cannot) be used now.")
    search: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Only models whose id or name contains this."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(DEFAULT_PAGE, description="Most models to return.")
    cursor: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="`nextCursor` of the page before; keep the other arguments the same."
    )


class SetModelArguments(Wire):
    """What `set_model` takes."""

    model: ModelId = Field(description="`id` from `list_models`.")
    enabled: bool | None = Field(None, description="Turn it on or off.")
    layer: Layer | None = Field(None, description="Move it to this layer.")
    priority: Priority | None = Field(None, description="Its place in the layer; 0 is asked first.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.enabled is None and self.layer is None and self.priority is None:
            raise refuse("enabled", "this field is required (or 'layer', or 'priority')")
        return self


class SetLayerArguments(Wire):
    """What `set_layer` takes."""

    layer: Layer = Field(description="Which.")
    enabled: bool | None = Field(None, description="Turn it on or off; its models keep their own state.")
    order: Annotated[list[ModelId], Field(min_length=1, max_length=100), BeforeValidator(from_text)] | None = Field(
        None, description="Ids of its models, first choice first; the others follow as they were."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.enabled is None and self.order is None:
            raise refuse("enabled", "this field is required (or 'order')")
        return self


class UsageArguments(Wire):
    """What `usage` takes."""

    days: Annotated[int, Field(ge=1, le=366)] = Field(1, description="How many days back, today (UTC) included.")
    group_by: UsageGrouping = Field("model", description="What to sum by.")
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(None, description="Only this model.")
    layer: Layer | None = Field(None, description="Only this layer.")
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = Field(20, description="Most groups to return, dearest first.")


class RunCommandArguments(Wire):
    """What `run_command` takes."""

    command: Command = Field(description="A shell command line; pipes, `&&`, redirections and several lines work.")
    session_id: Id | None = Field(
        None, description="Open session to run it in, whose directory and exported variables it shares."
    )
    connection: Id | None = Field(None, description="Saved connection (an SSH host) to run it on.")
    cwd: Path | None = Field(None, description="Directory to run it in.")
    stdin: Annotated[str, Field(max_length=MAX_STDIN)] | None = Field(
        None, repr=False, description="Text for its standard input, which is empty otherwise."
    )
    env: Annotated[Environment, BeforeValidator(from_text)] | None = Field(
        None, repr=False, description="Environment variables to add."
    )
    timeout_seconds: Annotated[
        float,
        Field(gt=0, le=MAX_COMMAND_SECONDS),
        at_most(
            MAX_COMMAND_SECONDS,
            "for a command that takes longer set 'background' to true and leave 'timeoutSeconds' out, then wait for its end with read_terminal",
        ),
    ] = Field(
        30,
        description="After these, waiting for the session's earlier commands included, it is ended with all its children.",
    )
    background: bool = Field(
        False, description="Start it and return at once with a `sessionId`, to read, signal and close."
    )
    sandbox: bool = Field(
        True,
        description="False: without the sandbox of local commands, where that is why it failed; the user is asked.",
    )
    sudo: bool = Field(False, description="On an SSH host: as root by sudo, with the stored password.")
    approval_id: Id | None = Field(
        None, description="Of an approval given for exactly this command, from the error that asked for it."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.session_id is not None and self.connection is not None:
            raise refuse("connection", "cannot be given together with 'sessionId'")
        if not self.sandbox and (self.session_id is not None or self.connection is not None):
            raise refuse("sandbox", "is decided when a session is opened, and is not for hosts; leave it out")
        if self.background:
            if self.session_id is not None:
                raise refuse("session_id", "cannot be given together with 'background', which has a session of its own")
            if self.stdin is not None:
                raise refuse("stdin", "cannot be given together with 'background'; type with send_to_terminal")
            if "timeout_seconds" in self.model_fields_set:
                raise refuse("timeout_seconds", "has no use with 'background'; leave it out")
            if self.sudo:
                raise refuse("sudo", "cannot be given together with 'background'")
        return self
