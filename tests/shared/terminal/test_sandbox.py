"""What commands on this machine may touch: the decisions, and each kind of sandbox for real."""

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import randbelow
from typing import Any

import psutil
import pytest

from shared.domain.egress import AllowedHosts
from shared.domain.targets import LocalTarget
from shared.errors import TerminalError, Unavailable
from shared.terminal import keepers, sandbox_trial
from shared.terminal.keeper import confinement
from shared.terminal.local import LocalShells
from shared.terminal.sandbox import Rules, Sandbox, SandboxMode, bwrap_arguments
from shared.terminal.sandbox_trial import find_sandbox
from shared.terminal.sessions import Sessions
from tests.support.terminals import Terminal, a_nap, make_sessions, opened, running, until

SECRET = "sk-of-the-gateway"


def test_writable_directories_are_those_that_are_meant(tmp_path: Path) -> None:
    home, here, other = (tmp_path / name for name in ("home", "here", "other"))
    for folder in (home / "inner", here, other):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(other)
    rules = Rules(writable=("~", "~/inner", ".", str(tmp_path / "link"), "/nonexistent"))
    sandbox = Sandbox(kind="bwrap", rules=rules)
    assert sandbox.writable(str(home), str(here)) == (str(here), str(home), str(other))
    assert sandbox.writable(str(home), None) == (str(home), str(other))
    assert sandbox.writable(str(home), "/") == (str(home), str(other))
    assert Sandbox(rules=rules).writable(str(home), str(here)) == ()


def test_bubblewrap_shows_a_disk_that_is_read_only_but_for_them(tmp_path: Path) -> None:
    arguments = " ".join(bwrap_arguments(["/w"], Rules(hidden=(str(tmp_path), "/nonexistent"), network=False)))
    assert arguments.index("--ro-bind / /") < arguments.index("--bind /w /w --dev /dev")
    assert f"--tmpfs {tmp_path} --remount-ro {tmp_path}" in arguments
    assert "/nonexistent" not in arguments
    assert "--unshare-net" in arguments
    assert "--unshare-net" not in bwrap_arguments([], Rules())


def test_landlock_lists_what_lies_around_what_is_hidden(tmp_path: Path) -> None:
    for name in ("home/secrets", "home/other", "home/deep/er"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home" / "file").touch()
    home, hidden = str(tmp_path / "home"), str(tmp_path / "home" / "secrets")
    strict = confinement.granted([home], [hidden], strict=True)
    assert home in strict
    assert strict[home] == confinement.READ_DIR
    assert hidden not in strict
    assert strict[f"{home}/other"] == strict[f"{home}/file"] == confinement.RIGHTS[5]
    assert confinement.granted([home], [hidden], strict=False)[home] == confinement.RIGHTS[5]
    outside = confinement.granted([f"{home}/other"], [hidden], strict=False)
    assert outside[f"{home}/file"] == confinement.READ
    assert hidden not in outside


def test_what_cannot_be_hidden_is_told(tmp_path: Path) -> None:
    for name in ("data", "code"):
        (tmp_path / name).mkdir()
    code = str(tmp_path / "code")
    rules = Rules(
        writable=(str(tmp_path),),
        protected=(code, f"{code}/inner", "/usr"),
        hidden=(str(tmp_path / "data"),),
    )
    assert Sandbox(kind="landlock", rules=rules).unprotected == (code,)
    assert Sandbox(kind="bwrap", rules=rules).unprotected == ()
    assert Sandbox(kind="landlock", rules=rules).exposed == rules.hidden
    assert Sandbox(kind="none", rules=rules).exposed == rules.hidden
    assert Sandbox(kind="landlock", rules=rules, strict=True).exposed == ()
    assert Sandbox(kind="bwrap", rules=rules).exposed == ()


def without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "bwrap" else real(name, **more))


def fake_bwrap(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    if script is not None:
        (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("script", "why"),
    [(None, "not installed"), ("echo no namespaces >&2; exit 1", "no namespaces"), ("exec sleep 0", "no reason")],
)
async def test_bubblewrap_is_tried_for_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, why: str
) -> None:
    fake_bwrap(tmp_path, monkeypatch, script)
    if script and "sleep" in script:
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(confinement, "landlock_version", lambda: 7)
    found = await find_sandbox("auto", Rules())
    assert found.kind == "landlock"
    assert why in found.detail
    assert (await find_sandbox("required", Rules())).strict


