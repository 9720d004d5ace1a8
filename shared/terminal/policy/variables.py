"""Variables by what they do to the commands that get them, as regular expressions over their names."""

import re

HARMLESS = re.compile(
    r"[A-Z]|IFS|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CLICOLOR|CI|DEBUG|VERBOSE|OLDPWD|REPLY|OUT|DIR"
    r"|FILE|NAME|HOST|PORT|URL|COUNT|DEBIAN_FRONTEND|NODE_ENV|RUST_BACKTRACE|RUST_LOG|LOG_LEVEL|PYTHONUNBUFFERED"
    r"|(?!npm_|path$|fpath|cdpath|manpath|mailpath|module|psvar|prompt|watch|histchars|[gs]?aliases|functions|commands|options)"
    r"[a-z][a-z0-9_]*(?<!_proxy)(?<!_functions)"
)
"""Those that change nothing of what other commands run or write. Names in small letters are the shell's own."""

COMMANDS = re.compile(
    r"PROMPT_COMMAND|PS[0-4]|SHELL|(?:GIT_|MAN|SYSTEMD_|AWS_)?PAGER|(?:GIT_)?(?:SEQUENCE_)?EDITOR|VISUAL|BROWSER|SUDO_EDITOR"
    r"|GIT_SSH(?:_COMMAND)?|(?:GIT|SSH|SUDO)_ASKPASS|RSYNC_RSH|LESSOPEN|LESSCLOSE|FCEDIT|HGEDITOR|SVN_(?:EDITOR|SSH)"
    r"|GIT_(?:EXTERNAL_DIFF|PROXY_COMMAND|CONFIG_VALUE_\d+)|CVS_RSH|BASH_EXECUTION_STRING|PERL5DB|RUSTC(?:_WRAPPER)?"
    r"|CARGO_TARGET_.*_(?:RUNNER|LINKER)|npm_config_(?:script_shell|shell|editor)|KUBECTL_EXTERNAL_DIFF"
)
"""Those whose value is run as a command."""

SCRIPTS = re.compile(r"BASH_ENV|ENV")
"""Those that name a script which shells run first."""
