"""The tools, prompts and resources that the conformance suite expects of a server made for it."""

import asyncio
import base64
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from mcp import MCPError
from mcp.server.subscriptions import PromptsListChanged, ServerEvent, ToolsListChanged
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    PromptMessage,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

from mcp_gateway import client_log
from mcp_gateway.identity import Context

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(
    b"RIFF" + (38).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\1\0"
    + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\2\0\x10\0data" + (2).to_bytes(4, "little") + b"\0\0"
).decode()  # fmt: skip
KEY = b"the key of a server that only tests"

Answer = CallToolResult | InputRequiredResult
Run = Callable[[Context, CallToolRequestParams], Awaitable[Answer]]


@dataclass(frozen=True)
class Fixture:
    """A tool of the suite."""

    description: str
    run: Run
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


def text(words: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=words)], is_error=is_error)


def gives(*content: ContentBlock) -> Run:
    """A tool that always answers the same."""

    async def run(context: Context, params: CallToolRequestParams) -> Answer:
        return CallToolResult(content=[*content])

    return run


def embedded(uri: str, words: str, kind: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=words))


IMAGE = ImageContent(type="image", data=PIXEL, mime_type="image/png")


async def fails(context: Context, params: CallToolRequestParams) -> Answer:
    return text("This tool intentionally returns an error for testing", is_error=True)


async def logs(context: Context, params: CallToolRequestParams) -> Answer:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await client_log.tell(context, "warning", "fixture", {"message": words})
    return text("logged")


async def progresses(context: Context, params: CallToolRequestParams) -> Answer:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100, f"Completed step {done} of 100")
        await asyncio.sleep(0.05)
    return text("progressed")


async def samples(context: Context, params: CallToolRequestParams) -> Answer:
    message = SamplingMessage(
        role="user", content=TextContent(type="text", text=str((params.arguments or {})["prompt"]))
    )
    request = CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))
    from mcp.shared.message import ServerMessageMetadata

    answer = await context.session.send_request(
        request, CreateMessageResult, metadata=ServerMessageMetadata(related_request_id=context.request_id)
    )
    return text(f"LLM response: {getattr(answer.content, 'text', '')}")


def elicits(message: str, properties: dict[str, Any], required: list[str]) -> Run:
    """A tool that asks a question in the older era's way."""

    async def run(context: Context, params: CallToolRequestParams) -> Answer:
        schema = {"type": "object", "properties": properties, "required": required}
        words = (params.arguments or {}).get("message", message)
        answer = await context.session.elicit_form(words, schema, related_request_id=context.request_id)
        return text(f"User response: action={answer.action}, content={json.dumps(answer.content or {})}")

    return run


DEFAULTS = {
    "name": {"type": "string", "description": "Name", "default": "John Doe"},
    "age": {"type": "integer", "description": "Age", "default": 30},
    "score": {"type": "number", "description": "Score", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "description": "Verified", "default": True},
}


def titled(*names: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": name} for number, name in enumerate(names, 1)]


ENUMS = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {"type": "string", "oneOf": titled("First", "Second", "Third")},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
    "titledMulti": {"type": "array", "items": {"anyOf": titled("First", "Second", "Third")}},
}


async def reconnects(context: Context, params: CallToolRequestParams) -> Answer:
    if context.close_sse_stream is not None:
        await context.close_sse_stream()
        await asyncio.sleep(0.2)
    return text("Reconnection test completed")


async def needs_sampling(context: Context, params: CallToolRequestParams) -> Answer:
    able = context.session.client_capabilities
    if able is None or able.sampling is None:
        wanted = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs the capability 'sampling'.", wanted)
    return text("The client can sample.")


def changes(event: ServerEvent, publish: Callable[[ServerEvent], Awaitable[None]]) -> Run:
    """A tool after which something has changed."""

    async def run(context: Context, params: CallToolRequestParams) -> Answer:
        await publish(event)
        return text("changed")

    return run


def asks(name: str, message: str, field_name: str, kind: str = "string") -> dict[str, ElicitRequest]:
    schema = {"type": "object", "properties": {field_name: {"type": kind}}, "required": [field_name]}
    return {name: ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))}


