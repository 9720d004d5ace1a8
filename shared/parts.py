"""The parts of a gateway, each made from the settings."""

import hashlib
import os
import site
import sys
from collections.abc import Container
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from shared import logging
from shared.cluster.nodes import Nodes
from shared.domain.configuration import Configuration
from shared.domain.identity import Caller
from shared.domain.models import Model
from shared.providers.anthropic.provider import AnthropicMessages
from shared.providers.base import Provider, Timeouts
from shared.providers.directory import Directory
from shared.providers.discovery import Discovery
from shared.providers.embedded import EmbeddedModel
from shared.providers.http_client import HttpClient
from shared.providers.local_addresses import USUAL_PORTS, candidates
from shared.providers.ollama.provider import OllamaChat
from shared.providers.openai.provider import OpenAICompatible
from shared.providers.oss_local import OssLocal
from shared.providers.vendors import LOCAL, VENDORS, Account, vendor_for
from shared.registry.configuration import LiveConfiguration
from shared.registry.registry import Registry
from shared.routing.caching.response_cache import ResponseCache
from shared.routing.replay.decisions import Decisions
from shared.routing.replay.policy_file import policy_of
from shared.security.accounts import Accounts
from shared.security.audit import AuditTrail
from shared.security.moving_windows import Windows
from shared.security.passwords import Passwords
from shared.security.rate_limits import LoginAttempts
from shared.security.redaction import Redactor
from shared.security.tokens import Tokens, token_secret
from shared.settings import Settings, comma_separated, secret_fields
from shared.storage import usage_summing
from shared.storage.database import Database
from shared.storage.journal import Journal
from shared.storage.key_values import MemoryValues, RedisValues, Values
from shared.storage.redis_store import RedisStore
from shared.storage.retention import Retention, Step
from shared.terminal.egress import Egress, RefusedConnection
from shared.terminal.kept_outputs import KeptLimits, KeptOutputs
from shared.terminal.local import LocalShells
from shared.terminal.policy.live import LivePolicy
from shared.terminal.process_groups import find_limit
from shared.terminal.recordings import Recordings
from shared.terminal.sandbox import DEFAULT_WRITABLE, Rules, Sandbox
from shared.terminal.sandbox_trial import find_sandbox
from shared.terminal.sessions import Sessions, TerminalLimits, new_id
from shared.terminal.sockets import Sockets
from shared.terminal.ssh.client_config import ClientConfig
from shared.terminal.ssh.hosts import SshHosts
from shared.terminal.ssh.pending_logins import PendingLogins
from shared.terminal.telnet import TelnetHosts
from shared.usage.alerts import Deliver
from shared.usage.budgets import Budgets
from shared.usage.ledger import Ledger
from shared.usage.webhook import Webhook

ROOT = Path(__file__).parents[1]
"""Where the gateway's code is, which commands may not change: with the project's files around it, which install and start it,
and with modules that would be imported from there in place of others.
"""


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


def provider(account: Account, client: HttpClient, oss_local: OssLocal) -> Provider:
    """A provider for one account with one of its keys."""
    if account.dialect == "local":
        return oss_local
    if account.dialect == "anthropic":
        return AnthropicMessages(account.name, account.base_url, account.api_key, client)
    if account.dialect == "ollama":
        return OllamaChat(account.name, account.base_url, client, api_key=account.api_key)
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
        well_known=vendor.well_known,
    )


def deliver(settings: Settings, client: HttpClient) -> Deliver | None:
    """What brings alerts to the operator's webhook; None when there is none."""
    url = settings.alert_webhook_url.get_secret_value()
    return Webhook(url, client).deliver if url else None


def oss_local(settings: Settings, client: HttpClient) -> OssLocal:
    """The provider of what runs on this machine."""
    found = candidates(
        oss_model_endpoint=settings.oss_model_endpoint,
        ollama_host=settings.ollama_host,
        usual_ports=USUAL_PORTS if settings.oss_discovery else (),
    )
    return OssLocal(
        discovery=Discovery(found),
        embedded=EmbeddedModel(data_dir=settings.data_dir, mode=settings.embedded_model),
        connect=lambda base_url, key: OpenAICompatible(LOCAL, base_url, key, client, needs_key=False),
        connect_ollama=lambda root: OllamaChat(LOCAL, root, client, longest_context=settings.ollama_max_context),
    )


