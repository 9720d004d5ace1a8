"""The process that decrypts and checks one private key, with limits on its processor time and memory.

It reads a passphrase and a key from standard input and writes the key, decrypted, to standard output.
"""

import json
import os
import resource
import sys
from typing import TYPE_CHECKING

from shared.terminal.concealment import conceal

if TYPE_CHECKING:
    import asyncssh

CPU_SECONDS = 5
MEMORY_BYTES = 1024 * 1024 * 1024
NICENESS = 10
MAX_RSA_BITS = 16_384
"""As ssh-keygen. The event loop signs with the key, and larger ones hold it for seconds."""

DONE, UNREADABLE, TOO_LARGE = 0, 10, 11
"""Exit codes; any other one means that a limit ended the process."""


def question(text: str, passphrase: str) -> bytes:
    """What the process reads."""
    return json.dumps([text, passphrase]).encode()


def main() -> None:
    """Answer the one question on standard input."""
    os.closerange(3, 65_536)  # uvloop passes inheritable descriptors on
    conceal(())
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    text, passphrase = json.load(sys.stdin.buffer)
    code, answer = _answer(text, passphrase or None)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    os._exit(code)


def rsa_bits(key: "asyncssh.SSHKey") -> int:
    """The size of an RSA key; 0 for other kinds."""
    return getattr(key.pyca_key, "key_size", 0) if key.algorithm == b"ssh-rsa" else 0


def validate(key: "asyncssh.SSHKey") -> None:
    """Check that the numbers of an RSA key belong together. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key.pyca_key, RSAPrivateKey):
        key.pyca_key.private_numbers().private_key()


def _answer(text: str, passphrase: str | None) -> tuple[int, bytes]:
    import asyncssh

    try:
        key = asyncssh.import_private_key(text, passphrase, unsafe_skip_rsa_key_validation=True)
        if rsa_bits(key) > MAX_RSA_BITS:
            return TOO_LARGE, b""
        validate(key)
        return DONE, key.export_private_key("openssh")
    except (ValueError, RecursionError):
        return UNREADABLE, b""
