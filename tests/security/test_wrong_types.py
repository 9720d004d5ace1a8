"""Every documented field of every operation is given values of the wrong type and out of range: 400, and never a 500."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from http_api.app import ROWS
from http_api.openapi import describe
from tests.support.victim import Victim, of, refused

DOCUMENT = describe(ROWS, "0")
WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    10**40,
    -(10**18),
    "",
    "\u0000",
    "\u001b[2J",
    "x" * 100_000,
    "NaN",
    "1e999",
    [],
    [None],
    [[[]]],
    {},
    {"a": {"b": []}},
    {"__proto__": {"admin": True}},
)
PASSED_ON = {
    "chat",
    "explain_route",
    "messages",
    "count_tokens",
    "ollama_chat",
    "ollama_generate",
    "ollama_show",
    "responses",
}
"""What goes to a provider as it came, but for the fields that routing needs."""


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def variants(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects that a body may be, references looked up."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        yield schema
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from variants(part)


def fields() -> Iterator[Any]:
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or operation["operationId"] in PASSED_ON:
            continue
        for variant in variants(content["schema"]):
            kind = variant["properties"].get("type", {}).get("const")
            known = {"type": kind} if kind else {}
            for name, schema in variant["properties"].items():
                title = f"{operation['operationId']}{f'[{kind}]' if kind else ''}.{name}"
                yield pytest.param(method, path, known, name, schema, id=title)


def parameters() -> Iterator[Any]:
    for method, path, operation in operations():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                title = f"{operation['operationId']}?{parameter['name']}"
                yield pytest.param(method, path, parameter["name"], parameter["schema"], id=title)


def wrong_for(schema: Mapping[str, Any]) -> Iterator[Any]:
    """The values that the documented schema does not take."""
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return (value for value in WRONG if not validator.is_valid(value))


@pytest.mark.parametrize(("method", "path", "known", "name", "schema"), list(fields()))
def test_a_field_takes_no_wrong_type(
    local: Victim, method: str, path: str, known: dict[str, Any], name: str, schema: Mapping[str, Any]
) -> None:
    target, tried = path.replace("{", "").replace("}", ""), 0
    for value in wrong_for(schema):
        body = json.dumps({**known, name: value}).encode()
        sent = local.http.request(method, target, content=body, headers={"Content-Type": "application/json"})
        error = refused(of(sent), 400)
        named = [field["field"].partition(".")[0] for field in dict(error["details"])["fields"]]
        assert {name, "(body)"} & set(named), (value, error)
        tried += 1
    assert tried > 5


QUERIES = (
    "",
    "x",
    "-1",
    "1.5",
    "1e3",
    "0x10",
    "99999999999999999999",
    "NaN",
    "true",
    "2020-13-40",
    "%00",
    "%ff",
    "%F0%9F",
    "[]",
    "'--",
)


LENIENT = {"/v1/models"}
"""Clients of other APIs list models with parameters of theirs, which are ignored."""


@pytest.mark.parametrize(("method", "path", "name", "schema"), list(parameters()))
def test_a_parameter_takes_no_wrong_type(
    local: Victim, method: str, path: str, name: str, schema: Mapping[str, Any]
) -> None:
    target = path.replace("{", "").replace("}", "")
    text = "string" in json.dumps(schema) and "enum" not in json.dumps(schema) and "date-time" not in json.dumps(schema)
    for value in QUERIES:
        sent = local.http.request(method, f"{target}?{name}={value}")
        assert sent.status_code < 500, (value, sent.text)
        if sent.status_code >= 400:
            refused(of(sent), 400, 404)
        else:
            assert text or value in ("", "true", "1e3"), (value, sent.text[:200])
    refused(of(local.http.request(method, f"{target}?{name}=1&{name}=1")), 400)
    if path not in LENIENT:
        for unknown in (f"{name}[]=1", f"unknown={name}"):
            refused(of(local.http.request(method, f"{target}?{unknown}")), 400)


@pytest.mark.parametrize(
    "method_path",
    [(m, p) for m, p, o in operations() if "requestBody" in o and o["operationId"] not in PASSED_ON],
    ids=lambda v: f"{v[0]} {v[1]}",
)
def test_an_unknown_field_is_named(local: Victim, method_path: tuple[str, str]) -> None:
    method, path = method_path
    target = path.replace("{", "").replace("}", "")
    error = refused(of(local.http.request(method, target, json={"constructor": 1})), 400)
    assert "constructor" in json.dumps(error["details"])


CHAT: dict[str, Any] = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/route/explain"])
@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"]["ChatRequest"]["properties"])
def test_a_field_of_a_chat_takes_no_wrong_type(local: Victim, name: str, path: str) -> None:
    schema = DOCUMENT["components"]["schemas"]["ChatRequest"]["properties"][name]
    assert local.http.post(path, json=CHAT).status_code == 200
    for value in wrong_for(schema):
        error = refused(of(local.http.post(path, json={**CHAT, name: value})), 400)
        assert name in json.dumps(error["details"])


MESSAGE: dict[str, Any] = {**CHAT, "max_tokens": 8}
READ = ("model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "gateway")
"""Of a Messages request, what the gateway reads itself; for all else Anthropic has the word."""


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("name", READ)
def test_a_field_of_a_message_takes_no_wrong_type(local: Victim, name: str, path: str) -> None:
    schema = DOCUMENT["components"]["schemas"]["MessageRequest"]["properties"][name]
    tools = [{"name": "a", "input_schema": {"type": "object"}}] if name == "tool_choice" else []
    assert local.http.post(path, json={**MESSAGE, "tools": tools}).status_code == 200
    for value in wrong_for(schema):
        if value is None:
            continue  # as left out
        answer = local.http.post(path, json={**MESSAGE, "tools": tools, name: value})
        assert answer.status_code == 400, (value, answer.text)
        assert set(answer.json()) == {"type", "error", "details", "request_id"}
        assert name in json.dumps(answer.json()["details"]), (value, answer.text)


RESPONSE: dict[str, Any] = {"model": "scripted/scripted", "input": "hi"}


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"]["ResponseRequest"]["properties"])
def test_a_field_of_a_response_takes_no_wrong_type(local: Victim, name: str) -> None:
    schema = DOCUMENT["components"]["schemas"]["ResponseRequest"]["properties"][name]
    tools = [{"type": "function", "name": "a", "parameters": {"type": "object"}}] if name != "tools" else []
    asked = {**RESPONSE, "tools": tools}
    assert local.http.post("/v1/responses", json=asked).status_code == 200
    for value in wrong_for(schema):
        if value is None:
            continue  # as left out
        answer = local.http.post("/v1/responses", json={**asked, name: value})
        assert answer.status_code == 400, (value, answer.text)
        assert set(answer.json()) == {"error", "details", "requestId"}
        assert name in json.dumps(answer.json()["details"]), (value, answer.text)


def test_the_document_that_is_attacked_is_the_one_that_is_served(local: Victim) -> None:
    served = local.http.get("/openapi.json").json()
    assert served["paths"] == json.loads(json.dumps(DOCUMENT["paths"]))
