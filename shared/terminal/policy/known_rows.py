"""The forms of commands whose effects all show in their words: the positive table of the command policy.

An option is in here because its manual says that it runs no program and writes no file. What is not in here is unknown,
and nobody needs to think of it.
"""

import re
from collections.abc import Mapping

from shared.terminal.policy import sed
from shared.terminal.policy.known import Form

VARIABLES = re.compile(
    r"[A-Z]|IFS|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CLICOLOR|CI|DEBUG|VERBOSE|OLDPWD|REPLY|OUT|DIR"
    r"|FILE|NAME|HOST|PORT|URL|COUNT|DEBIAN_FRONTEND|NODE_ENV|RUST_BACKTRACE|RUST_LOG|LOG_LEVEL|PYTHONUNBUFFERED"
    r"|(?!npm_|path$|fpath|cdpath|manpath|mailpath|module|psvar|prompt|watch|histchars|[gs]?aliases|functions|commands|options)"
    r"[a-z][a-z0-9_]*(?<!_proxy)(?<!_functions)"
)
"""Variables that change nothing of what other commands run or write. Those in small letters are the shell's own."""

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
_PRINTS = r"print[^;}\n]*[>|]"


def _awk(program: str) -> bool:
    """Whether a program of awk runs nothing and writes no file."""
    return not re.search(rf"system|getline|close|@|{_PRINTS}|(?<!\|)\|(?!\|)|>>", program)


