"""The parts of an answer's text."""

from typing import Any

import pytest

from shared.routing.checks.blocks import fenced, unwrapped


def test_a_text_is_split_at_its_fences() -> None:
    found = fenced("One:\n```python\nx = 1\n```\nthen\n```text\nplain\n```\n``` js\ny()")
    assert found.code == (("python", "x = 1"), ("js", "y()"))
    assert found.prose == "One:\nthen\nplain"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('```json\n{"n": 1}\n```', '{"n": 1}'),
        ("Here it is:\n```\n[1]\n```\nDone.", "[1]"),
        ('{"n": "```json"}', '{"n": "```json"}'),
        ("```json\n{n: 1}\n```", "```json\n{n: 1}\n```"),
        ("```python\n1\n```", "```python\n1\n```"),
        ("```json\n1\n```\n```json\n2\n```", "```json\n1\n```\n```json\n2\n```"),
        (None, None),
    ],
)
def test_json_in_the_only_fence_is_unwrapped(text: Any, content: Any) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    assert unwrapped({"choices": [choice]})["choices"][0]["message"]["content"] == content
