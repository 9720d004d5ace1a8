"""Rules against what lines do: which one decides, for whom and where."""

from typing import Any

import pytest

from shared.domain.identity import LOCAL, Caller
from shared.domain.policy import CommandPolicy
from shared.terminal.policy import rules
from shared.terminal.policy.acts import NOWHERE, Whence, readings
from shared.terminal.policy.commands import seen
from shared.terminal.policy.rules import Place, Verdict

KEY = Caller(id="key-1", kind="key", name="ci", scopes=frozenset({"terminal"}))


def policy(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "p", "rules": list(found), **more}


def verdict(
    line: str, *policies: dict[str, Any], caller: Caller = LOCAL, place: Place | None = None, cwd: str | None = None
) -> Verdict:
    document = CommandPolicy.model_validate({"policies": list(policies)})
    return rules.judge(rules.applying(document, caller, place or Place()), seen(line, cwd=cwd))


def deny(**conditions: Any) -> dict[str, Any]:
    return {"action": "deny", **conditions}


def allow(**conditions: Any) -> dict[str, Any]:
    return {"action": "allow", **conditions}


def test_the_first_rule_that_fits_decides() -> None:
    p = policy(allow(commands=["rm"], arguments=["build"]), deny(commands=["rm"], reason="no"))
    assert verdict("rm -r build", p).action == "allow"
    found = verdict("rm -r src", p)
    assert (found.action, found.policy, found.rule, found.reason) == ("deny", "p", 2, "no")


def test_the_strictest_of_all_commands_and_policies_counts() -> None:
    p = policy({"action": "confirm", "commands": ["git push"]}, deny(commands=["rm"]))
    assert verdict("ls; git push", p).action == "confirm"
    assert verdict("git push; rm x; ls", p).action == "deny"
    assert verdict("git push", p, policy(deny(commands=["git"]), name="q")).policy == "q"


@pytest.mark.parametrize(
    "line", ["git push", "git -C /x push", "git -c a.b=c push -f", "git --no-pager push", "sudo git push"]
)
def test_subcommands_are_found_behind_options(line: str) -> None:
    assert verdict(line, policy(deny(commands=["git push"]))).action == "deny"


@pytest.mark.parametrize("line", ["git commit -m push", "git log push", "git", "gitpush", "git stash push"])
def test_other_subcommands_are_not_meant(line: str) -> None:
    assert verdict(line, policy(deny(commands=["git push"]))).action == "allow"


@pytest.mark.parametrize("option", ["-rf", "-fr", "-r -f", "-f -R", "--recursive -f", "--rec --fo", "--recursive=x -f"])
def test_options_are_found_in_all_their_forms(option: str) -> None:
    p = policy(deny(commands=["rm"], options=["-r|-R|--recursive", "-f|--force"]))
    assert verdict(f"rm {option} x", p).action == "deny"
    assert verdict(f"rm x {option}", p).action == "deny"


@pytest.mark.parametrize("line", ["rm x", "rm -r x", "rm -f x", "rm -- -rf x", "rm --force x"])
def test_options_that_are_not_there_are_missed(line: str) -> None:
    assert verdict(line, policy(deny(commands=["rm"], options=["-r|--recursive", "-f|--force"]))).action == "allow"


@pytest.mark.parametrize(
    ("target", "cwd"),
    [
        ("/", None),
        ("//", None),
        ("/.", None),
        ("/tmp/..", None),
        ("/et[c]", None),
        ("..", "/home"),
        (".", "/"),
        ("etc", "/"),
    ],
)
def test_a_path_is_known_however_it_is_written(target: str, cwd: str | None) -> None:
    p = policy(deny(commands=["rm"], arguments=["/", "/etc"]))
    assert verdict(f"rm -r {target}", p, cwd=cwd).action == "deny"
    assert verdict("rm -r /srv/x", p, cwd="/srv").action == "allow"


