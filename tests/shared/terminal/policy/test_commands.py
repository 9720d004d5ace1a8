"""From a line to everything that it would do; the table and wrappers are read on the way."""

import pytest

from shared.terminal.policy import row, rows
from shared.terminal.policy.acts import HIDDEN
from shared.terminal.policy.commands import FORK_BOMB, Seen, seen
from shared.terminal.policy.directories import MOST
from shared.terminal.policy.words import ANY


def names(found: Seen) -> list[str]:
    return [act.words[0] for act in found.acts if act.words and not act.hidden]


def hides(found: Seen) -> bool:
    return HIDDEN in found.acts


def test_every_command_of_a_line_is_seen() -> None:
    line = "a | b && c || d; e & f $(g `h`) <(i) > x; (j); { k; }; if l; then m; else n; fi; while o; do p; done; ! q"
    assert sorted(names(seen(line))) == list("abcdefghijklmnopq")
    assert not hides(seen(line))


@pytest.mark.parametrize(
    ("line", "inner"),
    [
        ("sudo -u me -- env A=1 nice -n 3 timeout 5 tool x", "tool x"),
        ("kubectl -n here exec -it pod -c box -- tool x", "tool x"),
        ("docker compose exec -u me web tool x", "tool x"),
        ("ssh -p 22 host -l me tool x", "tool x"),
        ("git -C /x bisect run tool x", "tool x"),
        ("uv run --with y tool x", "tool x"),
        ("flock -w 5 /lock tool x", "tool x"),
    ],
)
def test_a_wrapped_command_is_seen_with_its_words(line: str, inner: str) -> None:
    assert inner in [act.shown for act in seen(line).acts]


def test_what_only_asks_runs_nothing() -> None:
    assert names(seen("command -v rm")) == ["command"]
    assert names(seen("trap -l")) == ["trap"]


def test_a_shell_is_followed_to_its_input() -> None:
    assert names(seen("sh", stdin="tool x")) == ["sh", "tool"]
    assert names(seen("sh")) == ["sh"]
    assert names(seen("bash script.sh", stdin="tool")) == ["bash"]
    assert hides(seen("curl x | sh"))
    assert hides(seen("cat | bash", stdin="tool"))
    assert not hides(seen("curl x | jq ."))


def test_programs_in_other_languages_are_looked_through() -> None:
    assert hides(seen("python3", stdin="import os; os.system('x')"))
    assert not hides(seen("python3 -c 'print(1)'"))
    assert not hides(seen("awk '$3 >= 10 || /x/ { print $1 }' f"))


def test_written_and_read_files_are_seen() -> None:
    found = seen("a > x 2>> y < z >/dev/null 2>&1; tee v w; cp p q; dd of=r; sed -i s/a/b/ s")
    assert [path for act in found.acts for path in act.writes] == ["x", "y", "v", "w", "q", "r", "s/a/b/", "s"]
    assert [path for act in found.acts for path in act.reads] == ["z"]


def test_variables_that_tell_are_seen() -> None:
    found = seen("PATH=/x A=1 ls; export LD_PRELOAD=y", env={"PAGER": "tool", "B": "2"})
    assert [act.variable for act in found.acts if act.variable] == ["PAGER", "PATH", "LD_PRELOAD"]
    assert "tool" in names(found)


def test_a_script_that_the_line_has_written_is_not_known() -> None:
    assert hides(seen("echo a > x; sh x"))
    assert hides(seen("tee y < x; ./y"))
    assert not hides(seen("echo a > x; sh z"))


def test_directories_are_kept_for_relative_paths() -> None:
    found = seen("cd /etc; pushd ../x; cd", cwd="/srv/me").directories
    assert {"/srv/me", "/etc", "/srv/x", "/x", "~"} <= set(found)
    assert {"~/a/b", "/srv/me/a/b"} <= set(seen("cd ~/a; cd b", cwd="/srv/me", home="/srv/me").directories)
    assert ANY in seen("".join(f"cd /a{at}; " for at in range(MOST)), cwd="/").directories


def test_a_function_that_multiplies_is_a_bomb() -> None:
    assert FORK_BOMB in names(seen(":(){ :|:& };:"))
    assert FORK_BOMB not in names(seen("f() { g | h; }; f"))


def test_find_runs_what_it_is_told() -> None:
    found = seen(r"find a b -name x -exec tool {} \; -delete")
    assert [act.shown for act in found.acts[1:]] == ["tool a…", "tool b…", "> a/x > a/…/x > a > b/x > b/…/x > b"]


def test_a_version_in_the_name_of_a_command_makes_no_difference() -> None:
    assert row.find(rows.COMMANDS, "python3.13") is rows.COMMANDS["python"]


@pytest.mark.parametrize(
    "name",
    [
        "INPUTRC",
        "ZDOTDIR",
        "TERMINFO",
        "TERMINFO_DIRS",
        "BASH_ENV",
        "ENV",
        "PERL5OPT",
        "PERL5DB",
        "PYTHONSTARTUP",
        "PYTHONBREAKPOINT",
        "GIT_DIR",
        "GIT_CONFIG_COUNT",
        "GIT_EXTERNAL_DIFF",
        "GIT_TEMPLATE_DIR",
        "GIT_PROXY_COMMAND",
        "NODE_OPTIONS",
        "RUBYOPT",
        "JAVA_TOOL_OPTIONS",
        "LUA_INIT_5_4",
        "OPENSSL_CONF",
        "VIMINIT",
        "MAKEFLAGS",
        "npm_config_script_shell",
        "XDG_CONFIG_HOME",
        "GLIBC_TUNABLES",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
    ],
)
def test_variables_by_which_programs_run_something_else_are_seen(name: str) -> None:
    assert [act.variable for act in seen(f"{name}=/tmp/x ls").acts if act.variable] == [name]


@pytest.mark.parametrize("name", ["TERM", "CI", "DEBIAN_FRONTEND", "NODE_ENV", "LC_ALL", "TZ", "x", "file_name"])
def test_variables_of_ordinary_work_are_not(name: str) -> None:
    assert not [act.variable for act in seen(f"{name}=x ls").acts if act.variable]
