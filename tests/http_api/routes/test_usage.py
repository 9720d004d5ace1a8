from pathlib import Path

import pytest

from tests.support.http_gateway import MODEL, surface
from tests.support.http_stack import error_of

PRICED = {**MODEL, "pricePer1kInputTokens": 1, "pricePer1kOutputTokens": 2}
HELLO = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}


async def test_what_chats_used_is_summed(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=PRICED)
        spent = 0.0
        for _ in range(2):
            spent += (await made.http.post("/v1/chat/completions", json=HELLO)).json()["usage"]["cost"]
        report = (await made.http.get("/v1/usage?groupBy=model&from=2020-01-01T00:00:00Z")).json()
        assert [(group["group"], group["requests"]) for group in report["groups"]] == [(MODEL["id"], 2)]
        assert report["total"]["costUsd"] == pytest.approx(spent)
        stats = (await made.http.get("/v1/stats")).json()
        assert stats["byModel"] == {MODEL["id"]: 2}
        assert stats["costUsd"] == pytest.approx(spent)


@pytest.mark.parametrize(
    "query", ["from=yesterday", "groupBy=colour", "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"]
)
async def test_a_span_that_makes_no_sense_is_refused(tmp_path: Path, query: str) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.get(f"/v1/usage?{query}")
        assert answer.status_code == 400
        assert error_of(answer)["error"]
