"""Where it may listen, what it says when it cannot, and the whole process from start to signal."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil
import pytest

from http_api.serve import CannotServe, listen, run, serve, url_of
from shared.errors import Unavailable
from shared.gateway import Gateway, open_gateway
from tests.support.http_gateway import settings_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from shared.gateway import open_gateway
from http_api.serve import run
from tests.support.http_gateway import settings_for

settings = settings_for(Path(sys.argv[1]))
sys.exit(run(settings, lambda: open_gateway(settings), on_ready=lambda url: print(url, flush=True)))
"""


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # nobody may be there to collect it
    except psutil.NoSuchProcess:
        return False


def settings(tmp_path: Path, **values: Any) -> Any:
    return settings_for(tmp_path, **values)


def test_port_0_takes_a_free_one_and_says_which(tmp_path: Path) -> None:
    (listener,) = listen(settings(tmp_path))
    with listener:
        port = listener.getsockname()[1]
        assert port > 0
        assert url_of("127.0.0.1", listener) == f"http://127.0.0.1:{port}"
        assert url_of("0.0.0.0", listener) == f"http://127.0.0.1:{port}"
        assert not listener.get_inheritable()


def test_a_port_in_use_is_told_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe) as refused:
            listen(settings(tmp_path, api_port=port))
    assert refused.value.exit_code == 1
    assert str(port) in str(refused.value)
    assert "API_PORT" in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_open_door_to_the_network_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(CannotServe) as refused:
        listen(settings(tmp_path, api_host=host))
    assert refused.value.exit_code == 2
    for way_out in ("AUTH_MODE=required", "127.0.0.1", "--insecure-no-auth"):
        assert way_out in str(refused.value)


@pytest.mark.parametrize("way", [{"auth_mode": "required"}, {"allow_open": True}])
def test_the_network_may_be_served_with_authentication_or_on_ones_own_risk(tmp_path: Path, way: dict[str, Any]) -> None:
    allow_open = way.pop("allow_open", False)
    (listener,) = listen(settings(tmp_path, api_host="0.0.0.0", **way), allow_open=allow_open)
    listener.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_every_name_of_this_machine_is_served(tmp_path: Path, host: str) -> None:
    try:
        listeners = listen(settings(tmp_path, api_host=host))
    except CannotServe:
        if host != "::1":
            raise
        pytest.skip("this machine has no IPv6")
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


def test_a_name_that_is_no_address_of_ours_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="API_HOST"):
        listen(settings(tmp_path, api_host="no such host"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_process_in_order_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=url, timeout=5) as http:
            assert http.get("/health").status_code == 200
            session = http.post("/v1/terminal/sessions", json={"type": "local"}).json()["session"]["id"]
            ran = http.post(f"/v1/terminal/{session}/execute", json={"command": "sleep 1000 & echo $!"}).json()
            child = int(ran["result"]["stdout"])
            process.send_signal(number)
            _, errors = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait(5)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    said = errors.splitlines()
    assert said.index("Stopping …") < said.index("Stopped.") == len(said) - 1
    assert not lives(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_gateway_opens_ends_it_in_order(
    tmp_path: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings(tmp_path)
    life: list[str] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Gateway]:
        signal.raise_signal(number)
        async with open_gateway(given) as gateway:
            yield gateway
        life.append("closed in order")

    assert run(given, opened, on_ready=life.append) == 0
    assert life == ["closed in order"]
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped."


async def test_cancelling_it_closes_everything(tmp_path: Path) -> None:
    given = settings(tmp_path)
    sockets = listen(given)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    life: list[str] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Gateway]:
        async with open_gateway(given) as gateway:
            life.append("open")
            yield gateway
            life.append("closed in order")

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: serve(given, opened, sockets, on_ready=ready.set_result, handle_signals=False))
        url = await asyncio.wait_for(ready, 5)
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/health")).status_code == 200
        group.cancel_scope.cancel()
    assert life == ["open", "closed in order"]
    async with httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/health")


def test_a_gateway_that_cannot_open_is_told_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @contextlib.asynccontextmanager
    async def broken() -> AsyncIterator[Gateway]:
        raise Unavailable("The data directory cannot be used.")
        yield

    assert run(settings(tmp_path), broken) == 1
    assert capsys.readouterr().err == "error: The data directory cannot be used.\n"


def test_a_second_server_on_the_port_ends_with_a_message_and_no_traceback(tmp_path: Path) -> None:
    program = PROGRAM.replace(
        "settings_for(Path(sys.argv[1]))", "settings_for(Path(sys.argv[1]), api_port=int(sys.argv[2]))"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