def accounts(settings: Settings) -> list[Account]:
    """The accounts that the settings describe; one without a key is there, but not configured."""
    given = {
        "openrouter": (settings.openrouter_base_url, settings.openrouter_api_key.get_secret_value()),
        "openai": (settings.openai_base_url, settings.openai_api_key.get_secret_value()),
        "anthropic": (settings.anthropic_base_url, settings.anthropic_api_key.get_secret_value()),
        LOCAL: ("", ""),
    }
    return [
        Account(name=name, dialect=VENDORS[name].dialect, base_url=base_url, api_key=key, from_settings=True)
        for name, (base_url, key) in given.items()
    ]


def journal(settings: Settings, database: Database) -> Journal:
    """Where usage rows wait for this database; gateways with other databases may have the same data directory."""
    url = database.url
    where = f"{url.get_backend_name()} {url.host} {url.port} {url.database}"
    return Journal(settings.data_dir / "journal" / hashlib.sha256(where.encode()).hexdigest()[:16])


def redis(settings: Settings, stack: AsyncExitStack) -> RedisStore | None:
    """The connection to Redis; None when none is configured."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    redis = RedisStore(url)
    stack.push_async_callback(redis.aclose)
    return redis


def shared_secret(settings: Settings) -> bytes:
    """What login tokens are signed with; all processes of a gateway have the same."""
    return token_secret(settings.jwt_secret.get_secret_value(), settings.data_dir / "jwt.key")


def retention(settings: Settings, database: Database, decisions: Decisions, audit: AuditTrail) -> Retention:
    """What deletes rows that are older than the settings allow."""
    steps: dict[str, Step] = {"decisions": decisions.prune}
    if settings.usage_days:
        usage_age = timedelta(days=settings.usage_days)
        steps["usage"] = lambda session, limit: usage_summing.prune(session, limit, before=now() - usage_age)
    if settings.audit_days:
        audit_age = timedelta(days=settings.audit_days)
        steps["audit"] = lambda session, _: audit.prune(session, before=now() - audit_age)
    return Retention(database, now, steps)


def logins(settings: Settings, database: Database, windows: Windows) -> Accounts:
    """Who may log in, and how."""
    return Accounts(
        database,
        Passwords(refuse_defaults=settings.auth_mode == "required"),
        Tokens(shared_secret(settings), lifetime=timedelta(hours=settings.token_hours), clock=now),
        LoginAttempts(windows, per_minute=settings.login_attempts_per_minute),
        now,
    )


async def sandbox(settings: Settings) -> Sandbox:
    """What holds local commands, tried for real. Raises Unavailable when it must be there and cannot."""
    rules = Rules(
        writable=comma_separated(settings.terminal_writable_paths) or DEFAULT_WRITABLE,
        protected=_real(ROOT, Path(sys.prefix), *_user_site(), policy_file(settings)),
        hidden=_real(settings.data_dir, *settings.files),
        network=settings.terminal_network == "on",
        hosts=settings.terminal_hosts,
        sockets=Sockets(home=str(Path.home()), agent=os.environ.get("SSH_AUTH_SOCK", "")),
    )
    found = await find_sandbox(settings.terminal_sandbox, rules)
    limit = replace(find_limit(settings.terminal_max_processes), most_bytes=settings.terminal_max_memory)
    return replace(found, limit=limit, liftable=settings.terminal_sandbox != "required")


def _user_site() -> tuple[Path, ...]:
    """The user's own packages, where this Python imports from them."""
    return (Path(site.getusersitepackages()),) if site.ENABLE_USER_SITE else ()


def _real(*paths: Path) -> tuple[str, ...]:
    return tuple(os.path.realpath(path) for path in paths)


def egress(sandbox: Sandbox, own_ports: Container[int], audit: AuditTrail) -> Egress | None:
    """The way out of a sandbox whose rules list hosts; each refusal leaves a row in the audit trail."""
    if sandbox.rules.hosts is None:
        return None

    async def note(refused: RefusedConnection) -> None:
        caller = Caller(id=refused.owner, kind="anonymous", name=refused.owner, scopes=frozenset())
        details = {"host": refused.host, "port": refused.port, "command": refused.command}
        await audit.record(caller, "command_connection", details, "address_refused")

    return Egress(sandbox.rules.hosts, own_ports=own_ports, tell=note)


