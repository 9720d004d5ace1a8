"""The agents under test: `make agents` installs them and says where, and nothing else runs these tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agents.agents import Agent, ClaudeCode, Cline, Codex, OpenCode
from tests.agents.stand import Stand, standing

WHERE = "AGENTS"
"""The variable with the folder that they were installed into."""
AGENTS = {"claude_code": ClaudeCode, "opencode": OpenCode, "cline": Cline, "codex": Codex}


@pytest.fixture
def programs() -> Path:
    """The folder with their programs."""
    folder = os.environ.get(WHERE)
    if not folder:
        pytest.skip("coding agents run with `make agents` only")
    return Path(folder) / "node_modules" / ".bin"


@pytest.fixture
async def stand(programs: Path, tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(programs, tmp_path) as made:
        yield made


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest, stand: Stand) -> Agent:
    """Each agent in turn."""
    name: str = request.param
    made: Agent = AGENTS[name](stand)
    return made
