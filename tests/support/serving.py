"""`mcp-gateway serve` as a process of its own, as a user starts it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.databases import seed

READY = re.compile(rb"^  REST +(http://\S+)", re.MULTILINE)
SECONDS = 30
THIS_CODE = (sys.executable, "-m", "mcp_gateway")


@dataclass
class Serving:
    """A gateway that is ready; `said` is what it printed until then."""

    url: str
    said: str
    process: asyncio.subprocess.Process
    http: httpx.AsyncClient

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def serving(
    data_dir: Path, *options: str, program: Sequence[str] = THIS_CODE, start_new_session: bool = False, **settings: str
) -> AsyncIterator[Serving]:
    """Start it with these settings and nothing else from our environment; end it with SIGTERM.

    Another program than this code finds no database, as at a first start.
    """
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # the same code as here
        "HOME": str(data_dir.parent),  # commands begin there, and never see the data directory
        "DATA_DIR": str(data_dir),
        "API_PORT": "0",
        "OSS_DISCOVERY": "false",
        "EMBEDDED_MODEL": "off",
        "RATE_LIMIT_PER_MINUTE": "0",
        **settings,
    }
    data_dir.mkdir(exist_ok=True)
    if program is THIS_CODE:
        seed(data_dir)
    with (data_dir / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *program,
            "serve",
            *options,
            cwd=data_dir,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=start_new_session,
        )
    try:
        async with asyncio.timeout(SECONDS):
            url, said = await _ready(process, data_dir)
        async with httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as client:
            yield Serving(url, said, process, client)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(SECONDS):
            await process.wait()


async def _ready(process: asyncio.subprocess.Process, data_dir: Path) -> tuple[str, str]:
    assert process.stdout is not None
    said = b""
    while b"curl" not in said:
        part = await process.stdout.read(65536)
        log = await asyncio.to_thread((data_dir / "log").read_text, errors="replace")
        assert part, f"serve ended before it was ready:\n{said.decode()}\n{log}"
        said += part
    found = READY.search(said)
    assert found is not None, said
    return found[1].decode(), said.decode()
