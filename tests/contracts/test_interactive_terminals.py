"""What typing and reading must do over all three kinds of terminal, each with a real shell behind it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget, Target, TelnetTarget
from shared.errors import InvalidInput
from shared.operations import terminals as operations
from shared.terminal import flow
from shared.terminal.sessions import Sessions
from tests.support.ssh_server import running_ssh_server
from tests.support.telnet_shell import running_telnet_shell
from tests.support.terminals import make_sessions, ssh_target, until
from tests.support.typist import Typist

LINES = 1_000_000


@pytest.fixture(params=["local", "ssh", "telnet"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def target(kind: str, tmp_path: Path) -> AsyncIterator[Target]:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    if kind == "local":
        yield LocalTarget(cwd=str(tmp_path))
    elif kind == "ssh":
        async with running_ssh_server(tmp_path) as server:
            yield ssh_target(server)
    else:
        async with running_telnet_shell(env) as shell:
            yield TelnetTarget(host="127.0.0.1", port=shell.port)


@pytest.fixture
async def typist(target: Target, sessions: Sessions) -> AsyncIterator[Typist]:
    session = await sessions.open("local", target)
    yield Typist(sessions, session.id)
    await sessions.close("local", session.id)


async def test_a_command_is_typed_and_its_prompt_waited_for(typist: Typist) -> None:
    answer = await typist.prompt(keys="sleep 0.4; echo $((6*7))<Enter>")
    assert answer["success"] is True
    assert "\n42\n" in answer["output"][0]
    assert answer["match"][-1] in "#$"
    assert answer["connected"] is True
    assert answer["dropped"] == 0
    again = await typist.read(cursor=answer["cursor"])
    assert again["output"] == []


async def test_plain_typing_answers_as_ever(typist: Typist) -> None:
    assert await typist.send(data="echo hi\n") == {"success": True}
    assert await typist.send(keys="<Enter>") == {"success": True}


async def test_a_pattern_is_waited_for_and_what_came_is_answered(typist: Typist) -> None:
    await typist.prompt(data="stty -echo\r")
    answer = await typist.until(r"^port (\d+)$", data="sleep 0.2; printf '\\033[1mport\\033[0m 80%s\\n' 80; sleep 9\r")
    assert answer["match"] == "port 8080"
    assert "port 8080" in answer["output"][0]
    await typist.send(wait={"for": "silence", "quietMs": 200})  # until the sleep has begun
    interrupted = await typist.prompt(keys="<C-c>")
    assert interrupted["cursor"] > answer["cursor"]


async def test_a_time_out_says_how_to_go_on(typist: Typist) -> None:
    await typist.prompt(data="stty -echo\r")
    wait = {"for": "output", "pattern": "done-7", "timeoutMs": 200}
    answer = await typist.send(data="echo begun; sleep 1; echo done-$((3+4))\r", wait=wait)
    assert answer["reason"] == "timeout"
    assert "match" not in answer
    rest = await typist.until("done-7", wait={"cursor": answer["cursor"]})
    assert rest["match"] == "done-7"


async def test_keys_move_in_the_line(typist: Typist) -> None:
    await typist.prompt()
    answer = await typist.prompt(keys="echo word-ac<Left>b<C-a><C-e><Backspace>d<Enter>")
    assert "\nword-abd\n" in answer["output"][0]
    again = await typist.prompt(keys="<Up><Enter>")
    assert "\nword-abd\n" in again["output"][0]


async def test_what_is_pasted_runs_with_enter_and_not_before(typist: Typist, tmp_path: Path) -> None:
    await typist.prompt()
    text = f"echo one >{tmp_path}/one\necho two >{tmp_path}/two\n\x1b[201~\x03"
    wait = {"for": "screen", "pattern": "two >", "view": "screen"}
    assert (await typist.send(data=text, paste=True, wait=wait))["reason"] == "matched"
    assert not (tmp_path / "one").exists()
    await typist.prompt(keys="<Enter>")
    assert (tmp_path / "one").read_text().startswith("one")


async def test_a_paste_is_in_brackets_where_the_program_asks_for_them(typist: Typist, tmp_path: Path) -> None:
    await typist.prompt(data="bind 'set enable-bracketed-paste off'\r")
    program = (
        "import sys,tty,termios; old = termios.tcgetattr(0); tty.setraw(0); sys.stdout.write('\\x1b[?2004hready\\r\\n'); "
        "sys.stdout.flush(); data = b''\n"
        "while not data.endswith(b'!'): data += sys.stdin.buffer.raw.read(1000)\n"
        "termios.tcsetattr(0, termios.TCSANOW, old); print('\\x1b[?2004l', ascii(data))"
    )
    script = tmp_path / "paste.py"
    await typist.prompt(data=f"cat >{script} <<'EOF'\r" + program.replace("\n", "\r") + "\rEOF\r")
    await typist.until("^ready", data=f"python3 {script}\r")
    answer = await typist.until("^ b'.*", data="a\nb", paste=True, keys="!")
    assert answer["match"] == r" b'\x1b[200~a\rb\x1b[201~!'"


async def test_silence_and_the_end_are_waited_for(typist: Typist) -> None:
    await typist.prompt()
    quiet = await typist.send(data="echo hush\r", wait={"for": "silence", "quietMs": 300})
    assert quiet["reason"] == "silence"
    assert "hush" in quiet["output"][0]
    over = await typist.send(keys="exit<Enter>", wait={"for": "exit"})
    assert over["reason"] == "exit"
    assert over["connected"] is False


async def test_the_last_output_is_there_after_the_end(typist: Typist) -> None:
    await typist.prompt()
    over = await typist.send(data="stty -echo; seq 20000; printf last-; echo words; exit\r", wait={"for": "exit"})
    assert over["reason"] == "exit"
    assert "\r\n20000\r\nlast-words\r\n" in over["output"][0]


async def test_a_password_is_asked_for_and_not_shown(typist: Typist) -> None:
    await typist.prompt()
    asked = await typist.prompt(
        ready="password", keys='read -rsp "Password for admin: " P; echo; echo "${<#P}"<Enter>'.replace("<#", "#")
    )
    assert asked["match"] == "Password for admin:"
    answer = await typist.prompt(data="hunter2-hunter2\r")
    assert "\n15\n" in answer["output"][0]
    assert "hunter2" not in str(await typist.read(cursor=0))
    assert "hunter2" not in str(await typist.read(view="screen"))


async def test_the_size_is_changed_and_seen(typist: Typist) -> None:
    await typist.prompt()
    assert await typist.call(operations.RESIZE_TERMINAL, cols=100, rows=30) == {"success": True}
    answer = await typist.until(r"^\d+ \d+$", data="stty size\r")
    assert answer["match"] == "30 100"
    shown = await typist.read(view="screen")
    assert len(shown["output"]) == 30
    assert (shown["screen"]["rows"], shown["screen"]["cols"]) == (30, 100)


async def test_marks_of_the_shell_are_believed_at_once(typist: Typist) -> None:
    await typist.prompt()
    await typist.prompt(ready="prompt", data=r"PS1='\[\e]133;A\a\]here \[\e]133;B\a\]'" + "\r")
    answer = await typist.prompt(
        ready="prompt", data="echo 'looks like: '; sleep 0.5; echo 'a prompt$ '; sleep 0.5\r", wait={"quietMs": 60_000}
    )
    assert answer["match"] == "here"
    assert "a prompt$" in answer["output"][0]


async def test_only_changed_rows_are_paid_for(typist: Typist) -> None:
    await typist.prompt(data="PS1='$ '; clear\r")
    whole = await typist.read(view="diff")
    assert whole["rows"] == list(range(24))
    assert len(whole["output"]) == 24
    after = await typist.send(
        data="printf '\\033[10;5Hten\\033[2;1H'\r",
        wait={"for": "screen", "pattern": "(?s)\n    ten.*", "view": "diff"},
    )
    assert after["reason"] == "matched"
    assert 9 in after["rows"]
    assert after["output"][after["rows"].index(9)] == "    ten"
    assert len(after["rows"]) <= 4
    later = await typist.read(view="diff", cursor=(await typist.read(view="diff"))["cursor"])
    assert (later["rows"], later["output"]) == ([], [])


async def test_a_million_lines_lose_no_byte_for_one_who_reads_by_cursor(typist: Typist) -> None:
    await typist.prompt(data="stty -echo -onlcr\r")
    cursor = (await typist.send(data=f"seq {LINES}; echo all-done\r", wait={"for": "output"}))["cursor"]
    begun = (await typist.read(cursor=0))["output"]
    pieces = ["".join(begun)[:cursor]]
    async with asyncio.timeout(60):
        while "all-done" not in "".join(pieces[-2:]):
            part = await typist.read(cursor=cursor, waitMs=5000)
            assert part["dropped"] == 0
            pieces += part["output"]
            cursor = part["cursor"]
            await asyncio.sleep(0.01)  # as long as a client takes that is not in this process
    text = "".join(pieces)
    begin = text.index("1\n2\n3\n")
    assert text[begin : text.index("all-done", begin)] == "".join(f"{number}\n" for number in range(1, LINES + 1))


async def test_a_reader_who_leaves_does_not_hold_up_the_shell_for_long(typist: Typist, tmp_path: Path) -> None:
    await typist.prompt(data="stty -echo -onlcr\r")
    await typist.send(data=f"seq {LINES}; touch {tmp_path}/over\r")
    await typist.read(waitMs=5000)
    await until((tmp_path / "over").exists, 10)


async def test_a_session_is_closed_while_its_shell_is_held_up(
    target: Target, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HOLD", 60)
    session = await sessions.open("local", target)
    typist = Typist(sessions, session.id)
    await typist.prompt(data="stty -echo\r")
    await typist.send(data="yes\r")
    await typist.read(waitMs=5000)
    await until(lambda: session._seat.scrollback.flow.held, 20)
    async with asyncio.timeout(5):
        await sessions.close("local", session.id)
    assert len(sessions) == 0


async def test_characters_in_pieces_are_whole(typist: Typist) -> None:
    await typist.prompt(data="stty -echo\r")
    answer = await typist.until(
        "^.+end$", data="printf '\\xe6'; sleep 0.2; printf '\\xbc'; sleep 0.1; printf '\\xa2end\\n'\r"
    )
    assert answer["match"] == "漢end"


async def test_another_encoding_is_typed_and_read(target: Target, sessions: Sessions, kind: str) -> None:
    session = await sessions.open("local", target, encoding="cp437")
    typist = Typist(sessions, session.id)
    await typist.prompt(data="bind 'set convert-meta off'; stty -echo\r")
    answer = await typist.until("^é=[0-9a-f ]+$", data="echo -n é=; printf %s é | od -An -tx1\r")
    assert answer["match"] == "é= 82"
    with pytest.raises(InvalidInput, match="cp437"):
        await typist.send(data="漢")
    await sessions.close("local", session.id)


async def test_what_makes_no_sense_is_refused_before_anything_is_typed(typist: Typist) -> None:
    for payload, said in (
        ({}, "data"),
        ({"paste": True}, "data"),
        ({"keys": "<Entr>"}, "Enter"),
        ({"keys": "a < b"}, "<lt>"),
        ({"data": "x", "wait": {"for": "output", "pattern": "(a"}}, "pattern"),
        ({"data": "x", "wait": {"for": "output", "pattern": r"(?=a)b"}}, "look-around"),
        ({"data": "x", "wait": {"for": "prompt", "pattern": "a"}}, "pattern"),
        ({"data": "x", "wait": {"for": "later"}}, "for"),
        ({"data": "x", "wait": {"for": "output", "timeoutMs": 60_001}}, "timeoutMs"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await typist.send(**payload)
        assert said in str(refused.value) + str(refused.value.details)
    assert (await typist.read(waitMs=1))["cursor"] < 5000
