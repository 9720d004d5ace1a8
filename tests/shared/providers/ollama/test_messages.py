"""OpenAI's messages in Ollama's form."""

from typing import Any

import pytest

from shared.errors import InvalidInput, Unsupported
from shared.providers.ollama.messages import messages_of


def image(url: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def test_roles_and_texts() -> None:
    assert messages_of(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm.", "name": "x"},
        ]
    ) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One.\nTwo."},
        {"role": "assistant", "content": "No."},
        {"role": "assistant", "content": "Yes.", "thinking": "Hm."},
    ]


def test_the_old_form_of_calls() -> None:
    assert messages_of(
        [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}},
            {"role": "function", "name": "f", "content": "ok"},
        ]
    ) == [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
        {"role": "tool", "content": "ok", "tool_name": "f"},
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (None, {}),
        ("[1]", {"raw_arguments": "[1]"}),
        ('{"a": ', {"raw_arguments": '{"a": '}),
    ],
)
def test_arguments_are_objects(arguments: Any, expected: dict[str, Any]) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    (made,) = messages_of([{"role": "assistant", "content": None, "tool_calls": [call, "junk"]}])
    assert made["tool_calls"] == [{"id": "c1", "function": {"name": "f", "arguments": expected}}]


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("data:image/png;base64,QUJD", "QUJD"),
        ("data:;base64,QUJD", "QUJD"),
        ("data:image/svg+xml;charset=utf-8;BASE64,QUJD", "QUJD"),
        ("data:image/svg+xml,%41BC", "QUJD"),
    ],
)
def test_images_are_base64(url: str, data: str) -> None:
    assert messages_of(image(url)) == [{"role": "user", "content": "", "images": [data]}]


def test_an_image_may_be_named_by_its_url_alone() -> None:
    content = [{"type": "input_image", "image_url": "data:image/png;base64,QUJD"}]
    assert messages_of([{"role": "user", "content": content}])[0]["images"] == ["QUJD"]


@pytest.mark.parametrize("url", ["http://example.com/a.png", "https://example.com/a.png"])
def test_a_remote_image_is_not_possible(url: str) -> None:
    with pytest.raises(Unsupported) as seen:
        messages_of(image(url))
    assert seen.value.details["fields"][0]["field"] == "messages.0.content.0.image_url.url"  # type: ignore[index]


@pytest.mark.parametrize("url", ["QUJD", "file:///etc/passwd", "data:image/png", 7, None])
def test_a_malformed_image_is_the_callers_fault(url: Any) -> None:
    with pytest.raises(InvalidInput) as seen:
        messages_of(image(url))
    assert type(seen.value) is InvalidInput


@pytest.mark.parametrize("kind", ["input_audio", "file", "video_url"])
def test_other_parts_are_not_possible(kind: str) -> None:
    with pytest.raises(Unsupported, match=kind):
        messages_of([{"role": "user", "content": [{"type": kind}]}])
