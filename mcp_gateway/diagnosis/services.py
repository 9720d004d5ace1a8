"""The services that the gateway uses: its database, Redis, and the providers, each asked for real."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp_gateway.diagnosis import loopback
from mcp_gateway.diagnosis.finding import Finding
from shared.domain.identity import LOCAL
from shared.domain.money import plain
from shared.errors import GatewayError
from shared.operations import dispatch
from shared.operations.auto import likely_model
from shared.operations.providers import LIST_PROVIDERS, ProviderState
from shared.operations.system import HEALTH, HealthReport
from shared.terminal.keeper.confinement import SCOPED_SINCE, landlock_version
from shared.terminal.sandbox import HOME, TURNED_OFF

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.routing.learning.learner import Learner
    from shared.terminal.sandbox import Sandbox

INSTALL_BUBBLEWRAP = "Install bubblewrap (bwrap) for a sandbox that hides what is the gateway's."
BUDGETS = {
    "share": "each process spends an equal share of what is left",
    "refuse": "what costs money is refused",
    "allow": "each process counts alone, so that all together may spend more",
}
NO_MODEL = (
    "Set a provider's key (OPENROUTER_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY), start a local model server such as "
    "Ollama, or run `mcp-gateway models pull`."
)


async def look(gateway: "Gateway", running: Mapping[str, Any] | None = None) -> list[Finding]:
    """Everything, on a gateway that is open: that it could be opened is the proof for the database.

    `running` is what the gateway that serves already says of its health, where there is one.
    """
    names = gateway.providers.names()
    await asyncio.gather(*(gateway.providers.probe(name) for name in names))
    keys = [finding for found in await asyncio.gather(*(_keys(gateway, name) for name in names)) for finding in found]
    states = (await dispatch.call(gateway, LOCAL, LIST_PROVIDERS, {})).providers
    health: HealthReport = await dispatch.call(gateway, LOCAL, HEALTH, {})
    return [
        _database(gateway, health),
        _redis(gateway, health),
        _sandbox(gateway.sandbox),
        _processes(gateway.sandbox),
        await loopback.look(gateway),
        *(_provider(state) for state in states if state.dialect != "local"),
        *keys,
        _local(health, running or {}),
        _answer(gateway, states),
        *_learning(gateway.learner),
    ]


def failed(error: GatewayError) -> Finding:
    """What to say when the gateway does not even open."""
    text = error.message if isinstance(error.details, dict) or not error.details else f"{error.message} {error.details}"
    return Finding(name="gateway", status="fail", text=text, advice=error.operator_detail)


def _database(gateway: "Gateway", health: HealthReport) -> Finding:
    url = gateway.database.url.render_as_string(hide_password=True)
    if not health.database:
        return Finding(name="database", status="fail", text=f"{url} does not answer", advice="Check DATABASE_URL.")
    if health.unreadable_rows:
        rows = ", ".join(f"{count} {kind}" for kind, count in health.unreadable_rows.items())
        return Finding(
            name="database",
            status="warn",
            text=f"{url} has rows that this version cannot read and skips: {rows}",
            advice="GET /v1/unreadable names them. Upgrade this process, or delete them.",
        )
    return Finding(name="database", status="ok", text=f"{url} answers, and its schema is up to date")


def _redis(gateway: "Gateway", health: HealthReport) -> Finding:
    if not gateway.settings.redis_url.get_secret_value():
        return Finding(name="redis", status="ok", text="not used; one process needs none")
    if health.redis:
        return Finding(name="redis", status="ok", text="answers")
    return Finding(
        name="redis",
        status="fail",
        text=f"does not answer; rate limits count in each process alone, budgets: {BUDGETS[gateway.settings.budgets_without_redis]}",
        advice="Check REDIS_URL and the server.",
    )


def _sandbox(sandbox: "Sandbox") -> Finding:
    """What holds local commands, as it was tried when the gateway opened."""
    name = "sandbox"
    network = f", {sandbox.rules.network_shown}"
    if sandbox.kind == "none":
        text = f"local commands run with your user's rights ({sandbox.detail}){network}"
        if sandbox.detail == TURNED_OFF:
            return Finding(name=name, status="ok", text=text)
        return Finding(name=name, status="warn", text=text, advice=INSTALL_BUBBLEWRAP)
    text = f"local commands run in {sandbox.kind}{network}"
    if sandbox.kind == "landlock":
        text = f"{text}, which cannot close sockets (Docker's, the session bus, agents)"
        if landlock_version() < SCOPED_SINCE:
            text = f"{text} nor keep commands from ending the gateway's processes (this kernel's Landlock is older than version 6)"
    if sandbox.unprotected:
        text = f"{text}, which cannot keep {', '.join(sandbox.unprotected)} from being changed"
    if sandbox.exposed:
        return Finding(
            name=name,
            status="warn",
            text=f"{text}, which cannot hide {', '.join(sandbox.exposed)} where they may write ({sandbox.detail})",
            advice=f"{INSTALL_BUBBLEWRAP} Or set TERMINAL_SANDBOX=required, or keep these (DATA_DIR and files with settings) "
            f"outside of {_bases(sandbox)}.",
        )
    if sandbox.unprotected:
        return Finding(name=name, status="warn", text=f"{text} ({sandbox.detail})", advice=INSTALL_BUBBLEWRAP)
    return Finding(name=name, status="ok", text=text)


def _bases(sandbox: "Sandbox") -> str:
    """Where commands may write, whatever directory their session is opened in."""
    return " and ".join(sandbox.writable(os.path.expanduser(HOME), None))


def _processes(sandbox: "Sandbox") -> Finding:
    """What holds the number of processes of a command."""
    name, most = "processes", f"a command may have {sandbox.limit.most} processes"
    if sandbox.limited_by == "none":
        return Finding(
            name=name,
            status="warn",
            text="commands may start as many processes as they like",
            advice="Set TERMINAL_MAX_PROCESSES.",
        )
    if sandbox.limited_by == "count":
        text = f"{most}, held by counting: one that forks without end can be far over it for a moment"
        return Finding(name=name, status="ok", text=f"{text} (no control group can be made here)")
    wall = "a control group" if sandbox.limited_by == "cgroup" else "a limit of its namespace"
    return Finding(name=name, status="ok", text=f"{most}, with {wall} behind the count")


def _provider(state: ProviderState) -> Finding:
    name = f"provider {state.name}"
    if not state.enabled:
        return Finding(name=name, status="ok", text="turned off")
    if not state.configured:
        return Finding(name=name, status="ok", text="no key set; its models are skipped")
    if state.healthy:
        return Finding(
            name=name, status="ok", text=f"answers at {state.base_url}; {state.models} models in the registry"
        )
    return Finding(
        name=name,
        status="warn",
        text=f"does not answer at {state.base_url}: {state.detail}",
        advice="Check its key, its address and the network.",
    )


def _learning(learner: "Learner") -> Iterator[Finding]:
    """Whether what the router has learned chooses anything yet; nothing while learning is off."""
    if learner.mode == "off":
        return
    standing = learner.standing or "no outcome of an answer is known"
    if not learner.abstains:
        yield Finding(name="router learning", status="ok", text=f"ROUTER_LEARNING={learner.mode}: {standing}")
        return
    yield Finding(
        name="router learning",
        status="warn",
        text=f"ROUTER_LEARNING={learner.mode} abstains, requests start as usual: {standing}",
        advice="Score answers with POST /v1/feedback, or have them checked (crossCheck, selfCheck, agreement, JSON schemas).",
    )


async def _keys(gateway: "Gateway", name: str) -> list[Finding]:
    """Of a provider with several keys those that it refuses, each asked by itself: the others hide them."""
    keyed = [gateway.providers.get(name, key) for key in range(gateway.providers.keys(name))]
    if len(keyed) < 2:
        return []
    probes = await asyncio.gather(*(provider.probe() for provider in keyed if provider is not None))
    return [
        Finding(
            name=f"provider {name}, key {number} of {len(keyed)}",
            status="warn",
            text=f"does not work: {probe.detail}",
            advice="Correct it or take it out; the others are used meanwhile.",
        )
        for number, probe in enumerate(probes, start=1)
        if not probe.healthy
    ]


def _local(health: HealthReport, running: Mapping[str, Any]) -> Finding:
    servers = [f"{server['kind']} at {server['url']}" for server in health.local["servers"]]
    embedded = health.local["embedded"]
    own = f"embedded model {embedded['model']}: {_embedded(embedded, running)}"
    found = f"found {', '.join(servers)}" if servers else "no local model server found"
    missing = health.local["notAnswering"]
    if missing:
        advice = "Start it, or correct OLLAMA_HOST or OSS_MODEL_ENDPOINT."
        return Finding(
            name="local models", status="warn", text=f"nothing answers at {', '.join(missing)}; {own}", advice=advice
        )
    return Finding(name="local models", status="ok", text=f"{found}; {own}")


def _embedded(own: Mapping[str, Any], running: Mapping[str, Any]) -> str:
    """How it is in the gateway that serves, where that has it going; else how it is for a process such as this one."""
    local = running.get("local")
    theirs = local.get("embedded") if isinstance(local, dict) else None
    if isinstance(theirs, dict) and theirs.get("state") in ("running", "starting"):
        return f"{theirs['state']} in the gateway that serves here"
    return f"{own['state']} ({own['detail']})" if own["detail"] else str(own["state"])


def _beyond(gateway: "Gateway") -> str:
    """Where hard questions go, and what `auto` may spend by itself."""
    budget = gateway.configuration.current.auto_budget_usd_per_day
    money = f"up to ${plain(budget)} a day" if budget else "nothing"
    hard = likely_model(gateway, hard=True).id
    return (
        f', for a hard question with quality "high" to {hard}; by itself it may spend {money} in the cheapest paid layer '
        "(AUTO_BUDGET_USD_PER_DAY)"
    )


def _answer(gateway: "Gateway", states: list[ProviderState]) -> Finding:
    """Who would take a plain chat, in the layers where `auto` may look."""
    healthy = [state.name for state in states if state.healthy]
    if not healthy:
        return Finding(name="chat", status="fail", text="no provider can answer", advice=NO_MODEL)
    with suppress(GatewayError):
        model = likely_model(gateway)
        if model.provider in healthy:
            return Finding(name="chat", status="ok", text=f"`auto` goes to {model.id}{_beyond(gateway)}")
    layer = gateway.configuration.current.default_layer
    return Finding(
        name="chat",
        status="warn",
        text=f"`auto` finds no model in layer {layer}, though {', '.join(healthy)} can answer",
        advice=f"Set AUTO_BUDGET_USD_PER_DAY above 0 or DEFAULT_LAYER (or defaultLayer with PUT /v1/config) to a layer of theirs, or ask for {healthy[0]}'s models by name.",
    )
