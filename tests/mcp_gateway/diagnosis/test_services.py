"""What `doctor` says of what the open gateway stands on."""

from pathlib import Path

import pytest

from mcp_gateway.diagnosis import services
from shared.domain.egress import AllowedHosts
from shared.domain.shares import parse_shares
from shared.routing.learning.learner import Learner
from shared.routing.learning.state import ProofState, State
from shared.terminal.process_groups import ProcessLimit
from shared.terminal.sandbox import TURNED_OFF, Rules, Sandbox

RULES = Rules(writable=("/tmp",), hidden=("/tmp/data",))


@pytest.mark.parametrize(
    ("sandbox", "status", "word"),
    [
        (Sandbox(kind="bwrap", rules=RULES), "ok", "run in bwrap"),
        (Sandbox(kind="bwrap", rules=Rules(network=False)), "ok", "without network"),
        (Sandbox(kind="bwrap", rules=RULES), "ok", "with network"),
        (
            Sandbox(kind="bwrap", rules=Rules(network=False, hosts=AllowedHosts.parse(["github.com", "localhost:1"]))),
            "ok",
            "with a network of github.com, localhost:1 only",
        ),
        (Sandbox(kind="landlock", rules=RULES, strict=True), "ok", "run in landlock"),
        (Sandbox(kind="landlock", rules=RULES, strict=True), "ok", "cannot close sockets"),
        (Sandbox(kind="landlock", rules=RULES, detail="no bubblewrap"), "warn", "cannot hide /tmp/data"),
        (Sandbox(rules=RULES, detail="no bubblewrap"), "warn", "your user's rights (no bubblewrap)"),
        (Sandbox(rules=RULES, detail=TURNED_OFF), "ok", TURNED_OFF),
    ],
)
def test_the_sandbox_is_told_with_what_it_cannot_do(sandbox: Sandbox, status: str, word: str) -> None:
    found = services._sandbox(sandbox)
    assert (found.status, word in found.text) == (status, True)
    assert bool(found.advice) == (status == "warn")


def test_code_that_commands_can_change_is_told(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    rules = Rules(writable=(str(tmp_path),), protected=(str(tmp_path / "code"),))
    found = services._sandbox(Sandbox(kind="landlock", rules=rules, detail="no bubblewrap"))
    assert found.status == "warn"
    assert f"cannot keep {tmp_path}/code from being changed" in found.text


@pytest.mark.parametrize(
    ("limit", "status", "words"),
    [
        (ProcessLimit(0), "warn", "as many processes as they like"),
        (ProcessLimit(7), "ok", "7 processes, held by counting"),
        (ProcessLimit(7, Path("/group")), "ok", "7 processes, with a control group"),
    ],
)
def test_what_holds_the_number_of_processes_is_told(limit: ProcessLimit, status: str, words: str) -> None:
    found = services._processes(Sandbox(limit=limit))
    assert (found.status, words in found.text) == (status, True)


def test_what_cannot_be_hidden_is_to_be_moved_out_of_what_may_be_written(tmp_path: Path) -> None:
    rules = Rules(writable=(str(tmp_path),), hidden=(str(tmp_path / "data"),))
    found = services._sandbox(Sandbox(kind="landlock", rules=rules, detail="no bubblewrap"))
    assert f"outside of {tmp_path}." in found.advice
    assert "home" not in found.advice


def test_learning_that_has_proven_a_step_is_told() -> None:
    learner = Learner("on", parse_shares("L0=50,L1=50"))
    sums = [100.0, 50.0, 50.0, 33.0, 20.0, 50.0], [100.0, 50.0, 50.0, 33.0, 30.0, 50.0]
    proof = ProofState(lower=sums[0], upper=sums[1])
    learner.restore(State(size=0, learned=200, heads={}, recent={}, proofs={"L0-L1": proof}))
    (found,) = services._learning(learner)
    assert found.status == "ok"
    assert found.text == (
        "ROUTER_LEARNING=on: L0-L1 ranks with 100 outcomes of the lower layer and 100 of the upper known"
    )
