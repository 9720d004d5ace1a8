"""The composition root: the one place that names the concrete parts, puts them together and keeps them going."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import metadata

import anyio
import anyio.to_thread

from shared import logging, upkeep
from shared.domain.configuration import Configuration
from shared.errors import Unavailable
from shared.providers.anthropic.provider import AnthropicMessages
from shared.providers.base import Provider, Timeouts
from shared.providers.directory import Directory
from shared.providers.discovery import Discovery
from shared.providers.embedded import EmbeddedModel
from shared.providers.http_client import HttpClient
from shared.providers.local_addresses import USUAL_PORTS, candidates
from shared.providers.openai.provider import OpenAICompatible
from shared.providers.oss_local import OssLocal
from shared.providers.vendors import VENDORS, Account, vendor_for
from shared.registry.accounts import ProviderAccounts
from shared.registry.configuration import LiveConfiguration
from shared.registry.registry import Registry
from shared.routing.executor import Executor
from shared.routing.planner import Policy
from shared.security.accounts import Accounts
from shared.security.api_keys import ApiKeys
from shared.security.audit import AuditTrail
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.passwords import Passwords
from shared.security.rate_limits import LoginAttempts, RateLimits
from shared.security.redaction import Redactor
from shared.security.secrets_box import SecretsBox
from shared.security.tokens import Tokens, token_secret
from shared.settings import Settings, comma_separated, secret_fields
from shared.storage import schema
from shared.storage.database import Database
from shared.storage.redis_store import RedisStore
from shared.terminal.connections import Connections
from shared.terminal.local import LocalShells
from shared.terminal.sessions import Sessions, TerminalLimits
from shared.terminal.ssh.hosts import SshHosts
from shared.terminal.telnet import TelnetHosts
from shared.usage.ledger import Ledger
from shared.usage.pricing import PriceBook

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Gateway:
    """Everything that operations work with.

    `announcements` are lines for the operator, to be shown once at start; `dead_jobs` names what should run in the
    background and no longer does.
    """

    settings: Settings
    database: Database
    redis: RedisStore | None
    registry: Registry
    providers: Directory
    accounts_of_providers: ProviderAccounts
    configuration: LiveConfiguration
    executor: Executor
    ledger: Ledger
    terminals: Sessions
    connections: Connections
    accounts: Accounts
    api_keys: ApiKeys
    rate_limits: RateLimits
    audit: AuditTrail
    oss_local: OssLocal
    clock: Callable[[], datetime] = now
    prices: PriceBook
    announcements: list[str] = field(default_factory=list)
    dead_jobs: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    version: str = field(default_factory=lambda: metadata.version("ai-mcp-gateway"))

    @property
    def uptime_seconds(self) -> float:
        """Seconds since this process opened the gateway."""
        return time.monotonic() - self.started


@asynccontextmanager
async def open_gateway(settings: Settings, *, with_admin: bool = False) -> AsyncIterator[Gateway]:
    """Open everything, and close it in the opposite order. Raises GatewayError when something vital is missing.

    `with_admin` makes sure that there is an administrator to log in; a password made up for it is announced once.
    """
    if settings.terminal_sandbox == "required":
        raise Unavailable(
            "TERMINAL_SANDBOX is 'required', but this version has no sandbox for commands; set it to 'auto' or 'off' "
            "to run commands with your user's rights.",
            code="no_sandbox",
        )
    redactor = Redactor(_secret_values(settings))
    logging.configure(settings.log_level, settings.log_format, redactor.text)
    await anyio.to_thread.run_sync(_prepare_folder, settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings.database))
        await anyio.to_thread.run_sync(schema.upgrade, database)
        gateway = await _assembled(settings, database, redactor, stack)
        await _load(gateway)
        if with_admin:
            await _ensure_admin(gateway)
        await upkeep.look_for_local_servers(gateway)
        stack.push_async_callback(upkeep.begin(gateway))
        yield gateway


def _prepare_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.data_dir.chmod(0o700)
    except OSError as error:
        raise Unavailable(
            f"The data directory {settings.data_dir} cannot be used: {error.strerror}; set DATA_DIR to one you can write."
        ) from None


async def _assembled(settings: Settings, database: Database, redactor: Redactor, stack: AsyncExitStack) -> Gateway:
    """All parts, put together but not yet loaded."""
    box = SecretsBox.from_setting(settings.secrets_key.get_secret_value(), settings.data_dir / "secrets.key")
    await box.verify_against(database)
    client = HttpClient(
        max_connections_per_host=settings.upstream_max_connections,
        use_proxy_environment=any(os.environ.get(name) for name in PROXY_VARIABLES),
    )
    stack.push_async_callback(client.aclose)
    near = HttpClient(max_connections_per_host=settings.upstream_max_connections)  # loopback needs no proxy
    stack.push_async_callback(near.aclose)
    oss_local = _oss_local(settings, near)
    providers = Directory(lambda account: _provider(account, client, oss_local))
    stack.push_async_callback(providers.aclose)
    registry = Registry(database)
    prices = PriceBook()
    ledger = Ledger(database, now)
    stack.push_async_callback(ledger.aclose)
    configuration = LiveConfiguration(database, _defaults(settings), lambda current: _apply(current, ledger))
    redis = _redis(settings, stack)
    windows = Windows(MemoryWindows(), redis)
    audit = AuditTrail(database, now, redactor)
    stack.push_async_callback(audit.aclose)
    return Gateway(
        settings=settings,
        database=database,
        redis=redis,
        registry=registry,
        providers=providers,
        accounts_of_providers=ProviderAccounts(database, box, providers, _accounts(settings)),
        configuration=configuration,
        executor=Executor(
            registry=registry,
            providers=providers,
            ledger=ledger,
            prices=prices,
            timeouts=_timeouts(settings),
            policy=lambda: _policy(configuration.current),
            clock=now,
        ),
        ledger=ledger,
        terminals=await stack.enter_async_context(_terminals(settings)),
        connections=Connections(database, box, now),
        accounts=_logins(settings, database, windows),
        api_keys=ApiKeys(database, now),
        rate_limits=RateLimits(
            windows, per_minute=settings.rate_limit_per_minute, per_hour=settings.rate_limit_per_hour
        ),
        audit=audit,
        oss_local=oss_local,
        prices=prices,
    )


async def _load(gateway: Gateway) -> None:
    """Read what is stored."""
    await gateway.registry.load()
    await gateway.configuration.refresh()
    await gateway.accounts_of_providers.refresh()
    await gateway.accounts.refresh()
    await gateway.api_keys.refresh()
    await gateway.ledger.load_today()


async def _ensure_admin(gateway: Gateway) -> None:
    name = gateway.settings.admin_username
    password = await gateway.accounts.ensure_admin(name, gateway.settings.admin_password.get_secret_value())
    if password is not None:
        gateway.announcements.append(f"Administrator '{name}', password '{password}': shown this once; keep it.")


def _provider(account: Account, client: HttpClient, oss_local: OssLocal) -> Provider:
    if account.dialect == "local":
        return oss_local
    if account.dialect == "anthropic":
        return AnthropicMessages(account.name, account.base_url, account.api_key, client)
    vendor = vendor_for(account)
    return OpenAICompatible(
        account.name,
        account.base_url,
        account.api_key,
        client,
        needs_key=vendor.needs_key,
        headers=vendor.headers,
        renames=vendor.renames,
        message_fields_refused=vendor.message_fields_refused,
        probe_path=vendor.probe_path,
        reports_cost=vendor.reports_cost,
    )


def _oss_local(settings: Settings, client: HttpClient) -> OssLocal:
    found = candidates(
        oss_model_endpoint=settings.oss_model_endpoint,
        ollama_host=settings.ollama_host,
        usual_ports=USUAL_PORTS if settings.oss_discovery else (),
    )
    return OssLocal(
        discovery=Discovery(found),
        embedded=EmbeddedModel(data_dir=settings.data_dir, mode=settings.embedded_model),
        connect=lambda base_url, key: OpenAICompatible(upkeep.LOCAL, base_url, key, client, needs_key=False),
    )


def _accounts(settings: Settings) -> list[Account]:
    """The accounts that the settings describe; one without a key is there, but not configured."""
    given = {
        "openrouter": (settings.openrouter_base_url, settings.openrouter_api_key.get_secret_value()),
        "openai": (settings.openai_base_url, settings.openai_api_key.get_secret_value()),
        "anthropic": (settings.anthropic_base_url, settings.anthropic_api_key.get_secret_value()),
        upkeep.LOCAL: ("", ""),
    }
    return [
        Account(name=name, dialect=VENDORS[name].dialect, base_url=base_url, api_key=key, from_settings=True)
        for name, (base_url, key) in given.items()
    ]


def _redis(settings: Settings, stack: AsyncExitStack) -> RedisStore | None:
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    redis = RedisStore(url)
    stack.push_async_callback(redis.aclose)
    return redis


def _logins(settings: Settings, database: Database, windows: Windows) -> Accounts:
    secret = token_secret(settings.jwt_secret.get_secret_value(), settings.data_dir / "jwt.key")
    return Accounts(
        database,
        Passwords(refuse_defaults=settings.auth_mode == "required"),
        Tokens(secret, lifetime=timedelta(hours=settings.token_hours), clock=now),
        LoginAttempts(windows, per_minute=settings.login_attempts_per_minute),
        now,
    )


def _terminals(settings: Settings) -> Sessions:
    return Sessions(
        TerminalLimits(
            sessions=settings.terminal_max_sessions,
            sessions_per_caller=settings.terminal_max_sessions_per_caller,
            idle_timeout=settings.terminal_idle_timeout,
            command_timeout=settings.terminal_command_timeout,
            max_command_timeout=settings.terminal_max_command_timeout,
            output_bytes=settings.terminal_max_output_bytes,
            scrollback_bytes=settings.terminal_max_output_bytes,
        ),
        local=LocalShells(
            os.environ, shell=settings.terminal_shell, env_allow=comma_separated(settings.terminal_env_allow)
        ),
        ssh=SshHosts(
            settings.data_dir / "known_hosts",
            policy=settings.ssh_host_keys,
            timeout=settings.ssh_connect_timeout,
            agent_path=os.environ.get("SSH_AUTH_SOCK", ""),
        ),
        telnet=TelnetHosts(allow_public=settings.telnet_allow_public, timeout=settings.ssh_connect_timeout),
    )


def _timeouts(settings: Settings) -> Timeouts:
    return Timeouts(
        connect=settings.upstream_connect_timeout,
        first_token=settings.upstream_first_token_timeout,
        stall=settings.upstream_stall_timeout,
        total=settings.upstream_total_timeout,
    )


def _defaults(settings: Settings) -> Configuration:
    return Configuration(
        log_level=settings.log_level,
        default_layer=settings.default_layer,
        enable_cross_check=settings.enable_cross_check,
        enable_auto_escalate=settings.enable_auto_escalate,
        max_escalation_layer=settings.max_escalation_layer,
        enable_cost_tracking=settings.enable_cost_tracking,
        cost_alert_threshold=Decimal(str(settings.cost_alert_threshold)),
    )


def _policy(current: Configuration) -> Policy:
    return Policy(
        default_layer=current.default_layer,
        auto_escalate=current.enable_auto_escalate,
        max_escalation_layer=current.max_escalation_layer,
    )


def _apply(current: Configuration, ledger: Ledger) -> None:
    """Put a changed configuration into force."""
    logging.set_level(current.log_level)
    ledger.store = current.enable_cost_tracking
    ledger.alert_threshold = current.cost_alert_threshold


def _secret_values(settings: Settings) -> list[str]:
    return [value for name in secret_fields() if (value := getattr(settings, name).get_secret_value())]
