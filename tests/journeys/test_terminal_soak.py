"""Hundreds of terminal sessions opened, used and closed over REST leave nothing behind in the gateway."""

import asyncio
import gc
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.footprint import Footprint, nothing_left
from tests.support.http_gateway import surface
from tests.support.waiting import until

SESSIONS = 300
WARM_UP = 96
AT_ONCE = 8
KIB_PER_SESSION = 10
"""What may stay of each in resident memory; a session that is kept has about twenty, one that is not about three."""


def processes() -> int:
    """Those below this one, dead ones that nobody has reaped included."""
    return len(psutil.Process().children(recursive=True))


async def use(http: httpx.AsyncClient, number: int) -> None:
    """A command, and a line for the shell whose answer is waited for and read."""
    opened = await http.post("/v1/terminal/sessions", json={"type": "local"})
    assert opened.status_code == 201, opened.text
    path = f"/v1/terminal/{opened.json()['session']['id']}"
    executed = await http.post(f"{path}/execute", json={"command": f"echo {number}"})
    assert executed.json()["result"]["stdout"] == f"{number}\n", executed.text
    line = {"data": "echo $((6*7))-\r", "wait": {"for": "output", "pattern": "42-"}}
    sent = await http.post(f"{path}/send", json=line)
    assert sent.json()["reason"] == "matched", sent.text
    read = await http.get(f"{path}/output")
    assert "42-" in "".join(read.json()["output"]), read.text
    closed = await http.delete(path)
    assert closed.status_code == 200, closed.text


async def use_many(http: httpx.AsyncClient, number: int) -> None:
    for start in range(0, number, AT_ONCE):
        await asyncio.gather(*(use(http, start + place) for place in range(AT_ONCE)))


def resident_kib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1024


@pytest.mark.slow
async def test_hundreds_of_sessions_leave_neither_tasks_nor_descriptors_nor_processes_nor_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # so that shells do not start with what their user has set up
    async with surface(tmp_path) as served:
        await use_many(served.http, WARM_UP)
        before, children, memory = Footprint.of(served.gateway), processes(), resident_kib()
        await use_many(served.http, SESSIONS)

        assert len(served.gateway.terminals) == 0
        await nothing_left(before, lambda: Footprint.of(served.gateway))
        await until(lambda: processes() <= children)
        assert (resident_kib() - memory) / SESSIONS < KIB_PER_SESSION
