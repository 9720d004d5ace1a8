"""Every setting: its name, default and meaning."""

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator

from shared.domain.addresses import check_database, check_hosts, check_origins, check_proxies
from shared.domain.budgets import WithoutRedis
from shared.domain.configuration import HIGHEST_ALERT
from shared.domain.egress import AllowedHosts
from shared.domain.models import Layer
from shared.domain.sampling import SamplerName
from shared.domain.shares import parse_shares

APPLICATION = "mcp-gateway"
ADDRESSES = {"allowed_hosts": check_hosts, "allowed_origins": check_origins, "trusted_proxies": check_proxies}
TOOLSETS = ("chat", "models", "terminal", "ssh", "admin", "all")

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=9)]


class Settings(BaseModel):
    """The settings. A field's upper-case name is the environment variable (and the lower-case one the TOML key)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    _files: tuple[Path, ...] = PrivateAttr(())
    # Where it listens and keeps its data
    api_host: str = Field(
        "127.0.0.1", description="Address the HTTP server binds to. Anything but loopback needs `AUTH_MODE=required`."
    )
    api_port: int = Field(3000, ge=0, le=65535, description="Port of the HTTP server; 0 takes a free one.")
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir(APPLICATION)),
        description="Where the database, secrets and known hosts are kept (mode 0700). Default: the platform's data directory.",
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy URL. Empty: SQLite in `DATA_DIR`. PostgreSQL: `postgresql+psycopg://user:password@host/name` (extra `postgres`).",
    )
    node_url: str = Field(
        "",
        description="Where the gateway's other machines reach this process (`http://10.0.0.5:3000`), so that each may be asked about the terminal and MCP sessions of all. `serve --workers` needs none.",
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Processes that serve HTTP; more than one needs `REDIS_URL`, by which they count together."
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Redis or Valkey, `redis://host:6379/0`: rate limits, budgets and cached answers shared between processes. Empty: in memory.",
    )
    budgets_without_redis: WithoutRedis = Field(
        "share",
        description="Budgets while Redis is away: `share` divides what is left equally among the processes, exactly; `refuse` refuses what costs money; `allow` has each process count alone, so that all together may spend more.",
    )
    shutdown_grace: Annotated[float, Field(ge=0, le=3600)] = Field(
        90,
        description="Seconds that running requests, streams and commands get to end after SIGTERM or Ctrl+C; a second signal ends them at once.",
    )
    shutdown_drain: Annotated[float, Field(ge=0, le=600)] = Field(
        5,
        description="Seconds for which requests are still taken after SIGTERM while `/readyz` is 503 already, so that load balancers leave first. Only where `/readyz` was asked for in the last five minutes, or with several `WORKERS`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What goes to the log on stderr."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`auto` is for people on a terminal and JSON lines elsewhere."
    )

    # OpenTelemetry, under its own names
    otel_exporter_otlp_endpoint: str = Field(
        "",
        description="Base address of an OTLP/HTTP receiver (`http://127.0.0.1:4318`) for [traces and metrics](docs/telemetry.md#opentelemetry); needs the extra `otel`. Empty: none are made.",
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        SecretStr(""), description="Headers for the receiver: `name=value` with commas between them, URL encoded."
    )
    otel_service_name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        "ai-mcp-gateway", description="Name of this gateway in traces and metrics."
    )
    otel_resource_attributes: str = Field(
        "", description="Further attributes of this gateway: `deployment.environment.name=prod,team=a`."
    )
    otel_traces_exporter: Literal["otlp", "none"] = Field("otlp", description="`none` sends no traces.")
    otel_metrics_exporter: Literal["otlp", "none"] = Field("otlp", description="`none` sends no metrics.")
    otel_traces_sampler: SamplerName = Field(
        "parentbased_always_on",
        description="Which traces are recorded; `parentbased_…` follows the client's `traceparent` where there is one.",
    )
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = Field(
        1, description="Part of the traces that the samplers by ratio record: 0.01 is one of a hundred."
    )
    otel_metric_export_interval: Annotated[int, Field(ge=100, le=86_400_000)] = Field(
        60_000, description="Milliseconds between two exports of metrics."
    )
    otel_instrumentation_genai_capture_message_content: bool = Field(
        False, description="Put messages, answers, commands and their output into spans; known secrets are left out."
    )

    # Providers
    openrouter_api_key: SecretStr = Field(SecretStr(""), description="Key for OpenRouter.")
    openrouter_base_url: str = Field("https://openrouter.ai/api/v1", description="Base URL of OpenRouter.")
    openai_api_key: SecretStr = Field(SecretStr(""), description="Key for OpenAI.")
    openai_base_url: str = Field(
        "https://api.openai.com/v1", description="Base URL of OpenAI, or of anything that speaks its API."
    )
    anthropic_api_key: SecretStr = Field(SecretStr(""), description="Key for Anthropic.")
    anthropic_base_url: str = Field("https://api.anthropic.com", description="Base URL of Anthropic.")
    ollama_host: str = Field(
        "",
        description="Where Ollama listens, in any form Ollama takes (`host`, `host:port`, `http://host:port`). Empty: the usual local ports are tried.",
    )
    ollama_max_context: Count = Field(
        0,
        description="Longest context window to ask Ollama for, in tokens: long ones take memory. 0 leaves it to each model.",
    )
    oss_model_endpoint: str = Field(
        "",
        description="Base URL of a local OpenAI-compatible server (LM Studio, llama.cpp, vLLM, …). Empty: the usual local ports are tried.",
    )
    oss_discovery: bool = Field(True, description="Look for local model servers on their usual ports.")
    embedded_model: Literal["auto", "start", "off"] = Field(
        "auto",
        description="The built-in small model (extra `local`): `auto` starts it on first use, `start` at once, `off` never.",
    )
    upstream_connect_timeout: Seconds = Field(10, description="Seconds to connect to a provider.")
    upstream_first_token_timeout: Seconds = Field(120, description="Seconds to the first token of a stream.")
    upstream_stall_timeout: Seconds = Field(60, description="Seconds of silence inside a stream.")
    upstream_total_timeout: Seconds = Field(600, description="Seconds for a whole answer.")
    upstream_max_connections: Annotated[int, Field(ge=1, le=100_000)] = Field(
        512, description="Connections to one provider host."
    )
    upstream_trace: Literal["local", "all", "off"] = Field(
        "local",
        description="Whom the `traceparent` of a request is passed on to: `local` is the model servers of this machine, `all` every provider too.",
    )

    # Routing
    default_layer: Layer = Field("L0", description="Layer where `auto` starts.")
    enable_cross_check: bool = Field(
        True, description="Allow a second model to review an answer when a caller asks for it."
    )
    enable_auto_escalate: bool = Field(
        False,
        description="Let `auto` go on to the next layers, up to `MAX_ESCALATION_LAYER`, when none in its own can answer, or a whole answer is not good enough (refused, cut off, not the form asked for).",
    )
    max_escalation_layer: Layer = Field(
        "L0", description="Highest layer that `auto`, and an answer that escalates, may reach by itself."
    )
    enable_hedging: bool = Field(
        False,
        description="Ask a second model too when the first takes longer than 95 % of its answers did; never for requests with tools, and one in ten at most.",
    )
    spend_guard: bool = Field(
        True, description="Keep models that bill from answering in the free layer L0 unless a request allows it."
    )
    upstream_retry_wait: Annotated[float, Field(ge=0, le=600)] = Field(
        5,
        description="Seconds a request may wait in all for a busy provider when no other model is left; 0 never waits.",
    )
    budget_wait: Annotated[float, Field(ge=0, le=600)] = Field(
        60,
        description="Seconds a request may wait for money of a budget that other requests only hold until they have their answers; 0 never waits.",
    )
    router_learning: Literal["off", "shadow", "on"] = Field(
        "off",
        description="Let the known outcomes of answers (checks, JSON schemas, `POST /v1/feedback`) teach `auto` where to start, within the layers it may use: `shadow` learns and logs what it would have done, `on` does it once they show what a higher layer gains.",
    )
    router_share: str = Field(
        "L0=70,L1=20,L2=8,L3=2",
        description="Per cent of the requests that should start at each layer when `ROUTER_LEARNING` is `on`; among the layers that a request may use, they keep their proportion.",
    )
    enable_cost_tracking: bool = Field(True, description="Write what each answer used and cost to the database.")
    cost_alert_threshold: Annotated[float, Field(ge=0, le=HIGHEST_ALERT)] = Field(
        1, description="US dollars a day (UTC) after which an alert is raised, once; 0 never raises one."
    )

    usage_days: Annotated[int, Field(ge=0, le=3660)] = Field(
        400,
        description="Days that usage rows are kept, one for each attempt at an answer; 0 keeps them for ever. Their sums by the hour stay, so budgets and reports stay exact ([what is lost](docs/operations.md#retention)).",
    )
    decision_days: Annotated[int, Field(ge=0, le=3660)] = Field(
        30,
        description="Days that routing decisions are kept, for `mcp-gateway replay` and `GET /v1/decisions/{requestId}`; 0 keeps none. They hold no text of the messages.",
    )
    decision_rows: Annotated[int, Field(ge=0, le=50_000_000)] = Field(
        10_000_000, description="Routing decisions that are kept at most, the newest; 0 is no limit."
    )
    decision_text: bool = Field(
        False, description="Keep the messages of requests, the first 100 kB, with their decisions."
    )
    audit_chats: bool = Field(
        True,
        description="Give each chat an entry in the audit trail: caller, model, cost and digests of question and answer, no text.",
    )
    audit_days: Annotated[int, Field(ge=0, le=36_600)] = Field(
        0,
        description="Days that audit entries are kept; 0 keeps them for ever. Older ones go in whole segments of 1000 under a signed checkpoint, with which the rest can still be verified.",
    )

    # Spending
    auto_budget_usd_per_day: Dollars = Field(
        Decimal(1),
        description="US dollars a day (UTC) that `auto` may spend in the cheapest paid layer with a key, where no free model can answer ([what `auto` does](docs/routing.md)). 0: free models only, unless a request or `DEFAULT_LAYER` says otherwise.",
    )
    budget_usd_per_day: Dollars | None = Field(
        None, description="US dollars that may be spent in a day (UTC), by everybody together; 0: free models only."
    )
    budget_usd_per_month: Dollars | None = Field(
        None, description="The same for a calendar month (UTC). `POST /v1/budgets` makes more, for keys and tags too."
    )
    budget_usd_total: Dollars | None = Field(None, description="The same for everything that was ever recorded.")
    alert_webhook_url: SecretStr = Field(
        SecretStr(""),
        description="Address that alerts about spending are posted to, as JSON that Slack's incoming webhooks take. Empty: they are only logged and shown.",
    )

    # Cache
    enable_cache: bool = Field(
        False,
        description="Answer the same request of the same caller from the cache, where requests do not say otherwise (`gateway.cache`); never those with tools.",
    )
    cache_seconds: Seconds = Field(300, description="Seconds a cached answer is of use.")
    cache_max_bytes: Annotated[int, Field(ge=0, le=64 * 1024**3)] = Field(
        64 * 1024 * 1024, description="Memory for cached answers, where Redis does not keep them."
    )

    # Who may call
    auth_mode: Literal["local", "required"] = Field(
        "local", description="`local`: whoever reaches loopback may call. `required`: a login token or API key, always."
    )
    local_users: Literal["own", "any"] = Field(
        "own",
        description="With `AUTH_MODE=local`, on Linux, who on this machine may use terminals and change things: `own`, the gateway's user, and not the commands it runs; `any`, whoever reaches loopback. Others may chat, as guests.",
    )
    local_guests_max_layer: Layer = Field("L0", description="Highest layer of such guests: local users and commands.")
    local_guests_per_minute: Count = Field(30, description="Requests a minute of each such guest; 0 is no limit.")
    admin_username: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        "admin", description="Name of the administrator made at first start."
    )
    admin_password: SecretStr = Field(
        SecretStr(""), description="Password of the administrator. Empty: one is made at first start and printed once."
    )
    jwt_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret for login tokens, 32 bytes or more. Empty: one is made and kept in `DATA_DIR`. Several machines need the same.",
    )
    token_hours: Annotated[float, Field(gt=0, le=24)] = Field(12, description="Hours a login lasts, 24 at most.")
    secrets_key: SecretStr = Field(
        SecretStr(""),
        description="Fernet key(s), comma-separated, newest first, for stored provider keys and connection secrets. Empty: one is made in `DATA_DIR`.",
    )
    allowed_hosts: str = Field(
        "", description="Comma-separated host names, besides loopback, that the `Host` header may name."
    )
    allowed_origins: str = Field("", description="Comma-separated web origins that may call the API from a browser.")
    trusted_proxies: str = Field("", description="Comma-separated addresses of proxies whose `X-Forwarded-For` counts.")
    rate_limit_per_minute: Count = Field(100, description="Requests a minute for each client address; 0 for no limit.")
    rate_limit_per_hour: Count = Field(1000, description="Requests an hour for each API key or login; 0 for no limit.")
    login_attempts_per_minute: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="Failed logins a minute for each client address."
    )
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1000, description="Connections to the HTTP server at once."
    )
    header_timeout: Seconds = Field(10, description="Seconds a client gets to send the headers of a request.")
    body_timeout: Seconds = Field(60, description="Seconds a client gets to send the body of a request.")
    stall_timeout: Seconds = Field(
        120, description="Seconds a client may take nothing of an answer before its connection is cut off."
    )
    max_header_bytes: Annotated[int, Field(ge=1024, le=1024 * 1024)] = Field(
        64 * 1024, description="Largest headers of a request, its address included."
    )
    max_chat_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        10 * 1024 * 1024, description="Largest body of a chat request."
    )
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        1024 * 1024,
        description="Largest body of any other request; commands with their input, and files, have limits of their own.",
    )
    max_body_values: Annotated[int, Field(ge=1000)] = Field(
        250_000,
        description="Most JSON values in a request body, counted as commas and opening brackets outside of texts.",
    )
    max_body_bytes_in_work_per_caller: Annotated[int, Field(ge=64 * 1024)] = Field(
        64 * 1024 * 1024,
        description="Bytes of bodies over 64 KiB that one caller's unanswered requests may hold; beyond it 429.",
    )
    max_body_bytes_in_work: Annotated[int, Field(ge=64 * 1024)] = Field(
        256 * 1024 * 1024, description="The same of all callers of a process together."
    )
    error_format: Literal["auto", "flat", "openai", "anthropic"] = Field(
        "auto",
        description="Form of error answers; `auto` gives OpenAI's form to clients that parse it (SDKs and agents known by their headers), Anthropic's to its own, and ours to all others.",
    )

    # MCP
    mcp_toolsets: str = Field(
        "chat,models,terminal",
        description="Comma-separated groups of tools that MCP clients get: `chat`, `models`, `terminal`, `ssh` (files on hosts), `admin` (layers), or `all`. Fewer cost a model less to read.",
    )
    mcp_read_only: bool = Field(
        False, description="Give MCP clients only the tools that change nothing; no chat, no commands."
    )
    mcp_tool_prefix: str = Field(
        "",
        pattern=r"^([A-Za-z][A-Za-z0-9_\-]{0,19})?$",
        description="Text that the names of the MCP tools begin with, such as `gateway_`, for hosts where names like `chat` and `usage` collide with those of other servers.",
    )

    # Terminal
    terminal_shell: str = Field(
        "",
        description="Shell of local sessions. Empty: bash, else sh. Commands (`execute`) of one that is no POSIX shell, as fish, run in bash.",
    )
    terminal_sandbox: Literal["auto", "required", "off"] = Field(
        "auto",
        description="Sandbox for local commands. `auto`: bubblewrap where it works, else Landlock, else none; `required`: refuse to start without one; `off`: your user's rights.",
    )
    terminal_writable_paths: str = Field(
        "",
        description="Comma-separated directories that sandboxed commands may write: `~` is home, `.` the directory a session is opened in. Empty: both of these and the temporary directories.",
    )
    terminal_network: str = Field(
        "on",
        description="Network for local commands: `on`, `off`, or a comma-separated list of hosts that a proxy lets them reach (`host`, `host:port`, `*.domain`, addresses, networks; 80 and 443 without a port). `off` and a list refuse to start where they cannot be held.",
    )
    terminal_policy_file: str = Field(
        "",
        description="Command policy, in TOML or JSON. Empty: `policy.toml` in DATA_DIR, where there is one; else commands are not restricted.",
    )
    terminal_max_sessions: Annotated[int, Field(ge=1, le=10_000)] = Field(32, description="Terminal sessions in all.")
    terminal_max_sessions_per_caller: Annotated[int, Field(ge=1, le=10_000)] = Field(
        8, description="Terminal sessions of one caller."
    )
    terminal_max_processes: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        512,
        description="Processes of a local command or terminal with all that it starts; with more it is ended. 0: no limit.",
    )
    terminal_max_memory: Annotated[int, Field(ge=0, le=2**50)] = Field(
        0,
        description="Bytes of memory of a local command or terminal with all that it starts, on Linux; with more it is ended. 0: no limit.",
    )
    terminal_recording: Literal["off", "allowed", "always"] = Field(
        "allowed",
        description="Recordings of terminal sessions in `DATA_DIR`/recordings, secrets left out: `allowed` for those opened with `record`, `always` for all.",
    )
    terminal_recording_max_bytes: Annotated[int, Field(ge=4096, le=1024**3)] = Field(
        50 * 1024 * 1024, description="Bytes of one recording; it stops there."
    )
    terminal_recording_total_bytes: Annotated[int, Field(ge=4096)] = Field(
        2 * 1024**3,
        description="Bytes of all recordings together; beyond it the oldest finished one of the caller who has most is deleted.",
    )
    terminal_recording_days: Annotated[int, Field(ge=0, le=3660)] = Field(
        30, description="Days that recordings are kept; 0 keeps them until they are deleted."
    )
    terminal_idle_timeout: Seconds = Field(
        1800, description="Seconds without use, output and running jobs after which a session is closed."
    )
    terminal_command_timeout: Seconds = Field(30, description="Seconds a command gets unless it says otherwise.")
    terminal_max_command_timeout: Seconds = Field(
        600, validate_default=True, description="Most seconds a command may ask for."
    )
    terminal_max_output_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = Field(
        1024 * 1024, description="Bytes kept of each output stream of a command, and of each session's scrollback."
    )
    terminal_max_file_bytes: Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)] = Field(
        10 * 1024 * 1024, description="Largest file that may be written in a session, and most that is read at once."
    )
    terminal_env_allow: str = Field(
        "", description="Comma-separated names of further environment variables that commands may see."
    )
    ssh_host_keys: Literal["trust-first-use", "ask", "strict"] = Field(
        "trust-first-use",
        description="Unknown SSH hosts: remember their key at first use, ask a person (as for commands to be confirmed), or refuse them.",
    )
    ssh_connect_timeout: Seconds = Field(10, description="Seconds to connect and to log in, each.")
    ssh_config: str = Field(
        "~/.ssh/config",
        description="SSH configuration whose aliases the local user and administrators may use; `none` for none. ProxyCommand and `Match exec` are never run.",
    )
    ssh_config_for_keys: bool = Field(
        False, description="Let API keys use the SSH configuration and agent too: they hold the keys of its user."
    )
    telnet_allow_public: bool = Field(
        False, description="Allow telnet to addresses that are neither loopback nor private."
    )

    @field_validator("max_escalation_layer", "default_layer", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("openrouter_base_url", "openai_base_url", "anthropic_base_url", "otel_exporter_otlp_endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+([/?#]\S*)?", value):
            raise ValueError("must be an address such as http://127.0.0.1:8080/v1")
        return value

    @field_validator("node_url")
    @classmethod
    def _node(cls, value: str) -> str:
        return value if value.startswith("unix:/") else cls._address(value)

    @field_validator("alert_webhook_url")
    @classmethod
    def _webhook(cls, value: SecretStr) -> SecretStr:
        if url := value.get_secret_value():
            cls._address(url)
        return value

    @field_validator("router_share")
    @classmethod
    def _shares(cls, value: str) -> str:
        parse_shares(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _database_address(cls, value: str) -> str:
        if value:
            check_database(value)
        return value

    @field_validator(*ADDRESSES)
    @classmethod
    def _addresses(cls, value: str, field: ValidationInfo) -> str:
        ADDRESSES[field.field_name or ""](comma_separated(value))
        return value

    @field_validator("terminal_network")
    @classmethod
    def _network(cls, value: str) -> str:
        value = value.strip()
        if value not in ("on", "off"):
            AllowedHosts.parse(comma_separated(value))
        return value

    @field_validator("mcp_toolsets")
    @classmethod
    def _toolsets(cls, value: str) -> str:
        named = comma_separated(value)
        if not named or not set(named) <= set(TOOLSETS):
            raise ValueError(f"must be one or more of {', '.join(TOOLSETS)}, with commas between them")
        return value

    @field_validator("terminal_max_command_timeout")
    @classmethod
    def _longest(cls, value: float, others: ValidationInfo) -> float:
        if value < others.data.get("terminal_command_timeout", 0):
            raise ValueError("must not be less than TERMINAL_COMMAND_TIMEOUT")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that these were read from, which may hold secrets, and the `.env` that the next start would read."""
        return self._files

    @property
    def terminal_hosts(self) -> AllowedHosts | None:
        """The hosts that local commands may reach, where they are listed."""
        value = self.terminal_network
        return None if value in ("on", "off") else AllowedHosts.parse(comma_separated(value))

    @property
    def database(self) -> str:
        """The SQLAlchemy URL that is meant."""
        return _with_driver(self.database_url) or f"sqlite:///{self.data_dir / 'gateway.sqlite3'}"


def _with_driver(url: str) -> str:
    """The PostgreSQL URLs of the ecosystem (`postgres://`, `postgresql://`) with the driver that we install."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def comma_separated(value: str) -> tuple[str, ...]:
    """The items of a list setting."""
    return tuple(item.strip() for item in value.split(",") if item.strip())


def secret_variables() -> Iterable[str]:
    """Names of the environment's variables that may hold secrets."""
    return (name.upper() for name in (*secret_fields(), "database_url"))


def secret_fields() -> Iterable[str]:
    """Names of the fields whose values are never shown."""
    return (name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
