"""The vendors we know, each a row of data; a folder of its own only for a dialect that differs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LOCAL = "oss-local"
"""The provider of what runs on this machine."""

AddedDialect = Literal["openai", "anthropic", "ollama"]
"""How a service that an operator adds may be spoken to."""

Dialect = AddedDialect | Literal["local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How a vendor differs from plain OpenAI.

    `renames` are (old, new) fields that its own API wants renamed; `message_fields_refused` are fields of messages that
    answers of others may carry and that it answers with 400. `billed` says that everything costs money there, but for
    models whose names end in `free_suffix`. `well_known` ones take system messages anywhere, and tell in `message_fields_refused`
    what they do not; of any other, a request that was translated expects no more than every server has.
    """

    name: str
    dialect: Dialect = "openai"
    base_url: str = ""
    needs_key: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    renames: tuple[tuple[str, str], ...] = ()
    message_fields_refused: frozenset[str] = frozenset()
    probe_path: str = "/models"
    reports_cost: bool = False
    billed: bool = False
    free_suffix: str = ""
    well_known: bool = False

    def bills(self, api_model_name: str) -> bool:
        """Whether a model of that name costs money, as far as its name tells."""
        return self.billed and not (self.free_suffix and api_model_name.endswith(self.free_suffix))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account at a vendor, or at an OpenAI-compatible service that an operator added.

    `api_key` may hold several keys, comma-separated, which take turns.
    """

    name: str
    dialect: Dialect
    base_url: str
    api_key: str = field(default="", repr=False)
    enabled: bool = True
    from_settings: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys, each once."""
        return tuple(dict.fromkeys(key.strip() for key in self.api_key.split(",") if key.strip()))


VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        Vendor(
            name="openrouter",
            base_url="https://openrouter.ai/api/v1",
            headers={"X-Title": "AI MCP Gateway"},
            probe_path="/key",
            reports_cost=True,
            billed=True,
            free_suffix=":free",
            well_known=True,
        ),
        Vendor(
            name="openai",
            base_url="https://api.openai.com/v1",
            billed=True,
            well_known=True,
            renames=(("max_tokens", "max_completion_tokens"),),
            message_fields_refused=frozenset(
                {"reasoning", "reasoning_content", "reasoning_details", "anthropic_content", "cache_control"}
            ),
        ),
        Vendor(name="anthropic", dialect="anthropic", base_url="https://api.anthropic.com", billed=True),
        Vendor(name=LOCAL, dialect="local", needs_key=False),
    )
}


def vendor_for(account: Account) -> Vendor:
    """The vendor's row; special treatment only at the vendor's own address, plain OpenAI elsewhere."""
    known = VENDORS.get(account.name)
    if known is None:
        return Vendor(name=account.name, dialect=account.dialect, base_url=account.base_url, needs_key=False)
    if account.base_url and account.base_url.rstrip("/") != known.base_url:
        return Vendor(name=known.name, dialect=known.dialect, base_url=account.base_url)
    return known
