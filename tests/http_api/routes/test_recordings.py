"""Recordings over REST."""

from pathlib import Path

from tests.support.asciicast import parse_cast
from tests.support.http_gateway import surface
from tests.support.http_stack import error_of


async def test_a_recording_is_asked_for_played_and_deleted(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        session = (await http.post("/v1/terminal/sessions", json={"type": "local", "record": True})).json()["session"]
        assert session["recording"] is True
        path = f"/v1/terminal/{session['id']}"
        await http.post(f"{path}/execute", json={"command": "exit 4"})
        assert (await http.get(f"{path}/recording")).status_code == 200
        await http.delete(path)
        answer = await http.get(f"{path}/recording", headers={"accept": "application/json"})
        assert answer.headers["content-type"] == "application/x-asciicast"
        assert "exit code 4: $ exit 4" in parse_cast(answer.content).of("m")
        listed = (await http.get("/v1/terminal/recordings")).json()["recordings"]
        assert [(found["sessionId"], found["active"]) for found in listed] == [(session["id"], False)]
        assert listed[0]["bytes"] == len(answer.content)
        assert (await http.delete(f"{path}/recording")).json() == {"success": True, "sessionId": session["id"]}
        assert error_of(await http.get(f"{path}/recording"))["code"] == "recording_not_found"
        assert (await http.delete(f"{path}/recording")).status_code == 404


async def test_the_description_names_its_form(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        paths = (await made.http.get("/openapi.json")).json()["paths"]
        answer = paths["/v1/terminal/{id}/recording"]["get"]["responses"]["200"]
        assert list(answer["content"]) == ["application/x-asciicast"]


async def test_a_session_without_one_says_nothing_of_it(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        session = (await made.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]
        assert "recording" not in session
        assert (await made.http.get(f"/v1/terminal/{session['id']}/recording")).status_code == 404


async def test_what_programs_take_as_secrets_is_in_neither_the_audit_trail_nor_the_recording(tmp_path: Path) -> None:
    lines = (
        "true || curl -su me:hunter2x http://host/",
        "true || redis-cli -a hunter2x",
        "echo hunter2x | true sudo -S id",
    )
    async with surface(tmp_path) as made:
        http = made.http
        session = (await http.post("/v1/terminal/sessions", json={"type": "local", "record": True})).json()["session"]
        path = f"/v1/terminal/{session['id']}"
        for line in lines:
            await http.post(f"{path}/execute", json={"command": line})
            wait = {"for": "output", "pattern": "done-2", "timeoutMs": 5000}
            typed = {"data": f"{line}; echo done-$((1+1))\n", "wait": wait}
            assert (await http.post(f"{path}/send", json=typed)).status_code == 200
        await http.delete(path)
        audited = (await http.get("/v1/audit", params={"limit": 100})).text
        cast = (await http.get(f"{path}/recording", headers={"accept": "application/x-asciicast"})).content
    recorded = parse_cast(cast)
    for shown in (audited, cast.decode()):
        assert "hunter2x" not in shown
        assert "curl -su me:[redacted] http://host/" in shown
    assert "redis-cli -a [redacted]" in recorded.text()
    assert any("redis-cli -a [redacted]" in typed for typed in recorded.of("i"))


async def test_somebody_elses_recording_is_not_there(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        admin = {"authorization": f"Bearer {await made.login()}"}
        secrets = [
            (await made.http.post("/v1/keys", json={"name": name, "scopes": ["terminal"]}, headers=admin)).json()[
                "secret"
            ]
            for name in ("one", "two")
        ]
        one, two = ({"authorization": f"Bearer {secret}"} for secret in secrets)
        opening = {"type": "local", "record": True}
        session = (await made.http.post("/v1/terminal/sessions", json=opening, headers=one)).json()["session"]
        path = f"/v1/terminal/{session['id']}/recording"
        assert (await made.http.get(path, headers=one)).status_code == 200
        assert (await made.http.get(path, headers=two)).status_code == 404
        assert (await made.http.delete(path, headers=two)).status_code == 404
        assert (await made.http.get("/v1/terminal/recordings", headers=two)).json() == {"recordings": []}
        assert (await made.http.get(path, headers=admin)).status_code == 200


async def test_no_path_leads_out_of_the_folder(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        for name in ("..%2fgateway.sqlite3", "%2e%2e%2f%2e%2e", "term-1-x"):
            assert (await made.http.get(f"/v1/terminal/{name}/recording")).status_code == 404


async def test_where_recording_is_off_it_is_refused(tmp_path: Path) -> None:
    async with surface(tmp_path, terminal_recording="off") as made:
        refused = await made.http.post("/v1/terminal/sessions", json={"type": "local", "record": True})
        assert (refused.status_code, error_of(refused)["code"]) == (403, "recording_off")
