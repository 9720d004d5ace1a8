"""Content parts as blocks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput, Unsupported
from shared.providers.anthropic.content import arguments_of, blocks_of, tool_id


def part(value: dict[str, Any]) -> dict[str, Any]:
    (block,) = blocks_of([value], "messages.0.content")
    return block


def test_text_becomes_a_block_and_blank_text_none() -> None:
    assert blocks_of("Hi", "c") == [{"type": "text", "text": "Hi"}]
    assert blocks_of("  \n", "c") == []
    assert blocks_of([{"type": "text", "text": ""}, {"type": "text", "text": "x"}], "c") == [
        {"type": "text", "text": "x"}
    ]
    assert blocks_of(None, "c") == []


def test_an_image_is_sent_inline_or_by_its_address() -> None:
    assert part({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K", "detail": "low"}}) == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"},
    }
    assert part({"type": "image_url", "image_url": {"url": "https://a.example/cat.png"}}) == {
        "type": "image",
        "source": {"type": "url", "url": "https://a.example/cat.png"},
    }
    assert part({"type": "input_image", "image_url": "data:image/JPG;base64,AA=="})["source"]["media_type"] == (
        "image/jpeg"
    )


def test_a_data_url_without_base64_is_encoded() -> None:
    block = part({"type": "image_url", "image_url": {"url": "data:image/gif,GIF%3B"}})
    assert block["source"] == {"type": "base64", "media_type": "image/gif", "data": "R0lGOw=="}


def test_a_file_becomes_a_document() -> None:
    assert part(
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    ) == {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    }
    assert part({"type": "file", "file": {"file_data": "JVBERi0="}})["source"]["media_type"] == "application/pdf"
    assert part({"type": "file", "file": {"file_data": "data:text/plain;base64,w6k="}})["source"] == {
        "type": "text",
        "media_type": "text/plain",
        "data": "é",
    }
    assert part({"type": "file", "file": {"file_id": "file_011"}})["source"] == {"type": "file", "file_id": "file_011"}
    assert part({"type": "input_file", "file_url": "https://a.example/a.pdf"})["source"] == {
        "type": "url",
        "url": "https://a.example/a.pdf",
    }


def test_a_text_file_that_is_not_base64_is_sent_as_it_is() -> None:
    assert part({"type": "file", "file": {"file_data": "data:text/csv;base64,a"}})["source"]["data"] == "a"


def test_cache_marks_stay_on_their_part() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    assert part({"type": "text", "text": "long", "cache_control": mark})["cache_control"] == mark


def test_blocks_of_anthropics_own_go_through() -> None:
    native = {"type": "document", "source": {"type": "url", "url": "https://a.example"}, "citations": {"enabled": True}}
    assert part(native) == native


@pytest.mark.parametrize("kind", ["input_audio", "video_url"])
def test_a_part_that_anthropic_has_no_block_for_is_named(kind: str) -> None:
    with pytest.raises(Unsupported) as caught:
        blocks_of([{"type": "text", "text": "x"}, {"type": kind}], "messages.3.content")
    assert caught.value.details["fields"][0]["field"] == "messages.3.content.1.type"  # type: ignore[index]
    assert kind in caught.value.message


@pytest.mark.parametrize(
    "value",
    [
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {}},
        {"type": "file", "file": {}},
        {"type": "file", "file": {"file_data": "data:broken"}},
    ],
)
def test_a_malformed_part_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        blocks_of([value], "messages.0.content")


def test_arguments_are_parsed_and_broken_ones_wrapped() -> None:
    assert arguments_of('{"a": 1}') == {"a": 1}
    assert arguments_of("") == arguments_of(None) == arguments_of("  ") == {}
    assert arguments_of('{"a": ') == {"raw_arguments": '{"a": '}
    assert arguments_of("[1]") == {"raw_arguments": "[1]"}
    assert arguments_of({"a": 1}) == {"a": 1}


@given(st.text())
def test_no_arguments_break_the_encoder(arguments: str) -> None:
    assert isinstance(arguments_of(arguments), dict)


def test_ids_keep_only_what_anthropic_allows() -> None:
    assert tool_id("functions.get:0", "x") == "functions_get_0"
    assert tool_id("toolu_01-A", "x") == "toolu_01-A"
    assert tool_id(None, "call_1") == tool_id("", "call_1") == "call_1"
