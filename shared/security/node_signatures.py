"""Signatures by which the processes of one gateway know each other's requests."""

import hashlib
import hmac
from collections import OrderedDict
from secrets import token_hex

from shared.errors import Unauthenticated

PURPOSE = b"mcp-gateway: one process to another"
WINDOW_SECONDS = 30.0
REMEMBERED = 50_000


class NodeSignatures:
    """Signs and checks under a key made from the secret of login tokens, which all processes of a gateway share.

    A signature is good for one request: to one process, its target and body, at its time, once.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, PURPOSE, "sha256")
        self._seen: OrderedDict[str, float] = OrderedDict()

    @property
    def fingerprint(self) -> str:
        """What tells whether two processes have the same secret, and nothing of it."""
        return hmac.digest(self._key, b"fingerprint", "sha256").hex()[:16]

    def sign(self, node: str, target: str, body: bytes, *, now: float) -> str:
        """The signature as it travels in a header to the process `node`. `now` is in epoch seconds."""
        head = f"{now:.3f} {token_hex(16)} {hashlib.sha256(body).hexdigest()}"
        return f"{head} {self._digest(head, node, target)}"

    def check(self, signature: str, node: str, target: str, body: bytes, *, now: float) -> None:
        """Raises Unauthenticated."""
        self.check_body(self.check_head(signature, node, target, now=now), body)

    def check_head(self, signature: str, node: str, target: str, *, now: float) -> str:
        """All that can be judged before the body comes: a stranger's is not even read. What `check_body` wants.

        Raises Unauthenticated.
        """
        head, _, digest = signature.rpartition(" ")
        if not hmac.compare_digest(self._digest(head, node, target).encode(), digest.encode("utf-8", "replace")):
            raise _strange()
        time, nonce, promised = head.split(" ")  # ours, since the digest is
        if abs(now - float(time)) > WINDOW_SECONDS:
            raise Unauthenticated(
                "The clocks of the gateway's machines differ by more than half a minute; set them right."
            )
        self._use_once(nonce, now)
        return promised

    def check_body(self, promised: str, body: bytes) -> None:
        """Whether it is the body that the signature was made for. Raises Unauthenticated."""
        if not hmac.compare_digest(promised, hashlib.sha256(body).hexdigest()):
            raise _strange()

    def _digest(self, head: str, node: str, target: str) -> str:
        text = b"\n".join(part.encode("utf-8", "replace") for part in (head, node, target))
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def _use_once(self, nonce: str, now: float) -> None:
        while self._seen and (
            next(iter(self._seen.values())) < now - 2 * WINDOW_SECONDS or len(self._seen) > REMEMBERED
        ):
            self._seen.popitem(last=False)
        if nonce in self._seen:
            raise Unauthenticated("This request has been made before.")
        self._seen[nonce] = now


def _strange() -> Unauthenticated:
    return Unauthenticated("This request does not come from a process of this gateway.")
