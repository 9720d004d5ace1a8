"""Random lines, most of them nonsense: what the policy allows deletes nothing when a real shell runs it."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.shared.terminal.policy.corpus import action

LINES = 6_000
PIECES = (
    *("rm -rf V",) * 6, *(" ",) * 3, "rm", "-rf", "V", "\n", ";", "|", "&&", "||", "(", ")", "{ ", "; }", "$(", ")", "`",
    "'", "'", '"', '"', "\\", "#", " #", "echo ", "echo", "true", "cat", "<<A\n", "\nA\n", "<<'A'\n", "<<-A\n", "<<<", "<x",
    ">x", "2>&1", "$x", "${x", "${x:-", "}", "${x#", "$((", "))", "$[", "]", "[[ ", "]]", "if ", "then ", "fi",
    "for i in 1;", "do ", "done", "case x in x)", ";;", " esac", "f()", "!", "time ", "env ", "sh -c ", "eval ", "$'", "\\'",
    '\\"', "=", "a=", "a=(", "a[", "{", "}", ",", "*", "?", "~", "$", '$"', "<(", ">(", "@(", "function g ", "break;", "-",
    "exec ", "nice ", "xargs ", "<<B <<A\n", "\\\n", "\t",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_allowed_deletes_nothing(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    ran = 0
    for _ in range(LINES):
        line = "".join(chance.choice(PIECES) for _ in range(chance.randint(2, 12)))
        if "rm" not in line or "V" not in line or action(line) != "allow":
            continue
        (tmp_path / "V").mkdir(exist_ok=True)
        subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert (tmp_path / "V").exists(), line
        ran += 1
    assert ran > 50
