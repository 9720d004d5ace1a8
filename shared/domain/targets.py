"""Where a terminal session can lead: this machine, an SSH host, a telnet host."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.domain.wire import Wire

SessionType = Literal["local", "ssh", "telnet"]
TelnetInterrupt = Literal["character", "ip", "brk"]
HostKeyPolicy = Literal["trust-first-use", "ask", "strict"]
"""What becomes of a host whose key is not known; each laxer than the next."""


MAX_JUMPS = 4
"""Hosts that may be gone through, however they are named."""

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)")


def _host(value: str) -> str:
    """Refuses what a resolver might read as an address in disguise (`127.1`, `0x7f000001`) or a tool as an option."""
    try:
        address = ip_address(value)
    except ValueError:
        labels = value.split(".")
        if len(value) <= 253 and all(map(_LABEL.fullmatch, labels)) and not _NUMERIC_LABEL.fullmatch(labels[-1]):
            return value
    else:
        if not getattr(address, "scope_id", None):
            return value
    raise PydanticCustomError("host", "must be a DNS name, or a full IPv4 or IPv6 address")


def no_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("nul", "must not contain a NUL character")
    return value


Host = Annotated[str, AfterValidator(_host), Field(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]
Username = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f\-][^\x00-\x20\x7f]{0,127}$")]
Path = Annotated[str, AfterValidator(no_nul), Field(min_length=1, max_length=4096)]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
EnvValue = Annotated[str, AfterValidator(no_nul), Field(max_length=32_768)]
Environment = Annotated[dict[EnvName, EnvValue], Field(max_length=200)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
PrivateKey = Annotated[SecretStr, Field(min_length=1, max_length=32_768)]
Certificate = Annotated[str, StringConstraints(min_length=1, max_length=32_768, pattern=r"^[\x20-\x7e\n\r]+$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Sudo = Annotated[
    bool,
    Field(
        description="Run it as root by sudo (SSH), with the stored password of the login, which is never shown. It starts in "
        "the session's directory, with none of its variables, and leaves nothing for later commands."
    ),
]


class SshCredentials(Wire):
    """How to log in over SSH. Without password and key, the gateway's SSH agent is asked, if it is for the caller."""

    port: Port | None = Field(None, description="Default: 22 for ssh, 23 for telnet.")
    username: Username | None = Field(None, description="ssh; telnet: typed at the host's login prompt.")
    password: Password | None = Field(
        None,
        description="ssh; telnet: typed at the host's password prompt, unencrypted. '/answer' answers a later password prompt with it.",
    )
    private_key: PrivateKey | None = Field(None, description="ssh: the key itself, in PEM or OpenSSH form; not a path.")
    passphrase: Password | None = Field(None, description="ssh: of the private key.")
    certificate: Certificate | None = Field(None, description="ssh: the private key's certificate, in OpenSSH form.")
    agent: bool | None = Field(None, description="ssh: use the SSH agent of the gateway's user, where you may.")

    def _check_key(self) -> None:
        for name in ("passphrase", "certificate"):
            if getattr(self, name) is not None and self.private_key is None:
                raise refuse(name, "belongs to a 'privateKey', which is not given")


