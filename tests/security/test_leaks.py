"""A command looks for the gateway's secrets, keeps something alive behind its back, and tries to get out."""

import json
import re
import sys
import time
import uuid
from collections.abc import Iterator

import psutil
import pytest

from tests.security.conftest import CANARY
from tests.support.mcp_raw import McpSession
from tests.support.victim import JWT_SECRET, PASSWORD, Victim, attacked

SECRETS = (CANARY, JWT_SECRET, PASSWORD)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is looked at is Linux's /proc")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """One whose commands run without a sandbox."""
    settings = {"OPENAI_API_KEY": CANARY, "TERMINAL_SANDBOX": "off"}
    with attacked(tmp_path_factory.mktemp("bare"), **settings) as victim:
        yield victim


@pytest.fixture(params=["local", "bare"], ids=["sandboxed", "bare"])
def shell(request: pytest.FixtureRequest) -> Victim:
    victim: Victim = request.getfixturevalue(request.param)
    return victim


def run(victim: Victim, command: str, **more: object) -> dict[str, object]:
    """Run it in a session of its own; what came of it."""
    opened = victim.http.post("/v1/terminal/sessions", json={"type": "local"}, headers=victim.admin)
    assert opened.status_code == 201, opened.text
    path = f"/v1/terminal/{opened.json()['session']['id']}"
    try:
        ran = victim.http.post(f"{path}/execute", json={"command": command, **more}, headers=victim.admin)
        assert ran.status_code == 200, ran.text
        return dict(ran.json()["result"])
    finally:
        assert victim.http.delete(path, headers=victim.admin).status_code == 200


LOOKS = {
    "env": "env; export -p; set",
    "own environ": "cat /proc/self/environ",
    "the parents' environ": "p=$$; while [ ${p:-0} -gt 0 ]; do cat /proc/$p/environ; p=$(awk '/^PPid/{print $2}' /proc/$p/status); done",
    "the first process's environ": "cat /proc/1/environ",
    "every environ": "cat /proc/[0-9]*/environ",
    "the gateway's environ": "cat /proc/{pid}/environ",
    "the gateway's command line": "tr '\\0' '\\n' < /proc/{pid}/cmdline",
    "the gateway's memory": "strings -n 12 /proc/{pid}/mem; dd if=/proc/{pid}/mem bs=1 count=1",
    "the gateway's tasks": "cat /proc/{pid}/task/*/environ",
    "the gateway's descriptors": "cat /proc/{pid}/fd/* < /dev/null & sleep 0.3; kill $!",
    "every command line": "cat /proc/[0-9]*/cmdline",
    "inherited descriptors": "for d in /proc/self/fd/*; do [ ${d##*/} -gt 2 ] && cat <&${d##*/}; done",
    "kernel keys": "cat /proc/keys; keyctl show",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_no_secret_of_the_gateway_is_in_reach(shell: Victim, look: str) -> None:
    command = f"( {look.replace('{pid}', str(shell.process.pid))} ) 2>&1; echo looked"
    result = run(shell, command, timeoutMs=10_000)
    told = json.dumps(result)
    assert "looked" in told
    assert [secret for secret in SECRETS if secret in told] == []


def test_a_command_of_an_agent_sees_no_more(shell: Victim) -> None:
    session = McpSession(shell.http, shell.admin)
    command = f"env; cat /proc/self/environ /proc/1/environ /proc/{shell.process.pid}/environ 2>&1; echo looked"
    told = json.dumps(session.call("run_command", {"command": command}))
    assert "looked" in told
    assert [secret for secret in SECRETS if secret in told] == []


def test_no_descriptor_is_inherited(shell: Victim) -> None:
    listed = str(run(shell, "ls /proc/self/fd | tr '\\n' ' '; ls -l /proc/self/fd")["stdout"])
    assert [int(number) for number in listed.partition("t")[0].split()] == [0, 1, 2, 3], listed
    assert "socket:" not in listed
    assert "data/" not in listed


@pytest.mark.parametrize("name", ["*", ".??*"])
def test_a_sandboxed_command_does_not_find_the_data_directory(local: Victim, name: str) -> None:
    if local.http.get("/health").json().get("sandbox") != "bwrap":
        pytest.skip("only bubblewrap hides a directory below one that may be written")
    result = run(local, f"cat {local.folder}/data/{name} | head -c 1000")
    assert result["stdout"] == ""


TREES = {
    "in the background": "sleep {n} & echo begun",
    "without a terminal": "nohup sleep {n} >/dev/null 2>&1 & echo begun",
    "in a session of its own": "setsid sleep {n} & echo begun",
    "forked twice": "(setsid sh -c 'sleep {n} & sleep {n} &' &) ; echo begun",
    "ignoring signals": "(trap '' TERM HUP INT; setsid sleep {n}) & echo begun",
    "with an empty environment": "setsid env -i $(command -v sleep) {n} & echo begun",
    "disowned": "sleep {n} & disown; echo begun",
    "a tree": "for a in 1 2 3; do (for b in 1 2 3; do sleep {n} & done; wait) & done; echo begun",
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_nothing_outlives_its_session(shell: Victim, tree: str) -> None:
    mark = f"9{uuid.uuid4().int % 10**9:09d}.5"
    assert "begun" in str(run(shell, tree.replace("{n}", mark))["stdout"])
    assert _named(mark) == []


def test_nothing_outlives_its_time_limit(shell: Victim) -> None:
    mark = f"9{uuid.uuid4().int % 10**9:09d}.5"
    result = run(shell, f"setsid sleep {mark} & (setsid sh -c 'sleep {mark}' &) ; sleep {mark}", timeoutMs=400)
    assert result["timedOut"] is True
    assert _named(mark) == []


def test_a_flood_of_output_is_cut_and_counted(shell: Victim) -> None:
    before = psutil.Process(shell.process.pid).memory_info().rss
    result = run(shell, "yes flood", timeoutMs=700)
    assert result["truncated"] is True
    assert len(str(result["stdout"])) < 2 * 1024 * 1024
    assert psutil.Process(shell.process.pid).memory_info().rss < before + 64 * 1024 * 1024


def test_the_log_holds_no_secret(local: Victim) -> None:
    local.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD + "x"})
    local.http.get("/v1/models", headers={"X-Api-Key": "mgw_" + "s" * 43})
    local.http.post(
        "/v1/providers", json={"name": "kept", "baseUrl": "http://127.0.0.1:9/v1", "apiKey": "sk-secret-of-kept"}
    )
    local.http.delete("/v1/providers/kept")
    shown = local.log() + json.dumps(
        [local.http.get(path).json() for path in ("/v1/audit", "/v1/providers", "/health")]
    )
    for secret in (*SECRETS, local.token, "s" * 43, "sk-secret-of-kept"):
        assert secret not in shown


def test_the_log_escapes_control_characters(local: Victim) -> None:
    local.http.post("/v1/auth/login", json={"username": "\u001b[2Jadmin\r\nforged: line", "password": "x"})
    local.http.get("/v1/models/%1b%5b2J%0aforged", headers={"User-Agent": "\u009b2J".encode("latin-1")})
    log = local.log()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", log)
    assert not re.search(r"^forged", log, re.MULTILINE)


def _named(mark: str) -> list[psutil.Process]:
    """The processes that sleep for that long, looked for until there are none or two seconds are over."""
    deadline = time.monotonic() + 2
    while True:
        found = [p for p in psutil.process_iter(["cmdline", "status"]) if mark in (p.info["cmdline"] or ())]
        found = [p for p in found if p.info["status"] != psutil.STATUS_ZOMBIE]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)
