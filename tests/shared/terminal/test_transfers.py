"""Files that are on their way show how far they are."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from shared.terminal.ssh.remote_files import CHUNK
from shared.terminal.transfers import Transfers
from tests.support.http_gateway import surface
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server


def test_each_is_there_from_its_beginning_to_its_end_however_that_comes() -> None:
    transfers = Transfers()
    with transfers.one("read", "a") as first:
        with suppress(ValueError), transfers.one("write", "b", 10) as second:
            second(4, 10)
            assert [(found.path, found.done_bytes, found.total_bytes) for found in transfers.now] == [
                ("a", 0, None),
                ("b", 4, 10),
            ]
            raise ValueError
        first(7, 7)
        assert [(found.path, found.direction, found.done_bytes) for found in transfers.now] == [("a", "read", 7)]
    assert transfers.now == []


async def under_way(http: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    return list((await http.get(path)).json()["session"].get("transfers", []))


async def test_the_session_shows_them_over_rest(tmp_path: Path) -> None:
    size = 700_000
    async with running_ssh_server(tmp_path) as server, surface(tmp_path / "data") as made:
        target = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        opened = (await made.http.post("/v1/terminal/sessions", json=target)).json()["session"]
        path = f"/v1/terminal/{opened['id']}"
        server.slow = asyncio.Event()
        body = {"path": "big", "content": "x" * size}
        writing = asyncio.ensure_future(made.http.put(f"{path}/files/content", json=body))
        async with asyncio.timeout(5):
            while not (seen := await under_way(made.http, path)) or not seen[0]["doneBytes"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert seen == [{"path": "big", "direction": "write", "doneBytes": CHUNK, "totalBytes": size}]
        server.slow.set()
        assert (await writing).status_code == 200
        assert "transfers" not in (await made.http.get(path)).json()["session"]
