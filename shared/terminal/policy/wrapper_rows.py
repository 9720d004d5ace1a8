"""The commands that run other commands, one row for each kind, and the variables that do."""

import re
from collections.abc import Mapping

from shared.terminal.policy import sed
from shared.terminal.policy.wrappers import Wrapper

RUNS = (
    r"system|popen|exec|spawn|subprocess|pty\b|child_process|`|%x|\bqx\b|ctypes|__import__|getattr|eval|compile|b64|unlink"
    r"|rmtree|rmdir|remove|truncate|chmod|chown|rename"
)
"""What a program in another language says, more or less, when it runs commands or deletes."""

_OPENS = RUNS + r"|open\b[^;]*?(?<!\|)\|(?!\|)"
"""The same where a file's name may be a command."""

_DOCKER = (
    "-v -e -p -u -w -h -m -l --name --env --env-file --volume --publish --user --workdir --network --entrypoint --mount "
    "--platform --memory --cpus --label --hostname"
)
_INSIDE = "-e -u -w --env --user --workdir --index"

_SU_LINES = "-c --command --session-command"
_SU_VALUES = "-s -g -G -w --shell --group --supp-group --whitelist-environment"

RUNUSER = Wrapper(names="runuser", values=f"-u --user {_SU_LINES} {_SU_VALUES}")
"""How it is read with a user given, which makes the operands a command."""

