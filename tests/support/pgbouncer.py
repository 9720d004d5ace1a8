"""A real PgBouncer before a test's PostgreSQL, with its settings as they come but for transaction pooling."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@asynccontextmanager
async def pooled(url: str) -> AsyncIterator[str]:
    """The URL of the same database through the pooler."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed")
    parts = make_url(url)
    folder = Path(str(parts.query["host"]))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    file = folder / f"pgbouncer-{port}.ini"
    file.write_text(
        f"[databases]\n* = host={folder} user={parts.username}\n"
        f"[pgbouncer]\npool_mode = transaction\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\n"
    )
    owner = folder.stat().st_uid
    os.chown(file, owner, -1)
    as_owner = ["setpriv", f"--reuid={owner}", "--clear-groups"] if os.geteuid() != owner else []
    process = subprocess.Popen([*as_owner, PROGRAM, "--quiet", str(file)], stderr=subprocess.DEVNULL)
    try:
        await _reached(port)
        yield parts.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
    finally:
        process.kill()
        process.wait()


async def _reached(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return