ROWS: tuple[Form, ...] = (
    Form(  # these have no option that runs or writes something
        names="ls dir cat tac head tail wc nl rev cut paste tr comm cmp fold expand unexpand fmt join pr od hexdump strings "
        "grep egrep fgrep stat du df free uptime ps pgrep pidof id whoami groups logname tty who uname arch nproc lscpu lsblk "
        "basename dirname realpath readlink pwd echo seq true false : test [ sleep which whereis type md5sum sha1sum sha256sum "
        "sha512sum b2sum cksum sum base64 base32 printenv diff jq getent ping dig factor numfmt locale vmstat column tsort cal "
        "cd pushd popd dirs exit return break continue shift times umask kill lsb_release zcat bzcat "
        "xzcat getconf lsmod iostat nslookup host vdir",
        flags="*",
    ),
    Form(names="printf", leads=True),
    Form(names="wait jobs", flags="-n -l -p -r -s", operands=r"%?\d+|\$!"),
    Form(names="unset", flags="-v", operands=r"[a-z]\w*|[A-Z]"),
    Form(names="set", flags="-e -u -x -v -f -n -C", values="-o=pipefail|errexit|nounset|xtrace|noglob", leads=True),
    Form(
        names="shopt",
        flags="-s -u -q -p",
        operands="nullglob|globstar|dotglob|failglob|nocaseglob|nocasematch|lastpipe",
    ),
    Form(names="read", flags="-r -s -a -e", values="-p -t -n -N -d -u", operands=r"[a-z]\w*|REPLY|[A-Z]"),
    Form(names="export declare typeset local readonly", flags="-a -A -i -r -x -l -u -g -p"),
    Form(
        names="date",
        flags="-u -R -I --utc --rfc-email",
        values="-d -r -I=\\w* --date --reference --iso-8601",
        operands=r"\+.*",
    ),
    Form(names="hostname", flags="-f -s -d -i -I -A --fqdn --short", most=0),
    Form(names="file", flags="-b -i -L -h -k -z -s --brief --mime --mime-type --mime-encoding"),
    Form(
        names="tree",
        flags="-a -d -f -i -p -u -g -s -h -D -F --dirsfirst --noreport --du --gitignore",
        values="-L -I -P",
    ),
    Form(
        names="sort",
        flags="-b -d -f -g -i -M -h -n -R -r -V -c -C -m -s -u -z --reverse --unique",
        values="-k -t -S --key",
    ),
    Form(names="uniq", flags="-c -d -D -u -i -z --count --repeated --unique", values="-f -s -w", most=1),
    Form(names="shuf", flags="-e -z -r", values="-n -i"),
    Form(names="xxd", flags="-b -e -i -p -u", values="-c -g -l -s", most=1),
    Form(names="less more", flags="-R -S -N -F -X -E -i -n -r", operands=r"(?!\+).*"),
    Form(
        names="rg",
        flags="-n -i -S -l -L -c -v -w -x -F -U -o -N -H -I -p -u -uu -uuu --hidden --no-ignore --files --files-with-matches "
        "--count --no-heading --heading --line-number --fixed-strings --multiline --json --stats --vimgrep --trim",
        values="-A -B -C -e -g -t -T -m -r -d --type --glob --max-count --max-depth --color --sort --context",
    ),
    Form(
        names="find",
        flags="-H -L -P -print -print0 -ls -o -a -not -or -and -empty -depth -prune -mount -xdev -readable -writable -executable "
        "-daystart -quit -true -false -nouser -nogroup -follow -delete",
        values="-name -iname -path -ipath -wholename -regex -iregex -regextype -type -xtype -size -mtime -mmin -atime -amin -ctime "
        "-cmin -newer -newermt -perm -user -group -uid -gid -links -inum -maxdepth -mindepth -printf -lname -samefile",
        runs="-exec -execdir",
    ),
    Form(
        names="sed",
        flags="-n -E -r -s -u -z --quiet --silent --regexp-extended",
        code="-e --expression",
        reads=lambda p: not sed.acts(p),
    ),
    Form(names="awk gawk mawk nawk", values="-F -v", leads=True, reads=_awk),
    Form(
        names="curl",
        flags="-s -S -L -f -I -i -v -k -g -G -N -4 -6 -# --silent --show-error --location --fail --head --include --verbose "
        "--compressed --http1.1 --http2 --insecure --no-progress-meter --fail-with-body",
        values=r"-o=-|/dev/null --output=-|/dev/null -m --max-time --connect-timeout --retry -A -e -H=[^@].* --header=[^@].* -X=GET|HEAD "
        r"-w=(?:[^%]|%\{\w+\})* --write-out=(?:[^%]|%\{\w+\})* -r --resolve",
    ),
    Form(
        names="tar",
        flags="-t -v -z -j -J --list --verbose",
        values="-f=[^:]* --file=[^:]*",
        needs="-t --list",
        operands="[^:]*",
    ),
    Form(names="unzip", flags="-v -Z -q", needs="-l -v -Z"),
    Form(names="gzip xz bzip2 zstd", flags="-d -q", needs="-c -l -t"),
    Form(names="openssl_version", flags="*"),
    Form(names="ss netstat", flags="-t -u -l -n -p -a -r -i -s -4 -6 -e -o -m -w -x -H"),
    Form(names="lsof", flags="-n -P -t -a -l -R -U", values="-i -p -u -c -s +D"),
    Form(names="ip_", flags="-br -c -j -s -d -4 -6 -o -p"),
    Form(
        names="ip_a ip_addr ip_address ip_r ip_route ip_link ip_l ip_n ip_neigh",
        operands="show|list|ls|dev|[a-z]+\\d+|lo",
    ),
    Form(names="crontab", needs="-l", most=0),
    Form(names="top", flags="-b -c -H -i", values="-n -p -u -d"),
    Form(
        names="journalctl",
        flags="-r -f -k -x -e -q -a -b --boot --no-pager --reverse --follow --dmesg --catalog --list-boots --disk-usage --utc",
        values=r"-u -n=\d+|all --lines=\d+|all -p -o -S -U -t -g --unit --priority --output --since --until --grep --identifier",
    ),
    Form(
        names="dmesg",
        flags="-T -H -k -x -w -L --ctime --human --decode --nopager",
        values="-l -f --level --facility --since",
    ),
    Form(
        names="systemctl_",
        flags="--no-pager --user --system -l --full -a --all --failed -q --quiet",
        values="-n -o -t -p --type --property --state",
    ),
    Form(
        names="systemctl_status systemctl_show systemctl_cat systemctl_is-active systemctl_is-enabled systemctl_is-failed"
    ),
    Form(names="systemctl_list-units systemctl_list-timers systemctl_list-unit-files systemctl_list-dependencies"),
    # What they run is judged by itself; options end where it begins.
    Form(names="time nohup builtin", flags="-p", leads=True),
    Form(names="command", flags="-v -V -p", leads=True),
    Form(names="env", flags="-i", values="-u -C", leads=True),
    Form(names="nice", values="-n", leads=True, numbers=True),
    Form(names="timeout", flags="--foreground --preserve-status", values="-s -k --signal --kill-after", leads=True),
    Form(names="stdbuf", values="-i -o -e", leads=True),
    Form(
        names="xargs",
        flags="-0 -r -t -x --null --no-run-if-empty",
        values="-n -P -I -L -d -s --max-args --max-procs",
        leads=True,
    ),
    Form(names="sudo", flags="-n -H -E", values="-u --user", leads=True),
    Form(names="sh bash dash", flags="-e -u -x -l", values="-o=pipefail|errexit|nounset", needs="-c", leads=True),
    Form(names="ssh", flags="-q -T -n -x -4 -6 -t", values="-p -l", leads=True),
    # They write, and what they write is seen.
    Form(names="mkdir", flags="-p -v --parents", values="-m --mode"),
    Form(names="rmdir", flags="-p -v"),
    Form(names="touch", flags="-a -c -m", values="-d -r -t"),
    Form(names="rm", flags="-r -R -f -i -I -v -d --recursive --force"),
    Form(names="cp mv ln", flags="-a -r -R -f -i -n -p -u -v -s -L -P -H -d -T --recursive --force"),
    Form(names="tee", flags="-a -i --append"),
    Form(names="chmod", flags="-R -v -c -f", operands=r"(?!-).*"),
    Form(
        names="git_", flags="--no-pager -P --version --no-optional-locks --literal-pathspecs", values="-C", leads=True
    ),
    Form(names="git", most=0),
    Form(
        names="git_status",
        flags="-s -b -u -v -z --short --branch --porcelain --ignored --long --untracked-files",
        values="--porcelain --untracked-files -u",
    ),
    Form(
        names="git_log git_show git_diff git_rev-list git_whatchanged git_diff-tree git_stash_show git_reflog_show git_stash_list "
        "git_range-diff git_diff-index git_diff-files",
        flags=_GIT_SHOWS,
        values=_GIT_SELECTS,
        numbers=True,
    ),
    Form(
        names="git_shortlog",
        flags="-s -n -e -c --all --no-merges --summary --numbered --email",
        values="--since --until",
    ),
    Form(
        names="git_branch",
        flags="-a -r -v -vv -l --contains --merged --no-merged --all --remotes --list --show-current --no-color",
        values="--contains --merged --no-merged --sort --format",
    ),
    Form(
        names="git_tag",
        flags="-l -n --list --contains --points-at",
        values="--sort --contains --points-at --format",
        numbers=True,
    ),
    Form(names="git_blame", flags="-w -l -s -e -c -M -C -p", values="-L --since --date"),
    Form(
        names="git_grep",
        flags="-n -i -l -L -c -v -w -E -F -P -h -H -p -W --line-number --cached --untracked --count --name-only --show-function",
        values="-e -A -B -C --max-depth",
    ),
    Form(names="git_remote git_reflog", flags="-v", most=0),
    Form(names="git_remote_show git_remote_get-url", flags="-n --all"),
    Form(
        names="git_ls-files",
        flags="-c -d -m -o -s -u -z -t --others --exclude-standard --modified --deleted --cached --stage",
    ),
    Form(names="git_ls-tree", flags="-r -d -t -l -z --name-only --long"),
    Form(
        names="git_rev-parse",
        flags="--short --abbrev-ref --show-toplevel --git-dir --verify --is-inside-work-tree -q --quiet --show-prefix --symbolic-full-name",
    ),
    Form(names="git_describe", flags="--tags --all --always --dirty --long --exact-match", values="--abbrev --match"),
    Form(names="git_cat-file", flags="-p -t -s -e"),
    Form(
        names="git_merge-base git_for-each-ref git_show-ref git_name-rev git_count-objects",
        flags="-a --all --is-ancestor --heads --tags -v -H",
        values="--format --sort --count",
    ),
    Form(
        names="git_config",
        flags="-z --global --local --system --show-origin",
        needs="--get --get-all --list -l --get-regexp",
    ),
    Form(names="git_worktree_list git_submodule_status", flags="--porcelain --recursive -v", most=0),
    Form(names="git_add", flags="-A -u -v -n -N -f --all --update --dry-run --intent-to-add"),
    Form(
        names="git_commit",
        flags="-a -v -q -s --amend --no-edit --all --quiet --signoff --allow-empty --dry-run",
        values="-m --message",
        needs="-m --message --no-edit",
    ),
    Form(
        names="git_switch git_checkout", flags="-q -t --quiet --track", values="-b -c --create", needs="-b -c --create"
    ),
    Form(
        names="git_stash git_stash_push",
        flags="-u -q -k --include-untracked --keep-index",
        values="-m --message",
        most=0,
    ),
    Form(
        names="git_fetch git_pull",
        flags="--rebase --ff-only -p -t -q -v --all --prune --tags --quiet --verbose --dry-run",
        values="--depth",
        operands=r"[\w./-]+",
    ),
    Form(
        names="docker_compose_ps docker_compose_logs docker_compose_images docker_compose_top",
        flags=f"{_DOCKER_SHOWS} -t -f --timestamps --follow",
        values="--tail --since --until --format",
    ),
    Form(
        names="docker_logs docker_container_logs",
        flags="-f -t --follow --timestamps --details",
        values="-n --tail --since --until",
    ),
    Form(
        names="docker_ps docker_images docker_image_ls docker_container_ls docker_volume_ls docker_network_ls docker_stats",
        flags=_DOCKER_SHOWS,
        values=_DOCKER_SELECTS,
    ),
    Form(
        names="docker_inspect docker_version docker_info docker_top docker_port docker_history docker_diff docker_system_df",
        flags="-s -v --no-trunc -q",
        values="-f --format --type",
    ),
    Form(names="docker_exec", flags="-i -t -it --interactive --tty", values="-u -w --user --workdir", leads=True),
    Form(names="kubectl_ oc_", values="-n --namespace --context", leads=True),
    Form(
        names=" ".join(
            f"{tool}_{what}"
            for tool in ("kubectl", "oc")
            for what in ("get", "describe", "logs", "top_pod", "top_pods", "top_node", "top_nodes", "events")
        ),
        flags=f"{_KUBE_SHOWS} -f --follow --timestamps",
        values=_KUBE_SELECTS,
    ),
    Form(
        names="kubectl_version kubectl_cluster-info kubectl_api-resources kubectl_explain kubectl_config_get-contexts kubectl_config_current-context",
        flags="--client --short",
        values="-o --output",
    ),
    Form(
        names="helm_version helm_list helm_ls helm_status helm_history",
        flags="-A -a -q --all-namespaces --all",
        values="-n --namespace -o --output",
    ),
    Form(
        names="gh_pr_list gh_pr_view gh_pr_status gh_pr_checks gh_pr_diff gh_issue_list gh_issue_view gh_run_list gh_run_view gh_repo_view gh_release_list",
        flags="--comments --log --log-failed --name-only",
        values="-R -L -s -l -a -q --repo --limit --state --label --author --json --jq",
    ),
    Form(
        names="npm_ls npm_list npm_outdated npm_view npm_info",
        flags="-g --global --all --json --long",
        values="--depth",
    ),
    Form(
        names="pip_list pip_show pip_freeze pip3_list pip3_show pip3_freeze",
        flags="-f -o --files --outdated --user --local",
        values="--format=\\w+",
    ),
    Form(
        names="apt_list apt_show apt_search apt_policy apt-cache_show apt-cache_search apt-cache_policy",
        flags="-a --installed --upgradable --all-versions",
    ),
    Form(names="dpkg", needs="-l -L -s -S --list --status"),
    Form(names="rpm", flags="-a -i -l -f", needs="-q -qa -qi -ql -qf"),
    Form(names="brew_list brew_info", flags="--versions"),
    Form(names="go_version go_env go_list", flags="-m -json", values="-f"),
    Form(
        names="python python2 python3 npx ruby php perl gcc g++ clang cargo rustc rustup make cmake docker docker-compose "
        "kubectl helm terraform java psql mysql sqlite3 pip pip3 uv gh aws gcloud az ansible nginx vim tmux",
        needs="--version --help -V -version",
        most=0,
    ),
    Form(names="node npm yarn pnpm", needs="--version --help -v", most=0),
)

KNOWN: Mapping[str, Form] = {name: row for row in ROWS for name in row.names.split()}
"""The forms by the name of a command and its subcommand."""
