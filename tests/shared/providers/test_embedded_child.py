"""One run of the embedded model's process, with small scripts in the place of the model."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from shared.errors import UpstreamError, UpstreamTimeout
from shared.providers import embedded_child as module
from shared.providers.embedded_child import Child, Launch, environment
from tests.support.children import children
from tests.support.embedded_scripts import ENDS_WITH_STDIN, script
from tests.support.waiting import until

LAUNCH = Launch(weights=Path("/nowhere"), alias="tiny", context=128, slots=1, idle_seconds=1)


async def spawn(body: str, timeout: float = 5) -> Child:
    return await Child.spawn(LAUNCH, timeout=timeout, command=script(body))


async def test_it_answers_where_it_says_with_a_key_of_its_own() -> None:
    one, other = await spawn(ENDS_WITH_STDIN), await spawn(ENDS_WITH_STDIN)
    assert one.endpoint.base_url == "http://127.0.0.1:9/v1"
    assert len(one.endpoint.api_key) >= 32
    assert one.endpoint.api_key != other.endpoint.api_key
    assert one.endpoint.api_key not in repr(one.endpoint)
    await one.stop()
    await other.stop()
    assert children() == []


async def test_the_key_comes_over_stdin_and_is_not_on_the_command_line() -> None:
    child = await spawn(
        "import json,sys; print(json.dumps({'address': sys.stdin.readline().strip()}), flush=True); sys.stdin.read()"
    )
    assert child.endpoint.base_url == f"{child.endpoint.api_key}/v1"
    process = psutil.Process(child.pid)
    assert child.endpoint.api_key not in " ".join(process.cmdline())
    assert child.endpoint.api_key not in " ".join(process.environ().values())
    assert "KEY" not in " ".join(LAUNCH.command()).upper()
    await child.stop()


async def test_it_runs_in_a_session_of_its_own_and_at_the_root() -> None:
    child = await spawn(ENDS_WITH_STDIN)
    assert os.getsid(child.pid) == child.pid
    assert psutil.Process(child.pid).cwd() == "/"
    await child.stop()


def test_it_sees_no_key_of_ours() -> None:
    seen = environment({"OPENAI_API_KEY": "secret", "JWT_SECRET": "x", "PATH": "/bin", "LC_ALL": "C", "HOME": "/h"})
    assert set(seen) == {"PATH", "LC_ALL", "HOME", "PYTHONPATH"}


def test_it_finds_what_we_would_find() -> None:
    seen = environment({})
    assert str(Path(module.__file__).parents[2]) in seen["PYTHONPATH"].split(os.pathsep)
    assert all(os.path.isabs(path) for path in seen["PYTHONPATH"].split(os.pathsep))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise SystemExit('no luck today')", ""),
        ("print('not json')", ""),
        ("print('x' * 200_000)", ""),
        ("import os; os.close(1)", ""),
        ("""print('{"error": "bad weights"}')""", "bad weights"),
    ],
)
async def test_one_that_cannot_start_says_why_and_is_gone(body: str, said: str) -> None:
    with pytest.raises(UpstreamError, match="could not be started") as failure:
        await spawn(body)
    assert failure.value.details == said
    assert children() == []


async def test_the_operator_sees_what_it_wrote_last() -> None:
    with pytest.raises(UpstreamError) as failure:
        await spawn("import sys; print('x' * 100_000, file=sys.stderr); raise SystemExit('no luck today')")
    assert failure.value.operator_detail.endswith("no luck today")
    assert len(failure.value.operator_detail) < 50_000


async def test_one_that_is_not_ready_in_time_is_ended() -> None:
    with pytest.raises(UpstreamTimeout, match=r"within 0\.2 seconds"):
        await spawn("import time; time.sleep(60)", timeout=0.2)
    assert children() == []


async def test_a_caller_that_goes_away_leaves_nothing_running() -> None:
    waiting = asyncio.create_task(spawn("import time; time.sleep(60)"))
    await until(lambda: bool(children()))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert children() == []


async def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_SECONDS", 0.1)
    child = await spawn(
        'import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(\'{"address": "a"}\', flush=True)\n'
        "time.sleep(60)"
    )
    await child.stop()
    assert children() == []


async def test_a_death_is_told_once_with_its_reason() -> None:
    child = await spawn(ENDS_WITH_STDIN)
    told: asyncio.Queue[tuple[Child, str]] = asyncio.Queue()
    child.watch(lambda *what: told.put_nowait(what))
    os.kill(child.pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await told.get() == (child, "signal 9")
    assert not child.alive
    assert await child.ended(within=1)
    await child.stop()
    assert told.empty()


async def test_being_stopped_is_no_death_to_be_told() -> None:
    child = await spawn(ENDS_WITH_STDIN)
    told: list[str] = []
    child.watch(lambda _, reason: told.append(reason))
    assert not await child.ended(within=0.01)
    await child.stop()
    assert await child.ended(within=1)
    assert told == []


async def test_a_flood_on_stderr_does_not_stop_it() -> None:
    child = await spawn(
        'import sys; print(\'{"address": "a"}\', flush=True)\n'
        "for n in range(2000): print('x' * 1000, file=sys.stderr)\n"
        "raise SystemExit('done')"
    )
    told: asyncio.Queue[str] = asyncio.Queue()
    child.watch(lambda _, reason: told.put_nowait(reason))
    async with asyncio.timeout(5):
        assert await told.get() == "exit code 1"
    await child.stop()


def test_it_uses_few_threads() -> None:
    assert 1 <= module.threads() <= module.MAX_THREADS
    assert LAUNCH.command()[0] == sys.executable
