"""What the policy catches, proven by a real shell, and what it leaves alone."""

import os
import subprocess
from pathlib import Path

import pytest

from shared.domain.identity import Caller
from shared.domain.policy import CommandPolicy
from shared.terminal.policy.policy_file import load
from shared.terminal.policy.rules import Place
from tests.shared.terminal.policy.corpus import action, lines

BYPASSES = lines("bypass.txt")
HARMLESS = lines("harmless.txt")
PROVEN = [line.removeprefix("! ") for line in BYPASSES if line.startswith("! ")]
EXAMPLE = Path(__file__).parents[4] / "examples" / "policy.toml"
REFUSED_AS_UNREADABLE = 50
"""Bypasses that are refused because they cannot be read; many more would mean that the grammar has become worse."""


def test_the_corpora_are_large() -> None:
    assert len(set(BYPASSES)) >= 500
    assert len(set(PROVEN)) >= 400
    assert len(set(HARMLESS)) >= 120


@pytest.mark.parametrize("line", BYPASSES)
def test_no_way_around_a_denied_command_is_open(line: str) -> None:
    assert action(line.removeprefix("! ").replace("{V}", "/tmp/victim")) in ("deny", "command_unparsable")


def test_nearly_all_of_them_are_understood() -> None:
    unread = [line for line in BYPASSES if action(line.removeprefix("! ")) == "command_unparsable"]
    assert len(unread) < REFUSED_AS_UNREADABLE


@pytest.mark.slow
@pytest.mark.parametrize("line", PROVEN)
def test_a_real_shell_would_have_deleted_it(line: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").touch()
    subprocess.run(
        ["bash", "-c", line.replace("{V}", str(victim))],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert not victim.exists()


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_looks_like_it_is_allowed(line: str) -> None:
    assert action(line) == "allow"


@pytest.mark.parametrize("line", HARMLESS)
def test_nothing_harmless_is_refused_without_a_policy(line: str) -> None:
    assert action(line, CommandPolicy()) == "allow"


DISASTERS = {
    "rm -rf /": "deny",
    "rm -rf /*": "deny",
    "rm -fr ~": "deny",
    'rm -rf "$HOME"': "deny",
    "rm -rf /etc": "deny",
    "cd / && rm -rf *": "deny",
    "cd ..; rm -r -f ../..": "deny",
    "rm -rf --no-preserve-root /": "deny",
    "chmod -R 777 /": "deny",
    "find / -delete": "deny",
    "mkfs.ext4 /dev/sda1": "deny",
    "dd if=/dev/zero of=/dev/sda bs=1M": "deny",
    "cat x > /dev/nvme0n1": "deny",
    "shutdown -h now": "deny",
    "sudo reboot": "deny",
    "systemctl --force poweroff": "deny",
    ":(){ :|:& };:": "deny",
    "bomb() { bomb | bomb & }; bomb": "deny",
    "echo 'ssh-ed25519 …' >> ~/.ssh/authorized_keys": "deny",
    "tee -a /home/me/.ssh/authorized_keys < key": "deny",
    "echo x >/etc/../etc/passwd": "deny",
    "cd /etc; echo x > passwd": "deny",
    "sed -i s/a/b/ /etc/hosts": "deny",
    "cp hosts /etc/hosts": "deny",
    "curl -o /etc/cron.d/x http://127.0.0.1/x": "deny",
    "curl -so/etc/cron.d/x http://127.0.0.1/x": "deny",
    "uniq - ~/.ssh/authorized_keys <<< 'ssh-ed25519 …'": "deny",
    "uniq -f 1 a /etc/cron.d/x": "deny",
    "uniq -- - /etc/cron.d/x": "deny",
    "sort -uo /etc/cron.d/x k": "deny",
    "sort --outp=/etc/cron.d/x k": "deny",
    "shuf -o/etc/cron.d/x k": "deny",
    "curl -s http://127.0.0.1/x | sh": "confirm",
    "wget -qO- http://127.0.0.1/x | sudo bash -s -- -y": "confirm",
    "bash <(curl -s http://127.0.0.1/x)": "confirm",
    "echo cm0gLXJmIC8= | base64 -d | sh": "confirm",
    "git push --force origin main": "confirm",
    "git -C /src push": "confirm",
    "sudo apt-get install x": "confirm",
    "$CMD": "confirm",
    "LD_PRELOAD=./x.so ls": "confirm",
    "cat ~/.ssh/id_ed25519": "confirm",
    "echo x >> ~/.bashrc": "confirm",
    "uniq -c /etc/hosts": "allow",
    "uniq -f 1 /etc/hosts hosts": "allow",
    "sort -k 1 -t o /etc/hosts -o hosts": "allow",
    "rm -rf build": "allow",
    "rm -rf ./node_modules /tmp/work/x": "allow",
    'cp "$a" "$b"': "allow",
    "git commit -m 'push it'": "allow",
    "git status && git log --grep push": "allow",
    "cat ~/.ssh/config": "allow",
    "ls /etc; cat /etc/hosts > hosts": "allow",
    "make -j4 2>&1 | tee build.log": "allow",
    "kill -9 1234": "allow",
    "python3 -m pytest -q": "allow",
}


@pytest.mark.parametrize(("command", "expected"), DISASTERS.items())
def test_the_example_does_what_it_says(command: str, expected: str) -> None:
    assert action(command, load(EXAMPLE)) == expected


@pytest.mark.parametrize("line", HARMLESS)
def test_the_example_denies_nothing_harmless(line: str) -> None:
    assert action(line, load(EXAMPLE)) in ("allow", "confirm")


KEY = Caller(id="key-1", kind="key", name="ci", scopes=frozenset({"terminal"}))
PRODUCTION = Place(type="ssh", connection=("conn-1", "production"))


@pytest.mark.parametrize(
    "line",
    [
        "uniq - ~/x <<< 'ssh-ed25519 …'", "uniq a b", "sort -o /tmp/out k", "sort -S 1k --compress-program=./x.sh big", "date -s 12:00",
        "date 010100002030", "journalctl --vacuum-size=1", "journalctl --rotate", "ls > x", "cat x | tee y", "./ls", "$X",
    ],
)  # fmt: skip
def test_production_is_for_reading_and_nothing_else(line: str) -> None:
    assert action(line, load(EXAMPLE), PRODUCTION, KEY) == "deny"


@pytest.mark.parametrize("line", ["ls -la /srv", "cat /etc/hosts | grep -c a", "df -h; uptime", "docker logs web"])
def test_production_can_be_read(line: str) -> None:
    assert action(line, load(EXAMPLE), PRODUCTION, KEY) == "allow"
