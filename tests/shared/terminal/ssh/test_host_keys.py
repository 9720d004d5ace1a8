"""Deciding on the key that a host shows."""

import pytest

from shared.domain.targets import SshLogin
from shared.errors import HostKeyChanged, TerminalError
from shared.terminal.ssh.host_keys import HostKeyGuard
from shared.terminal.ssh.known_hosts import HostKey, Known

LOGIN = SshLogin(host="host.example", port=2222, username="me")
ONE, TWO = HostKey("ssh-ed25519", b"one"), HostKey("ssh-ed25519", b"two")


def test_a_known_key_is_accepted() -> None:
    guard = HostKeyGuard(LOGIN, Known((TWO, ONE)), "strict")
    assert guard.accept(ONE)
    assert guard.new is None


def test_a_new_key_is_accepted_at_first_use() -> None:
    guard = HostKeyGuard(LOGIN, Known(), "trust-first-use")
    assert guard.accept(ONE)
    assert guard.new == ONE


def test_a_new_key_is_refused_when_strict() -> None:
    guard = HostKeyGuard(LOGIN, Known(), "strict")
    assert not guard.accept(ONE)
    assert isinstance(guard.problem, TerminalError)
    assert guard.problem.code == "host_key_unknown"
    assert ONE.fingerprint in guard.problem.message
    assert guard.new is None


def test_a_new_key_is_shown_whole_to_whoever_is_asked() -> None:
    guard = HostKeyGuard(LOGIN, Known(), "ask")
    assert not guard.accept(ONE)
    assert isinstance(guard.problem, TerminalError)
    assert guard.problem.code == "host_key_unconfirmed"
    assert isinstance(guard.problem.details, dict)
    assert HostKey.of(guard.problem.details["keyType"], guard.problem.details["key"]) == ONE
    assert guard.new is None


@pytest.mark.parametrize("policy", ["trust-first-use", "ask", "strict"])
def test_a_changed_key_is_refused_with_both_fingerprints_and_the_way_out(policy: str) -> None:
    guard = HostKeyGuard(LOGIN, Known((ONE,)), policy)  # type: ignore[arg-type]
    assert not guard.accept(TWO)
    problem = guard.problem
    assert isinstance(problem, HostKeyChanged)
    assert isinstance(problem.details, dict)
    assert problem.details["knownFingerprint"] == ONE.fingerprint
    assert problem.details["presentedFingerprint"] == TWO.fingerprint
    assert "ssh-keygen -R '[host.example]:2222'" in problem.message


def test_a_key_of_another_type_is_a_changed_key() -> None:
    guard = HostKeyGuard(LOGIN, Known((ONE,)), "trust-first-use")
    assert not guard.accept(HostKey("ssh-rsa", b"one"))


def test_a_revoked_key_is_refused_though_known() -> None:
    guard = HostKeyGuard(LOGIN, Known((ONE,), (ONE,)), "trust-first-use")
    assert not guard.accept(ONE)
    assert guard.problem is not None
    assert guard.problem.code == "host_key_revoked"
