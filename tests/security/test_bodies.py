"""Bodies that are no sound JSON, or not what they say they are."""

import json

import pytest

from tests.support.victim import Victim, refused

PATHS = ["/v1/chat/completions", "/v1/models", "/v1/auth/login", "/v1/terminal/term-1/execute"]


def post(path: str, body: bytes, headers: bytes = b"Content-Type: application/json\r\n") -> bytes:
    start = b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % path.encode()
    return start + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


BROKEN = {
    "nothing but blanks": b"   ",
    "a number": b"1",
    "a text": b'"x"',
    "null": b"null",
    "a list": b"[]",
    "two values": b"{}{}",
    "an end missing": b'{"messages":[',
    "a comma too many": b'{"a":1,}',
    "a comment": b'{"a":1/**/}',
    "single quotes": b"{'a':1}",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus Infinity": b'{"a":-Infinity}',
    "nan as text of a number": b'{"a":nan}',
    "a leading zero": b'{"a":01}',
    "a hexadecimal number": b'{"a":0x1}',
    "lists 100,000 deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "lists 500 deep": b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    "lists without an end": b'{"a":' + b"[" * 100_000,
    "an invalid byte": b'{"a":"\xff"}',
    "an overlong slash": b'{"a":"\xc0\xaf"}',
    "half a character": b'{"a":"\xf0\x9f\x98"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "surrogates the wrong way round": b'{"a":"\\udc00\\ud800"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-7": b"+AHs-+AH0-",
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "a bare control character": b'{"a":"\x01"}',
    "a bare NUL": b'{"a":"\x00"}',
    "NUL behind the end": b'{"a":1}\x00',
    "a form": b"username=admin&password=x",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_no_json_object_is_refused(local: Victim, path: str, body: bytes) -> None:
    refused(local.raw(post(path, body)), 400, code="invalid_request")


@pytest.mark.parametrize("number", ["9" * 400, "1e999", "-1e999", "1e-999999", "0." + "9" * 100_000, "9" * 100_000])
@pytest.mark.parametrize("field", ["n", "max_tokens", "temperature", "seed"])
def test_huge_numbers_break_nothing(local: Victim, field: str, number: str) -> None:
    body = b'{"messages":[{"role":"user","content":"hi"}],"%s":%s}' % (field.encode(), number.encode())
    answer = local.raw(post("/v1/chat/completions", body))
    if answer.status != 200:
        refused(answer, 400)


@pytest.mark.parametrize("path", PATHS[:3])
def test_a_nul_character_in_a_text_is_refused(local: Victim, path: str) -> None:
    refused(local.raw(post(path, b'{"username":"a\\u0000b","id":"a\\u0000b","messages":"a\\u0000b"}')), 400)


def test_of_a_name_given_twice_the_last_value_counts_everywhere(local: Victim) -> None:
    body = b'{"username":"admin","username":"nobody","password":"x"}'
    refused(local.raw(post("/v1/auth/login", body)), 401)
    twice = b'{"id":"twice/1","id":"twice/2","provider":"openai","apiModelName":"scripted","layer":"L1","layer":"L0"}'
    made = local.raw(post("/v1/models", twice))
    assert made.status == 201
    assert (made.json()["model"]["id"], made.json()["model"]["layer"]) == ("twice/2", "L0")
    assert local.http.delete("/v1/models/twice%2F2").status_code == 200


def test_thousands_of_fields_are_named_without_a_book(local: Victim) -> None:
    body = json.dumps({f"field{number}": 1 for number in range(20_000)}).encode()
    answer = local.raw(post("/v1/models", body))
    refused(answer, 400)
    assert len(answer.body) < 100_000


MEDIA = {
    "none": b"",
    "text": b"Content-Type: text/plain\r\n",
    "a form": b"Content-Type: application/x-www-form-urlencoded\r\n",
    "parts": b"Content-Type: multipart/form-data; boundary=x\r\n",
    "another charset": b"Content-Type: application/json; charset=utf-16\r\n",
    "JSON as a parameter": b"Content-Type: text/plain; application/json\r\n",
    "JSON in a longer name": b"Content-Type: application/jsonx\r\n",
    "two": b"Content-Type: text/plain, application/json\r\n",
    "empty": b"Content-Type: \r\n",
    "gzip": b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    "deflate": b"Content-Type: application/json\r\nContent-Encoding: deflate\r\n",
    "gzip beside identity": b"Content-Type: application/json\r\nContent-Encoding: identity, gzip\r\n",
}


@pytest.mark.parametrize("path", [*PATHS, "/mcp", "/messages/?session_id=0"])
@pytest.mark.parametrize("headers", MEDIA.values(), ids=MEDIA)
def test_a_body_is_json_as_it_is_or_refused(local: Victim, path: str, headers: bytes) -> None:
    refused(local.raw(post(path, b"{}", headers)), 415)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/chat/completions", 10 * 1024 * 1024),
        ("/v1/route/explain", 10 * 1024 * 1024),
        ("/mcp", 10 * 1024 * 1024),
        ("/messages/?session_id=0", 10 * 1024 * 1024),
        ("/v1/models", 1024 * 1024),
        ("/v1/auth/login", 1024 * 1024),
        ("/v1/terminal/sessions", 1024 * 1024),
    ],
)
def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(either: Victim, path: str, limit: int) -> None:
    head = post(path, b"")[: -len(b"Content-Length: 0\r\n\r\n")] + b"Content-Length: %d\r\n\r\n" % (limit + 1)
    authorization = b"Authorization: Bearer %s\r\nContent-Length" % either.token.encode()
    refused(either.raw(head.replace(b"Content-Length", authorization)), 413, code="body_too_large")


def test_a_body_that_does_not_say_how_large_it_is_is_counted(local: Victim) -> None:
    head = post("/v1/models", b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    refused(local.raw(head + chunk * 20), 413, code="body_too_large")


RPC = b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_no_message_is_refused_by_mcp_in_its_own_form(local: Victim, body: bytes) -> None:
    answer = local.raw(post("/mcp", body, RPC))
    assert answer.status == 400, answer.body[:300]
    assert answer.json()["error"]["code"] < 0
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [b"Content-Type: application/json\r\n", b"Content-Type: application/json\r\nAccept: text/html\r\n"],
    ids=["no accept", "html"],
)
def test_mcp_answers_nobody_who_cannot_read_its_forms(local: Victim, headers: bytes) -> None:
    message = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert local.raw(post("/mcp", message, headers)).status == 406
