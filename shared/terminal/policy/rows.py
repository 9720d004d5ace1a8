"""The table of the command policy: one row for each kind of command.

An option is known because its manual says that it runs no program and writes no file. What is not in here is unknown, and
nobody needs to think of it.
"""

import re
from collections.abc import Mapping

from shared.terminal.policy import sed
from shared.terminal.policy.row import Row

_GIT_SHOWS = (
    "-p -u -s -z -w -b -R -a --patch --no-patch --stat --shortstat --numstat --dirstat --summary --name-only --name-status "
    "--cached --staged --color --no-color --word-diff --color-words --raw --minimal --patience --histogram --check --full-index "
    "--binary --ignore-all-space --ignore-space-change --ignore-blank-lines --exit-code --quiet -q --no-ext-diff --no-textconv "
    "--oneline --graph --decorate --no-decorate --all --branches --tags --remotes --merges --no-merges --reverse --follow "
    "--first-parent --abbrev-commit --no-abbrev-commit --date-order --topo-order --no-renames --find-renames -M -C -i -E -F "
    "--left-right --cherry-pick --cherry --no-walk --relative --full-history --simplify-by-decoration --count --parents --objects "
    "--merge-base --show-signature -c --cc -m --no-index --no-prefix --pickaxe-regex --pickaxe-all --walk-reflogs -g --abbrev --pretty"
)
_GIT_SELECTS = (
    "-n -U -S -G -L --max-count --skip --since --until --after --before --author --committer --grep --format --pretty --date --abbrev "
    "--unified --stat --color --word-diff --diff-filter --diff-algorithm --decorate --find-renames --dirstat --branches --tags"
)
_DOCKER_SHOWS = "-a -q -s -l --all --quiet --no-trunc --digests --size --latest --no-stream --tree"
_DOCKER_SELECTS = "-f --filter --format -n --last"
_KUBE_SHOWS = "-A --all-namespaces -w --watch --show-labels --no-headers --show-kind --ignore-not-found --previous -p --all-containers"
_KUBE_SELECTS = (
    "-n --namespace -o --output -l --selector --context --sort-by --field-selector -c --container --tail --since -L"
)
_GIT_PAGES = (
    r"(?i)(?:[\w.-]*(?:pager|editor|command|fsmonitor|textconv|helper|program|cmd|proxy|hook)[\w.-]*=!?|[^=]+=!)(.*)"
)
_SSH_RUNS = r"(?i)(?:proxy|local|knownhosts)command[= ]\s*(.*)"
_DOCKER = (
    "-v -e -p -h -m -l --name --env --env-file --volume --publish --network --entrypoint --mount --platform --memory --cpus --label "
    "--hostname -u -w --user --workdir"
)
_INSIDE = "-u -w --user --workdir"
_ENGINES = ("docker", "podman", "nerdctl")
_SU_LINES = "-c --command --session-command"
_SU_VALUES = "-s -g -G -w --shell --group --supp-group --whitelist-environment"
_VERSION = "--version --help -V -version"
_ACTS = (
    r"system|popen|exec|spawn|subprocess|pty\b|child_process|`|%x|\bqx\b|ctypes|__import__|getattr|eval|compile|b64|unlink"
    r"|rmtree|rmdir|remove|truncate|chmod|chown|rename"
)
"""What a program in another language says, more or less, when it runs commands or deletes."""
_OPENS = _ACTS + r"|open\b[^;]*?(?<!\|)\|(?!\|)"
"""The same where a file's name may be a command."""
_PRINTS = r"print[^;}\n]*[>|]"

RUNUSER = Row("runuser", then="argv", takes=f"-u --user {_SU_LINES} {_SU_VALUES}")
"""How it is read with a user given, which makes the operands a command."""


def _awk(program: str) -> bool:
    """Whether a program of awk runs nothing and writes no file."""
    return not re.search(rf"system|getline|close|@|{_PRINTS}|(?<!\|)\|(?!\|)|>>", program)


def _sed(program: str) -> bool:
    """Whether a program of sed runs nothing and writes no file."""
    return not sed.acts(program)


def _each(tools: "tuple[str, ...]", actions: str) -> str:
    """The names of the same subcommands of several tools."""
    return " ".join(f"{tool}_{action}" for tool in tools for action in actions.split())


