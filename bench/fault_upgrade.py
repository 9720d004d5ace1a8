"""An upgrade under load: nodes that run an older version are replaced one after the other, on one database."""

import asyncio
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp

from fault_stand import Stand

ROOT = Path(__file__).parents[1]
FROM = "2026-11-30T23:59:59Z"
"""The older version is the last commit of the main line until then."""
LEAVE_SECONDS = 4.0
"""Streams take two seconds."""


async def upgrade(stand: Stand) -> None:
    """Each node of the version of 2026-11-30 is taken out, stopped and started with the present one; "audit lost" are chats
    of the older version, which has no audit entries of chats.
    """
    for node in stand.nodes:
        stand.out.add(node.port)  # the older version has no /readyz, and closes its connections at once
        await asyncio.sleep(LEAVE_SECONDS)
        await stand.stop(node)
        node.settings = {name: value for name, value in node.settings.items() if name != "PYTHONPATH"}
        await stand.start(node)
        stand.out.discard(node.port)


def older_code() -> dict[str, str]:
    """The settings by which a node runs the older version, its files in a temporary folder; its packages are the present ones."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        raise SystemExit("This fault needs git and this repository's history.")
    found = subprocess.run(
        [git, "rev-list", "-1", f"--until={FROM}", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    archive = subprocess.run(
        [git, "archive", found.stdout.strip(), "shared", "mcp_gateway", "http_api"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    folder = mkdtemp(prefix="older-")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return {"PYTHONPATH": folder}
