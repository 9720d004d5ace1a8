"""A rolling restart behind a real HAProxy, with the configuration of deploy/."""

import asyncio
import shutil
from pathlib import Path
from tempfile import mkdtemp

from fault_stand import Stand
from processes import Child, answers, free_port

CONFIGURATION = Path(__file__).parents[1] / "deploy" / "haproxy.cfg"
CHECKED_SECONDS = 3.0
"""HAProxy takes a node for ready after two checks, a second apart."""


async def rolling_restart(stand: Stand) -> None:
    """Each node is restarted (SIGTERM) behind HAProxy, one after the other; streams take ten seconds."""
    for node in stand.nodes:
        await stand.stop(node)
        await stand.start(node)
        await asyncio.sleep(CHECKED_SECONDS)


async def balanced(stand: Stand) -> Child:
    """Start HAProxy before the nodes; the load goes through it from then on."""
    program = shutil.which("haproxy")
    if program is None:
        raise SystemExit("This fault needs haproxy: install it, or name other faults.")
    port, folder = free_port(), Path(mkdtemp(prefix="haproxy-"))
    head, _, _ = (
        CONFIGURATION.read_text("utf-8").replace("bind :8080", f"bind 127.0.0.1:{port}").partition("    server ")
    )
    servers = [f"    server {node.name} 127.0.0.1:{node.port}\n" for node in stand.nodes]
    (folder / "haproxy.cfg").write_text(head + "".join(servers))
    child = Child([program, "-db", "-f", "haproxy.cfg"], folder=folder, core=None, environ={})
    await asyncio.to_thread(child.wait_for, answers(port, "/readyz"))
    stand.balancer = port
    return child