def test_a_home_is_a_home() -> None:
    p = policy(deny(writes=["~/.ssh/**"]))
    for path in ("~/.ssh/x", "$HOME/.ssh/x", "/home/me/.ssh/x", "/Users/me/.ssh/x", "~me/.ssh/x"):
        assert verdict(f"echo > {path}", p).action == "deny", path
    assert verdict("cd ~/.ssh; echo > x", p).action == "deny"
    assert verdict("echo > ~/x", p).action == "allow"


def test_unknown_parts_count_as_the_policy_says() -> None:
    for unknown, expected in (("deny", "deny"), ("confirm", "confirm"), ("allow", "allow")):
        p = policy(deny(commands=["rm"]), unknown=unknown)
        assert verdict("$x a", p).action == expected
        assert verdict("rm a", p).action == "deny"
    found = verdict("$x a", policy(deny(commands=["rm"])))
    assert found.unsure


@pytest.mark.parametrize(
    "step",
    [
        "cd $X", 'cd "$X"', 'cd "$(pwd)"', 'cd "$X/etc"', "cd ./$X", 'pushd "$X"', "pushd", "pushd +1", "popd", "cd -",
        "cd -P -- -",
    ],
)  # fmt: skip
def test_a_directory_that_is_not_known_may_be_any(step: str) -> None:
    p = policy(deny(writes=["/etc/**"]), unknown="deny")
    assert verdict(f"{step}; echo x > passwd", p, cwd="/srv").action == "deny"


@pytest.mark.parametrize("step", ["cd", "cd x", "cd /tmp", "cd -L /tmp", "pushd /tmp", "cd ''", "pushd ''", "cd */"])
def test_a_directory_that_is_known_is_that_one(step: str) -> None:
    p = policy(deny(writes=["/etc/**"]), unknown="deny")
    assert verdict(f"{step}; echo x > passwd", p, cwd="/srv").action == "allow"


@pytest.mark.parametrize(
    "line",
    [
        "find /etc -name passwd -delete", "find /etc -delete", "find /etc -type f -delete", "cd /etc; find -name 'p*' -delete",
        "env -C /etc tee x", "env --chd=/etc tee x", "sudo -D /etc tee x", "sudo -nD /etc tee x", "git -C /etc diff --output=x",
        "tar -C /etc -xf x.tar", "tar xf x.tar -C /etc", "tar xfC x.tar /etc", "tar --extract --dir /etc", "unzip x.zip -d /etc",
        "tar -cf /etc/x y", "tar czvf /etc/x y", "tar --create --file=/etc/x y", "git diff --output /etc/x",
        "shuf -o /etc/x y", "openssl rand -out /etc/x 12", "script /etc/x", "script -qc ls /etc/x", "strace -o /etc/x ls",
        "gcc -o /etc/x y.c", "clang++ y.c -o/etc/x", "history -w /etc/x", "sed --in-pl s/a/b/ /etc/x", "uniq x /etc/x",
    ],
)  # fmt: skip
def test_files_that_commands_write_are_seen(line: str) -> None:
    assert verdict(line, policy(deny(writes=["/etc/**"]), unknown="allow"), cwd="/srv").action == "deny"


@pytest.mark.parametrize(
    "line",
    [
        "find /etc -name passwd", "find . -name etc -delete", "find /srv -delete", "env -C /srv tee x", "env -C /etc ls",
        "sudo -D /etc ls", "git -C /etc log", "git diff --output=x /etc", "tar -C /etc -cf x .", "tar -tf /etc/x",
        "tar xf /etc/x -C /srv", "unzip /etc/x.zip -d y", "shuf /etc/x", "openssl x509 -in /etc/x -noout", "gcc -o x /etc/x.c",
        "strace -o x cat /etc/x", "history -r /etc/x", "script -c 'cat /etc/x' y", "uniq -c /etc/x y", "sort /etc/x",
    ],
)  # fmt: skip
def test_files_that_commands_only_read_are_not_written(line: str) -> None:
    assert verdict(line, policy(deny(writes=["/etc/**"]), unknown="allow"), cwd="/srv").action == "allow"


