from pathlib import Path

from tests.support.http_gateway import surface
from tests.support.http_stack import error_of


async def test_a_change_counts_at_once_and_is_shown_by_health(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        changed = await made.http.put("/v1/config", json={"defaultLayer": "L2", "costAlertThreshold": 2.5})
        assert changed.json()["success"] is True
        for shown in (await made.http.get("/v1/config"), await made.http.get("/health")):
            configuration = shown.json()["configuration"]
            assert (configuration["defaultLayer"], configuration["costAlertThreshold"]) == ("L2", 2.5)


async def test_a_change_that_is_not_valid_changes_nothing(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        before = (await made.http.get("/v1/config")).json()
        answer = await made.http.put("/v1/config", json={"defaultLayer": "L2", "costAlertThreshold": -1})
        assert answer.status_code == 400
        assert error_of(answer)["details"]["fields"][0]["field"] == "costAlertThreshold"
        assert (await made.http.get("/v1/config")).json() == before
