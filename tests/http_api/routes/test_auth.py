from pathlib import Path

import pytest

from tests.support.http_gateway import PASSWORD, surface
from tests.support.http_stack import error_of

ADMIN = {"username": "admin", "password": PASSWORD}


async def test_a_login_gives_a_token_that_counts_until_it_is_logged_out(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        answer = await made.http.post("/v1/auth/login", json=ADMIN)
        assert answer.status_code == 200
        assert set(answer.json()) == {"token", "user"}
        assert answer.json()["user"]["username"] == "admin"
        token = answer.json()["token"]
        bearer = {"authorization": f"Bearer {token}"}
        status = (await made.http.get("/v1/auth/status", headers=bearer)).json()
        assert (status["authenticated"], status["name"], status["kind"]) == (True, "admin", "user")
        verified = await made.http.post("/v1/auth/verify", json={"token": token}, headers=bearer)
        assert verified.json()["valid"] is True
        assert (await made.http.post("/v1/auth/logout", headers=bearer)).json() == {"success": True}
        assert (await made.http.get("/v1/auth/status", headers=bearer)).status_code == 401


@pytest.mark.parametrize("wrong", [{**ADMIN, "password": "x"}, {"username": "nobody", "password": PASSWORD}])
async def test_a_wrong_login_is_refused_in_one_way(tmp_path: Path, wrong: dict[str, str]) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.post("/v1/auth/login", json=wrong)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert error_of(answer)["error"] == "The username or the password is wrong."


async def test_guessing_is_slowed_down_whatever_else_is_limited(tmp_path: Path) -> None:
    async with surface(tmp_path, login_attempts_per_minute=2) as made:
        wrong = {**ADMIN, "password": "x"}
        statuses = [(await made.http.post("/v1/auth/login", json=wrong)).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        late = await made.http.post("/v1/auth/login", json=ADMIN)
        assert late.status_code == 429
        assert int(late.headers["retry-after"]) > 0


async def test_on_a_machine_of_ones_own_the_status_says_so(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        status = (await made.http.get("/v1/auth/status")).json()
        assert (status["authMode"], status["authenticated"], status["kind"]) == ("local", False, "local")
