"""What the bridge reads of messages, held against the SDK's own reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value

from mcp_gateway.bridge.messages import answer_in, header_value, key_of, modern_headers, notices_of_change, parse


@given(st.text() | st.sampled_from(["", " ", "a b", " a", "=?base64?eA==?=", "models://registry", "ä"]))
def test_headers_are_as_the_sdk_writes_them(text: str) -> None:
    assert decode_header_value(header_value(text)) == text
    if text:
        assert header_value(text) == encode_header_value(text)


def test_only_requests_of_the_modern_era_name_a_revision() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    message = parse(
        json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "chat", "_meta": meta}}
        ).encode()
    )
    assert message is not None
    assert message.version == "2026-07-28"
    headers = modern_headers(message, "2026-07-28")
    assert (headers["mcp-method"], headers["mcp-name"]) == ("tools/call", "chat")
    older = parse(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {"progressToken": 1}}}')
    assert older is not None
    assert older.version is None


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'"x"', b'{"jsonrpc": "1.0", "method": "x"}', b"\xff"])
def test_what_is_no_message_is_none(line: bytes) -> None:
    assert parse(line) is None


def test_ids_of_different_kinds_are_different() -> None:
    assert len({key_of(1), key_of("1"), key_of(1.5)}) == 3


def test_an_answer_without_an_id_gets_the_requests() -> None:
    error = {"code": -32600, "message": "no"}
    assert json.loads(answer_in({"jsonrpc": "2.0", "id": None, "error": error}, "a") or b"") == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": error,
    }
    assert answer_in({"error": "One sentence.", "code": "unauthorized"}, "a") is None


def test_the_host_is_told_to_list_anew_what_it_was_promised_to_hear_of() -> None:
    capabilities = {"tools": {"listChanged": True}, "prompts": {}, "resources": {"listChanged": False}}
    told = notices_of_change({"result": {"capabilities": capabilities}})
    assert [json.loads(notice)["method"] for notice in told] == ["notifications/tools/list_changed"]
    assert notices_of_change(None) == []