def terminals(
    settings: Settings, redactor: Redactor, sandbox: Sandbox, nodes: Nodes, own_ports: Container[int], audit: AuditTrail
) -> Sessions:
    """The terminal sessions of this process, none of them with the gateway at these ports."""
    waiting = PendingLogins(now, partial(new_id, "login", nodes))
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
            os.environ,
            shell=settings.terminal_shell,
            env_allow=comma_separated(settings.terminal_env_allow),
            sandbox=sandbox,
            egress=egress(sandbox, own_ports, audit),
        ),
        ssh=SshHosts(
            settings.data_dir / "known_hosts",
            waiting,
            policy=settings.ssh_host_keys,
            timeout=settings.ssh_connect_timeout,
            agent_path=os.environ.get("SSH_AUTH_SOCK", ""),
        ),
        telnet=TelnetHosts(
            allow_public=settings.telnet_allow_public, timeout=settings.ssh_connect_timeout, own_ports=own_ports
        ),
        recordings=Recordings(
            settings.data_dir / "recordings",
            now,
            mode=settings.terminal_recording,
            max_bytes=settings.terminal_recording_max_bytes,
            max_total_bytes=settings.terminal_recording_total_bytes,
            days=settings.terminal_recording_days,
            secrets=secret_values(settings),
        ),
        outputs=KeptOutputs(settings.data_dir / "outputs", now, partial(new_id, "out", nodes), KeptLimits()),
        redactor=redactor,
        logins=waiting,
        nodes=nodes,
    )


def aliases(settings: Settings) -> ClientConfig | None:
    """The SSH configuration of the gateway's user; None when it is not to be used."""
    if settings.ssh_config == "none":
        return None
    return ClientConfig(Path(settings.ssh_config).expanduser())


def policy(settings: Settings, database: Database) -> LivePolicy:
    """The command policy, not read yet."""
    return LivePolicy(database, policy_file(settings), wanted=bool(settings.terminal_policy_file))


def policy_file(settings: Settings) -> Path:
    """Where the command policy is, or would be."""
    named = settings.terminal_policy_file
    return Path(named).expanduser() if named else settings.data_dir / "policy.toml"


def timeouts(settings: Settings) -> Timeouts:
    """How long providers get."""
    return Timeouts(
        connect=settings.upstream_connect_timeout,
        first_token=settings.upstream_first_token_timeout,
        stall=settings.upstream_stall_timeout,
        total=settings.upstream_total_timeout,
    )


def defaults(settings: Settings) -> Configuration:
    """The live configuration as the settings say it."""
    return Configuration(
        log_level=settings.log_level,
        default_layer=settings.default_layer,
        enable_cross_check=settings.enable_cross_check,
        enable_auto_escalate=settings.enable_auto_escalate,
        max_escalation_layer=settings.max_escalation_layer,
        enable_hedging=settings.enable_hedging,
        spend_guard=settings.spend_guard,
        auto_budget_usd_per_day=settings.auto_budget_usd_per_day,
        enable_cache=settings.enable_cache,
        enable_cost_tracking=settings.enable_cost_tracking,
        cost_alert_threshold=Decimal(str(settings.cost_alert_threshold)),
    )


def cache(
    settings: Settings,
    redis: RedisStore | None,
    *,
    registry: Registry,
    providers: Directory,
    configuration: LiveConfiguration,
) -> ResponseCache:
    """The cache of answers, in memory or in Redis."""

    def usable(model_id: str) -> Model | None:
        model = registry.snapshot.models.get(model_id)
        return model if model and registry.snapshot.usable(model) and providers.serves(model) else None

    return ResponseCache(
        Values(MemoryValues(max_bytes=settings.cache_max_bytes), None if redis is None else RedisValues(redis)),
        enabled=lambda: configuration.current.enable_cache,
        usable=usable,
        terms=lambda: policy_of(configuration.current).terms,
        clock=now,
        seconds=settings.cache_seconds,
    )


def apply(current: Configuration, ledger: Ledger, budgets: Budgets) -> None:
    """Put a changed configuration into force."""
    budgets.limit_auto(current.auto_budget_usd_per_day)
    logging.set_level(current.log_level)
    ledger.store = current.enable_cost_tracking
    ledger.watch(current.cost_alert_threshold)


def secret_values(settings: Settings) -> list[str]:
    """Everything in the settings that must never be shown."""
    values = [getattr(settings, name).get_secret_value() for name in secret_fields()]
    return [part.strip() for value in values for part in (value, *value.split(",")) if part.strip()]
