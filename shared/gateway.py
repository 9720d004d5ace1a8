"""The composition root: the one place that names the concrete parts, puts them together and keeps them going."""

import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib import metadata

import anyio
import anyio.to_thread

from shared import logging, parts, upkeep
from shared.cluster.joining import check_clock
from shared.cluster.nodes import Nodes
from shared.cluster.peers import Peers
from shared.cluster.reach import Reach
from shared.domain.sampling import Sampler
from shared.domain.shares import parse_shares
from shared.errors import Unavailable
from shared.providers.directory import Directory
from shared.providers.http_client import HttpClient
from shared.providers.oss_local import OssLocal
from shared.registry.accounts import ProviderAccounts
from shared.registry.aliases import LiveAliases
from shared.registry.configuration import LiveConfiguration
from shared.registry.registry import Registry
from shared.routing.affinity import Affinity
from shared.routing.attempt import Desk, conditions_of, costs_money
from shared.routing.caching.response_cache import ResponseCache
from shared.routing.executor import Executor
from shared.routing.health import Health
from shared.routing.judgement import Judgement
from shared.routing.learning.learner import Learner
from shared.routing.learning.persistence import Persistence
from shared.routing.naming import Naming
from shared.routing.planning import Planning, Rules
from shared.routing.replay.decisions import Decisions
from shared.routing.replay.policy_file import following
from shared.routing.router import Router
from shared.routing.second_chances import SecondChances
from shared.security.accounts import Accounts
from shared.security.api_keys import ApiKeys
from shared.security.audit import AuditTrail
from shared.security.chat_limits import ChatLimits
from shared.security.command_limits import CommandLimits
from shared.security.departures import Departures
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.node_signatures import NodeSignatures
from shared.security.open_streams import OpenStreams
from shared.security.rate_limits import RateLimits
from shared.security.redaction import Redactor
from shared.security.secrets_box import SecretsBox
from shared.settings import Settings, secret_variables
from shared.storage import schema
from shared.storage.changes import Changes
from shared.storage.database import Database
from shared.storage.key_values import RedisValues
from shared.storage.redis_store import RedisStore
from shared.storage.retention import Retention
from shared.supervision import Jobs
from shared.telemetry.attempts import attempt_of
from shared.telemetry.tracing import Telemetry
from shared.terminal.approvals import Approvals
from shared.terminal.concealment import conceal
from shared.terminal.connections import Connections
from shared.terminal.policy.live import LivePolicy
from shared.terminal.sandbox import Sandbox
from shared.terminal.sessions import Sessions
from shared.usage.alerts import Alerts
from shared.usage.budgets import Budgets
from shared.usage.ledger import Ledger
from shared.usage.pricing import PriceBook

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


@dataclass(slots=True, kw_only=True)
class Gateway:
    """Everything that operations work with.

    `announcements` are lines for the operator, to be shown once at start; `jobs` are what runs in the background.
    `own_ports` are those on this machine where it takes requests; `limits_reached` counts refused requests by error code.
    """

    settings: Settings
    database: Database
    changes: Changes
    redis: RedisStore | None
    registry: Registry
    aliases: LiveAliases
    naming: Naming
    providers: Directory
    accounts_of_providers: ProviderAccounts
    configuration: LiveConfiguration
    router: Router
    health: Health
    cache: ResponseCache
    budgets: Budgets
    ledger: Ledger
    decisions: Decisions
    retention: Retention
    alerts: Alerts
    learner: Learner
    learning: Persistence
    sandbox: Sandbox
    terminals: Sessions
    connections: Connections
    policy: LivePolicy
    approvals: Approvals
    accounts: Accounts
    api_keys: ApiKeys
    departures: Departures
    rate_limits: RateLimits
    chat_limits: ChatLimits
    secrets: SecretsBox
    audit: AuditTrail
    command_limits: CommandLimits
    nodes: Nodes
    peers: Peers
    reach: Reach
    oss_local: OssLocal
    clock: Callable[[], datetime] = parts.now
    prices: PriceBook
    telemetry: Telemetry | None = None
    own_ports: set[int] = field(default_factory=set)
    limits_reached: Counter[str] = field(default_factory=Counter)
    announcements: list[str] = field(default_factory=list)
    jobs: Jobs = field(default_factory=Jobs)
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
    redactor = Redactor(parts.secret_values(settings))
    logging.configure(settings.log_level, settings.log_format, redactor.text)
    await anyio.to_thread.run_sync(_prepare_folder, settings)
    conceal(secret_variables())
    sandbox = await parts.sandbox(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings.database))
        await anyio.to_thread.run_sync(schema.upgrade, database)
        if settings.node_url or settings.redis_url.get_secret_value():
            await check_clock(database, parts.now)
        gateway = await _assembled(settings, database, redactor, sandbox, stack)
        await _load(gateway)
        if gateway.telemetry is not None:
            from shared.telemetry.core import families_of, genai_families

            gateway.telemetry.watch(lambda: [*families_of(gateway), *genai_families(gateway)])
        if with_admin:
            await _ensure_admin(gateway)
        await upkeep.look_for_local_servers(gateway)
        stack.push_async_callback(upkeep.begin(gateway))
        await gateway.nodes.join()
        stack.push_async_callback(_withdraw, gateway)
        yield gateway


