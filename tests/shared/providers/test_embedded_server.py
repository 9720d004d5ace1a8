"""The embedded model itself: real weights in a real process, asked over real HTTP."""

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from shared.providers.embedded import EmbeddedModel
from shared.providers.embedded_child import Endpoint
from shared.providers.embedded_server import (
    DRY_LOOKED_BACK,
    DRY_MULTIPLIER,
    FREQUENCY_PENALTY,
    LOOKED_BACK,
    MAX_TOKENS,
    REPEAT_PENALTY,
)
from shared.providers.weights import find_weights
from tests.support.children import children
from tests.support.waiting import until

HERE = importlib.util.find_spec("xllamacpp") is not None and find_weights(Path("/nowhere")) is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HERE, reason="the embedded model is not installed: make run installs it"),
]
PARENT = """
import asyncio, sys
from pathlib import Path
from shared.providers.embedded import EmbeddedModel

async def main():
    model = EmbeddedModel(data_dir=Path("/nowhere"))
    await model.endpoint()
    print(model.state.detail.split()[-1], flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
async def model() -> AsyncIterator[EmbeddedModel]:
    made = EmbeddedModel(data_dir=Path("/nowhere"))
    yield made
    await made.aclose()
    assert children() == []


def question(text: str, **more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **more}


def client(endpoint: Endpoint, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {endpoint.api_key if key is None else key}"}
    return httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, timeout=30, trust_env=False)


async def ask(endpoint: Endpoint, text: str, **more: object) -> str:
    async with client(endpoint) as http:
        answer = await http.post("/chat/completions", json=question(text, **more))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


async def test_it_answers_sensibly_and_only_with_its_key(model: EmbeddedModel) -> None:
    endpoint = await model.endpoint()
    assert endpoint.base_url.startswith("http://127.0.0.1:")
    assert "Paris" in await ask(endpoint, "What is the capital of France?", max_tokens=12)
    async with client(endpoint) as http:
        (listed,) = (await http.get("/models")).json()["data"]
        assert (listed["id"], listed["meta"]["n_ctx"]) == ("smollm2-135m-instruct", 8192)
    async with client(endpoint, key="wrong") as http:
        for path in ("/models", "/../props", "/../slots"):
            assert (await http.get(path)).status_code == 401
        assert (await http.post("/chat/completions", json=question("hi"))).status_code == 401
        assert (await http.get("/../health")).status_code == 200


async def test_what_keeps_it_from_repeating_itself_reaches_the_runtime(model: EmbeddedModel) -> None:
    async with client(await model.endpoint()) as http:
        answer = await http.post("/../completion", json={"prompt": "Hello", "n_predict": 1})
        told = await http.post("/chat/completions", json=question("List ten animals."))
    used = answer.json()["generation_settings"]
    assert used["repeat_penalty"] == pytest.approx(REPEAT_PENALTY)
    assert used["frequency_penalty"] == pytest.approx(FREQUENCY_PENALTY)
    assert used["repeat_last_n"] == LOOKED_BACK
    assert used["dry_multiplier"] == pytest.approx(DRY_MULTIPLIER)
    assert used["dry_penalty_last_n"] == DRY_LOOKED_BACK
    assert told.json()["usage"]["completion_tokens"] <= MAX_TOKENS


async def test_it_streams_with_usage_at_the_end(model: EmbeddedModel) -> None:
    endpoint = await model.endpoint()
    body = question("Count to five.", stream=True, stream_options={"include_usage": True}, max_tokens=12)
    events: list[str] = []
    async with client(endpoint) as http, http.stream("POST", "/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                events.append(line.removeprefix("data: "))
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert len(text) > 5
    assert chunks[-1]["usage"]["completion_tokens"] > 3


async def test_it_takes_every_role_and_messages_without_text(model: EmbeddedModel) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    conversation = [
        {"role": "developer", "content": "Answer briefly."},
        {"role": "user", "content": [{"type": "text", "text": "What is the"}, {"type": "text", "text": "time?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "noon"},
    ]
    async with client(await model.endpoint()) as http:
        answer = await http.post("/chat/completions", json={"messages": conversation, "max_tokens": 5})
    assert answer.status_code == 200, answer.text


async def test_it_answers_two_at_once(model: EmbeddedModel) -> None:
    endpoint = await model.endpoint()
    answers = await asyncio.gather(*(ask(endpoint, "Name a colour.", max_tokens=6) for _ in range(3)))
    assert all(answers)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_holds_no_descriptor_of_ours_under_uvloop(tmp_path: Path) -> None:
    parent = f"""
import asyncio, os, uvloop
from pathlib import Path
from shared.providers.embedded import EmbeddedModel

async def main():
    os.set_inheritable(os.open({str(tmp_path)!r}, os.O_RDONLY), True)
    model = EmbeddedModel(data_dir=Path("/nowhere"))
    await model.endpoint()
    folder = Path("/proc", model.state.detail.split()[-1], "fd")
    print(*(os.readlink(link) for link in folder.iterdir()), sep="\\n")
    await model.aclose()

uvloop.run(main())
"""
    seen = subprocess.run(
        [sys.executable, "-c", parent],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.split()
    assert len(seen) >= 3
    assert str(tmp_path) not in seen


async def test_killed_it_is_there_again_for_the_next_one(model: EmbeddedModel) -> None:
    first = await model.endpoint()
    os.kill(int(model.state.detail.split()[-1]), signal.SIGKILL)
    assert await model.ended(first)
    second = await model.endpoint()
    assert second.api_key != first.api_key
    assert await ask(second, "Hello", max_tokens=5)


async def test_weights_that_are_none_are_an_error_with_a_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    model = EmbeddedModel(data_dir=tmp_path, weights=broken)
    model.begin()
    await until(lambda: model.state.status != "starting", seconds=20)
    assert "could not be started" in model.state.detail
    assert children() == []
    await model.aclose()


@pytest.mark.parametrize("how", [signal.SIGKILL, None], ids=["SIGKILL", "end of stdin"])
def test_it_is_gone_when_its_parent_is(how: signal.Signals | None) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.ppid() == parent.pid
        if how is None:
            parent.stdin.close()
        else:
            parent.send_signal(how)
        parent.wait(timeout=5)
    gone, _ = psutil.wait_procs([child], timeout=5)
    assert gone == [child]
