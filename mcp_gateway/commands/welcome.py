"""What `serve` says when it is ready: where everything is, who will answer, and a call to try."""

from decimal import Decimal
from typing import TYPE_CHECKING

from mcp_gateway.transports import HTTP_PATH, SSE_PATH
from shared.domain.money import plain
from shared.errors import GatewayError
from shared.operations.auto import likely_model
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.gateway import Gateway

CURL = """\
curl {url}/v1/chat/completions{auth} -H 'Content-Type: application/json' \\
  -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Say hello."}}]}}'"""


def welcome(url: str, gateway: "Gateway") -> str:
    """The whole text."""
    places = (
        ("REST", url),
        ("OpenAI base URL", f"{url}/v1"),
        ("MCP", f"{url}{HTTP_PATH} (Streamable HTTP), {url}{SSE_PATH} (SSE)"),
        ("Dashboard", f"{url}/dashboard/"),
        ("API reference", f"{url}/docs, {url}/openapi.json"),
        ("Metrics", f"{url}/metrics"),
        ("Health", f"{url}/health"),
    )
    required = gateway.settings.auth_mode == "required"
    auth = " -H 'Authorization: Bearer YOUR_KEY'" if required else ""
    lines = [f"AI MCP Gateway {gateway.version} is ready.", ""]
    lines += [f"  {name:<16} {place}" for name, place in places]
    answers = (
        ("Answers come from", who_answers(gateway)),
        ("Hard questions", f'{who_answers(gateway, hard=True)}, with quality "high"'),
        ("`auto` may spend", _allowance(gateway.configuration.current.auto_budget_usd_per_day)),
        ("Local commands", held(gateway)),
    )
    lines += ["", *(f"  {name:<17} {text}" for name, text in answers)]
    if required:
        lines.append("  Callers must authenticate: `mcp-gateway keys create NAME` makes a key.")
    return "\n".join([*lines, "", "Try it:", "", CURL.format(url=url, auth=auth), ""])


def held(gateway: "Gateway") -> str:
    """What holds local commands."""
    sandbox = gateway.sandbox
    kind = "without a sandbox" if sandbox.kind == "none" else f"in the sandbox {sandbox.kind}"
    return visible(f"run {kind}, {sandbox.rules.network_shown}")


def _allowance(budget: Decimal) -> str:
    """What `auto` may spend by itself, and the setting that changes it."""
    may = f"up to ${plain(budget)} a day where no free model can answer" if budget else "nothing; free models only"
    return f"{may} (AUTO_BUDGET_USD_PER_DAY)"


def who_answers(gateway: "Gateway", *, hard: bool = False) -> str:
    """The model that a simple or a hard chat would go to now."""
    try:
        model = likely_model(gateway, hard=hard)
    except GatewayError as error:
        return "no model yet" if hard else f"no model yet. {error.message}"
    return visible(f"{model.api_model_name} ({model.provider}, layer {model.layer})")