async def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nap = a_nap()
    fake_bwrap(tmp_path, monkeypatch, f"exec /bin/sleep {nap}")
    monkeypatch.setattr(sandbox_trial, "TRIAL_SECONDS", 0.1)
    monkeypatch.setattr(keepers, "END_SECONDS", 0.1)
    monkeypatch.setattr(confinement, "landlock_version", lambda: 7)
    assert (await find_sandbox("auto", Rules())).kind == "landlock"
    assert not running(nap)


async def test_without_a_sandbox_required_refuses_and_auto_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_bwrap(tmp_path, monkeypatch, None)
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    with pytest.raises(Unavailable) as refused:
        await find_sandbox("required", Rules())
    assert refused.value.code == "no_sandbox"
    assert "bubblewrap" in refused.value.message
    found = await find_sandbox("auto", Rules())
    assert (found.kind, "no Landlock" in found.detail) == ("none", True)
    assert (await find_sandbox("off", Rules())).kind == "none"


async def test_a_network_that_cannot_be_cut_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_bwrap(tmp_path, monkeypatch, None)
    monkeypatch.setattr(confinement, "can_cut_network", lambda: False)
    for mode in ("off", "auto", "required"):
        with pytest.raises(Unavailable, match="TERMINAL_NETWORK"):
            await find_sandbox(mode, Rules(network=False))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bwrap", "mode", "advice"),
    [
        ("exit 1", "off", "Set TERMINAL_SANDBOX=auto, or"),
        ("exit 1", "auto", "Make bubblewrap work, or"),
        (None, "auto", "Install bubblewrap, or"),
    ],
)
async def test_the_advice_for_a_network_that_cannot_be_cut_is_one_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bwrap: str | None, mode: SandboxMode, advice: str
) -> None:
    fake_bwrap(tmp_path, monkeypatch, bwrap)
    monkeypatch.setattr(confinement, "can_cut_network", lambda: False)
    with pytest.raises(Unavailable, match=advice):
        await find_sandbox(mode, Rules(network=False))


class Ground:
    """Folders around a sandbox: a home, a project, one that is nobody's business, and the gateway's own."""

    def __init__(self, folder: Path) -> None:
        self.home, self.project, self.other = (folder / name for name in ("home", "project", "other"))
        self.data = folder / "data"
        for path in (self.home, self.project, self.other, self.data):
            path.mkdir()
        (self.data / "secrets.key").write_text(SECRET)

    def rules(self, **changes: Any) -> Rules:
        return Rules(**{"writable": ("~", ".", "/dev/shm"), "hidden": (str(self.data),), **changes})

    def sessions(self, sandbox: Sandbox) -> Sessions:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        return make_sessions(self.data, environ=environ, sandbox=sandbox)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.fixture(params=["bwrap", "landlock"])
