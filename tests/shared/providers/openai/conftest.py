"""Transcripts of OpenAI-compatible streams, written after the vendors' public documentation."""

from collections.abc import Callable
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures" / "openai"


@pytest.fixture
def transcript() -> Callable[[str], bytes]:
    return lambda name: (FIXTURES / f"{name}.sse").read_bytes()