def _prepare_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.data_dir.chmod(0o700)
    except OSError as error:
        raise Unavailable(
            f"The data directory {settings.data_dir} cannot be used: {error.strerror}; set DATA_DIR to one you can write."
        ) from None


async def _assembled(
    settings: Settings, database: Database, redactor: Redactor, sandbox: Sandbox, stack: AsyncExitStack
) -> Gateway:
    """All parts, put together but not yet loaded."""
    box = SecretsBox.from_setting(settings.secrets_key.get_secret_value(), settings.data_dir / "secrets.key")
    await box.verify_against(database)
    client = HttpClient(
        max_connections_per_host=settings.upstream_max_connections,
        use_proxy_environment=any(os.environ.get(name) for name in PROXY_VARIABLES),
        traced=settings.upstream_trace == "all",
    )
    stack.push_async_callback(client.aclose)
    near = HttpClient(  # loopback needs no proxy
        max_connections_per_host=settings.upstream_max_connections, traced=settings.upstream_trace != "off"
    )
    stack.push_async_callback(near.aclose)
    oss_local = parts.oss_local(settings, near)
    providers = Directory(lambda account: parts.provider(account, client, oss_local))
    stack.push_async_callback(providers.aclose)
    registry = Registry(database)
    stack.push_async_callback(registry.aclose)
    aliases = LiveAliases(database)
    naming = Naming(registry, aliases, providers.serves)
    prices = PriceBook()
    alerts = Alerts(database, parts.deliver(settings, client))
    stack.push_async_callback(alerts.aclose)
    ledger = Ledger(database, parts.now, alerts, parts.journal(settings, database))
    stack.push_async_callback(ledger.aclose)
    learner = Learner(settings.router_learning, parse_shares(settings.router_share))
    learning = Persistence(database, learner)
    stack.push_async_callback(learning.aclose)
    redis = parts.redis(settings, stack)
    limits = (settings.budget_usd_per_day, settings.budget_usd_per_month, settings.budget_usd_total)
    budgets = Budgets(
        database, redis, parts.now, alerts=alerts, limits=limits, without_redis=settings.budgets_without_redis
    )
    stack.push_async_callback(budgets.aclose)
    configuration = LiveConfiguration(
        database, parts.defaults(settings), lambda current: parts.apply(current, ledger, budgets)
    )
    windows = Windows(MemoryWindows(), redis)
    chat_limits = ChatLimits(windows, OpenStreams(redis))
    stack.push_async_callback(chat_limits.aclose)
    signatures = NodeSignatures(parts.shared_secret(settings))
    nodes = Nodes(database, parts.now, address=settings.node_url, secret=signatures.fingerprint)
    peers = Peers(nodes, signatures, parts.now)
    stack.push_async_callback(peers.aclose)
    command_limits = CommandLimits(database, parts.now)
    audit = AuditTrail(database, parts.now, redactor, chats=settings.audit_chats, box=box)
    stack.push_async_callback(audit.aclose)
    decisions = Decisions(
        database,
        parts.now,
        days=settings.decision_days,
        most=settings.decision_rows,
        with_text=settings.decision_text,
        vote_of=learner.vote_of,
    )
    stack.push_async_callback(decisions.aclose)
    health = Health(bills=costs_money(providers, prices))
    telemetry = _telemetry(settings, redactor)
    if telemetry is not None:
        stack.push_async_callback(telemetry.aclose)
    desk = Desk(providers, health, ledger, prices, parts.timeouts(settings), parts.now, registry.learn)
    if telemetry is not None:
        desk = replace(desk, attempt=partial(attempt_of, telemetry))
    chances = SecondChances(desk.health, registry)
    cache = parts.cache(settings, redis, registry=registry, providers=providers, configuration=configuration)
    stack.push_async_callback(cache.aclose)
    affinity = Affinity(None if redis is None else RedisValues(redis))
    stack.push_async_callback(affinity.aclose)
    own_ports: set[int] = set()
    terminals = await stack.enter_async_context(parts.terminals(settings, redactor, sandbox, nodes, own_ports, audit))
    accounts, api_keys = parts.logins(settings, database, windows), ApiKeys(database, parts.now)
    departures = Departures(api_keys, accounts)
    departures.watch(terminals.end_of)
    policy = parts.policy(settings, database)
    changes = Changes(database, policy.folders)
    if redis is not None:
        redis.on_return = changes.notice
    return Gateway(
        settings=settings,
        database=database,
        changes=changes,
        redis=redis,
        registry=registry,
        aliases=aliases,
        naming=naming,
        providers=providers,
        accounts_of_providers=ProviderAccounts(
            database,
            box,
            providers,
            parts.accounts(settings),
            hide=redactor.learn,
            changed=chances.accounts_changed,
        ),
        configuration=configuration,
        router=Router(
            planning=Planning(
                registry=registry,
                rules=Rules(
                    policy=following(lambda: configuration.current),
                    conditions=replace(
                        conditions_of(desk), awaited=lambda: oss_local.awaited, unlisted=oss_local.unlisted
                    ),
                    clock=parts.now,
                ),
                budgets=budgets,
                judgement=Judgement(learner, prices),
                affinity=affinity,
            ),
            naming=naming,
            executor=Executor(desk, patience=settings.upstream_retry_wait, money_patience=settings.budget_wait),
            prices=prices,
            cache=cache,
            decisions=decisions,
        ),
        health=desk.health,
        cache=cache,
        budgets=budgets,
        ledger=ledger,
        decisions=decisions,
        retention=parts.retention(settings, database, decisions, audit),
        alerts=alerts,
        learner=learner,
        learning=learning,
        sandbox=sandbox,
        terminals=terminals,
        own_ports=own_ports,
        connections=Connections(database, box, parts.now, parts.aliases(settings)),
        policy=policy,
        approvals=Approvals(database, parts.now),
        accounts=accounts,
        api_keys=api_keys,
        departures=departures,
        rate_limits=RateLimits(
            windows, per_minute=settings.rate_limit_per_minute, per_hour=settings.rate_limit_per_hour
        ),
        chat_limits=chat_limits,
        secrets=box,
        audit=audit,
        command_limits=command_limits,
        nodes=nodes,
        peers=peers,
        reach=Reach(nodes, peers),
        oss_local=oss_local,
        prices=prices,
        telemetry=telemetry,
    )