async def sandbox(request: pytest.FixtureRequest, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    if request.param == "landlock":
        if not confinement.landlock_version():
            pytest.skip("this kernel has no Landlock, or has turned it off")
        without_bubblewrap(monkeypatch)
    elif shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    found = await find_sandbox("required", ground.rules())
    if found.kind != request.param:
        pytest.skip(found.detail)
    return found


@pytest.fixture
async def confined(sandbox: Sandbox, ground: Ground) -> AsyncIterator[Terminal]:
    async with ground.sessions(sandbox) as sessions, opened(sessions, LocalTarget(cwd=str(ground.project))) as terminal:
        yield terminal


async def test_commands_write_where_they_may_and_nowhere_else(confined: Terminal, ground: Ground) -> None:
    result = await confined.run(
        "echo a >file && cat file && mkdir ~/new && echo b >~/new/file && cat ~/new/file && mv file ~/moved"
    )
    assert (result.stdout, result.exit_code) == ("a\nb\n", 0), result.stderr
    assert (ground.home / "moved").read_text() == "a\n"
    for path in (ground.other / "x", ground.data / "x", Path("/etc/x"), Path("/x")):
        assert (await confined.run(f"echo no >{path}")).exit_code != 0
        assert not path.exists()
    await confined.run(f"rm -rf {ground.data}; mv {ground.data} {ground.home}/got; mv {ground.data} {ground.data}2")
    assert (ground.data / "secrets.key").read_text() == SECRET


async def test_what_is_the_gateways_cannot_be_read(confined: Terminal, ground: Ground) -> None:
    key = ground.data / "secrets.key"
    result = await confined.run(
        f"cat {key}; ln {key} ~/k; cp -r {ground.data} ~/copy; cat ~/k ~/copy/*; grep -r {SECRET} / --include=secrets.key -s -m1 -d skip"
    )
    assert SECRET not in result.stdout + result.stderr
    assert not any(SECRET in found.read_text() for found in ground.home.rglob("*") if found.is_file())


async def test_the_rest_is_usable_as_ever(confined: Terminal) -> None:
    result = await confined.run(
        "ls / /etc >/dev/null && cat /etc/passwd | wc -l && git init -q . && echo ok >&2; umask; cd ..; export A=1"
    )
    assert (result.exit_code, result.stderr) == (0, "ok\n")
    assert (await confined.run("echo $A")).stdout == "1\n"
    killed = await confined.run("kill -TERM $$")
    assert (killed.exit_code, killed.signal) == (143, "SIGTERM")


async def test_a_terminal_is_a_real_one_in_it(confined: Terminal) -> None:
    await confined.session.send("tty; test -t 0 && echo is-$((1+1)); cat /dev/null; exit 5\n")
    shown = await confined.shows("is-2")
    assert "/dev/" in shown
    await until(lambda: not confined.session.connected)
    assert confined.session.info.exit_code == 5


async def test_a_later_command_can_end_what_an_earlier_one_began(confined: Terminal) -> None:
    nap = a_nap()
    await confined.run(f"sleep {nap} & echo $! >~/pid")
    await until(lambda: running(nap))
    assert (await confined.run("kill $(cat ~/pid)")).exit_code == 0
    await until(lambda: not running(nap))


async def test_each_result_says_what_held_it(confined: Terminal, sandbox: Sandbox) -> None:
    assert (await confined.run("true")).sandbox == sandbox.kind


async def test_the_gateways_process_cannot_be_looked_into(confined: Terminal, sandbox: Sandbox) -> None:
    mine = os.getpid()
    result = await confined.run(
        f"cat /proc/{mine}/environ /proc/1/environ /proc/$PPID/environ | tr '\\0' '\\n'; kill -9 {mine}; ls /proc/{mine}/fd/"
    )
    names = {line.partition("=")[0] for line in result.stdout.splitlines() if "=" in line}
    assert names <= {"PWD", "LC_CTYPE"}, names


async def test_a_command_cannot_look_into_the_warden_above_it(confined: Terminal) -> None:
    attach = "import ctypes, os; l = ctypes.CDLL(None, use_errno=True); print(l.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())"
    traced = await confined.run(f'exec {sys.executable} -I -S -c "{attach}"')
    assert traced.stdout == "-1 1\n", traced
    looked = await confined.run("cat /proc/$PPID/fd/3; cat /proc/$PPID/environ; cat /proc/$PPID/mem")
    assert (looked.stdout, looked.stderr.count("ermission denied")) == ("", 3)


async def test_closing_ends_all_in_it(confined: Terminal) -> None:
    nap = a_nap()
    await confined.run(f"setsid env -i setsid sleep {nap} & (setsid sleep {nap} &)")
    await until(lambda: len(running(nap)) >= 2)
    await confined.close()
    assert not running(nap)


@pytest.mark.parametrize("kind", ["bwrap", "landlock", "none"])
async def test_the_network_is_cut(ground: Ground, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind != "bwrap":
        without_bubblewrap(monkeypatch)
    if kind == "none":
        monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    try:
        found = await find_sandbox("auto", ground.rules(network=False))
    except Unavailable as error:
        pytest.skip(error.message)
    if found.kind != kind:
        pytest.skip(found.detail)
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)"
        local = "import socket; socket.socketpair(); socket.socket(socket.AF_UNIX)"
        async with ground.sessions(found) as sessions, opened(sessions) as terminal:
            assert (await terminal.run(f'{sys.executable} -I -S -c "{connect}"')).exit_code == 1
            assert (await terminal.run(f'{sys.executable} -I -S -c "{local}"')).exit_code == 0
        async with ground.sessions(Sandbox()) as sessions, opened(sessions) as terminal:
            assert (await terminal.run(f'{sys.executable} -I -S -c "{connect}"')).exit_code == 0


async def test_views_of_the_disk_that_nobody_uses_are_closed(
    ground: Ground, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "MOST_KEEPERS", 2)
    async with ground.sessions(sandbox) as sessions:
        for number in range(5):
            folder = ground.other / str(number)
            folder.mkdir()
            async with opened(sessions, LocalTarget(cwd=str(folder))) as terminal:
                assert (await terminal.run("touch here")).exit_code == 0
                await terminal.close()
        local = sessions._local
        assert isinstance(local, LocalShells)
        assert len(local._keepers._keepers) == 2


async def bubblewrapped(rules: Rules) -> Sandbox:
    found = await find_sandbox("auto", rules)
    if found.kind != "bwrap":
        pytest.skip(found.detail)
    return found


async def test_directories_that_lead_to_what_is_hidden_cannot_be_moved_away(ground: Ground) -> None:
    secrets = ground.home / "share" / "inner" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "key").write_text(SECRET)
    sandbox = await bubblewrapped(ground.rules(hidden=(str(secrets),)))
    async with ground.sessions(sandbox) as sessions, opened(sessions) as terminal:
        for path in ("share", "share/inner", "share/inner/secrets"):
            assert (await terminal.run(f"mv ~/{path} ~/moved")).exit_code != 0, path
        assert (await terminal.run("touch ~/share/file ~/share/inner/file")).exit_code == 0
        async with opened(sessions, LocalTarget(cwd=str(ground.project))) as second:  # a view of its own
            assert (await second.run("cat ~/share/inner/secrets/key ~/moved/key")).stdout == ""
    assert (secrets / "key").read_text() == SECRET


