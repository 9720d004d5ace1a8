import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from shared.domain.identity import LOCAL
from shared.domain.terminal import MAX_STDIN
from shared.errors import Conflict
from shared.operations import dispatch
from shared.operations.terminals import RUN_COMMAND
from tests.support.http_gateway import surface
from tests.support.http_stack import error_of
from tests.support.waiting import until


async def test_the_life_of_a_terminal(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        opened = await http.post("/v1/terminal/sessions", json={"type": "local"})
        assert opened.status_code == 201
        session = opened.json()["session"]
        assert re.fullmatch(r"term-\d{13}-\w+", session["id"])
        path = f"/v1/terminal/{session['id']}"
        await http.post(f"{path}/execute", json={"command": "cd /tmp; export KEPT=yes"})
        result = (
            await http.post(f"{path}/execute", json={"command": 'pwd; echo "$KEPT"; echo bad >&2; exit 3'})
        ).json()["result"]
        assert (result["stdout"], result["stderr"], result["exitCode"]) == ("/tmp\nyes\n", "bad\n", 3)
        late = (await http.post(f"{path}/execute", json={"command": "echo some; sleep 60", "timeoutMs": 300})).json()[
            "result"
        ]
        assert (late["stdout"], late["exitCode"], late["timedOut"]) == ("some\n", None, True)
        assert (await http.post(f"{path}/send", json={"data": "echo $((40+2))-typed\n"})).json() == {"success": True}
        output = ""
        while "42-typed" not in output:
            answer = (await http.get(f"{path}/output?waitMs=5000")).json()
            assert answer["output"], output
            output += "".join(answer["output"])
        assert (await http.delete(path)).json() == {"success": True}
        assert (await http.get(path)).status_code == 404


async def test_the_life_of_a_saved_connection(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        given = {"name": "here", "type": "local", "cwd": "/tmp"}
        saved = await http.post("/v1/terminal/connections", json=given)
        assert saved.status_code == 201
        path = f"/v1/terminal/connections/{saved.json()['connection']['id']}"
        assert (await http.get(path)).json()["connection"]["cwd"] == "/tmp"
        assert (await http.put(path, json={"name": "there"})).json()["connection"]["name"] == "there"
        listed = (await http.get("/v1/terminal/connections")).json()["connections"]
        assert [connection["name"] for connection in listed] == ["there"]
        opened = await http.post(f"{path}/connect", json={})
        assert opened.status_code == 201
        session = opened.json()["session"]["id"]
        ran = (await http.post(f"/v1/terminal/{session}/execute", json={"command": "pwd"})).json()
        assert ran["result"]["stdout"] == "/tmp\n"
        assert (await http.delete(path)).status_code == 200
        assert (await http.get(path)).status_code == 404


async def test_secrets_of_a_connection_never_come_back(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        given = {"name": "far", "type": "ssh", "host": "127.0.0.1", "username": "me", "password": "hunter2-hunter2"}
        saved = await made.http.post("/v1/terminal/connections", json=given)
        assert saved.status_code == 201
        for path in (
            "/v1/terminal/connections",
            f"/v1/terminal/connections/{saved.json()['connection']['id']}",
            "/v1/audit",
        ):
            assert "hunter2" not in (await made.http.get(path)).text


async def test_keys_that_mean_something_reach_the_shell(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        session = (await made.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        path = f"/v1/terminal/{session}"
        assert (await made.http.post(f"{path}/send", json={"data": "\x03\x00"})).status_code == 200
        refused = await made.http.post(f"{path}/execute", json={"command": "echo \x00"})
        assert refused.status_code == 400
        assert error_of(refused)["details"]["fields"][0]["field"] == "command"
        ran = (await made.http.post(f"{path}/execute", json={"command": "wc -c", "stdin": "a\x00b"})).json()["result"]
        assert ran["stdout"].strip() == "3"


async def test_a_busy_session_says_so_and_waiting_for_it_counts(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local", "cwd": str(tmp_path)})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        assert "busy" not in opened.json()["session"]
        os.mkfifo(tmp_path / "go")
        command = "read line < go; : --password=hunter2-hunter2"
        first = asyncio.ensure_future(made.http.post(f"{path}/execute", json={"command": command}))
        (session,) = made.gateway.terminals.list(LOCAL.id)
        await until(lambda: session.info.busy is not None)
        busy = (await made.http.get(path)).json()["session"]["busy"]
        assert busy["command"] == "read line < go; : --password=[redacted]"
        async with asyncio.timeout(5):
            late = await made.http.post(f"{path}/execute", json={"command": "echo never >ran", "timeoutMs": 100})
        assert (late.status_code, late.json()["code"]) == (409, "session_busy")
        assert error_of(late)["details"] == {"busy": busy}
        run = {"command": "echo never >ran", "sessionId": path.rpartition("/")[2], "timeoutSeconds": 0.1}
        async with asyncio.timeout(5):
            with pytest.raises(Conflict, match="busy"):
                await dispatch.call(made.gateway, LOCAL, RUN_COMMAND, run)
        await asyncio.to_thread((tmp_path / "go").write_text, "now\n")
        assert (await first).json()["result"]["exitCode"] == 0
        ran = (await made.http.post(f"{path}/execute", json={"command": "ls"})).json()["result"]["stdout"]
        assert "ran" not in ran
        assert "busy" not in (await made.http.get(path)).json()["session"]


async def test_an_expired_session_is_not_found_and_the_answer_says_when_and_why(tmp_path: Path) -> None:
    async with surface(tmp_path, terminal_idle_timeout=1) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        await until(lambda: not made.gateway.terminals.list(LOCAL.id))
        for answer in (
            await made.http.get(path),
            await made.http.post(f"{path}/execute", json={"command": "true"}),
            await made.http.delete(path),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "session_expired")
            said = error_of(answer)
            assert said["details"]["expiredAt"] > opened.json()["session"]["createdAt"]
            assert said["details"]["expiredAt"] in said["error"]
            assert "TERMINAL_IDLE_TIMEOUT" in said["error"]


async def test_a_session_of_an_earlier_process_is_said_to_have_ended_with_it(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        session_id = opened.json()["session"]["id"]
    async with surface(tmp_path) as made:
        gone = await made.http.get(f"/v1/terminal/{session_id}")
        assert (gone.status_code, gone.json()["code"]) == (404, "session_not_found")
        assert "ended with the process" in gone.json()["error"]
        other = (await made.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        await made.http.delete(f"/v1/terminal/{other}")
        assert "may have been closed" in (await made.http.get(f"/v1/terminal/{other}")).json()["error"]


async def test_the_screen_is_read_as_lines(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local", "cols": 40, "rows": 5})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        assert (await made.http.post(f"{path}/resize", json={"cols": 50, "rows": 7})).status_code == 200
        answer = (await made.http.get(f"{path}/output?view=screen")).json()
        assert len(answer["output"]) <= 7
        assert answer["connected"] is True


async def test_typing_waits_and_answers_in_one_request(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local", "encoding": "latin1"})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        body = {"keys": "echo $((40+2))<Enter>", "wait": {"for": "prompt", "strip": True}}
        answer = (await made.http.post(f"{path}/send", json=body)).json()
        assert (answer["success"], answer["reason"], answer["dropped"]) == (True, "prompt-like", 0)
        assert "\n42\n" in answer["output"][0]
        stripped = (await made.http.get(f"{path}/output?cursor=0&strip=true")).json()
        assert set(stripped) == {"output", "cursor", "dropped", "connected"}
        assert "\x1b" not in stripped["output"][0]
        changed = (await made.http.get(f"{path}/output?view=diff")).json()
        assert changed["rows"] == list(range(24))
        assert changed["screen"]["cols"] == 80
        same = (await made.http.get(f"{path}/output?view=diff&cursor={changed['cursor']}")).json()
        assert (same["output"], same["rows"]) == ([], [])
        refused = await made.http.post(f"{path}/send", json={"keys": "<Entre>"})
        assert refused.status_code == 400
        assert "Enter" in error_of(refused)["error"]
        assert (await made.http.post(f"{path}/send", json={})).status_code == 400


async def test_encodings_that_a_terminal_cannot_have_are_refused(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        for encoding in (
            "utf-16",
            "utf-7",
            "cp037",
            "idna",
            "rot13",
            "base64",
            "undefined",
            "iso2022_jp",
            "none",
            "../x",
            "a\x01",
        ):
            refused = await made.http.post("/v1/terminal/sessions", json={"type": "local", "encoding": encoding})
            assert refused.status_code == 400, encoding
            assert error_of(refused)["details"]["fields"][0]["field"] == "encoding"


@pytest.mark.parametrize("character", ["x", "\n", "\x01", "\u4e2d"])
async def test_all_of_the_input_that_a_command_may_get_is_taken(tmp_path: Path, character: str) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        path = f"/v1/terminal/{opened.json()['session']['id']}/execute"
        headers = {"content-type": "application/json"}
        body = json.dumps({"command": "wc -c", "stdin": character * MAX_STDIN}).encode()
        ran = await made.http.post(path, content=body, headers=headers)
        assert ran.status_code == 200, ran.text
        assert int(ran.json()["result"]["stdout"]) == MAX_STDIN * len(character.encode())
        over = await made.http.post(path, json={"command": "wc -c", "stdin": "x" * (MAX_STDIN + 1)})
        assert over.status_code == 400


async def test_cut_output_is_read_by_its_id(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        session = (await http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        path = f"/v1/terminal/{session}"
        asked = {"command": "seq 1 5000", "maxOutputBytes": 100}
        result = (await http.post(f"{path}/execute", json=asked)).json()["result"]
        assert result["truncated"] is True
        kept = f"/v1/terminal/outputs/{result['outputId']}"
        page = (await http.get(f"{kept}?tail=3")).json()
        assert (page["output"], page["line"], page["nextCursor"]) == ("4998\n4999\n5000\n", 4998, None)
        found = (await http.get(f"{kept}?search=%5E12.4%24&maxMatches=2")).json()
        assert [match["line"] for match in found["matches"]] == [1204, 1214]
        rest = (await http.get(f"{kept}?search=%5E12.4%24&cursor={found['nextCursor']}")).json()
        assert rest["matches"][0]["line"] == 1224
        assert (await http.get(f"{kept}?search=%28")).status_code == 400
        assert error_of(await http.get("/v1/terminal/outputs/out-1-none"))["code"] == "output_not_found"
        await http.delete(path)
        assert (await http.get(kept)).status_code == 200


async def test_one_command_is_run_without_a_session(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http, path = made.http, "/v1/terminal/execute"
        asked = {"command": 'pwd; echo "[$A]"; cat; exit 3', "cwd": "/usr", "env": {"A": "s3cret-value"}, "stdin": "in"}
        result = (await http.post(path, json=asked)).json()["result"]
        assert (result["stdout"], result["exitCode"], result["cwd"]) == ("/usr\n[s3cret-value]\nin", 3, "/usr")
        assert (await http.get("/v1/terminal/sessions")).json()["sessions"] == []
        audit = await http.get("/v1/audit?action=execute_once")
        assert audit.json()["entries"][0]["details"]["env"] == ["A"]
        assert "s3cret-value" not in audit.text
        saved = await http.post("/v1/terminal/connections", json={"name": "here", "type": "local", "cwd": "/usr/bin"})
        connection = saved.json()["connection"]["id"]
        there = (await http.post(path, json={"command": "pwd", "connectionId": connection})).json()["result"]
        assert there["stdout"] == "/usr/bin\n"
        late = await http.post(path, json={"command": "echo some; sleep 60", "timeoutMs": 300})
        assert (late.json()["result"]["stdout"], late.json()["result"]["timedOut"]) == ("some\n", True)
        long = await http.post(path, json={"command": "true", "timeoutMs": 10_000_000})
        assert (long.status_code, "timeoutMs" in error_of(long)["error"]) == (400, True)
        assert (await http.post(path, json={"command": "true", "env": {"A B": "x"}})).status_code == 400
        assert error_of(await http.post(path, json={"command": "true", "connectionId": "none"}))["code"].endswith(
            "not_found"
        )


async def test_an_unknown_field_is_answered_with_the_known_one_that_is_like_it(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        wrong = {"command": "true", "connection": "box", "sandBoxed": 1, "zzz": 1}
        said = error_of(await made.http.post("/v1/terminal/execute", json=wrong))
        reasons = {field["field"]: field["reason"] for field in said["details"]["fields"]}
        assert reasons == {
            "connection": "this field is not known here, but 'connectionId' is",
            "sandBoxed": "this field is not known here, but 'sandbox' is",
            "zzz": "this field is not known here",
        }
        assert said["error"] == "'connection' is not valid: this field is not known here, but 'connectionId' is."
