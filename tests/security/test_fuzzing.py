"""The whole API is fuzzed from its own description: no 500, and every answer is as the description says."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.conftest import MODEL
from tests.support.victim import Victim, attacked

HERE = Path(__file__).parent
SEED = "20260101"
EXAMPLES = "3"
MOST_SECONDS = 120


@pytest.fixture
def fuzzed(tmp_path: Path, provider: str) -> Iterator[Victim]:
    settings = {"OPENAI_BASE_URL": provider, "OPENAI_API_KEY": "sk-test", "TERMINAL_COMMAND_TIMEOUT": "1"}
    with attacked(tmp_path / "fuzzed", **settings) as victim:
        assert victim.http.post("/v1/models", json=MODEL).status_code == 201
        yield victim


def known(victim: Victim) -> dict[str, dict[str, str]]:
    """Something of each kind, for the operations that are about one; what runs for long or writes files is left out."""

    def made(path: str, body: dict[str, Any], kind: str) -> str:
        answer = victim.http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()[kind]["id"])

    model = made("/v1/models", {**MODEL, "id": "fuzzed/model", "layer": "L3"}, "model")
    session = made("/v1/terminal/sessions", {"type": "local", "record": True}, "session")
    budget = made(
        "/v1/budgets",
        {"appliesTo": "tag", "tag": {"name": "a", "value": "b"}, "period": "day", "limitUsd": 1},
        "budget",
    )
    host = {"type": "ssh", "name": "saved", "host": "127.0.0.1", "username": "me"}
    connection = made("/v1/terminal/connections", host, "connection")
    victim.http.post("/v1/providers", json={"name": "fuzzed", "baseUrl": "http://127.0.0.1:9/v1"})
    chat = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
    request = victim.http.post("/v1/chat/completions", json=chat).headers["x-request-id"]
    terminal = ("get_terminal", "execute_command", "resize_terminal", "list_files", "read_file", "get_recording")
    return {
        **{operation: {"id": model} for operation in ("get_model", "update_model")},
        **{operation: {"id": session} for operation in terminal},
        **{operation: {"id": connection} for operation in ("get_connection", "update_connection")},
        "update_budget": {"budgetId": budget},
        "update_provider": {"name": "fuzzed"},
        "get_decision": {"requestId": request},
    }


@pytest.mark.slow
def test_no_request_that_the_description_leads_to_gets_a_500_or_an_answer_of_another_form(fuzzed: Victim) -> None:
    command = [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={HERE / 'schemathesis.toml'}",
        "run",
        f"http://127.0.0.1:{fuzzed.port}/openapi.json",
        "--phases=coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--workers=2",
        "--no-shrink",
        "--request-timeout=20",
    ]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(fuzzed.folder),
        "PYTHONPATH": str(HERE.parents[1]),
        "SCHEMATHESIS_HOOKS": "tests.security.fuzzing_hooks",
        "FUZZED_IDS": json.dumps(known(fuzzed)),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        command, cwd=fuzzed.folder, env=environ, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[:20_000] + done.stderr[-5_000:]
    assert "Traceback" not in fuzzed.log()
    assert fuzzed.http.get("/health").status_code == 200