async def test_nothing_is_started_once_what_is_hidden_lies_elsewhere(ground: Ground, sandbox: Sandbox) -> None:
    async with ground.sessions(sandbox) as sessions, opened(sessions) as terminal:
        ground.data.rename(ground.home / "moved")
        ground.data.mkdir()
        with pytest.raises(TerminalError, match="has been moved"):
            await terminal.run("true")


async def test_what_is_protected_can_be_read_but_not_changed_or_replaced(ground: Ground) -> None:
    code, env = ground.home / "app" / "code", ground.home / "app" / ".env"
    code.mkdir(parents=True)
    (code / "main.py").write_text("print('ours')")
    env.write_text(f"KEY={SECRET}")
    sandbox = await bubblewrapped(ground.rules(protected=(str(code), "/usr", "/nonexistent"), hidden=(str(env),)))
    async with ground.sessions(sandbox) as sessions, opened(sessions) as terminal:
        assert (await terminal.run("cat ~/app/code/main.py")).stdout == "print('ours')"
        assert (await terminal.run("cat ~/app/.env")).stdout == ""
        for attack in (
            "echo evil >~/app/code/main.py",
            "rm -f ~/app/code/main.py",
            "mv ~/app/code ~/c",
            "mv ~/app ~/a",
            "mv ~/app/.env ~/e",
            "echo evil >~/app/.env",
        ):
            assert (await terminal.run(attack)).exit_code != 0, attack
        assert (await terminal.run("touch ~/app/new ~/new")).exit_code == 0
    assert env.read_text() == f"KEY={SECRET}"


async def test_what_is_hidden_cannot_be_uncovered(confined: Terminal, ground: Ground) -> None:
    result = await confined.run(f"umount {ground.data}; cat {ground.data}/secrets.key; grep CapEff /proc/self/status")
    assert SECRET not in result.stdout
    assert int(result.stdout.split()[-1], 16) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
async def test_a_command_cannot_stop_the_keeper_to_outlive_it(confined: Terminal, sandbox: Sandbox) -> None:
    if sandbox.kind != "bwrap":
        pytest.skip("only there the keeper's end is that of all it started")
    seize = "import ctypes; print(ctypes.CDLL(None).ptrace(0x4206, 1, 0, 0))"
    assert (await confined.run(f"{sys.executable} -I -S -c '{seize}'")).stdout == "-1\n"


async def test_callers_see_nothing_of_each_other(ground: Ground) -> None:
    sandbox = await bubblewrapped(ground.rules())
    nap = a_nap()
    async with ground.sessions(sandbox) as sessions:
        hers = await sessions.open("alice", LocalTarget(env={"PASSWORD_OF_ALICE": SECRET}))
        await hers.send(f"sleep {nap}\n")
        await until(lambda: running(nap))
        theirs = await sessions.open("mallory", LocalTarget())
        looked = await theirs.execute(
            sessions.command("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ls /dev/pts")
        )
        assert SECRET not in looked.stdout
        assert f"{nap}" not in looked.stdout
        assert looked.stdout.splitlines()[-1] == "ptmx"
        own = await sessions.open("alice", LocalTarget())
        assert SECRET in (await own.execute(sessions.command("cat /proc/[0-9]*/environ"))).stdout


