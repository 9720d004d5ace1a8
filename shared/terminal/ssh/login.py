"""Shaking hands with an SSH server and logging in; errors are told apart by their class."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from shared.domain.logins import LoginPrompt
from shared.domain.targets import SshLogin
from shared.errors import GatewayError, TerminalError, invalid_field
from shared.terminal.ssh.host_keys import HostKeyGuard
from shared.terminal.ssh.known_hosts import HostKey
from shared.terminal.ssh.pending_logins import Ask, Question
from shared.terminal.ssh.private_keys import PrivateKeys

Connection = asyncssh.SSHClientConnection

KEEPALIVE_SECONDS = 15
KEEPALIVE_MISSES = 3
LOSS = "loss"
"""The name under which a connection keeps what broke it."""

_CODE = re.compile(
    r"(?i)code|\botp\b|token|one.?time|einmal|v[ée]rif|factor|authentic|challenge|\bpin\b|\b[2m]fa\b|验证|驗證|認証"
)
"""Questions that the stored password does not answer, though the answer is hidden."""
_PASSWORD = re.compile(
    r"(?i)pass\s?(?:word|wort|phrase)|kennwort|mot de passe|contrase[nñ]a|senha|parola|пароль|密[码碼]|パスワード|비밀번호|wachtwoord|has[lł]o|l[oö]senord"
)


class _Client(asyncssh.SSHClient):
    """Asks the guard about the host's key, and answers the host's questions with the password or by asking a person.

    `made` says whether the connection has taken over its socket, `answered` whether a person has answered something.
    """

    def __init__(self, guard: HostKeyGuard, login: SshLogin, ask: Ask) -> None:
        self.made = False
        self.answered = False
        self._guard = guard
        self._login = login
        self._ask = ask
        self._password = _password_of(login)
        self._requested = False

    def connection_made(self, conn: Connection) -> None:
        self.made = True
        self._connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            silent = "keepalive" in str(exc)
            self._connection.set_extra_info(**{LOSS: "the host stopped answering" if silent else "it broke off"})

    def kbdint_auth_requested(self) -> str | None:
        """Once: a server that offers it without being able to do it would be asked until it ends the connection."""
        again, self._requested = self._requested, True
        return None if again else ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> Sequence[str] | None:
        """The password for the first hidden question that is not one for a code; a person's answers for the others.

        None, which gives up, where a password is asked for that is not stored: no person is asked for passwords.
        """
        answers = [self._stored(text, shown=shown) for text, shown in prompts]
        open_ = tuple(
            LoginPrompt(text=text, echo=shown)
            for (text, shown), answer in zip(prompts, answers, strict=True)
            if answer is None
        )
        if any(_PASSWORD.search(prompt.text) and not _CODE.search(prompt.text) for prompt in open_):
            return None
        if not open_:
            return [answer or "" for answer in answers]
        given = iter(await self._ask(Question(self._login, "\n".join(filter(None, (name, instructions))), open_)))
        self.answered = True
        return [next(given) if answer is None else answer for answer in answers]

    def _stored(self, text: str, *, shown: bool) -> str | None:
        """The password, once."""
        if shown or _CODE.search(text):
            return None
        password, self._password = self._password, None
        return password

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._guard.accept(HostKey(key.get_algorithm(), key.public_data))


@asynccontextmanager
async def login_keys(login: SshLogin, agent_path: str, private_keys: PrivateKeys) -> AsyncIterator[Sequence[Any]]:
    """The keys to log in with: the given one, or those of the agent. Raises InvalidInput, TerminalError."""
    own = await _own_keys(login, private_keys)
    wants_agent = login.agent if login.agent is not None else login.password is None
    if login.private_key is None and wants_agent and (agent_path or login.agent):
        agent = asyncssh.SSHAgentClient(agent_path)
        try:
            held = await _agent_keys(agent, agent_path, required=bool(login.agent))
            wanted = await asyncio.to_thread(_public_parts, login) if login.only_identities else None
            yield [*own, *(key for key in held if wanted is None or key.public_data in wanted)]
        finally:
            agent.close()
            await agent.wait_closed()
    else:
        yield own


async def log_in(
    login: SshLogin,
    keys: Sequence[Any],
    guard: HostKeyGuard,
    ask: Ask,
    *,
    via: socket.socket | Connection,
    timeout: float,
) -> Connection:
    """Shake hands over a socket, or through another connection, and log in. The time-out stops while `ask` waits.

    Raises TerminalError, HostKeyChanged, InvalidInput. The socket is closed when it does.
    """
    limit = asyncio.timeout(timeout)

    async def asked(question: Question) -> Sequence[str]:
        limit.reschedule(None)
        answers = await ask(question)
        limit.reschedule(asyncio.get_running_loop().time() + timeout)
        return answers

    client = _Client(guard, login, asked)
    try:
        options = _options(login, keys, guard, client)
        async with limit:
            if isinstance(via, socket.socket):
                return await asyncssh.connect(sock=via, options=options, config=None)
            return await asyncssh.connect(login.host, login.port, tunnel=via, options=options, config=None)
    except (asyncssh.Error, OSError) as error:
        raise _explain(login, guard, error, timeout, answered=client.answered) from error
    finally:
        if isinstance(via, socket.socket) and not client.made:
            via.close()


def _options(
    login: SshLogin, keys: Sequence[Any], guard: HostKeyGuard, client: _Client
) -> asyncssh.SSHClientConnectionOptions:
    """Nothing of the user's own SSH configuration, keys and agent, but what is said here."""
    password = _password_of(login)
    try:
        return asyncssh.SSHClientConnectionOptions(
            client_factory=lambda: client,
            config=None,
            username=login.username,
            password=password,
            client_keys=keys or None,
            agent_path=None,
            preferred_auth=_methods(bool(keys), password is not None),
            known_hosts=([], [], []),  # so that the guard is asked about every key
            server_host_key_algs=_key_algorithms(guard.known.keys),
            x509_trusted_certs=None,
            x509_trusted_cert_paths=[],
            gss_host=None,
            login_timeout=0,
            keepalive_interval=KEEPALIVE_SECONDS,
            keepalive_count_max=KEEPALIVE_MISSES,
        )
    except ValueError as error:  # a user name that SSH cannot carry
        raise invalid_field("username", "has characters that are not allowed in it") from error