def test_a_rule_that_asks_does_not_deny_for_what_is_unknown() -> None:
    assert verdict("$x", policy({"action": "confirm", "commands": ["rm"]})).action == "confirm"
    assert verdict("$x", policy({"action": "confirm", "commands": ["ls"]}, deny(commands=["rm"]))).action == "deny"


ONLY_LS = policy(allow(commands=["ls", "cd"]), allow(commands=["git status"]), default="deny")


@pytest.mark.parametrize(
    "line",
    ["ls", "ls -la /etc", "cd /x && ls > /dev/null 2>&1", "ls $x", "/bin/ls", "A=1 ls", "git status -s", "ls < x"],
)
def test_a_list_of_what_is_allowed_allows_it(line: str) -> None:
    assert verdict(line, ONLY_LS).action == "allow"


@pytest.mark.parametrize(
    "line",
    [
        "cat x", "ls; cat x", "ls $(cat x)", "ls > x", "./ls", "/tmp/ls", "PATH=/tmp ls", "LD_PRELOAD=x ls", "LS", "l?", "$x",
        "alias ls=cat; ls", "ls() { cat; }; ls", "env ls", "git -c alias.status='!x' status", "git push", "ls | sh",
        "hash -p /tmp/x ls; ls", "ls <(x)", '"$x"s',
    ],
)  # fmt: skip
def test_a_list_of_what_is_allowed_allows_nothing_else(line: str) -> None:
    assert verdict(line, ONLY_LS).action == "deny"


def test_leave_for_arguments_needs_them_to_be_known() -> None:
    p = policy(allow(commands=["cat"], arguments=["/srv/**"]), default="deny")
    assert verdict("cat /srv/x", p).action == "allow"
    for line in ("cat $x", "cat /srv/../etc/passwd", "cat ~/x"):
        assert verdict(line, p).action == "deny", line


def test_variables_and_paths_have_rules() -> None:
    p = policy(deny(variables=["LD_*", "PATH"]), deny(paths=["/etc/shadow"]))
    for line in ("LD_PRELOAD=x ls", "export PATH=/x", "env PATH=/x ls", "cat /etc/shadow", "wc < /etc/shadow"):
        assert verdict(line, p).action == "deny", line
    assert verdict("FOO=1 cat /etc/passwd", p).action == "allow"


@pytest.mark.parametrize(
    ("callers", "connections", "caller", "place", "applies"),
    [
        ([], [], LOCAL, Place(), True),
        (["ci"], [], KEY, Place(), True),
        (["key-*"], [], KEY, Place(), True),
        (["kind:key"], [], LOCAL, Place(), False),
        (["!local"], [], LOCAL, Place(), False),
        (["!local"], [], KEY, Place(), True),
        (["role:viewer"], [], KEY, Place(), False),
        ([], ["prod"], KEY, Place(type="ssh", host="h", connection=("conn-1", "prod")), True),
        ([], ["conn-1"], KEY, Place(type="ssh", connection=("conn-1", "prod")), True),
        ([], ["prod"], KEY, Place(), False),
        ([], ["type:ssh"], KEY, Place(type="ssh"), True),
        ([], ["host:10.0.**"], KEY, Place(type="ssh", host="10.0.1.2"), True),
        ([], ["!type:local"], KEY, Place(), False),
    ],
)
def test_policies_are_for_callers_and_places(
    callers: list[str], connections: list[str], caller: Caller, place: Place, applies: bool
) -> None:
    p = policy(deny(commands=["ls"]), callers=callers, connections=connections)
    assert (verdict("ls", p, caller=caller, place=place).action == "deny") is applies


def test_without_policies_everything_is_allowed() -> None:
    assert verdict("rm -rf /").action == "allow"


def test_paths_after_what_is_unknown_may_lead_anywhere() -> None:
    assert "\x00" in readings("\x00/../x", NOWHERE)
    assert readings("a//b/./c/..", Whence(["/srv/"]))[1:] == ["a/b", "/srv/a/b"]
