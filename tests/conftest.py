"""Fixtures for every test."""

import pytest

pytest_plugins = ["tests.support.databases", "tests.support.redis_servers"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
