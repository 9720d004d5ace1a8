"""Whether somebody is waited for."""

import pytest

from shared.terminal import prompts

A, B, C, D = (f"\x1b]133;{letter}\x07" for letter in ("A", "B", "C", "D;0"))


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        (f"{D}{A}me$ {B}", True),
        (f"{A}me$ {B}typed so far", True),
        (f"{A}me$ \x1b]133;B\x1b\\", True),
        (f"{A}me$ {B}sleep 5\r\n", False),
        (f"{A}me$ {B}sleep 5\r\n{C}out\r\n", False),
        (f"{C}out\r\n{D}{A}me$ ", False),
        ("me$ ", False),
        ("", False),
    ],
)
def test_marks_say_whether_a_prompt_stands_there(text: str, stands: bool) -> None:
    assert prompts.marked(text) is stands


@pytest.mark.parametrize(
    "line",
    ["$ ", "root@host:/# ", "C:\\>", "host% ", ">>> ", "sqlite> ", "...>", "Router(config)#", ":", "login:", "Overwrite?",
     "Go on [Y/n] ", "Continue connecting (yes/no/[fingerprint])? ", "me \N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT} "],
)  # fmt: skip
def test_lines_that_wait_for_input_are_known_by_their_looks(line: str) -> None:
    assert prompts.look(line) == "prompt-like"


@pytest.mark.parametrize(
    "line",
    ["(gdb) ", "(Pdb) ", "(lldb) ", "--More--", "--More--(45%)", "---- More ----", "---(more 45%)---", "(END)",
     "lines 1-20/35 (END)", "Press any key to continue . . . ", "Press ENTER or type command to continue", "hit return:",
     "[Huawei]", "[~Huawei-GE0/0/1]", "➜  ~ git:(main) ", "➜  src git:(main) ✗ ", "\N{HEAVY LEFT-POINTING ANGLE QUOTATION MARK ORNAMENT} ", "» ", "... "],
)  # fmt: skip
def test_prompts_of_debuggers_pagers_and_devices_are_known_by_their_looks(line: str) -> None:
    assert prompts.look(line) == "prompt-like"


def test_a_prompt_that_was_answered_is_known_again_in_other_directories() -> None:
    for answered, again in (
        ("me in src on main ✗ ", "me in /etc/apt on other-branch ✗ "),
        ("[db] ~ ", "[db] ~ "),
        ("ready", "ready"),
    ):
        assert prompts.look(answered) is None
        learned = {*prompts.keys(answered)}
        assert learned & {*prompts.keys(again)}
        for other in ("", "Compiling [x] y", "50%", "done [3] of 7", "ready or not", "almost ready"):
            assert not learned & {*prompts.keys(other)}


@pytest.mark.parametrize(
    "line", ["Password: ", "[sudo] password for me: ", "me@host's password:", "Enter passphrase for key '/x': ", "PIN:"]
)
def test_questions_for_a_secret_are_told_apart(line: str) -> None:
    assert prompts.look(line) == "password"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "compiling",
        "...",
        "work...",
        "50 (END) x",
        "see (gdb) docs",
        "more",
        "the press",
        "100%",
        " 45 %done",
        "done.",
        "a (b)",
        "spinning",
        "x" * 5000,
    ],
)
def test_other_lines_are_no_prompts(line: str) -> None:
    assert prompts.look(line) is None