async def test_many_callers_at_once_do_not_close_each_others_keepers(
    ground: Ground, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "MOST_KEEPERS", 1)
    async with ground.sessions(sandbox) as sessions:
        runs = (
            sessions.execs.run(f"caller-{number}", LocalTarget(), sessions.command(f"echo {number}"))
            for number in range(6)
        )
        results = await asyncio.gather(*runs)
        assert [result.stdout for result in results] == [f"{number}\n" for number in range(6)]
        await sessions.execs.run("last", LocalTarget(), sessions.command("true"))
        local = sessions._local
        assert isinstance(local, LocalShells)
        assert len(local._keepers._keepers) == 1


async def test_a_keeper_that_is_gone_is_replaced(ground: Ground, sandbox: Sandbox) -> None:
    async with ground.sessions(sandbox) as sessions, opened(sessions) as terminal:
        await terminal.run("true")
        local = sessions._local
        assert isinstance(local, LocalShells)
        (starting,) = local._keepers._keepers.values()
        keeper = starting.result()
        process = psutil.Process(keeper._process.pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # the first of them takes others with it
                one.kill()
        await until(lambda: not keeper.alive)
        assert (await terminal.run("echo again")).stdout == "again\n"


KERNEL_WALK = """
import os
for top in ("/proc", "/sys"):
    for folder, folders, files in os.walk(top):
        if folder == "/proc":
            folders[:] = [name for name in folders if not name.isdigit()]
        for name in files:
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
            except OSError:
                continue
            print(path)
"""


async def test_no_setting_of_the_kernel_can_be_written(confined: Terminal, ground: Ground) -> None:
    (ground.project / "walk.py").write_text(KERNEL_WALK)
    walked = await confined.run(f"{sys.executable} -I -S walk.py", timeout=60)
    assert (walked.stdout, walked.exit_code) == ("", 0), walked


async def test_no_disk_or_memory_in_dev_can_be_opened(confined: Terminal) -> None:
    devices = [entry.path for entry in os.scandir("/dev") if entry.is_file(follow_symlinks=False) or _is_block(entry)]
    devices += [path for path in ("/dev/mem", "/dev/kmsg", "/dev/port", "/dev/kvm") if os.path.exists(path)]
    if not devices:
        pytest.skip("this machine has no such device")
    for path in devices:
        assert (await confined.run(f"head -c1 {path}")).exit_code != 0, path


def _is_block(entry: "os.DirEntry[str]") -> bool:
    return stat.S_ISBLK(entry.stat(follow_symlinks=False).st_mode)


END_ALL_ABOVE = """
import os, signal, subprocess, sys
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
above, pid = [], os.getpid()
while (pid := parent(pid)) != int(sys.argv[1]):
    above.append(pid)
os.setsid()
for pid in reversed(above):
    try:
        os.kill(pid, signal.SIGKILL)
        outcome = "done"
    except PermissionError:
        outcome = "refused"
    with open(sys.argv[2], "a") as file:
        file.write(outcome + "\\n")
os.execv("/bin/sleep", ["sleep", sys.argv[3]])
"""


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGSTOP"])
@pytest.mark.parametrize("other_user", [False, True])
async def test_a_landlocked_command_cannot_get_out_from_under_the_guard_and_live_on(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, other_user: bool, signal_name: str
) -> None:
    if confinement.landlock_version() < confinement.SCOPED_SINCE:
        pytest.skip("this kernel's Landlock has no scope for signals")
    setpriv = shutil.which("setpriv")
    if other_user and (os.getuid() != 0 or setpriv is None):
        pytest.skip("only root may become another user, with setpriv")
    without_bubblewrap(monkeypatch)
    found = await find_sandbox("required", ground.rules())
    if other_user:
        become = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
        monkeypatch.setattr(Sandbox, "prefix", lambda *_, **__: become)
    nap, told = a_nap(), Path("/dev/shm") / f"told-{os.getpid()}-{randbelow(10**9)}"
    script = END_ALL_ABOVE.replace("SIGKILL", signal_name)
    attack = shlex.join([sys.executable, "-I", "-S", "-c", script, str(os.getpid()), str(told), nap])
    try:
        async with ground.sessions(found) as sessions, opened(sessions, LocalTarget(cwd="/")) as terminal:
            with contextlib.suppress(TerminalError):
                await terminal.run(attack)
            await until(lambda: told.exists() and told.read_text())
            assert told.read_text().split()[0] == "refused"  # by the guard, which all stay below
            await until(lambda: not running(nap))
            assert (await terminal.run("echo again")).stdout == "again\n"
    finally:
        told.unlink(missing_ok=True)


async def test_settings_for_the_next_start_cannot_be_planted_where_there_are_none(
    ground: Ground, sandbox: Sandbox
) -> None:
    start = ground.project / "start"
    start.mkdir()
    env = start / ".env"
    found = await find_sandbox("required", ground.rules(hidden=(str(ground.data), str(env))))
    async with ground.sessions(found) as sessions, opened(sessions, LocalTarget(cwd=str(ground.project))) as terminal:
        for attack in (
            "echo TERMINAL_SANDBOX=off >start/.env",
            "echo TERMINAL_SANDBOX=off >e && mv -f e start/.env",
            "ln -sf e start/.env",
            "mv start s && mkdir start && cp e start/.env",
        ):
            assert (await terminal.run(attack)).exit_code != 0, attack
        assert (await terminal.run("touch ~/new")).exit_code == 0
    assert not env.exists() or env.read_bytes() == b""


async def test_what_the_sandbox_refuses_is_explained_in_the_result(confined: Terminal, sandbox: Sandbox) -> None:
    refused = await confined.run("touch /etc/new")
    assert "TERMINAL_WRITABLE_PATHS" in (refused.notice or "")
    assert f"({sandbox.kind})" in (refused.notice or "")
    assert (await confined.run("touch ~/new")).notice is None
    assert (await confined.run("echo nonsense >&2; false")).notice is None
    if shutil.which("sudo"):
        assert "TERMINAL_SANDBOX" in ((await confined.run("sudo -n true")).notice or "")


def test_a_refusal_of_new_privileges_or_of_the_network_is_explained() -> None:
    sudo = "sudo: The 'no new privileges' flag is set, which prevents sudo from running as root."
    assert "sudo" in (Sandbox(kind="bwrap").hint(sudo) or "")
    unreachable = "connect: Network is unreachable"
    assert "TERMINAL_NETWORK" in (Sandbox(kind="landlock", rules=Rules(network=False)).hint(unreachable) or "")
    assert Sandbox(kind="bwrap").hint(unreachable) is None
    assert Sandbox().hint(sudo) is None


def test_a_program_that_goes_past_the_proxy_of_listed_hosts_is_explained() -> None:
    listed = Rules(network=False, hosts=AllowedHosts.parse(["github.com"]))
    direct = "curl: (7) Failed to connect to 192.0.2.1 port 80 after 0 ms: Could not connect to server"
    assert "the proxy that HTTPS_PROXY names" in (Sandbox(kind="bwrap", rules=listed).hint(direct) or "")
    assert Sandbox(kind="bwrap").hint(direct) is None


def test_the_directories_that_may_be_written_are_named_once_each() -> None:
    said = Sandbox(kind="bwrap", rules=Rules(writable=("~", "/tmp", "/tmp"))).hint("Read-only file system") or ""
    assert "but for ~, /tmp (" in said


@pytest.mark.parametrize(
    ("stderr", "explained"),
    [
        ("curl: (7) Failed to connect to 127.0.0.1 port 5432 after 0 ms: Could not connect to server", True),
        ("curl: (7) Failed to connect to localhost port 80: Connection refused", True),
        ("Could not connect to Redis at 127.0.0.1:6379: Connection refused", True),
        ('psql: error: connection to server at "localhost" (::1), port 5432 failed: Connection refused', True),
        ("ConnectionRefusedError: [Errno 111] Connection refused", False),
        ("listening on localhost", False),
    ],
)
def test_a_service_that_is_not_in_a_sandbox_of_listed_hosts_is_explained(stderr: str, explained: bool) -> None:
    listed = Rules(network=False, hosts=AllowedHosts.parse(["github.com"]))
    assert ("loopback of its own" in (Sandbox(kind="bwrap", rules=listed).hint(stderr) or "")) is explained
    assert Sandbox(kind="bwrap").hint(stderr) is None
