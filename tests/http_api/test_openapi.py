import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from http_api.app import ROWS
from http_api.openapi import describe
from http_api.openapi_chat import CHAT_SCHEMAS
from http_api.openapi_options import MEANINGS
from http_api.routing import PARAMETER
from shared.domain.chat import FIELD_RULES
from shared.domain.routing import RoutingOptions
from tests.support.http_gateway import surface


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(ROWS, "1.2.3")


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, item) for path, methods in document["paths"].items() for method, item in methods.items()]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"


def test_every_row_is_described(document: dict[str, Any]) -> None:
    described = {(path, method) for path, method, _ in operations(document)}
    rows = {(PARAMETER.sub(r"{\1}", row.path), row.method.lower()) for row in ROWS}
    assert rows <= described
    assert described - rows == {
        ("/v1/chat/completions", "post"),
        ("/v1/messages", "post"),
        ("/v1/messages/count_tokens", "post"),
        ("/v1/responses", "post"),
        ("/api/chat", "post"),
        ("/api/generate", "post"),
        ("/api/tags", "get"),
        ("/api/show", "post"),
        ("/api/version", "get"),
        ("/metrics", "get"),
        ("/openapi.json", "get"),
    }


def test_every_reference_leads_somewhere_and_nothing_lies_about(document: dict[str, Any]) -> None:
    found = references(document)
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} <= found


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [item["operationId"] for _, _, item in operations(document)]
    assert len(set(names)) == len(names)


def test_parameters_of_paths_are_declared_and_not_asked_for_twice(document: dict[str, Any]) -> None:
    for path, _, item in operations(document):
        in_path = {parameter["name"] for parameter in item.get("parameters", ()) if parameter["in"] == "path"}
        assert in_path == {match[1] for match in PARAMETER.finditer(path)}
        body = item.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        assert not in_path & set(body.get("properties", {})), path


def test_requests_speak_camel_case_and_refuse_the_unknown(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/models/{id}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert "apiModelName" in body["properties"]
    assert body["additionalProperties"] is False
    query = document["paths"]["/v1/terminal/{id}/output"]["get"]["parameters"]
    assert {parameter["name"] for parameter in query} == {"id", "cursor", "waitMs", "view", "strip", "attributes"}


async def test_a_body_is_said_to_be_needed_just_where_its_lack_is_refused(
    document: dict[str, Any], tmp_path: Path
) -> None:
    async with surface(tmp_path) as made:
        for path, method, item in operations(document):
            if "requestBody" in item:
                url = re.sub(r"\{\w+\}", "nothing", path.replace("{layer}", "L0"))
                answer = await made.http.request(method, url)
                assert item["requestBody"]["required"] == (answer.status_code == 400), (method, path, answer.text)


def test_the_chats_documented_fields_are_those_that_are_checked() -> None:
    documented = set(CHAT_SCHEMAS["ChatRequest"]["properties"])
    assert documented - set(FIELD_RULES) == {"gateway"}


def test_every_option_of_a_chat_says_what_it_means(document: dict[str, Any]) -> None:
    options = document["components"]["schemas"]["RoutingOptions"]["properties"]
    assert set(options) == {field.alias for field in RoutingOptions.model_fields.values()}
    assert set(options) == set(MEANINGS)
    assert all(option["description"] for option in options.values())


def test_what_takes_a_chat_takes_its_body_and_its_headers(document: dict[str, Any]) -> None:
    explain = document["paths"]["/v1/route/explain"]["post"]
    assert explain["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/ChatRequest")
    chat = document["paths"]["/v1/chat/completions"]["post"]
    names = [{parameter["name"] for parameter in item["parameters"]} for item in (explain, chat)]
    assert names[0] <= names[1]
    assert {"X-Gateway-Options", "X-Gateway-Escalation", "X-Gateway-Session"} <= names[0]


def test_the_chat_lets_unknown_fields_through(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["ChatRequest"]["additionalProperties"] is True


def test_only_public_paths_are_without_security(document: dict[str, Any]) -> None:
    free = {path for path, _, item in operations(document) if item.get("security") == []}
    assert free == {"/health", "/v1/auth/login"}
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}


async def test_what_is_answered_fits_what_is_described(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        document = (await made.http.get("/openapi.json")).json()
        checked = 0
        for path, method, item in operations(document):
            if method != "get" or "{" in path or path in ("/metrics", "/openapi.json"):
                continue
            answer = await made.http.get(path)
            assert answer.status_code == 200, path
            schema = item["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(answer.json(), {**schema, "components": document["components"]})
            checked += 1
        assert checked > 10
