"""What cannot be read with certainty is refused, and nothing takes long."""

import subprocess
import sys

import pytest

from shared.terminal.policy.commands import seen
from shared.terminal.policy.grammar import MAX_BYTES, Unparsable, parse

UNREADABLE = {
    "an open quote": "echo 'a",
    "an open bracket": "echo $(ls",
    "a stray end": "echo a; }",
    "no command": "; ls",
    "a word over a line's end": "ec\\\nho a",
    "a carriage return": "ls\rrm -rf /",
    "a NUL": "ls\0rm",
    "a blank that is none": "ls\u00a0#; rm -rf /",
    "a line separator": "ls #\u2028rm",
    "an escape": "ls \x1b[0m",
    "backticks in a here-document": "cat <<A\n`rm`\nA",
    "backticks in backticks": "echo `echo \\`rm\\``",
    "a quote in an expansion in a text": "echo \"${x:-'$(rm)'}\"",
    "too long": "echo " + "a" * MAX_BYTES,
    "too deep": "(" * 400 + "ls" + ")" * 400,
    "too many words": "echo " + "{a,b}" * 12,
    "too many braces": "echo " + "{" * 200,
    "too many commands": "".join(f"c{at};" for at in range(1500)),
    "too many wrappers": "env " * 200 + "ls",
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_not_understood_is_refused(line: str) -> None:
    with pytest.raises(Unparsable) as refused:
        seen(line)
    assert refused.value.code == "command_unparsable"
    assert "rm" not in refused.value.message.replace("terminal", "")


def test_lines_within_lines_are_bounded() -> None:
    line = "rm x"
    for _ in range(12):
        line = "sh -c " + "'" + line.replace("'", "'\\''") + "'"
    with pytest.raises(Unparsable):
        seen(line)


@pytest.mark.parametrize("text", ["é", "日本語", "🙂", "\u200d"])
def test_other_scripts_are_read(text: str) -> None:
    assert seen(f"echo '{text}' {text}").acts[0].words == ("echo", text, text)


def test_a_lone_surrogate_does_no_harm() -> None:
    parse("echo '\ud800'")


def test_the_grammar_is_imported_only_with_the_first_line() -> None:
    code = (
        "import sys, shared.gateway, http_api.app, shared.operations.policing\n"
        "assert not {'tree_sitter', 'shared.terminal.policy.commands'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
