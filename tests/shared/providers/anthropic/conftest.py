"""Transcripts of the Messages API, written after its public documentation."""

from collections.abc import Callable
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures" / "anthropic"


@pytest.fixture
def transcript() -> Callable[[str], bytes]:
    return lambda name: (FIXTURES / name).read_bytes()
