"""API keys whose commands are counted."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.http_gateway import Surface, surface

RUN = "/v1/terminal/execute"


async def key(made: Surface, **limits: int) -> dict[str, str]:
    """The headers of a new key."""
    answer = await made.http.post("/v1/keys", json={"name": "agent", "scopes": ["terminal", "admin"], **limits})
    assert answer.status_code == 201, answer.text
    assert limits.items() <= answer.json()["key"].items()
    return {"Authorization": f"Bearer {answer.json()['secret']}"}


async def run(made: Surface, headers: dict[str, str], command: str = "true", **more: Any) -> httpx.Response:
    return await made.http.post(RUN, json={"command": command, **more}, headers=headers)


async def test_no_more_commands_run_than_the_day_allows_however_many_are_asked_for_at_once(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        headers = await key(made, commandsPerDay=3)
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"}, headers=headers)
        path = f"/v1/terminal/{opened.json()['session']['id']}/execute"
        asked = [run(made, headers) for _ in range(4)]
        asked += [made.http.post(path, json={"command": "true"}, headers=headers) for _ in range(4)]
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 5
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert "3 commands a day (commandsPerDay)" in refused.json()["error"]
        assert int(refused.headers["retry-after"]) <= 86_400
        assert (await run(made, {})).status_code == 200


async def test_a_command_ends_when_the_seconds_of_the_day_are_used_up(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        headers = await key(made, commandSecondsPerDay=1)
        assert (await run(made, headers, timeoutMs=900)).json()["result"]["exitCode"] == 0
        cut = await run(made, headers, "sleep 60", timeoutMs=60_000)
        assert cut.json()["result"]["timedOut"] is True, cut.text
        refused = await run(made, headers)
        assert refused.status_code == 429
        assert "1 seconds of commands a day (commandSecondsPerDay)" in refused.json()["error"]


@pytest.mark.parametrize("limits", [{"commandsPerDay": 5}, {"commandSecondsPerDay": 5}])
async def test_what_cannot_be_counted_is_refused_with_the_reason(tmp_path: Path, limits: dict[str, int]) -> None:
    async with surface(tmp_path) as made:
        headers = await key(made, **limits)
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"}, headers=headers)
        typed = await made.http.post(
            f"/v1/terminal/{opened.json()['session']['id']}/send", json={"data": "true\n"}, headers=headers
        )
        assert (typed.status_code, "commandsPerDay" in typed.json()["error"]) == (403, True)
        more = await made.http.post("/v1/keys", json={"name": "b", "scopes": ["terminal"]}, headers=headers)
        assert more.status_code == 403


async def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        headers = await key(made, commandsPerDay=0, commandSecondsPerDay=0)
        assert [(await run(made, headers)).status_code for _ in range(3)] == [200, 200, 200]
