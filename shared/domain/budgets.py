"""Budgets: how much may be spent in a period, by all, by one API key, or for one tag."""

from decimal import Decimal
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from shared.domain.wire import Money, Timestamp, Wire

AppliesTo = Literal["all", "key", "tag", "auto"]
Period = Literal["day", "month", "total"]
PERIODS: tuple[Period, ...] = get_args(Period)
Source = Literal["stored", "key", "settings"]
WithoutRedis = Literal["share", "refuse", "allow"]
"""What becomes of budgets while Redis, by which the processes count together, is away."""
CountedBy = Literal["memory", "redis", "shares", "nobody"]
"""What counts them now; `nobody` while the processes agree on shares, or where those are refused."""

IN_WORDS: dict[Period, str] = {"day": "a day", "month": "a month", "total": "in total"}

Limit = Annotated[Money, Field(ge=0, le=Decimal(1_000_000), decimal_places=9)]
"""US dollars; 0 leaves free models only."""

BudgetId = Annotated[str, Field(min_length=1, max_length=64)]

Subject = tuple[str, ...]
"""Whose money it is: ("all",), ("key", id) or ("tag", name, value)."""

AUTO_TAG = "gateway.auto"
AUTO_VALUE = "paid"
AUTO_SUBJECT: Subject = ("tag", AUTO_TAG, AUTO_VALUE)
"""Calls that `auto` makes in a paid layer on the budget for that: their usage rows carry this tag."""


class Tag(Wire):
    """A tag that requests carry."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r'^[^\x00-\x1f\x7f"\\]+$')]
    value: Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00]*$")]


class NewBudget(Wire):
    """A budget to make. `day` and `month` are the calendar's, in UTC; `total` counts everything ever recorded."""

    applies_to: AppliesTo = "all"
    key_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    tag: Tag | None = None
    period: Period = "month"
    limit_usd: Limit

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.applies_to == "key") != (self.key_id is not None):
            raise ValueError("keyId goes with appliesTo 'key', and with nothing else")
        if (self.applies_to == "tag") != (self.tag is not None):
            raise ValueError("tag goes with appliesTo 'tag', and with nothing else")
        return self

    @property
    def subject(self) -> Subject:
        """Whose money it is."""
        if self.key_id is not None:
            return ("key", self.key_id)
        if self.tag is not None:
            return ("tag", self.tag.name, self.tag.value)
        if self.applies_to == "auto":
            return AUTO_SUBJECT
        return ("all",)

    @property
    def whose(self) -> str:
        """The same in words."""
        if self.tag is not None:
            return f"tag {self.tag.name}={self.tag.value}"
        if self.applies_to == "auto":
            return "`auto` in paid layers (AUTO_BUDGET_USD_PER_DAY)"
        return "everybody" if self.key_id is None else f"API key {self.key_id}"


class Budget(NewBudget):
    """A budget. `source` says where it is changed: here, with its API key, or in the settings."""

    id: BudgetId
    source: Source = "stored"
    created_at: Timestamp


class BudgetStanding(Budget):
    """A budget and how it stands. `resets_at` is null for `total`."""

    spent_usd: Money
    reserved_usd: Money
    left_usd: Money
    resets_at: Timestamp | None = None


class BudgetKey(Wire):
    """Which budget."""

    budget_id: BudgetId


class BudgetChange(Wire):
    """What changes; the rest stays. What was spent still counts."""

    budget_id: BudgetId
    period: Period | None = None
    limit_usd: Limit | None = None


class BudgetList(Wire):
    """All budgets, oldest first."""

    budgets: list[BudgetStanding]


class ChangedBudget(Wire):
    """A budget as it is now."""

    success: Literal[True] = True
    budget: BudgetStanding


class DeletedBudget(Wire):
    """The budget that no longer counts."""

    success: Literal[True] = True
    budget_id: str