async def _agent_keys(agent: asyncssh.SSHAgentClient, path: str, *, required: bool) -> Sequence[Any]:
    try:
        if path:
            return await agent.get_keys()
    except (OSError, ValueError, asyncssh.Error) as error:
        detail = str(error)
    else:
        detail = "no path"
    if not required:
        return []
    raise TerminalError(
        "The gateway has no SSH agent that answers (SSH_AUTH_SOCK); start one, or give 'privateKey' or 'password'.",
        code="no_agent",
        operator_detail=detail,
    )


def _explain(login: SshLogin, guard: HostKeyGuard, error: Exception, timeout: float, *, answered: bool) -> GatewayError:
    where = f"{login.host}:{login.port}"
    code, detail = "connection_failed", f"{type(error).__name__}: {error}"
    if guard.problem is not None:
        return guard.problem
    if answered and isinstance(error, asyncssh.DisconnectError):
        code = "code_refused"
        text = f"{where} refused the login of {login.username} after the answer; send the request again for a new question."
    elif isinstance(error, asyncssh.PermissionDenied):
        code = "authentication_failed"
        text = f"{where} refused the login of {login.username}; check 'username', 'password' or 'privateKey'."
    elif isinstance(error, asyncssh.DisconnectError) and "authentication failures" in error.reason:
        code = "authentication_failed"
        text = (
            f"{where} ended the login of {login.username} after too many tries; give the key that it takes as 'privateKey', "
            "or have the SSH configuration offer no other ones of the agent (IdentityFile with IdentitiesOnly yes)."
        )
    elif isinstance(error, TimeoutError):
        text = f"{where} did not finish the login in {timeout:g} seconds; try again or check the host."
    elif isinstance(error, asyncssh.ChannelOpenError):
        text = f"The jump host cannot reach {where}; check the address as the jump host sees it."
    elif isinstance(error, asyncssh.KeyExchangeFailed):
        text = f"{where} speaks none of the algorithms that are considered safe; update its SSH server."
    else:
        text = f"{where} does not complete an SSH handshake; check that it is an SSH server."
    return TerminalError(text, code=code, operator_detail=detail)


async def _own_keys(login: SshLogin, private_keys: PrivateKeys) -> Sequence[Any]:
    """The given key, or those that the SSH configuration names."""
    if login.private_key is None:
        return await asyncio.to_thread(_unlocked, login.identities)
    passphrase = login.passphrase.get_secret_value() if login.passphrase else None
    key = await private_keys.read(login.private_key.get_secret_value(), passphrase)
    return [(key, _certificate(login.certificate)) if login.certificate else key]


def _unlocked(paths: Sequence[str]) -> Sequence[Any]:
    """The keys of these files; those that cannot be read or need a passphrase are left to the agent."""
    keys: list[Any] = []
    for path in paths:
        try:
            keys += asyncssh.load_keypairs(path, ignore_encrypted=True)
        except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            continue
    return keys


def _public_parts(login: SshLogin) -> set[bytes]:
    """The public keys that lie beside the private ones."""
    found = set()
    for path in login.identities:
        try:
            found.add(asyncssh.read_public_key(f"{path}.pub").public_data)
        except (OSError, asyncssh.KeyImportError):
            continue
    return found


def _certificate(text: str) -> asyncssh.SSHCertificate:
    try:
        return asyncssh.import_certificate(text)
    except asyncssh.KeyImportError as error:
        raise invalid_field("certificate", "is not one in OpenSSH form") from error


def _methods(keys: bool, password: bool) -> list[str]:
    return [*(["publickey"] if keys else []), "keyboard-interactive", *(["password"] if password else [])]


def _password_of(login: SshLogin) -> str | None:
    return login.password.get_secret_value() if login.password else None


def _key_algorithms(known: Sequence[HostKey]) -> list[str]:
    """The algorithms of known keys first: a host with several keys then shows the one that we know."""
    every = [name.decode() for name in get_default_public_key_algs()]
    types = {key.type for key in known}
    return sorted(every, key=lambda name: not (name in types or ("ssh-rsa" in types and name.startswith("rsa-"))))