class Jump(SshCredentials):
    """A host to go through: a saved connection, or a host with what is needed to log in."""

    host: Host | None = Field(None, description="DNS name or IP address.")
    connection_id: Id | None = Field(None, description="A saved SSH connection, instead of the other fields.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = {name for name in Jump.model_fields if getattr(self, name) is not None} - {"connection_id"}
        if self.connection_id is None and self.host is None:
            raise refuse("host", "this field is required (or give a 'connectionId')")
        for name in sorted(given) if self.connection_id is not None else ():
            raise refuse(name, "comes from the saved connection; leave it out or leave out 'connectionId'")
        self._check_key()
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SshLogin:
    """Where to log in over SSH, and as whom, with nothing left open.

    `identities` are paths of private keys on this machine; with `only_identities` the agent's other keys are not tried.
    """

    host: str
    port: int = 22
    username: str
    password: SecretStr | None = None
    private_key: SecretStr | None = None
    passphrase: SecretStr | None = None
    certificate: str | None = None
    agent: bool | None = None
    identities: tuple[str, ...] = ()
    only_identities: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """A shell on this machine; with `background`, a command that runs on the session's terminal in its place.

    Without `sandbox` it has all rights of the gateway's user, which a person must have agreed to.
    """

    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    shell: str | None = None
    background: str | None = None
    sandbox: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """A host to reach over SSH, by way of the `jumps`, in their order; `background` as that of a local target."""

    login: SshLogin
    jumps: tuple[SshLogin, ...] = ()
    known_hosts: HostKeyPolicy | None = None
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    background: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnetTarget:
    """A host to reach over telnet; the credentials are typed at its login prompts."""

    host: str
    port: int
    username: str | None = None
    password: SecretStr | None = None
    interrupt: TelnetInterrupt = "character"


Target = LocalTarget | SshTarget | TelnetTarget


def type_of(target: Target) -> SessionType:
    """What callers call it."""
    if isinstance(target, SshTarget):
        return "ssh"
    return "local" if isinstance(target, LocalTarget) else "telnet"


def background_of(target: Target) -> str | None:
    """The command that runs on the session's terminal in the place of a shell, if there is one."""
    return None if isinstance(target, TelnetTarget) else target.background


def without_sandbox(target: Target) -> bool:
    """Whether it is a session on this machine that a person has let run without the sandbox."""
    return isinstance(target, LocalTarget) and not target.sandbox


class TargetFields(SshCredentials):
    """The fields of all types of target; those of another type are refused."""

    type: SessionType | None = Field(None, description="local, ssh or telnet.")
    cwd: Path | None = Field(None, description="Directory to start in (local, ssh).")
    env: Environment | None = Field(None, repr=False, description="Environment variables to add (local, ssh).")
    shell: Path | None = Field(
        None,
        description="Shell to run (local). Default: bash, else sh. Commands need a POSIX shell; one like fish can only be typed into.",
    )
    host: Host | None = Field(None, description="DNS name or IP address (ssh, telnet).")
    jump: Jump | None = Field(None, description="ssh: a host to go through.")
    jumps: Annotated[list[Jump], Field(min_length=1, max_length=MAX_JUMPS)] | None = Field(
        None, description="ssh: several hosts to go through, in their order; instead of 'jump'."
    )
    use_config: bool | None = Field(
        None,
        description="ssh: look the host up in the SSH configuration of the gateway's user (HostName, User, Port, "
        "IdentityFile, ProxyJump). Default: where you may, and there is one.",
    )
    known_hosts: HostKeyPolicy | None = Field(
        None, description="ssh: what to do with a host whose key is not known; never laxer than the gateway's setting."
    )
    interrupt: TelnetInterrupt | None = Field(
        None,
        description="telnet: what Ctrl-C is sent as: the 'character' U+0003 (default), or the telnet commands 'ip' "
        "(Interrupt Process) or 'brk' (Break), which some devices want.",
    )

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type is None:
            return self
        given = {name for name in TargetFields.model_fields if getattr(self, name) is not None} - {"type"}
        for name in sorted(given - FIELDS[self.type]):
            raise refuse(name, f"does not belong to the type '{self.type}'")
        for name in REQUIRED[self.type]:
            if name not in given:
                raise refuse(name, f"this field is required for the type '{self.type}'")
        if self.jump is not None and self.jumps is not None:
            raise refuse("jumps", "cannot be given together with 'jump'")
        self._check_key()
        return self

    @property
    def hops(self) -> "tuple[Jump, ...]":
        """The hosts to go through, in their order."""
        return (self.jump,) if self.jump is not None else tuple(self.jumps or ())

    def near_target(self) -> LocalTarget | TelnetTarget:
        """What the fields say of a target that needs nothing looked up: any but SSH."""
        if self.type == "telnet" and self.host:
            return TelnetTarget(
                host=self.host,
                port=self.port or 23,
                username=self.username,
                password=self.password,
                interrupt=self.interrupt or "character",
            )
        return LocalTarget(cwd=self.cwd, env=self.env or {}, shell=self.shell)


_LOGIN = frozenset({"host", *SshCredentials.model_fields})
FIELDS: Mapping[SessionType, frozenset[str]] = {
    "local": frozenset({"cwd", "env", "shell"}),
    "ssh": _LOGIN | {"jump", "jumps", "use_config", "known_hosts", "cwd", "env"},
    "telnet": frozenset({"host", "port", "username", "password", "interrupt"}),
}
REQUIRED: Mapping[SessionType, tuple[str, ...]] = {"local": (), "ssh": ("host",), "telnet": ("host",)}


def refuse(field_name: str, reason: str) -> ValidationError:
    """A finding about one field, for a validator that looks at several."""
    words = field_name.split("_")
    found = InitErrorDetails(
        type=PydanticCustomError("misplaced", "{reason}", {"reason": reason}),
        loc=(words[0] + "".join(word.title() for word in words[1:]),),
        input=None,
    )
    return ValidationError.from_exception_data("request", [found])


def redacted(fields: TargetFields) -> dict[str, Any]:
    """The facts of a target that may be written down: no secret, and of variables only their names."""
    facts = fields.model_dump(
        include={"type", "cwd", "shell", "host", "port", "username", "use_config", "known_hosts"},
        exclude_none=True,
        by_alias=True,
    )
    if fields.env:
        facts["env"] = sorted(fields.env)
    if fields.hops:
        facts["jump"] = ",".join(map(_named, fields.hops))
    return facts


def _named(jump: Jump) -> str:
    if jump.connection_id is not None:
        return jump.connection_id
    return f"{jump.username + '@' if jump.username else ''}{jump.host}:{jump.port or 22}"