# fmt: off
ROWS: tuple[Row, ...] = (
    # They neither run nor write anything.
    Row(
        "ls dir cat tac head tail wc nl rev cut paste tr comm cmp fold expand unexpand fmt join pr od hexdump strings "
        "grep egrep fgrep stat du df free uptime ps pgrep pidof id whoami groups logname tty who uname arch nproc lscpu lsblk "
        "basename dirname realpath readlink pwd echo seq true false : test [ sleep which whereis type md5sum sha1sum sha256sum "
        "sha512sum b2sum cksum sum base64 base32 printenv diff jq getent ping dig factor numfmt locale vmstat column tsort cal "
        "cd pushd popd dirs exit return break continue shift times umask kill lsb_release zcat bzcat "
        "xzcat getconf lsmod iostat nslookup host vdir",
        flags="*",
    ),
    Row("printf", flags="", leads=True),
    Row("wait jobs", flags="-n -l -p -r -s", operands=r"%?\d+|\$!"),
    Row("unset", flags="-v", operands=r"[a-z]\w*|[A-Z]"),
    Row("set", flags="-e -u -x -v -f -n -C", values="-o=pipefail|errexit|nounset|xtrace|noglob", leads=True),
    Row("shopt", flags="-s -u -q -p", operands="nullglob|globstar|dotglob|failglob|nocaseglob|nocasematch|lastpipe"),
    Row("read", flags="-r -s -a -e", values="-p -t -n -N -d -u", operands=r"[a-z]\w*|REPLY|[A-Z]"),
    Row("export declare typeset local readonly", flags="-a -A -i -r -x -l -u -g -p"),
    Row("date", flags="-u -R -I --utc --rfc-email", values="-d -r -I=\\w* --date --reference --iso-8601", operands=r"\+.*"),
    Row("hostname", flags="-f -s -d -i -I -A --fqdn --short", most=0),
    Row("file", flags="-b -i -L -h -k -z -s --brief --mime --mime-type --mime-encoding"),
    Row("tree", flags="-a -d -f -i -p -u -g -s -h -D -F --dirsfirst --noreport --du --gitignore", values="-L -I -P"),
    Row("xxd", flags="-b -e -i -p -u", values="-c -g -l -s", most=1),
    Row("less more", flags="-R -S -N -F -X -E -i -n -r", operands=r"(?!\+).*"),
    Row(
        "rg",
        flags="-n -i -S -l -L -c -v -w -x -F -U -o -N -H -I -p -u -uu -uuu --hidden --no-ignore --files --files-with-matches "
        "--count --no-heading --heading --line-number --fixed-strings --multiline --json --stats --vimgrep --trim",
        values="-A -B -C -e -g -t -T -m -r -d --type --glob --max-count --max-depth --color --sort --context",
    ),
    Row(
        "find",
        flags="-H -L -P -print -print0 -ls -o -a -not -or -and -empty -depth -prune -mount -xdev -readable -writable -executable "
        "-daystart -quit -true -false -nouser -nogroup -follow -delete",
        values="-name -iname -path -ipath -wholename -regex -iregex -regextype -type -xtype -size -mtime -mmin -atime -amin -ctime "
        "-cmin -newer -newermt -perm -user -group -uid -gid -links -inum -maxdepth -mindepth -printf -lname -samefile",
        executes="-exec -execdir",
    ),
    Row("gzip xz bzip2 zstd", flags="-d -q", needs="-c -l -t"),
    Row("openssl_version", flags="*"),
    Row("ss netstat", flags="-t -u -l -n -p -a -r -i -s -4 -6 -e -o -m -w -x -H"),
    Row("lsof", flags="-n -P -t -a -l -R -U", values="-i -p -u -c -s +D"),
    Row("ip_a ip_addr ip_address ip_r ip_route ip_link ip_l ip_n ip_neigh", flags="", operands="show|list|ls|dev|[a-z]+\\d+|lo"),
    Row("crontab", flags="", needs="-l", most=0),
    Row("top", flags="-b -c -H -i", values="-n -p -u -d"),
    Row(
        "journalctl",
        flags="-r -f -k -x -e -q -a -b --boot --no-pager --reverse --follow --dmesg --catalog --list-boots --disk-usage --utc",
        values=r"-u -n=\d+|all --lines=\d+|all -p -o -S -U -t -g --unit --priority --output --since --until --grep --identifier",
    ),
    Row("dmesg", flags="-T -H -k -x -w -L --ctime --human --decode --nopager", values="-l -f --level --facility --since"),
    Row("systemctl_status systemctl_show systemctl_cat systemctl_is-active systemctl_is-enabled systemctl_is-failed", flags=""),
    Row("systemctl_list-units systemctl_list-timers systemctl_list-unit-files systemctl_list-dependencies", flags=""),
    Row("ip", then="subcommand", flags="-br -c -j -s -d -4 -6 -o -p"),
    Row(
        "systemctl",
        then="subcommand",
        flags="--no-pager --user --system -l --full -a --all --failed -q --quiet",
        values="-n -o -t -p --type --property --state",
    ),
    Row(
        "curl",
        flags="-s -S -L -f -I -i -v -k -g -G -N -4 -6 -# --silent --show-error --location --fail --head --include --verbose "
        "--compressed --http1.1 --http2 --insecure --no-progress-meter --fail-with-body",
        values=r"-o=-|/dev/null --output=-|/dev/null -m --max-time --connect-timeout --retry -A -e -H=[^@].* --header=[^@].* -X=GET|HEAD "
        r"-w=(?:[^%]|%\{\w+\})* --write-out=(?:[^%]|%\{\w+\})* -r --resolve",
        writes="-o -O --output --output-dir",
    ),
    Row(
        "tar gtar bsdtar",
        flags="-t -v -z -j -J --list --verbose",
        values="-f=[^:]* --file=[^:]*",
        needs="-t --list",
        operands="[^:]*",
        lines="-I -F --to-command --use-compress-program --checkpoint-action --info-script --new-volume-script --rsh-command --rmt-command",
        takes="-C -T -X --directory --files-from --exclude-from --exclude",
        part=r"(?:exec=)?(.*)",
        permutes=True,
        writes="tar",
    ),
    Row("unzip", flags="-v -Z -q", needs="-l -v -Z", writes="folder -d"),
    # Another language.
    Row(
        "sed gsed",
        flags="-n -E -r -s -u -z --quiet --silent --regexp-extended",
        harmless=_sed,
        takes="-f -l",
        code="-e --expression",
        first=True,
        then="code",
        attached="-i",
        acts=sed.acts,
        writes="-i",
    ),
    Row(
        "awk gawk mawk nawk",
        flags="",
        values="-F -v",
        leads=True,
        harmless=_awk,
        takes="-f -i",
        code="-e --source",
        first=True,
        then="code",
        acts=r"system\s*\(|getline|(?<!\|)\|(?!\|)|>\s*[\"(]",
    ),
    Row("python python2 python3 pypy ipython", needs=_VERSION, flags="", most=0, then="code", takes="-m -W -X", code="-c", reads=True, acts=_ACTS),
    Row(
        "perl", needs=_VERSION, flags="", most=0, then="code", takes="-I -M", attached="-i -F -x", code="-e -E", reads=True, acts=_OPENS, writes="-i"
    ),
    Row(
        "ruby",
        needs=_VERSION,
        flags="",
        most=0,
        then="code",
        takes="-I -r -C",
        attached="-i -F -x -E -K -T -W -X",
        code="-e",
        reads=True,
        acts=_OPENS,
        writes="-i",
    ),
    Row(
        "node nodejs bun deno", needs="--version --help -v", flags="", most=0, then="code", takes="-r --require", code="-e -p --eval --print", reads=True, acts=_ACTS
    ),
    Row("php", needs=_VERSION, flags="", most=0, then="code", takes="-d", code="-r -B -R -E", reads=True, acts=_ACTS),
    Row("lua tclsh expect osascript Rscript", then="code", code="-e -c", reads=True, acts=_ACTS),
    Row(
        "vi vim nvim ex view emacs",
        needs=_VERSION,
        flags="",
        most=0,
        then="code",
        code="-c --cmd -S --eval",
        reads=True,
        permutes=True,
        plus=True,
        acts=r"!|system|shell-command|delete|\bter(?:m(?:inal)?)?\b|job_start|libcall",
    ),
    Row("ed red", then="code", reads=True, acts=r"!"),
    Row("gdb lldb", then="code", takes="-p", code="-ex -iex -o -x", reads=True, acts=r"shell|!|system|call|python"),
    Row("sqlite3 psql mysql", needs=_VERSION, flags="", most=0, then="code", code="-c -e -cmd", permutes=True, acts=r"\.shell|\.system|\\!|program"),
    # Shells.
    Row(
        "sh bash dash",
        flags="-e -u -x -l",
        values="-o=pipefail|errexit|nounset",
        needs="-c",
        leads=True,
        then="shell",
        takes="-O +o +O --rcfile --init-file",
    ),
    Row("ash zsh ksh mksh rbash fish csh tcsh", then="shell", takes="-o -O +o +O --rcfile --init-file"),
    Row("source .", then="shell"),
    Row("eval", then="line"),
    Row("trap", then="line", first=True, queries="-l -p"),
    Row("hash", lines="-p"),
    Row("complete compgen", lines="-C", permutes=True),
    Row("mapfile readarray", lines="-C", takes="-d -n -O -s -u -c"),
    Row("bind", lines="-x", part=r".*?:(.*)"),
    # They run the command in their operands.
    Row("command", flags="-v -V -p", leads=True, then="argv", queries="-v -V"),
    Row("exec", then="argv", takes="-a"),
    Row("nohup builtin", flags="", leads=True, then="argv"),
    Row("setsid - noglob nocorrect busybox toybox ifne chronic unbuffer fakeroot firejail entr", then="argv"),
    Row("linux32 linux64 torify torsocks proxychains proxychains4 catchsegv eatmydata dbus-launch", then="argv"),
    Row(
        "ld.so ld-linux.so.2 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1",
        then="argv",
        takes="--library-path --preload --argv0 --inhibit-rpath --audit --inhibit-cache",
    ),
    Row(
        "sudo",
        flags="-n -H -E",
        values="-u --user",
        leads=True,
        then="argv",
        takes="-g -C -h -p -r -t -T -U -D -R --group --host --prompt --chdir --chroot --role --type",
        assigns=True,
        reads=True,
        moves="-D --chdir",
    ),
    Row("doas", then="argv", takes="-u -C"),
    Row("pkexec", then="argv", takes="--user"),
    Row("su runuser", lines=_SU_LINES, takes=_SU_VALUES, permutes=True, reads=True),
    Row("sg", lines="-c", skip=1, then="line"),
    Row(
        "env genv",
        flags="-i",
        values="-u -C",
        leads=True,
        then="argv",
        takes="-a --unset --chdir --argv0",
        lines="-S --split-string",
        assigns=True,
        moves="-C --chdir",
    ),
    Row("nice gnice", flags="", values="-n", leads=True, numbers=True, then="argv", takes="--adjustment"),
    Row("ionice", then="argv", takes="-c -n --class --classdata"),
    Row("coproc !", then="argv", assigns=True),
    Row("time gtime", flags="-p", leads=True, then="argv", assigns=True, takes="-f -o --format --output", writes="-o --output"),
    Row("timeout gtimeout", flags="--foreground --preserve-status", values="-s -k --signal --kill-after", leads=True, then="argv", skip=1),
    Row("stdbuf gstdbuf", flags="", values="-i -o -e", leads=True, then="argv", takes="--input --output --error"),
    Row("chrt taskset setarch chroot", then="argv", skip=1, takes="--userspec --groups"),
    Row(
        "setpriv",
        then="argv",
        takes="--ambient-caps --inh-caps --bounding-set --ruid --euid --rgid --egid --reuid --regid --groups --securebits "
        "--selinux-label --apparmor-profile --landlock-access --landlock-rule --pdeathsig --ptracer --seccomp-filter",
    ),
    Row("prlimit", then="argv", takes="-p -o --pid --output"),
    Row("cpulimit", then="argv", takes="-l -p -e --limit"),
    Row("choom", then="argv", takes="-n -p --adjust --pid"),
    Row("unshare nsenter", then="argv", takes="-t -S -G --target --map-user --map-group --root --wd"),
    Row("strace ltrace", then="argv", takes="-o -e -p -s -E -u -a -I -O -P -S", writes="-o --output"),
    Row("valgrind perf xvfb-run dbus-run-session", then="argv", takes="-n -s -e -a"),
    Row("systemd-run", then="argv", takes="-p -u -t -M -E --unit --property --slice --description --uid --gid --setenv"),
    Row("watch", then="line", takes="-n --interval"),
    Row(
        "xargs gxargs",
        flags="-0 -r -t -x --null --no-run-if-empty",
        values="-n -P -I -L -d -s --max-args --max-procs",
        leads=True,
        then="argv",
        takes="-a -E --arg-file --delimiter --max-lines --max-chars --replace",
        adds=True,
    ),
    Row("parallel", then="line", takes="-j -a -I --jobs --arg-file --colsep --delay --joblog", adds=True, reads=True),
    Row("sshpass", then="argv", takes="-p -f -d -P"),
    Row("flock", then="argv", lines="-c --command", takes="-w -E --timeout", skip=1),
    Row("at batch", then="stdin", takes="-f -q -t"),
    Row("screen", then="argv", takes="-S -p -X -t -h"),
    Row("script", lines="-c --command", takes="-E -I -O -B -T -m -o", permutes=True, reads=True, writes="all"),
    # They run what some of their options say.
    Row(
        "ssh",
        flags="-q -T -n -x -4 -6 -t",
        values="-p -l",
        leads=True,
        then="line",
        takes="-B -b -c -D -E -e -F -I -i -J -L -m -O -Q -R -S -W -w",
        lines="-o",
        part=_SSH_RUNS,
        skip=1,
        reads=True,
    ),
    Row("scp", takes="-P -i -c -F -J -l -S -D -B -b -R -X", lines="-o", part=_SSH_RUNS, permutes=True, writes="last"),
    Row("sftp", takes="-P -i -c -F -J -l -S -D -B -b -R -X", lines="-o", part=_SSH_RUNS, permutes=True),
    Row("rsync", lines="-e --rsh --rsync-path", permutes=True, writes="last"),
    Row("zip", lines="-TT --unzip-command", permutes=True),
    Row("man", lines="-P -H --pager --html", permutes=True),
    Row("make gmake", needs=_VERSION, flags="", most=0, takes="-C -E -f -j -o -W -I --eval", permutes=True),
    # They write.
    Row("sort", flags="-b -d -f -g -i -M -h -n -R -r -V -c -C -m -s -u -z --reverse --unique", values="-k -t -S --key", writes="-o --output"),
    Row("shuf", flags="-e -z -r", values="-n -i", writes="-o --output"),
    Row("uniq", flags="-c -d -D -u -i -z --count --repeated --unique", values="-f -s -w", most=1, writes="second"),
    Row("mkdir", flags="-p -v --parents", values="-m --mode", writes="all"),
    Row("rmdir", flags="-p -v", writes="all"),
    Row("touch", flags="-a -c -m", values="-d -r -t", writes="all"),
    Row("rm", flags="-r -R -f -i -I -v -d --recursive --force", writes="all"),
    Row("cp ln", flags="-a -r -R -f -i -n -p -u -v -s -L -P -H -d -T --recursive --force", writes="last"),
    Row("mv", flags="-a -r -R -f -i -n -p -u -v -s -L -P -H -d -T --recursive --force", writes="all"),
    Row("tee", flags="-a -i --append", writes="all"),
    Row("chmod", flags="-R -v -c -f", operands=r"(?!-).*", writes="all"),
    Row("truncate unlink shred chown chgrp chattr setfacl mkfifo mknod sponge wipe srm rename", writes="all"),
    Row("install", writes="last"),
    Row("dd", writes="of="),
    Row("wget", writes="-o -O --output --output-document --output-dir -P -t --target-directory"),
    Row("gcc g++ cc c++ clang clang++ ld as go rustc", needs=_VERSION, flags="", most=0, writes="-o --output"),
    Row("gpg", writes="-o --output"),
    Row("openssl", writes="-out -keyout -writerand"),
    Row("history", writes="-w -a"),
    # git
    Row(
        "git",
        flags="--no-pager -P --version --no-optional-locks --literal-pathspecs",
        values="-C",
        leads=True,
        then="subcommand",
        takes="--git-dir --work-tree --namespace --exec-path",
        lines="-c --config-env",
        part=_GIT_PAGES,
        writes="--output",
        moves="-C",
    ),
    Row("git_bisect_run", then="argv"),
    Row("git_submodule_foreach", then="line"),
    Row("git_rebase", lines="-x --exec", permutes=True),
    Row("git_difftool", lines="-x --extcmd", permutes=True),
    Row("git_filter-branch", lines="--tree-filter --index-filter --msg-filter --env-filter --commit-filter --parent-filter", permutes=True),
    Row(
        "git_status",
        flags="-s -b -u -v -z --short --branch --porcelain --ignored --long --untracked-files",
        values="--porcelain --untracked-files -u",
    ),
    Row(
        "git_log git_show git_diff git_rev-list git_whatchanged git_diff-tree git_stash_show git_reflog_show git_stash_list "
        "git_range-diff git_diff-index git_diff-files",
        flags=_GIT_SHOWS,
        values=_GIT_SELECTS,
        numbers=True,
    ),
    Row("git_shortlog", flags="-s -n -e -c --all --no-merges --summary --numbered --email", values="--since --until"),
    Row(
        "git_branch",
        flags="-a -r -v -vv -l --contains --merged --no-merged --all --remotes --list --show-current --no-color",
        values="--contains --merged --no-merged --sort --format",
    ),
    Row("git_tag", flags="-l -n --list --contains --points-at", values="--sort --contains --points-at --format", numbers=True),
    Row("git_blame", flags="-w -l -s -e -c -M -C -p", values="-L --since --date"),
    Row(
        "git_grep",
        flags="-n -i -l -L -c -v -w -E -F -P -h -H -p -W --line-number --cached --untracked --count --name-only --show-function",
        values="-e -A -B -C --max-depth",
    ),
    Row("git_remote git_reflog", flags="-v", most=0),
    Row("git_remote_show git_remote_get-url", flags="-n --all"),
    Row("git_ls-files", flags="-c -d -m -o -s -u -z -t --others --exclude-standard --modified --deleted --cached --stage"),
    Row("git_ls-tree", flags="-r -d -t -l -z --name-only --long"),
    Row(
        "git_rev-parse",
        flags="--short --abbrev-ref --show-toplevel --git-dir --verify --is-inside-work-tree -q --quiet --show-prefix --symbolic-full-name",
    ),
    Row("git_describe", flags="--tags --all --always --dirty --long --exact-match", values="--abbrev --match"),
    Row("git_cat-file", flags="-p -t -s -e"),
    Row(
        "git_merge-base git_for-each-ref git_show-ref git_name-rev git_count-objects",
        flags="-a --all --is-ancestor --heads --tags -v -H",
        values="--format --sort --count",
    ),
    Row("git_config", flags="-z --global --local --system --show-origin", needs="--get --get-all --list -l --get-regexp"),
    Row("git_worktree_list git_submodule_status", flags="--porcelain --recursive -v", most=0),
    Row("git_add", flags="-A -u -v -n -N -f --all --update --dry-run --intent-to-add"),
    Row(
        "git_commit",
        flags="-a -v -q -s --amend --no-edit --all --quiet --signoff --allow-empty --dry-run",
        values="-m --message",
        needs="-m --message --no-edit",
    ),
    Row("git_switch git_checkout", flags="-q -t --quiet --track", values="-b -c --create", needs="-b -c --create"),
    Row("git_stash git_stash_push", flags="-u -q -k --include-untracked --keep-index", values="-m --message", most=0),
    Row(
        "git_fetch git_pull",
        flags="--rebase --ff-only -p -t -q -v --all --prune --tags --quiet --verbose --dry-run",
        values="--depth",
        operands=r"[\w./-]+",
    ),
    # Containers.
    Row(
        "docker_compose_ps docker_compose_logs docker_compose_images docker_compose_top",
        flags=f"{_DOCKER_SHOWS} -t -f --timestamps --follow",
        values="--tail --since --until --format",
    ),
    Row("docker_logs docker_container_logs", flags="-f -t --follow --timestamps --details", values="-n --tail --since --until"),
    Row(
        "docker_ps docker_images docker_image_ls docker_container_ls docker_volume_ls docker_network_ls docker_stats",
        flags=_DOCKER_SHOWS,
        values=_DOCKER_SELECTS,
    ),
    Row(
        "docker_inspect docker_version docker_info docker_top docker_port docker_history docker_diff docker_system_df",
        flags="-s -v --no-trunc -q",
        values="-f --format --type",
    ),
    Row("docker podman nerdctl", flags="", needs=_VERSION, leads=True, then="subcommand", takes="-H -l -c --host --context --config --log-level"),
    Row(
        _each(_ENGINES, "exec container_exec compose_exec"),
        flags="-i -t -it --interactive --tty",
        values=_INSIDE,
        leads=True,
        then="argv",
        takes="-e --env --index",
        skip=1,
    ),
    Row(_each(_ENGINES, "run create container_run compose_run"), then="argv", takes=_DOCKER, skip=1),
    Row("docker-compose", flags="", needs=_VERSION, leads=True, then="subcommand", takes="-f -p --file --project-name"),
    Row("docker-compose_exec", then="argv", takes=f"{_INSIDE} -e --env --index", skip=1),
    Row("docker-compose_run", then="argv", takes=_DOCKER, skip=1),
    Row("kubectl oc", flags="", needs=_VERSION, values="-n --namespace --context", leads=True, then="subcommand", takes="-s --kubeconfig --cluster --user"),
    Row("kubectl_exec oc_exec", then="argv", takes="-n -c --namespace --container --context", skip=1),
    Row(
        _each(("kubectl", "oc"), "get describe logs top_pod top_pods top_node top_nodes events"),
        flags=f"{_KUBE_SHOWS} -f --follow --timestamps",
        values=_KUBE_SELECTS,
    ),
    Row(
        "kubectl_version kubectl_cluster-info kubectl_api-resources kubectl_explain kubectl_config_get-contexts kubectl_config_current-context",
        flags="--client --short",
        values="-o --output",
    ),
    # Others with subcommands.
    Row("helm_version helm_list helm_ls helm_status helm_history", flags="-A -a -q --all-namespaces --all", values="-n --namespace -o --output"),
    Row(
        "gh_pr_list gh_pr_view gh_pr_status gh_pr_checks gh_pr_diff gh_issue_list gh_issue_view gh_run_list gh_run_view gh_repo_view gh_release_list",
        flags="--comments --log --log-failed --name-only",
        values="-R -L -s -l -a -q --repo --limit --state --label --author --json --jq",
    ),
    Row("npm_ls npm_list npm_outdated npm_view npm_info", flags="-g --global --all --json --long", values="--depth"),
    Row("pip_list pip_show pip_freeze pip3_list pip3_show pip3_freeze", flags="-f -o --files --outdated --user --local", values="--format=\\w+"),
    Row(
        "apt_list apt_show apt_search apt_policy apt-cache_show apt-cache_search apt-cache_policy", flags="-a --installed --upgradable --all-versions"
    ),
    Row("dpkg", flags="", needs="-l -L -s -S --list --status"),
    Row("rpm", flags="-a -i -l -f", needs="-q -qa -qi -ql -qf"),
    Row("brew_list brew_info", flags="--versions"),
    Row("go_version go_env go_list", flags="-m -json", values="-f"),
    Row("tmux", flags="", needs=_VERSION, leads=True, then="subcommand", takes="-L -S -f"),
    Row(
        _each(("tmux",), "new new-session new-window neww split-window splitw respawn-pane run-shell run send-keys send if-shell popup"),
        then="line",
        takes="-t -s -n -c -x -y -e -F",
    ),
    Row("uv cargo gh", flags="", needs=_VERSION, leads=True, then="subcommand", takes="-C --prefix"),
    Row("npm pnpm yarn", flags="", needs="--version --help -v", leads=True, then="subcommand", takes="-C --prefix"),
    Row("poetry pipenv pipx bundle conda nix", then="subcommand", takes="-C --prefix"),
    Row("uv_run", then="argv", takes="--with --python -p --directory --project --env-file --extra --group"),
    Row("poetry_run pipenv_run pipx_run bundle_exec pnpm_exec pnpm_dlx yarn_exec yarn_dlx", then="argv"),
    Row("conda_run", then="argv", takes="-n -p --name --prefix"),
    Row("npm_exec npm_x npx", needs=_VERSION, flags="", most=0, then="argv", lines="-c --call", takes="-p --package"),
    Row("bunx uvx", then="argv", lines="-c --call", takes="-p --package --from --with"),
    Row("rustup cmake helm terraform java pip pip3 aws gcloud az ansible nginx", needs=_VERSION, flags="", most=0),
)
# fmt: on

COMMANDS: Mapping[str, Row] = {name: row for row in ROWS for name in row.names.split()}
"""The rows by the name of a command, or by its name and those of its subcommand."""
