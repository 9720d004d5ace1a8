"""Reading private keys that callers give: whatever can take long happens in a process that can be killed.

A key file says itself how often its passphrase is hashed, and checking the primes of an RSA key holds the interpreter's lock.
Both would stop other callers if they ran in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import InvalidInput, invalid_field
from shared.terminal.ssh import private_key_child

if TYPE_CHECKING:
    import asyncssh

ROOT = str(Path(__file__).parents[3])
BOOT = "import sys; sys.path.append(sys.argv[1]); from shared.terminal.ssh.private_key_child import main; main()"
QUICK_RSA_BITS = 3072
"""RSA keys up to this size are checked in this process, in less than 0.1 s."""

WALL_SECONDS = 15.0
AT_ONCE = 2


class PrivateKeys:
    """Reads private keys, at most `AT_ONCE` at a time of those that take long."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def read(self, text: str, passphrase: str | None) -> asyncssh.SSHKey:
        """The key of a text in PEM or OpenSSH form. Raises InvalidInput."""
        key = _without_passphrase(text)
        if key is None and passphrase is None:
            raise _not_a_key()
        if key is None or not _quick(key):
            key = await self._in_child(text, passphrase or "")
        return key

    async def _in_child(self, text: str, passphrase: str) -> asyncssh.SSHKey:
        async with self._turns:
            try:
                async with asyncio.timeout(WALL_SECONDS):
                    code, answer = await _run_child(private_key_child.question(text, passphrase))
            except TimeoutError:
                raise _takes_long() from None
        if code == private_key_child.DONE:
            import asyncssh

            return asyncssh.import_private_key(answer, unsafe_skip_rsa_key_validation=True)  # the child validated it
        if code == private_key_child.TOO_LARGE:
            raise _too_large()
        if code == private_key_child.UNREADABLE:
            raise (
                invalid_field("passphrase", "does not open the private key, or that is not one")
                if passphrase
                else _not_a_key()
            )
        raise _takes_long()


async def _run_child(question: bytes) -> tuple[int, bytes]:
    """The exit code of a new process and what it wrote. It is dead afterwards, also when the wait is cancelled."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", BOOT, ROOT,
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", env={}, start_new_session=True,
    )  # fmt: skip
    try:
        answer, _ = await process.communicate(question)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    return process.returncode or 0, answer


def _without_passphrase(text: str) -> asyncssh.SSHKey | None:
    """The key, not validated yet; None if it is encrypted or not a key. Takes no longer than decoding the text."""
    import asyncssh

    try:
        return asyncssh.import_private_key(text, unsafe_skip_rsa_key_validation=True)
    except (ValueError, RecursionError):
        return None


def _quick(key: asyncssh.SSHKey) -> bool:
    """Whether the key is good; false if finding out takes long. Raises InvalidInput."""
    bits = private_key_child.rsa_bits(key)
    if bits > private_key_child.MAX_RSA_BITS:
        raise _too_large()
    if bits > QUICK_RSA_BITS:
        return False
    try:
        private_key_child.validate(key)
    except ValueError as error:
        raise _not_a_key() from error
    return True


def _not_a_key() -> InvalidInput:
    return invalid_field("privateKey", "is not one in PEM or OpenSSH form, or needs a 'passphrase'")


def _too_large() -> InvalidInput:
    return invalid_field(
        "privateKey", f"is an RSA key of more than {private_key_child.MAX_RSA_BITS} bits; use a smaller one or Ed25519"
    )


def _takes_long() -> InvalidInput:
    return invalid_field(
        "privateKey",
        f"takes more than {private_key_child.CPU_SECONDS} seconds to open; "
        "give it fewer rounds of key derivation (ssh-keygen -p -a 16 -f KEY)",
    )
