"""What typing, waiting and reading must do on every kind of terminal: this machine, SSH (a server in this process, OpenSSH's
own) and telnet (a device with a shell, a real telnetd), through REST over real HTTP and through MCP's tools.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.doors import Refused, RestDoor
from tests.support.hands import Hands, RestHands, hands_of
from tests.support.stand import Stand, standing
from tests.support.terminals import a_nap, running, until

pytestmark = pytest.mark.slow

WAYS = [
    ("local", "rest"),
    ("local", "mcp"),
    ("ssh", "rest"),
    ("ssh", "mcp"),
    ("openssh", "rest"),
    ("telnet", "rest"),
    ("telnet", "mcp"),
    ("telnetd", "rest"),
]
SHELLS = [way for way in WAYS if way[0] in ("local", "ssh", "openssh")]
"""Those whose shell is the gateway's own to start, end and signal."""
SMALL = (72, 20)


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """On uvloop, as `serve` has it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with standing(tmp_path_factory.mktemp("stand"), terminal_max_sessions_per_caller=32) as made:
        yield made


async def log_in(hands: Hands) -> None:
    """What a real telnetd wants first."""
    assert (await hands.ready()).match == "login:"
    await hands.ready("me\n", reason="password")
    await hands.until("device> $", "tr0ub4dor\n")


@pytest.fixture(params=WAYS, ids="-".join)
async def hands(request: pytest.FixtureRequest, stand: Stand) -> AsyncIterator[Hands]:
    """At a shell that echoes nothing and whose prompt is `$ `."""
    kind, door = request.param[0], stand.doors[request.param[1]]
    cols, rows = SMALL
    made = hands_of(door, await door.open(await stand.place(kind), cols=cols, rows=rows))  # type: ignore[arg-type]
    if kind == "telnetd":
        await log_in(made)
    else:
        await made.ready()
    await made.until("(?m)^begun$", "PS1='$ '; stty -echo; echo be''gun\n")
    yield made
    if made.id in {entry["id"] for entry in await door.sessions()}:
        await door.close(made.id)


shells = pytest.mark.parametrize("hands", SHELLS, ids="-".join, indirect=True)


async def test_a_command_is_typed_and_its_prompt_waited_for(hands: Hands) -> None:
    answer = await hands.ready(keys="sleep 0.4; echo $((6*7))<Enter>")
    assert "42\n" in answer.text
    assert (answer.match, answer.connected) == ("$", True)
    assert (await hands.piece(answer.cursor, seconds=0.05))[0] == ""


async def test_a_pattern_is_waited_for_and_what_came_is_answered(hands: Hands) -> None:
    answer = await hands.until(r"^port (\d+)$", "sleep 0.2; printf '\\033[1mport\\033[0m 80%s\\n' 80; sleep 9\n")
    assert answer.match == "port 8080"
    assert "port 8080" in answer.text
    interrupted = await hands.ready(keys="<C-c>")
    assert interrupted.cursor > answer.cursor


async def test_a_time_out_says_how_to_go_on(hands: Hands) -> None:
    answer = await hands.types("echo begun; sleep 0.6; echo done-$((3+4))\n", pattern="done-7", seconds=0.2)
    assert (answer.reason, answer.match) == ("timeout", None)
    assert (await hands.goes_on(answer.cursor, "done-7")).match == "done-7"


@shells
async def test_where_prompts_are_marked_the_wait_is_for_the_next_one(hands: Hands) -> None:
    await hands.ready(r"stty echo; PS1='\[\e]133;A\a\]here \[\e]133;B\a\]'" + "\n", reason="prompt")
    for number in range(15):
        long = " ".join(f"word{at}" for at in range(300))
        answer = await hands.ready(f"sleep 0.1; : {long}; echo done-$(({number}+100))\n", reason="prompt", seconds=20)
        assert f"\ndone-{number + 100}\n" in answer.text
    typed = await hands.types("echo ent", wait="ready", seconds=0.3)
    assert typed.reason == "timeout"
    assert "\nentered\n" in (await hands.ready("ered\n", reason="prompt")).text


async def test_keys_move_in_the_line(hands: Hands) -> None:
    await hands.ready("stty echo\n")
    answer = await hands.ready(keys="echo word-ac<Left>b<C-a><C-e><Backspace>d<Enter>")
    assert "\nword-abd\n" in answer.text
    assert "\nword-abd\n" in (await hands.ready(keys="<Up><Enter>")).text


async def test_interrupting_reaches_the_program_in_front(hands: Hands) -> None:
    nap = a_nap()
    await hands.types(f"sleep {nap}; echo ended $?\n", wait="output", seconds=0.1)
    await until(lambda: running(nap))
    await hands.ready(keys="<C-c>")
    assert "next 130" in (await hands.until("^next 130$", "echo next $?\n")).text
    await until(lambda: not running(nap))


async def test_what_is_pasted_runs_with_enter_and_not_before(hands: Hands, tmp_path: Path) -> None:
    text = f"echo one >{tmp_path}/one\necho two >{tmp_path}/two\n\x1b[201~\x03"
    await hands.types(text, paste=True, wait="silence", seconds=1)
    assert not (tmp_path / "one").exists()
    await hands.ready(keys="<Enter>")
    await until((tmp_path / "one").exists)
    await until(lambda: (tmp_path / "one").read_text().startswith("one"))


async def test_silence_is_waited_for(hands: Hands) -> None:
    assert "hush" in (await hands.silent("echo hush\n")).text


async def test_the_last_output_is_there_after_the_end(hands: Hands, request: pytest.FixtureRequest) -> None:
    kind, _ = request.node.callspec.params["hands"]
    pause = "sleep 0.5; " if kind == "telnetd" else ""  # which throws away what it has not read when its shell ends
    over = await hands.end(f"seq 1000; printf last-; echo words; {pause}exit 7\n")
    assert "1000\nlast-words\n" in over.text
    assert over.connected is False
    assert "last-words" in await hands.everything()


async def test_a_password_is_asked_for_and_not_shown(hands: Hands) -> None:
    asked = await hands.ready('read -rsp "Password for admin: " P; echo; echo "${#P}"\n', reason="password")
    assert asked.match == "Password for admin:"
    assert "15\n" in (await hands.ready("hunter2-hunter2\n")).text
    assert "hunter2" not in await hands.everything()
    assert "hunter2" not in "\n".join(await hands.screen())


async def test_the_size_is_the_one_asked_for_and_follows(hands: Hands) -> None:
    cols, rows = SMALL
    assert (await hands.until(r"^\d+ \d+$", "stty size\n")).match == f"{rows} {cols}"
    if isinstance(hands.door, RestDoor):  # MCP gives the size once, when it opens
        await hands.door.call("POST", f"/{hands.id}/resize", json={"cols": 100, "rows": 30})
        assert (await hands.until(r"^\d+ \d+$", "stty size\n")).match == "30 100"


async def test_the_screen_is_what_a_terminal_would_show(hands: Hands) -> None:
    await hands.until("end", "PS1=; printf '\\033[2J\\033[3;5Hhere\\033[1;1Hgone\\033[1K\\033[5;1He%s' nd\n")
    assert (await hands.screen()) == ["", "", "    here", "", "end"]


async def test_only_changed_rows_are_paid_for(hands: Hands) -> None:
    await hands.ready("clear\n")
    rows = await hands.changes("printf '\\033[10;5Hten\\033[2;1H'\n", "(?s)\n    ten.*")
    assert rows[9] == "    ten"
    assert len(rows) <= 4


async def test_a_full_screen_program_leaves_the_screen_as_it_was(hands: Hands) -> None:
    await hands.ready("clear; echo was-here\n")
    alternate = "printf '\\033[?1049h\\033[2J\\033[4;4Hother-screen'; read -r _; printf '\\033[?1049l'"
    await hands.until("other-screen", f"{alternate}\n".replace("other-screen", "other''-screen"))
    assert "was-here" not in "\n".join(await hands.screen())
    await hands.ready("\n")
    shown = await hands.screen()
    assert "was-here" in shown
    assert "other-screen" not in "\n".join(shown)


async def test_reading_by_cursor_loses_no_byte(hands: Hands, request: pytest.FixtureRequest) -> None:
    lines = 3_000
    if isinstance(hands, RestHands):
        lines = 1_000_000 if "[local" in request.node.name else 150_000
    await hands.types(f"stty -onlcr; seq {lines}; echo all-do''ne\n", wait="output")
    cursor, pieces = 0, [""]
    async with asyncio.timeout(60):
        while "all-done" not in "".join(pieces[-2:]):
            text, cursor = await hands.piece(cursor)
            pieces.append(text)
            await asyncio.sleep(0)
    text = "".join(pieces)
    begin = text.index("1\n2\n3\n")
    assert text[begin : text.index("all-done", begin)] == "".join(f"{number}\n" for number in range(1, lines + 1))


async def test_characters_in_pieces_are_whole(hands: Hands) -> None:
    answer = await hands.until(
        "^.+end$", "printf '\\xe6'; sleep 0.1; printf '\\xbc'; sleep 0.1; printf '\\xa2end\\n'\n"
    )
    assert answer.match == "漢end"


async def test_what_makes_no_sense_is_refused_before_anything_is_typed(hands: Hands) -> None:
    await hands.ready("stty echo\n")
    for typed, said in (
        ({"keys": "echo x<Entr>"}, "did you mean <Enter>"),
        ({"keys": "echo x<Crtl-c>"}, "did you mean <C-c>"),
        ({"keys": "a < b"}, "<lt>"),
    ):
        with pytest.raises(Refused, match=said):
            await hands.door.send(hands.id, **typed)
    with pytest.raises(Refused, match="pattern"):
        await hands.types("echo x", pattern="(a")
    assert "echo x" not in await hands.everything()


async def test_closing_ends_what_was_started_and_the_session(hands: Hands) -> None:
    nap = a_nap()
    await hands.types(f"sleep {nap}\n", wait="output", seconds=0.1)
    await until(lambda: running(nap))
    await hands.door.close(hands.id)
    await until(lambda: not running(nap))
    with pytest.raises(Refused) as closed:
        await hands.types("x")
    assert closed.value.code == "session_not_found"


@shells
async def test_after_the_end_of_the_shell_typing_says_that_it_begins_another(hands: Hands) -> None:
    await hands.ready("marker=of-the-first\n")
    assert (await hands.end("exit 7\n")).connected is False
    (ended,) = [entry for entry in await hands.door.sessions() if entry["id"] == hands.id]
    assert (ended["connected"], ended["exitCode"]) == (False, 7)
    again = await hands.until("^again-none$", "echo again-${marker-none}\n")
    assert "[gateway: the shell before this has ended with exit code 7; this is a new one, in " in again.text
    assert again.text.index("[gateway: ") < again.text.index("again-none")
    assert again.connected is True
    (entry,) = [entry for entry in await hands.door.sessions() if entry["id"] == hands.id]
    assert entry["connected"] is True


@shells
async def test_a_signal_reaches_the_job_in_front_and_not_the_shell(hands: Hands) -> None:
    nap = a_nap()
    begun = await hands.types(f"sleep {nap}; echo ended $?\n", wait="output", seconds=0.1)
    await until(lambda: running(nap))
    await hands.door.signal(hands.id, "TERM")
    assert (await hands.goes_on(begun.cursor, "^ended 143$")).match == "ended 143"
    assert not running(nap)
    waits = await hands.until(
        "^waiting$", "(trap 'echo trap''ped; exit' USR1; echo wait''ing; while :; do sleep 0.05; done)\n"
    )
    await hands.door.signal(hands.id, "SIGUSR1")
    assert (await hands.goes_on(waits.cursor, "^trapped$")).match == "trapped"


@shells
async def test_where_nothing_runs_a_signal_is_refused(hands: Hands) -> None:
    await hands.end("exit\n")
    with pytest.raises(Refused) as nothing:
        await hands.door.signal(hands.id, "INT")
    assert nothing.value.code == "nothing_runs"
    with pytest.raises(Refused, match="signal"):
        await hands.door.signal(hands.id, "NONSENSE")


@pytest.mark.parametrize("hands", [("telnet", "rest"), ("telnet", "mcp")], ids="-".join, indirect=True)
async def test_telnet_says_what_it_cannot_do(hands: Hands) -> None:
    with pytest.raises(Refused, match="<C-c>"):
        await hands.door.signal(hands.id, "INT")
    with pytest.raises(Refused, match="send_to_terminal"):
        await hands.door.run(hands.id, "ls")