def _telemetry(settings: Settings, redactor: Redactor) -> Telemetry | None:
    """What exports traces and metrics; None where no receiver is set."""
    if not settings.otel_exporter_otlp_endpoint:
        return None
    from shared.telemetry.otlp import OtlpExporter, OtlpOptions

    try:
        exporter = OtlpExporter(
            OtlpOptions(
                endpoint=settings.otel_exporter_otlp_endpoint,
                headers=settings.otel_exporter_otlp_headers.get_secret_value(),
                service=settings.otel_service_name,
                version=metadata.version("ai-mcp-gateway"),
                attributes=settings.otel_resource_attributes,
                traces=settings.otel_traces_exporter == "otlp",
                metrics=settings.otel_metrics_exporter == "otlp",
            )
        )
    except ImportError as error:
        raise Unavailable(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry's SDK is not installed: install 'ai-mcp-gateway[otel]', "
            "or unset it.",
            operator_detail=str(error),
        ) from None
    sampler = Sampler(settings.otel_traces_sampler, settings.otel_traces_sampler_arg)
    if settings.otel_traces_exporter == "none":
        sampler = Sampler("always_off")
    return Telemetry(
        exporter,
        sampler,
        content=settings.otel_instrumentation_genai_capture_message_content,
        redact=redactor.text,
        interval=settings.otel_metric_export_interval / 1000,
    )


async def _load(gateway: Gateway) -> None:
    """Read what is stored."""
    await gateway.registry.load()
    await gateway.aliases.refresh()
    await gateway.configuration.refresh()
    await gateway.policy.load()
    await gateway.accounts_of_providers.refresh()
    await gateway.accounts.refresh()
    await gateway.api_keys.refresh()
    with suppress(Unavailable):  # a database that takes no writes now gets them later
        await gateway.ledger.open_journal()
    await gateway.budgets.join()
    await gateway.budgets.refresh()
    await gateway.ledger.load_today()
    await gateway.learning.load()


async def _withdraw(gateway: Gateway) -> None:
    with suppress(Unavailable):  # the others find out by themselves, later
        await gateway.nodes.withdraw()


async def _ensure_admin(gateway: Gateway) -> None:
    name = gateway.settings.admin_username
    password = await gateway.accounts.ensure_admin(name, gateway.settings.admin_password.get_secret_value())
    if password is not None:
        gateway.announcements.append(f"Administrator '{name}', password '{password}': shown this once; keep it.")
