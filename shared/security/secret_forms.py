"""Rows of data: where programs take secrets on their command lines, and which names stand before a secret.

`redaction` reads the names, `command_secrets` the programs. A new program is a new row.
"""

from dataclasses import dataclass
from typing import Literal

Part = Literal["all", "after :", "after =", "after %", "after ,", "after /", "pass:"]
"""The part of a value that is secret: everything, or what follows the first of that character or prefix."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which some programs take a secret.

    `letters` are short options, which may stand in one word after any of `flags`, and before their value unless `apart`.
    `words` are options whose value is the next word or follows `=`; `joined` are what a word with the secret begins with.
    `places` counts words without a dash from 1, after the words of `after`; -1 is the last one. A place counts only
    where one of `given` is among the short options. Where `attached`, a value is never in the next word; where
    `leading`, options are over at the first word that is no option.
    """

    programs: str
    letters: str = ""
    flags: str = ""
    words: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    after: tuple[str, ...] = ()
    given: str = ""
    part: Part = "all"
    apart: bool = False
    attached: bool = False
    leading: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Programs that read a secret on their standard input: what `echo` and `printf` pipe into them is secret.

    With `option` or one of the short options `letters`, where there are any; after the words of `after`.
    """

    programs: str
    option: tuple[str, ...] = ()
    letters: str = ""
    flags: str = ""
    after: tuple[str, ...] = ()


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#"
_CURL_FLAGS = "sSfkLvigjlnOpqRJaN0123456#IGZB"
_REGISTRIES = "docker podman buildah skopeo nerdctl crane helm oras az oc argocd"

FORMS = (
    Form("curl", "uU", _CURL_FLAGS, ("--user", "--proxy-user"), part="after :"),
    Form("curl", words=("--pass", "--proxy-pass", "--oauth2-bearer", "--tlspassword", "--aws-sigv4-secret")),
    Form("curl", "b", _CURL_FLAGS, ("--cookie",), part="after ="),
    Form("http https xh", "a", words=("--auth",), part="after :"),
    Form("etcdctl", words=("--user",), part="after :"),
    Form("redis-cli valkey-cli keydb-cli", "a", words=("--pass",), apart=True),
    Form(
        "mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mariadb mariadb-dump mariadb-admin",
        "p",
        attached=True,
    ),
    Form("mysqladmin mariadb-admin", places=(1,), after=("password",)),
    Form("mongo mongosh mongodump mongorestore mongoexport mongoimport cqlsh", "p", apart=True),
    Form("sqlcmd bcp osql tsql", "P"),
    Form("sqlplus", places=(1,), part="after /"),
    Form("clickhouse-client clickhouse influx", words=("--pass", "-password")),
    Form("influx", "t", apart=True),
    Form(_REGISTRIES, "p", words=("--password",), after=("login",)),
    Form("az", "p", words=("--client-secret",), after=("login",)),
    Form("vault cargo snyk wandb", places=(1,), after=("login",)),
    Form("snyk", places=(1,), after=("auth",)),
    Form("ngrok", places=(1,), after=("authtoken",)),
    Form("ngrok", places=(1,), after=("add-authtoken",)),
    Form("tailscale", words=("--authkey", "--auth-key")),
    Form("twine poetry flit", "p", apart=True),
    Form("gh", "b", words=("--body",), after=("secret", "set"), apart=True),
    Form("kubectl oc", words=("--from-literal",), after=("secret",), part="after ="),
    Form("kubectl", words=("--docker-password",)),
    Form("aws", words=("aws_secret_access_key", "aws_session_token")),
    Form("npm yarn pnpm", places=(2,), after=("config", "set")),
    Form("mc", places=(4,), after=("alias", "set")),
    Form("rclone", places=(1,), after=("obscure",)),
    Form("ansible-vault", places=(1,), after=("encrypt_string",)),
    Form("ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare ldapmodrdn", "w", "xZnvcLAtuCMP123"),
    Form("ldappasswd", "wsa", "xZnvcLAtCM"),
    Form("smbclient smbget rpcclient winexe smbmap", "U", words=("--user",), part="after %"),
    Form("lftp", "u", part="after ,"),
    Form("ncftpput ncftpget ncftp ncftpls", "p", apart=True),
    Form("sshpass", "p", "ve", leading=True),
    Form("plink pscp psftp putty", words=("-pw",)),
    Form("ssh-keygen", "NP", "q", apart=True),
    Form("zip unzip zipcloak", "P", _LETTERS, words=("--password",)),
    Form("7z 7za 7zr 7zz", "p", attached=True),
    Form("rar unrar", "p", attached=True),
    Form("rar unrar", joined=("-hp",)),
    Form("openssl", words=("-passin", "-passout", "-pass", "-password", "--passin", "--passout"), part="pass:"),
    Form("openssl", words=("-k", "-K")),
    Form("openssl", places=(-1,), after=("passwd",)),
    Form("keytool jarsigner apksigner", words=("-storepass", "-keypass", "-srcstorepass", "-deststorepass", "-new")),
    Form("apksigner", words=("--ks-pass", "--key-pass"), part="pass:"),
    Form("htpasswd mosquitto_passwd", places=(-1,), given="b"),
    Form("mosquitto_pub mosquitto_sub mosquitto_rr", "P", apart=True),
    Form("rabbitmqctl", places=(2,), after=("add_user",)),
    Form("rabbitmqctl", places=(2,), after=("change_password",)),
    Form("rabbitmqadmin", "p", apart=True),
    Form("useradd usermod", "p", words=("--password",)),
    Form("mkpasswd wpa_passphrase", places=(-1,)),
    Form("slappasswd", "s"),
    Form("doveadm", "p", after=("pw",)),
    Form("caddy", words=("--plaintext",), after=("hash-password",)),
    Form("nmcli", words=("password", "wifi-sec.psk", "802-11-wireless-security.psk")),
    Form("ipmitool", "P", apart=True),
    Form("snmpwalk snmpget snmpset snmpbulkwalk", "cAX", apart=True),
    Form("rdesktop", "p", apart=True),
    Form("xfreerdp wlfreerdp", joined=("/p:", "/pth:", "/gp:")),
    Form("x11vnc", words=("-passwd",)),
    Form("pdftk", words=("user_pw", "owner_pw", "input_pw")),
    Form("pdftotext pdftoppm pdfinfo pdfimages", words=("-upw", "-opw")),
    Form("steghide", "p", words=("--passphrase",)),
    Form("hydra evil-winrm netexec nxc crackmapexec", "p", apart=True),
    Form("net", places=(2,), after=("user",)),
    Form("cmdkey", joined=("/pass:",)),
    Form("schtasks", words=("/rp", "/p")),
    Form("convertto-securestring", words=("-string", "-String"), places=(1,)),
    Form("keyctl", places=(3,), after=("add",)),
)

READERS = (
    Reader("sudo", ("--stdin",), "S", "AbEHiknPs"),
    Reader("doas", (), "S"),
    Reader("chpasswd"),
    Reader("chgpasswd"),
    Reader("su"),
    Reader("kinit"),
    Reader("passwd", ("--stdin",), "s"),
    Reader("smbpasswd", (), "s", "a"),
    Reader("htpasswd", (), "i", "BmsdpnDc"),
    Reader(f"{_REGISTRIES} npm", ("--password-stdin",)),
    Reader("gh glab", ("--with-token", "--stdin", "-t"), after=("login",)),
    Reader("gh", after=("secret", "set")),
    Reader("vault", ("-",), after=("login",)),
    Reader("gpg gpg2", ("--passphrase-fd", "--passphrase-fd=0")),
    Reader("openssl", ("stdin", "-stdin")),
    Reader("cryptsetup"),
    Reader("fscrypt"),
)

WRITERS = frozenset({"echo", "printf"})

SENSITIVE_FIELD = (
    r"(?:pass(?:word|wd|phrase)|pwd|secrets?|(?:api|private|access|secrets?|signing|encryption|sealed)[_-]?key|credentials?"
    r"|authorization|cookie|(?:^|[_-]|access|auth|refresh|bearer|session|id)token)$"
)
"""Names of fields that hold a secret."""

NAMES = (
    r"pass(?:word|wd|phrase)",
    r"pwd(?![=:] ?[/~])",  # the shell's own directory is not a secret
    r"(?<=[_-])pass(?==)",
    r"(?<=ssh)pass(?==)",
    r"\bpass(?==)(?!=[0-9]*+(?:\s|$))",
    r"(?<=cli_)auth(?==)",
    r"secrets?(?:[_-]key)?",
    r"(?:api|private|access|account|signing|encryption|sealed|shared[_-]?access)[_-]?key",
    r"token",
    r"(?<=[?&;])sig(?==)",
    r"authorization",
    r"\b(?:requirepass|masterauth)(?==)",
    r"(?<=[:_])_auth(?==)",
)
"""What stands before `=` or `:` and a secret."""

OPTION_NAMES = (
    "pass",
    "password",
    "passwd",
    "passphrase",
    "token",
    "auth-token",
    "secret",
    "api-key",
    "apikey",
    "secret-key",
    "access-key",
    "client-secret",
)
"""Endings of long options whose next word is a secret in every program."""

PHRASES = (
    r"\bidentified[ \t]{1,4}(?:with[ \t]{1,4}[^\s\"'\\]{1,64}[ \t]{1,4})?by[ \t]{1,4}(?=\\?[\"'])",
    r"\bpassword[ \t]{1,4}(?=')",
    r"\b(?:requirepass|masterauth)[ \t]{1,4}",
    r"\bmachine[ \t]{1,4}[^\s\"'\\]{1,255}[ \t]{1,4}login[ \t]{1,4}[^\s\"'\\]{1,255}[ \t]{1,4}password[ \t]{1,4}",
    r"\busername[ \t]{1,4}[^\s\"'\\]{1,64}[ \t]{1,4}(?:privilege[ \t]{1,4}[0-9]{1,2}[ \t]{1,4})?(?:password|secret)[ \t]{1,4}(?:[0-9][ \t]{1,4})?",
    r"\benable[ \t]{1,4}(?:password|secret)[ \t]{1,4}(?:[0-9][ \t]{1,4})?",
    r"\bsnmp-server[ \t]{1,4}community[ \t]{1,4}",
    r">[ \t]{0,4}auth[ \t]{1,4}(?:[^\s\"'\\]{1,64}[ \t]{1,4}(?=\S))?",
    r":_(?:auth|authtoken|password)[ \t]{1,4}",
)
"""What stands before a secret in SQL, configurations and the prompts of databases and routers."""

TOKEN_PREFIXES = (
    r"(?:sk|pk|rk|mgw|gsk|xai|hf|pat|ghp|gho|ghs|ghu|ghr|github_pat|glpat|glrt|npm|pypi|xox[a-z]|nvapi|tskey|whsec|shpat"
    r"|dckr_pat|dop_v1|lin_api|figd)[_\-][A-Za-z0-9_\-]{8,}+",
    r"AIza[A-Za-z0-9_\-]{20,}+",
    r"(?:AKIA|ASIA)[A-Z0-9]{12,}+",
    r"(?:hvs|hvb|ya29|SG)\.[A-Za-z0-9_\-.]{16,}+",
    r"ATATT3[A-Za-z0-9_\-=]{20,}+",
)
"""Tokens that show by their beginning what they are."""
