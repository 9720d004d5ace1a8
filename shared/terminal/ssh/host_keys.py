"""Deciding on the key that a host shows: known, new, changed or revoked."""

from shared.domain.targets import HostKeyPolicy, SshLogin
from shared.errors import GatewayError, HostKeyChanged, TerminalError
from shared.terminal.ssh.known_hosts import HostKey, Known


class HostKeyGuard:
    """Decides on the key that one host shows. `problem` says why it was refused, `new` is one to remember."""

    def __init__(self, login: SshLogin, known: Known, policy: HostKeyPolicy) -> None:
        self.known = known
        self.problem: GatewayError | None = None
        self.new: HostKey | None = None
        self._login = login
        self._policy = policy

    def accept(self, key: HostKey) -> bool:
        """Whether the host may be talked to."""
        where = f"{self._login.host}:{self._login.port}"
        if key in self.known.revoked:
            self.problem = TerminalError(f"The host key of {where} is marked as revoked.", code="host_key_revoked")
        elif key in self.known.keys:
            return True
        elif self.known.keys:
            self.problem = changed(self._login, self.known, key, may_ask=self._policy != "strict")
        elif self._policy == "strict":
            self.problem = TerminalError(
                f"The host key of {where} is not known, and unknown ones are refused. If {key.fingerprint} is right, "
                "add the key to the file known_hosts in the gateway's data directory, then open the session again.",
                code="host_key_unknown",
                details={"fingerprint": key.fingerprint, "keyType": key.type},
            )
        elif self._policy == "ask":
            self.problem = TerminalError(
                f"The host key of {where} is not known, and a person has to say whether {key.fingerprint} is right; open "
                "the session again to have one asked.",
                code="host_key_unconfirmed",
                details={
                    "host": self._login.host,
                    "port": self._login.port,
                    "fingerprint": key.fingerprint,
                    "keyType": key.type,
                    "key": key.text,
                },
            )
        else:
            self.new = key
        return self.problem is None


def changed(login: SshLogin, known: Known, key: HostKey, *, may_ask: bool = False) -> HostKeyChanged:
    """What to tell of a host that shows another key than the one we know; `key` in it is for a person to accept."""
    old = ", ".join(known_key.fingerprint for known_key in known.keys)
    name = f"[{login.host}]:{login.port}" if login.port != 22 else login.host
    return HostKeyChanged(
        f"{login.host}:{login.port} shows another host key than before, which may mean that somebody is in between; "
        f"nothing was sent. If the change is right, the gateway's operator accepts it by running "
        f"ssh-keygen -R '{name}' -f known_hosts in the gateway's data directory.",
        details={
            "host": login.host,
            "port": login.port,
            "knownFingerprint": old,
            "presentedFingerprint": key.fingerprint,
            "keyType": key.type,
            **({"key": key.text} if may_ask else {}),
        },
    )
