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
    "line", ["Password: ", "[sudo] password for me: ", "me@host's password:", "Enter passphrase for key '/x': ", "PIN:"]
)
def test_questions_for_a_secret_are_told_apart(line: str) -> None:
    assert prompts.look(line) == "password"


@pytest.mark.parametrize("line", ["", "compiling", "100%", " 45 %done", "done.", "a (b)", "spinning", "x" * 5000])
def test_other_lines_are_no_prompts(line: str) -> None:
    assert prompts.look(line) is None
