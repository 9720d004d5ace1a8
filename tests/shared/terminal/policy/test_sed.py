"""Programs of sed that run commands or write files, and those that do not."""

import pytest

from shared.terminal.policy.sed import acts


@pytest.mark.parametrize(
    "program",
    [
        "e date", "1e date", "1 e date", "1!e date", "$!{e date\n}", "/x/e date", "/x/I e date", r"\,x,e date", "1,/x/ e date",
        "2~3e date", "0,/x/{p;e date\n}", "/[/]/e date", "p;e date", "p\ne date", ":a;e date", "b;e date", "a x\ne date", "w f",
        "/x/w f", "W f", "s/x/y/e", "s/x/y/ge", "s/x/y/2e", "s/x/y/ e", "s,^, ,e", "s|a|b|w f", "s,v,x,w f", "sxaxbxe",
        r"s/\//x/e", "s/[/]/x/e", "s/x/[/e", r"s/a\[/b/e", "s/a/b/;s,c,d,e", "s/[[:alpha:]/]/x/e", "y/a/b/;e", "#n\ne date",
        "s/a", "/x", "s/a/b", "e",
    ],
)  # fmt: skip
def test_what_runs_commands_or_writes_files_is_found(program: str) -> None:
    assert acts(program)


@pytest.mark.parametrize(
    "program",
    [
        "", "p", "1,20p", "$d", "/e/d", "/w /p", r"\,e,d", "s/a/e/", "s/the/she/g", "s,x,e,g", "s/a/b/;s/e/w/", "s/[^/]*$/e/",
        "s|e |w |", "y/ew/we/", "a e date", "i\\\ne date\\\nw f", "c we", "# e date", ":e", "b e", "/x/b end;p;:end", "r e", "q",
        "1{h;d};${G;p}", "s/x/a\\\ne /", r"s/\/e/x/", "/a/,/e/{s/x/e/;p}", "N;P;D", "1~2d", "s/  */ /gp", "p;\n", "s/a/b/ ; p",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(program: str) -> None:
    assert not acts(program)