ROWS: tuple[Wrapper, ...] = (
    Wrapper(
        names="sh bash dash ash zsh ksh mksh rbash fish csh tcsh",
        then="shell",
        values="-o -O +o +O --rcfile --init-file",
    ),
    Wrapper(names="source .", then="shell"),
    Wrapper(names="eval", then="line"),
    Wrapper(names="trap", then="line", first=True, queries="-l -p"),
    Wrapper(names="command", queries="-v -V"),
    Wrapper(names="exec", values="-a"),
    Wrapper(names="builtin nohup setsid - noglob nocorrect busybox toybox ifne chronic unbuffer fakeroot firejail"),
    Wrapper(names="linux32 linux64 torify torsocks proxychains proxychains4 catchsegv eatmydata dbus-launch"),
    Wrapper(
        names="ld.so ld-linux.so.2 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1",
        values="--library-path --preload --argv0 --inhibit-rpath --audit --inhibit-cache",
    ),
    Wrapper(names="hash", lines="-p", then="nothing"),
    Wrapper(names="complete compgen", lines="-C", then="nothing", permutes=True),
    Wrapper(names="mapfile readarray", lines="-C", values="-d -n -O -s -u -c", then="nothing"),
    Wrapper(names="bind", lines="-x", part=r".*?:(.*)", then="nothing"),
    Wrapper(names="alias", lines="", then="nothing"),
    Wrapper(
        names="sudo",
        values="-u -g -C -h -p -r -t -T -U -D -R --user --group --host --prompt --chdir --chroot --role --type",
        assigns=True,
        reads=True,
    ),
    Wrapper(names="doas", values="-u -C"),
    Wrapper(names="pkexec", values="--user"),
    Wrapper(names="su runuser", lines=_SU_LINES, values=_SU_VALUES, then="nothing", permutes=True, reads=True),
    Wrapper(names="sg", lines="-c", skip=1, then="line"),
    Wrapper(names="env genv", values="-u -C -a --unset --chdir --argv0", lines="-S --split-string", assigns=True),
    Wrapper(names="nice gnice", values="-n --adjustment"),
    Wrapper(names="ionice", values="-c -n --class --classdata"),
    Wrapper(names="coproc !", assigns=True),
    Wrapper(names="time gtime", assigns=True, values="-f -o --format --output"),
    Wrapper(names="timeout gtimeout", values="-s -k --signal --kill-after", skip=1),
    Wrapper(names="stdbuf gstdbuf", values="-i -o -e --input --output --error"),
    Wrapper(names="chrt taskset setarch chroot", skip=1, values="--userspec --groups"),
    Wrapper(
        names="setpriv",
        values="--ambient-caps --inh-caps --bounding-set --ruid --euid --rgid --egid --reuid --regid --groups --securebits "
        "--selinux-label --apparmor-profile --landlock-access --landlock-rule --pdeathsig --ptracer --seccomp-filter",
    ),
    Wrapper(names="prlimit", values="-p -o --pid --output"),
    Wrapper(names="choom", values="-n -p --adjust --pid"),
    Wrapper(names="cpulimit", values="-l -p -e --limit"),
    Wrapper(names="unshare nsenter", values="-t -S -G --target --map-user --map-group --root --wd"),
    Wrapper(names="strace ltrace", values="-o -e -p -s -E -u -a -I -O -P -S"),
    Wrapper(names="valgrind perf xvfb-run dbus-run-session", values="-n -s -e -a"),
    Wrapper(names="systemd-run", values="-p -u -t -M -E --unit --property --slice --description --uid --gid --setenv"),
    Wrapper(names="watch", values="-n --interval", then="line"),
    Wrapper(names="entr"),
    Wrapper(
        names="xargs gxargs",
        values="-a -d -E -I -L -n -P -s --arg-file --delimiter --max-args --max-procs --max-lines --max-chars --replace",
        adds=True,
    ),
    Wrapper(
        names="parallel",
        values="-j -a -I --jobs --arg-file --colsep --delay --joblog",
        then="line",
        adds=True,
        reads=True,
    ),
    Wrapper(
        names="ssh",
        values="-B -b -c -D -E -e -F -I -i -J -L -l -m -O -p -Q -R -S -W -w",
        lines="-o",
        part=r"(?i)(?:proxy|local|knownhosts)command[= ]\s*(.*)",
        skip=1,
        then="line",
        reads=True,
    ),
    Wrapper(names="sshpass", values="-p -f -d -P"),
    Wrapper(
        names="scp sftp",
        values="-P -i -c -F -J -l -S -D -B -b -R -X",
        lines="-o",
        part=r"(?i)(?:proxy|local|knownhosts)command[= ]\s*(.*)",
        then="nothing",
        permutes=True,
    ),
    Wrapper(names="rsync", lines="-e --rsh --rsync-path", then="nothing", permutes=True),
    Wrapper(
        names="tar gtar bsdtar",
        lines="-I -F --to-command --use-compress-program --checkpoint-action --info-script --new-volume-script "
        "--rsh-command --rmt-command",
        values="-C -f -T -X --directory --file --files-from --exclude-from --exclude",
        part=r"(?:exec=)?(.*)",
        then="nothing",
        permutes=True,
    ),
    Wrapper(names="zip", lines="-TT --unzip-command", then="nothing", permutes=True),
    Wrapper(names="man", lines="-P -H --pager --html", then="nothing", permutes=True),
    Wrapper(
        names="script", lines="-c --command", values="-E -I -O -B -T -m -o", then="nothing", permutes=True, reads=True
    ),
    Wrapper(names="flock", lines="-c --command", values="-w -E --timeout", skip=1),
    Wrapper(names="at batch", values="-f -q -t", then="stdin"),
    Wrapper(names="screen", values="-S -p -X -t -h"),
    Wrapper(
        names="git",
        then="subcommand",
        values="-C --git-dir --work-tree --namespace --exec-path",
        lines="-c --config-env",
        part=r"(?i)(?:[\w.-]*(?:pager|editor|command|fsmonitor|textconv|helper|program|cmd|proxy|hook)[\w.-]*=!?|[^=]+=!)(.*)",
    ),
    Wrapper(names="git bisect run"),
    Wrapper(names="git submodule foreach", then="line"),
    Wrapper(names="git rebase", lines="-x --exec", then="nothing", permutes=True),
    Wrapper(names="git difftool", lines="-x --extcmd", then="nothing", permutes=True),
    Wrapper(
        names="git filter-branch",
        lines="--tree-filter --index-filter --msg-filter --env-filter --commit-filter --parent-filter",
        then="nothing",
        permutes=True,
    ),
    Wrapper(names="docker podman nerdctl", then="subcommand", values="-H -l -c --host --context --config --log-level"),
    *(
        Wrapper(names=f"{engine} {action}", values=values, skip=1)
        for engine in ("docker", "podman", "nerdctl")
        for action, values in (
            ("run", _DOCKER),
            ("create", _DOCKER),
            ("exec", _INSIDE),
            ("container run", _DOCKER),
            ("container exec", _INSIDE),
            ("compose run", _DOCKER),
            ("compose exec", _INSIDE),
        )
    ),
    Wrapper(names="docker-compose", then="subcommand", values="-f -p --file --project-name"),
    Wrapper(names="docker-compose exec", values=_INSIDE, skip=1),
    Wrapper(names="docker-compose run", values=_DOCKER, skip=1),
    Wrapper(names="kubectl oc", then="subcommand", values="-n -s --namespace --context --kubeconfig --cluster --user"),
    Wrapper(names="kubectl exec", values="-n -c --namespace --container --context", skip=1),
    Wrapper(names="oc exec", values="-n -c --namespace --container --context", skip=1),
    Wrapper(names="tmux", then="subcommand", values="-L -S -f"),
    *(
        Wrapper(names=f"tmux {action}", values="-t -s -n -c -x -y -e -F", then="line")
        for action in (
            "new",
            "new-session",
            "new-window",
            "neww",
            "split-window",
            "splitw",
            "respawn-pane",
            "run-shell",
            "run",
            "send-keys",
            "send",
            "if-shell",
            "popup",
        )
    ),
    Wrapper(
        names="uv poetry pipenv pipx bundle conda npm pnpm yarn cargo nix gh", then="subcommand", values="-C --prefix"
    ),
    Wrapper(names="uv run", values="--with --python -p --directory --project --env-file --extra --group"),
    *(
        Wrapper(names=name)
        for name in (
            "poetry run",
            "pipenv run",
            "pipx run",
            "bundle exec",
            "pnpm exec",
            "pnpm dlx",
            "yarn exec",
            "yarn dlx",
        )
    ),
    Wrapper(names="conda run", values="-n -p --name --prefix"),
    Wrapper(names="npm exec", lines="-c --call", values="-p --package"),
    Wrapper(names="npm x", lines="-c --call", values="-p --package"),
    Wrapper(names="npx bunx uvx", lines="-c --call", values="-p --package --from --with"),
    Wrapper(names="make gmake", lines="--eval", values="-C -f -j -o -W -I", then="nothing", permutes=True),
    Wrapper(names="python pypy ipython", then="code", values="-m -W -X", code="-c", reads=True, runs=RUNS),
    Wrapper(names="perl", then="code", values="-I -M", attached="-i -F -x", code="-e -E", reads=True, runs=_OPENS),
    Wrapper(
        names="ruby",
        then="code",
        values="-I -r -C",
        attached="-i -F -x -E -K -T -W -X",
        code="-e",
        reads=True,
        runs=_OPENS,
    ),
    Wrapper(
        names="node nodejs bun deno",
        then="code",
        values="-r --require",
        code="-e -p --eval --print",
        reads=True,
        runs=RUNS,
    ),
    Wrapper(names="php", then="code", values="-d", code="-r -B -R -E", reads=True, runs=RUNS),
    Wrapper(names="lua tclsh expect osascript Rscript", then="code", code="-e -c", reads=True, runs=RUNS),
    Wrapper(
        names="awk gawk mawk nawk",
        values="-F -v -f -i",
        code="-e --source",
        first=True,
        then="code",
        runs=r"system\s*\(|getline|(?<!\|)\|(?!\|)|>\s*[\"(]",
    ),
    Wrapper(
        names="sed gsed",
        values="-f -l",
        code="-e --expression",
        first=True,
        then="code",
        attached="-i",
        runs=sed.acts,
    ),
    Wrapper(
        names="vi vim nvim ex view emacs",
        then="code",
        code="-c --cmd -S --eval",
        reads=True,
        permutes=True,
        plus=True,
        runs=r"!|system|shell-command|delete|\bter(?:m(?:inal)?)?\b|job_start|libcall",
    ),
    Wrapper(names="ed red", then="code", reads=True, runs=r"!"),
    Wrapper(
        names="gdb lldb",
        then="code",
        values="-p",
        code="-ex -iex -o -x",
        reads=True,
        runs=r"shell|!|system|call|python",
    ),
    Wrapper(
        names="sqlite3 psql mysql", then="code", code="-c -e -cmd", permutes=True, runs=r"\.shell|\.system|\\!|program"
    ),
)