def asks_model(name: str, words: str, most: int) -> dict[str, CreateMessageRequest]:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=words))
    return {name: CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=most))}


def sealed(state: str) -> str:
    return f"{state}.{hmac.new(KEY, state.encode(), sha256).hexdigest()}"


def opened(sealed_state: str | None) -> str:
    state = (sealed_state or "").rpartition(".")[0]
    if not hmac.compare_digest(sealed(state), sealed_state or ""):
        raise MCPError(INVALID_PARAMS, "The requestState is not what this server gave.")
    return state


def said(params: CallToolRequestParams | GetPromptRequestParams, name: str) -> Any:
    """What the client answered to a question; None when it did not, or not in the question's form."""
    return (params.input_responses or {}).get(name)


async def asks_name(context: Context, params: CallToolRequestParams) -> Answer:
    answer = said(params, "user_name")
    if not isinstance(answer, ElicitResult):
        return InputRequiredResult(input_requests=asks("user_name", "What is your name?", "name"))
    return text(f"Hello, {(answer.content or {}).get('name', 'stranger')}!")


async def asks_capital(context: Context, params: CallToolRequestParams) -> Answer:
    answer = said(params, "capital_question")
    if answer is None:
        return InputRequiredResult(input_requests=asks_model("capital_question", "What is the capital of France?", 100))
    return text(str(getattr(answer.content, "text", answer)))


async def asks_roots(context: Context, params: CallToolRequestParams) -> Answer:
    answer = said(params, "client_roots")
    if answer is None:
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return text("roots: " + ", ".join(str(root.uri) for root in answer.roots))


async def keeps_state(context: Context, params: CallToolRequestParams) -> Answer:
    if said(params, "confirm") is None:
        question = asks("confirm", "Please confirm", "ok", "boolean")
        return InputRequiredResult(input_requests=question, request_state=sealed("confirming"))
    opened(params.request_state)
    return text("state-ok")


async def asks_much(context: Context, params: CallToolRequestParams) -> Answer:
    if not {"user_name", "greeting", "client_roots"} <= set(params.input_responses or {}):
        questions = {
            **asks("user_name", "What is your name?", "name"),
            **asks_model("greeting", "Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        }
        return InputRequiredResult(input_requests=questions, request_state=sealed("three"))
    opened(params.request_state)
    return text("all three answered")


async def asks_twice(context: Context, params: CallToolRequestParams) -> Answer:
    if params.request_state is None:
        question = asks("step1", "Step 1: What is your name?", "name")
        return InputRequiredResult(input_requests=question, request_state=sealed("one"))
    if opened(params.request_state) == "one":
        question = asks("step2", "Step 2: What is your favorite color?", "color")
        return InputRequiredResult(input_requests=question, request_state=sealed("two"))
    return text("both answered")


async def asks_what_it_may(context: Context, params: CallToolRequestParams) -> Answer:
    able = context.session.client_capabilities
    questions: dict[str, Any] = {}
    if able is not None and able.sampling is not None:
        questions |= asks_model("greeting", "Generate a greeting", 50)
    if able is not None and able.elicitation is not None:
        questions |= asks("user_name", "What is your name?", "name")
    return InputRequiredResult(input_requests=questions) if questions else text("nothing to ask")


def takes(**properties: str) -> dict[str, Any]:
    fields = {name: {"type": "string", "description": words} for name, words in properties.items()}
    return {"type": "object", "properties": fields, "required": [*fields]}


ADDRESS = {
    "$anchor": "addressDef",
    "type": "object",
    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
}
LATEST_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": ADDRESS},
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
IN_HEADERS = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "priority": {"type": "integer", "x-mcp-header": "Priority"},
        "query": {"type": "string"},
    },
}


