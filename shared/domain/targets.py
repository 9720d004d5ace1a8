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
HostKeyPolicy = Literal["trust-first-use", "strict"]


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
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class SshLogin(Wire):
    """Where to log in over SSH, and as whom. Without password and key, the gateway's SSH agent is asked."""

    host: Host = Field(description="DNS name or IP address.")
    port: Port = 22
    username: Username
    password: Password | None = None
    private_key: PrivateKey | None = Field(None, description="The key itself, in PEM or OpenSSH form; not a path.")
    passphrase: Password | None = Field(None, description="Of the private key.")
    agent: bool | None = Field(None, description="Use the gateway's SSH agent (SSH_AUTH_SOCK).")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.passphrase and not self.private_key:
            raise refuse("passphrase", "belongs to a 'privateKey', which is not given")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """A shell on this machine."""

    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    shell: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """A host to reach over SSH, by way of `jump` where given."""

    login: SshLogin
    jump: SshLogin | None = None
    known_hosts: HostKeyPolicy | None = None
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnetTarget:
    """A host to reach over telnet."""

    host: str
    port: int


Target = LocalTarget | SshTarget | TelnetTarget


class TargetFields(Wire):
    """The fields of all types of target; those of another type are refused."""

    type: SessionType | None = Field(None, description="local, ssh or telnet.")
    cwd: Path | None = Field(None, description="Directory to start in (local, ssh).")
    env: Environment | None = Field(None, repr=False, description="Environment variables to add (local, ssh).")
    shell: Path | None = Field(None, description="Shell to run (local). Default: bash, else sh.")
    host: Host | None = Field(None, description="DNS name or IP address (ssh, telnet).")
    port: Port | None = Field(None, description="Default: 22 for ssh, 23 for telnet.")
    username: Username | None = Field(None, description="ssh.")
    password: Password | None = Field(None, description="ssh.")
    private_key: PrivateKey | None = Field(None, description="ssh: the key itself, in PEM or OpenSSH form; not a path.")
    passphrase: Password | None = Field(None, description="ssh: of the private key.")
    agent: bool | None = Field(None, description="ssh: use the gateway's SSH agent (SSH_AUTH_SOCK).")
    jump: SshLogin | None = Field(None, description="ssh: a host to go through.")
    known_hosts: HostKeyPolicy | None = Field(
        None, description="ssh: what to do with a host whose key is not known; never laxer than the gateway's setting."
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
        if self.passphrase and not self.private_key:
            raise refuse("passphrase", "belongs to a 'privateKey', which is not given")
        return self

    def target(self) -> Target:
        """What the fields say, as the value that its type takes."""
        if self.type == "telnet" and self.host:
            return TelnetTarget(host=self.host, port=self.port or 23)
        if self.type == "ssh" and self.host and self.username:
            login = SshLogin(
                host=self.host,
                port=self.port or 22,
                username=self.username,
                password=self.password,
                private_key=self.private_key,
                passphrase=self.passphrase,
                agent=self.agent,
            )
            return SshTarget(
                login=login, jump=self.jump, known_hosts=self.known_hosts, cwd=self.cwd, env=self.env or {}
            )
        return LocalTarget(cwd=self.cwd, env=self.env or {}, shell=self.shell)


_LOGIN = frozenset({"host", "port", "username", "password", "private_key", "passphrase", "agent"})
FIELDS: Mapping[SessionType, frozenset[str]] = {
    "local": frozenset({"cwd", "env", "shell"}),
    "ssh": _LOGIN | {"jump", "known_hosts", "cwd", "env"},
    "telnet": frozenset({"host", "port"}),
}
REQUIRED: Mapping[SessionType, tuple[str, ...]] = {"local": (), "ssh": ("host", "username"), "telnet": ("host",)}


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
        include={"type", "cwd", "shell", "host", "port", "username", "known_hosts"}, exclude_none=True, by_alias=True
    )
    if fields.env:
        facts["env"] = sorted(fields.env)
    if fields.jump:
        facts["jump"] = f"{fields.jump.username}@{fields.jump.host}:{fields.jump.port}"
    return facts