_ENGINES = frozenset(name for row in ROWS if row.then == "subcommand" for name in row.names.split())

COMMAND_VARIABLES = re.compile(
    r"PROMPT_COMMAND|PS[0-4]|SHELL|(?:GIT_|MAN|SYSTEMD_|AWS_)?PAGER|(?:GIT_)?(?:SEQUENCE_)?EDITOR|VISUAL|BROWSER|SUDO_EDITOR"
    r"|GIT_SSH(?:_COMMAND)?|(?:GIT|SSH|SUDO)_ASKPASS|RSYNC_RSH|LESSOPEN|LESSCLOSE|FCEDIT|HGEDITOR|SVN_(?:EDITOR|SSH)"
    r"|GIT_(?:EXTERNAL_DIFF|PROXY_COMMAND|CONFIG_VALUE_\d+)|CVS_RSH|BASH_EXECUTION_STRING|PERL5DB|RUSTC(?:_WRAPPER)?"
    r"|CARGO_TARGET_.*_(?:RUNNER|LINKER)|npm_config_(?:script_shell|shell|editor)|KUBECTL_EXTERNAL_DIFF"
)
"""Variables whose value is run as a command."""

STARTUP_VARIABLES = frozenset({"BASH_ENV", "ENV"})
"""Variables that name a script which shells run first."""