def tools(publish: Callable[[ServerEvent], Awaitable[None]]) -> Mapping[str, Fixture]:
    """All tools of the suite."""
    enums = elicits("Please choose", ENUMS, [])
    return {
        "test_simple_text": Fixture(
            "Gives text", gives(TextContent(type="text", text="This is a simple text response for testing."))
        ),
        "test_image_content": Fixture("Gives an image", gives(IMAGE)),
        "test_audio_content": Fixture(
            "Gives sound", gives(AudioContent(type="audio", data=SILENCE, mime_type="audio/wav"))
        ),
        "test_embedded_resource": Fixture(
            "Gives a resource", gives(embedded("test://embedded-resource", "This is an embedded resource content."))
        ),
        "test_multiple_content_types": Fixture(
            "Gives several things",
            gives(
                TextContent(type="text", text="Multiple content types test:"),
                IMAGE,
                embedded("test://mixed-content-resource", '{"test": "data", "value": 123}', "application/json"),
            ),
        ),
        "test_error_handling": Fixture("Fails", fails),
        "test_tool_with_logging": Fixture("Logs", logs),
        "test_logging_tool": Fixture("Logs", logs),
        "test_tool_with_progress": Fixture("Reports progress", progresses),
        "test_sampling": Fixture("Asks the client's model", samples, takes(prompt="What to ask")),
        "test_elicitation": Fixture(
            "Asks the user",
            elicits("", {"response": {"type": "string", "description": "The response"}}, ["response"]),
            takes(message="What to ask"),
        ),
        "test_elicitation_sep1034_defaults": Fixture("Asks with defaults", elicits("Please check", DEFAULTS, [])),
        "test_elicitation_sep1330_enums": Fixture("Asks with choices", enums),
        "test_reconnection": Fixture("Closes its stream", reconnects),
        "json_schema_2020_12_tool": Fixture("Tool with JSON Schema 2020-12 features", fails, LATEST_SCHEMA),
        "test_missing_capability": Fixture("Needs sampling", needs_sampling),
        "test_streaming_elicitation": Fixture("Asks", asks_name),
        "test_trigger_tool_change": Fixture("Changes the tools", changes(ToolsListChanged(), publish)),
        "test_trigger_prompt_change": Fixture("Changes the prompts", changes(PromptsListChanged(), publish)),
        "test_custom_headers": Fixture("Takes headers", gives(TextContent(type="text", text="ok")), IN_HEADERS),
        "test_input_required_result_elicitation": Fixture("Asks for a name", asks_name),
        "test_input_required_result_sampling": Fixture("Asks a model", asks_capital),
        "test_input_required_result_list_roots": Fixture("Asks for roots", asks_roots),
        "test_input_required_result_request_state": Fixture("Keeps state", keeps_state),
        "test_input_required_result_tampered_state": Fixture("Keeps state", keeps_state),
        "test_input_required_result_multiple_inputs": Fixture("Asks three things", asks_much),
        "test_input_required_result_multi_round": Fixture("Asks twice", asks_twice),
        "test_input_required_result_capabilities": Fixture("Asks what it may", asks_what_it_may),
    }


def prompt(*content: ContentBlock) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=part) for part in content])


def say(words: str) -> TextContent:
    return TextContent(type="text", text=words)


async def written(params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    """A prompt of the suite."""
    given = params.arguments or {}
    if params.name == "test_simple_prompt":
        return prompt(say("This is a simple prompt for testing."))
    if params.name == "test_prompt_with_arguments":
        return prompt(say(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"))
    if params.name == "test_prompt_with_embedded_resource":
        resource = embedded(given["resourceUri"], "Embedded resource content for testing.")
        return prompt(resource, say("Please process the embedded resource above."))
    if params.name == "test_prompt_with_image":
        return prompt(IMAGE, say("Please analyze the image above."))
    if said(params, "user_context") is None:
        return InputRequiredResult(
            input_requests=asks("user_context", "What context should the prompt use?", "context")
        )
    return prompt(say("With that context."))


PROMPTS: Mapping[str, tuple[str, ...]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}

TEXTS: Mapping[str, str] = {
    "test://static-text": "This is the content of the static text resource.",
    "test://watched-resource": "Watched resource content",
}
BINARY = "test://static-binary"
TEMPLATE = "test://template/{id}/data"
