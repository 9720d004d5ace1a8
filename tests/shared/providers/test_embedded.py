"""The supervision of the embedded model: one start for all, restarts, pauses, states."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.errors import UpstreamError
from shared.providers import embedded as module
from shared.providers.embedded import EmbeddedModel
from shared.providers.embedded_child import Child, Launch
from tests.support.children import children
from tests.support.embedded_scripts import CRASHES, ENDS_WITH_STDIN, script
from tests.support.waiting import until


class Starts:
    """Starts a script instead of the model, and counts."""

    def __init__(self) -> None:
        self.body = ENDS_WITH_STDIN
        self.count = 0
        self.now = 1000.0
        self.children: list[Child] = []
        self.launch: Launch | None = None

    async def __call__(self, launch: Launch, timeout: float) -> Child:
        self.count += 1
        self.launch = launch
        self.children.append(await Child.spawn(launch, timeout=timeout, command=script(self.body)))
        return self.children[-1]

    def clock(self) -> float:
        return self.now


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
async def model(
    tmp_path: Path, weights: Path, starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EmbeddedModel]:
    monkeypatch.setattr(module, "RUNTIME", "json")
    made = EmbeddedModel(data_dir=tmp_path, weights=weights, spawn=starts, clock=starts.clock)
    yield made
    await made.aclose()
    assert children() == []


async def killed(model: EmbeddedModel, starts: Starts) -> None:
    """Kill the running process and wait until that is known."""
    os.kill(starts.children[-1].pid, signal.SIGKILL)
    await until(lambda: model.state.status != "running" and model._child is None)


async def test_it_starts_on_first_use_and_once(model: EmbeddedModel, starts: Starts, weights: Path) -> None:
    assert (model.state.status, model.available, starts.count) == ("stopped", True, 0)
    endpoints = await asyncio.gather(*(model.endpoint() for _ in range(20)))
    assert len(set(endpoints)) == starts.count == 1
    assert model.state.status == "running"
    assert await model.endpoint() == endpoints[0]
    assert starts.launch == Launch(
        weights=weights, alias="smollm2-135m-instruct", context=8192, slots=module.SLOTS, idle_seconds=600
    )


async def test_a_caller_that_goes_away_does_not_end_the_start(model: EmbeddedModel, starts: Starts) -> None:
    impatient = asyncio.create_task(model.endpoint())
    await asyncio.sleep(0)
    patient = asyncio.create_task(model.endpoint())
    await asyncio.sleep(0)
    assert model.state.status == "starting"
    impatient.cancel()
    assert (await patient).api_key
    assert starts.count == 1


async def test_it_is_started_anew_at_once_when_it_has_died(model: EmbeddedModel, starts: Starts) -> None:
    first = await model.endpoint()
    await killed(model, starts)
    assert (model.state.status, model.available) == ("stopped", True)
    assert "signal 9" in model.state.detail
    second = await model.endpoint()
    assert (second.api_key != first.api_key, starts.count) == (True, 2)
    assert await model.ended(first)
    assert not await model.ended(second, within=0.01)


async def test_one_that_keeps_dying_is_left_alone_longer_and_longer(model: EmbeddedModel, starts: Starts) -> None:
    for pause in (0, 1, 2, 4, 8, 16, 32, 60, 60):
        await model.endpoint()
        await killed(model, starts)
        if pause:
            assert (model.state.status, model.available) == ("failed", False)
            starts.now += pause - 0.5
            before = starts.count
            with pytest.raises(UpstreamError, match="has failed") as refused:
                await model.endpoint()
            assert (refused.value.retry_after, starts.count) == (pytest.approx(0.5), before)
            starts.now += 0.6
        assert model.available


async def test_a_long_good_run_is_not_held_against_it(model: EmbeddedModel, starts: Starts) -> None:
    for _ in range(4):
        await model.endpoint()
        await killed(model, starts)
        starts.now += 100
    await model.endpoint()
    starts.now += module.STEADY_SECONDS
    await killed(model, starts)
    assert model.available


async def test_a_start_that_fails_tells_all_who_wait(model: EmbeddedModel, starts: Starts) -> None:
    starts.body = CRASHES
    answers = await asyncio.gather(*(model.endpoint() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(answer, UpstreamError) for answer in answers)
    assert starts.count == 1
    with pytest.raises(UpstreamError):
        await model.endpoint()
    assert model.state.status == "failed"
    assert "could not be started" in model.state.detail
    starts.body = ENDS_WITH_STDIN
    starts.now += 2
    assert await model.endpoint()


async def test_begin_starts_it_without_waiting(model: EmbeddedModel, starts: Starts) -> None:
    model.begin()
    assert model.state.status == "starting"
    model.begin()
    await model.endpoint()
    model.begin()
    assert starts.count == 1


async def test_a_failed_begin_is_no_unhandled_fault(model: EmbeddedModel, starts: Starts) -> None:
    starts.body = CRASHES
    model.begin()
    await until(lambda: model.state.status != "starting")
    assert "could not be started" in model.state.detail


async def test_closing_ends_it_and_it_stays_so(model: EmbeddedModel, starts: Starts) -> None:
    await model.endpoint()
    pid = starts.children[0].pid
    await model.aclose()
    assert not psutil.pid_exists(pid)
    with pytest.raises(UpstreamError, match="the gateway is stopping"):
        await model.endpoint()
    model.begin()
    assert (starts.count, model.available) == (1, False)


async def test_closing_ends_a_start_on_its_way(model: EmbeddedModel, starts: Starts) -> None:
    starts.body = "import time; time.sleep(60)"
    waiting = asyncio.create_task(model.endpoint())
    await until(lambda: bool(children()))
    async with asyncio.timeout(5):
        await model.aclose()
    assert children() == []
    with pytest.raises(UpstreamError, match="the gateway is stopping"):
        await waiting


@pytest.mark.parametrize(
    ("runtime", "has_weights", "told"),
    [
        ("no_such_runtime", True, ["[local]"]),
        ("json", False, ["mcp-gateway models pull"]),
        ("no_such_runtime", False, ["[local]", "mcp-gateway models pull"]),
    ],
)
async def test_what_is_missing_is_named(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, has_weights: bool, told: list[str]
) -> None:
    monkeypatch.setattr(module, "RUNTIME", runtime)
    model = EmbeddedModel(data_dir=tmp_path, weights=weights if has_weights else tmp_path / "none.gguf")
    assert (model.state.status, model.installed, model.available) == ("not installed", False, False)
    assert [text for text in ("[local]", "mcp-gateway models pull") if text in model.state.detail] == told
    with pytest.raises(UpstreamError) as refused:
        await model.endpoint()
    assert told[0] in refused.value.message


async def test_weights_that_come_later_are_seen(
    tmp_path: Path, starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RUNTIME", "json")
    path = tmp_path / "late.gguf"
    model = EmbeddedModel(data_dir=tmp_path, weights=path, spawn=starts)
    path.write_bytes(b"GGUF")
    assert not model.installed
    model.look()
    assert model.installed
    path.unlink()
    with pytest.raises(UpstreamError, match="models pull"):
        await model.endpoint()
    assert starts.count == 0
    await model.aclose()


async def test_turned_off_it_never_starts(tmp_path: Path, weights: Path, starts: Starts) -> None:
    model = EmbeddedModel(data_dir=tmp_path, mode="off", weights=weights, spawn=starts)
    assert (model.state.status, model.installed) == ("off", False)
    model.look()
    model.begin()
    with pytest.raises(UpstreamError, match="EMBEDDED_MODEL"):
        await model.endpoint()
    assert starts.count == 0


async def test_endpoints_of_no_process_have_ended(model: EmbeddedModel) -> None:
    some: Any = object()
    assert await model.ended(some)
