"""A machine with systemd as its first process, in namespaces of its own, on a copy of this machine's files that is thrown away."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

SYSTEMD = Path("/usr/lib/systemd/systemd")
NEEDS = ("unshare", "nsenter", "systemctl", "systemd-sysusers", "pivot_root")
SECONDS = 60
UP = ("initializing", "starting", "running", "degraded")
BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/merged" "$WORK/program"
mount --bind "$PROGRAM" "$WORK/program"
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/merged"
cd "$WORK/merged"
mkdir -p opt/mcp-gateway etc/mcp-gateway etc/systemd/system/mcp-gateway.service.d
mount --bind "$WORK/program" opt/mcp-gateway
cp -R "$FILES/." .
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
pivot_root . .
umount -l .
cd /
systemd-sysusers /usr/lib/sysusers.d/mcp-gateway.conf
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    "$0" --system --unit=mcp-gateway.service --log-target=console --show-status=no
"""
ALONE = "[Unit]\nDefaultDependencies=no\nWants=\n[Service]\nStandardOutput=file:/var/log/mcp-gateway\nStandardError=inherit\n"
"""Only the unit is started, not the rest of a system."""


@dataclass(frozen=True)
class Machine:
    """A booted one; `pid` is its first process, as seen from here."""

    pid: int

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints inside."""
        inside = ["nsenter", "--target", str(self.pid), "--all", "--root", "--wd=/"]
        done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False, timeout=SECONDS)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout.strip()


@contextmanager
def machine(folder: Path, *, unit: Path, sysusers: Path, program: Path, environment: str) -> Iterator[Machine]:
    """Boot it with the unit, `program` in /opt/mcp-gateway and the unit's environment file; skips where that can't be."""
    if sys.platform != "linux" or os.geteuid() != 0 or not SYSTEMD.exists() or not all(map(shutil.which, NEEDS)):
        pytest.skip("booting systemd needs Linux, root, systemd and util-linux")
    files = folder / "files"
    _put(files / "etc/systemd/system/mcp-gateway.service", unit.read_text("utf-8"))
    _put(files / "etc/systemd/system/mcp-gateway.service.d/alone.conf", ALONE)
    _put(files / "usr/lib/sysusers.d/mcp-gateway.conf", sysusers.read_text("utf-8"))
    _put(files / "etc/mcp-gateway/environment", environment)
    (folder / "work").mkdir()
    namespaces = ["unshare", "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child"]
    environ = {"PATH": os.environ["PATH"], "WORK": str(folder / "work"), "FILES": str(files), "PROGRAM": str(program)}
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            [*namespaces, "sh", "-c", BOOT, str(SYSTEMD)], env=environ, stdout=console, stderr=console
        )
    try:
        yield Machine(_first(process, folder / "console"))
    finally:
        process.kill()
        process.wait(SECONDS)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _first(process: subprocess.Popen[bytes], console: Path) -> int:
    """The first process inside, once systemd answers; skips where the kernel does not allow it."""
    for _ in range(600):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if process.poll() is not None:
            pytest.skip(f"systemd cannot be booted here: {console.read_text(errors='replace')[-300:]}")
        if children and "systemd" in Path(f"/proc/{children[0]}/comm").read_text():
            found = Machine(int(children[0]))
            if found.run("systemctl", "is-system-running", check=False) in UP:
                return found.pid
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise TimeoutError("systemd did not come up: " + console.read_text(errors="replace"))
