"""The options of `mcp-gateway stdio`."""

import pytest

from mcp_gateway.launch import parse
from tests.mcp_gateway.commands.conftest import Shell, shell  # noqa: F401


@pytest.mark.parametrize(
    ("line", "connect", "sidecar"),
    [
        ("", None, False),
        ("--sidecar", None, True),
        ("--connect", "", False),
        ("--connect http://127.0.0.1:3001", "http://127.0.0.1:3001", False),
        ("--connect=http://127.0.0.1:3001", "http://127.0.0.1:3001", False),
    ],
)
def test_plain_options_are_taken_at_once(line: str, connect: str | None, sidecar: bool) -> None:
    options = parse(line.split())
    assert options is not None
    assert (options.connect, options.sidecar) == (connect, sidecar)


@pytest.mark.parametrize("line", ["--help", "--conect", "here", "--connect --bogus", "--connect a --connect b"])
def test_the_rest_is_left_to_the_command_line(line: str) -> None:
    assert parse(line.split()) is None


@pytest.mark.parametrize(
    "line", ["--connect http://127.0.0.1:1 --sidecar", "--connect --sidecar", "--sidecar --connect"]
)
def test_both_at_once_are_refused_with_a_reason(shell: Shell, line: str) -> None:  # noqa: F811
    done = shell("stdio", *line.split())
    assert done.code == 2
    assert "take one of them" in done.err


def test_what_is_no_option_is_named(shell: Shell) -> None:  # noqa: F811
    for line in (["--conect"], ["--connect", "--conect"]):
        done = shell("stdio", *line)
        assert done.code == 2
        assert "No such option: --conect" in done.err
