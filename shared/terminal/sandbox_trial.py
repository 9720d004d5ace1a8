"""Which sandbox works here: tried for real, when the gateway opens."""

import asyncio
import shutil

from shared.errors import Unavailable
from shared.terminal.child import Launch
from shared.terminal.keeper import confinement
from shared.terminal.keepers import Keeper
from shared.terminal.sandbox import TURNED_OFF, Rules, Sandbox, SandboxMode

TRIAL_SECONDS = 5.0


async def find_sandbox(mode: SandboxMode, rules: Rules) -> Sandbox:
    """The strongest sandbox that works here, tried for real. Raises Unavailable where the mode or the rules want more."""
    if mode == "off":
        if not rules.network:
            raise _no_network(rules, "TERMINAL_SANDBOX is 'off'", "Set TERMINAL_SANDBOX=auto")
        return Sandbox(rules=rules, detail=TURNED_OFF)
    bwrap = shutil.which("bwrap")
    problem = "bubblewrap is not installed" if bwrap is None else await _problem(bwrap, rules)
    if bwrap is not None and not problem:
        return Sandbox(kind="bwrap", rules=rules, bwrap=bwrap)
    if rules.hosts is not None or not (rules.network or confinement.can_cut_network()):
        raise _no_network(rules, problem, "Install bubblewrap" if bwrap is None else "Make bubblewrap work")
    if confinement.landlock_version():
        return Sandbox(kind="landlock", rules=rules, strict=mode == "required", detail=problem)
    problem = f"{problem}, and this system has no Landlock"
    if mode == "required":
        raise Unavailable(
            f"TERMINAL_SANDBOX is 'required', but no sandbox works here: {problem}. Install bubblewrap, or set it to "
            "'auto' or 'off' to run commands with your user's rights.",
            code="no_sandbox",
        )
    return Sandbox(rules=rules, detail=problem)


async def _problem(bwrap: str, rules: Rules) -> str:
    """What keeps bubblewrap from working here; empty when it does."""
    sandbox = Sandbox(kind="bwrap", rules=rules, bwrap=bwrap)
    said = ""
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            keeper = await Keeper.start(sandbox.prefix(()), sandbox.confinement(()))
            try:
                child = await keeper.child(
                    Launch(arguments=["/bin/sh", "-c", ":"], env={}, cwd="/", descriptors=(-1, -1, -1))
                )
                await child.exited.wait()
                if child.exit_code == 0:
                    return ""
            finally:
                await keeper.aclose()
                said = keeper.said.strip()
    except (OSError, TimeoutError):
        pass
    return f"bubblewrap does not work here ({said or 'no reason given'})"


def _no_network(rules: Rules, problem: str, remedy: str) -> Unavailable:
    cannot = "is 'off', but commands cannot be kept from the network here"
    if rules.hosts is not None:  # Landlock knows ports of TCP, but no hosts
        cannot = "lists hosts, but only bubblewrap can hold commands to them, and it cannot be used"
    return Unavailable(
        f"TERMINAL_NETWORK {cannot}: {problem}. {remedy}, or set TERMINAL_NETWORK=on.", code="no_sandbox"
    )