INPUTS = re.compile(r"-|/dev/stdin|/dev/fd/.*|/proc/(?:self|thread-self|\d+)/fd/.*")
"""Files that are a shell's own input."""

_WRITERS = (
    (
        "tee truncate touch rm rmdir unlink shred mkdir chmod chown chgrp chattr setfacl mkfifo mknod sponge wipe srm script",
        "all",
    ),
    ("mv rename", "all"),
    ("cp install ln rsync scp", "last"),
    ("dd", "of="),
    ("sed gsed perl ruby", "-i"),
    ("uniq", "second"),
    ("tar gtar bsdtar", "tar"),
    ("unzip", "folder -d"),
    ("curl wget", "-o -O --output --output-document --output-dir -P -t --target-directory"),
    ("sort shuf strace ltrace gcc g++ cc c++ clang clang++ ld as go rustc time gtime gpg", "-o --output"),
    ("openssl", "-out -keyout -writerand"),
    ("git", "--output"),
    ("history", "-w -a"),
)
WRITERS: Mapping[str, str] = {name: how for names, how in _WRITERS for name in names.split()}
"""Commands that write files: all their operands, the last or second one, those with -i, some options' values, or what is
in those."""

WRAPPERS: Mapping[str, Wrapper] = {
    name: row
    for row in ROWS
    for name in (
        [row.names] if row.names.partition(" ")[0] in _ENGINES and row.then != "subcommand" else row.names.split()
    )
}
"""The rows by the name of a command, or by its name and those of its subcommand."""

DIRECTORIES: Mapping[str, frozenset[str]] = {
    "env": frozenset({"-C", "--chdir"}),
    "genv": frozenset({"-C", "--chdir"}),
    "sudo": frozenset({"-D", "--chdir"}),
    "git": frozenset({"-C"}),
}
"""Options that name the directory in which a command works, or what it runs."""
