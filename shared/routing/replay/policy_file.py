"""A policy to try out: routing keys of the configuration, and changes of layers and models, over what there is now. Pure."""

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.domain.configuration import Configuration
from shared.domain.models import LAYERS, Layer, Model, ModelFields
from shared.errors import InvalidInput
from shared.registry.snapshot import Snapshot
from shared.routing.policy import Policy

SETTINGS = (
    "default_layer",
    "enable_auto_escalate",
    "max_escalation_layer",
    "spend_guard",
    "auto_budget_usd_per_day",
    "enable_cross_check",
    "enable_hedging",
)
KEYS = (*SETTINGS, "layers", "models")
NAMES = {field.alias or name: name for name, field in ModelFields.model_fields.items() if name != "id"}
"""The fields of a model by their names on the wire; their Python names are taken too."""

PRICES = frozenset({"price_per_1k_input_tokens", "price_per_1k_output_tokens"})
PLACES = frozenset({"layer", "priority", "weight", "enabled"})
NEEDED = ("provider", "api_model_name", "layer")

Place = tuple[Layer, int]
"""A layer and a priority: the models of one share its traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The policy and the registry as they would be. `repriced` are the models whose prices it says, `reshared` the
    places whose traffic it shares anew.
    """

    policy: Policy
    snapshot: Snapshot
    repriced: frozenset[str]
    reshared: frozenset[Place]


def policy_of(current: Configuration) -> Policy:
    """What routing reads of the configuration."""
    return Policy(
        default_layer=current.default_layer,
        auto_escalate=current.enable_auto_escalate,
        max_escalation_layer=current.max_escalation_layer,
        spend_guard=current.spend_guard,
        auto_budget=current.auto_budget_usd_per_day > 0,
        cross_check=current.enable_cross_check,
        hedge=current.enable_hedging,
    )


def following(current: Callable[[], Configuration]) -> Callable[[], Policy]:
    """The policy at any moment, made anew only when the configuration has changed."""
    configuration = current()
    policy = policy_of(configuration)

    def latest() -> Policy:
        nonlocal configuration, policy
        if (found := current()) is not configuration:
            configuration, policy = found, policy_of(found)
        return policy

    return latest


def proposal(file: Mapping[str, Any], current: Configuration, snapshot: Snapshot) -> Proposal:
    """What the file makes of the configuration and the registry. Raises InvalidInput with every problem at once."""
    reading = _Reading()
    settings = reading.settings(file, current)
    layers = reading.layers(file.get("layers", {}), snapshot)
    models = reading.models(file.get("models", {}), snapshot)
    if reading.problems:
        raise _refused(reading.problems)
    put, changes = [model for model, _ in models], [given for _, given in models]
    changed = Snapshot.build(
        snapshot.version, {**snapshot.models, **{model.id: model for model in put}}.values(), layers
    )
    return Proposal(
        policy=policy_of(settings),
        snapshot=changed,
        repriced=frozenset(model.id for model, given in zip(put, changes, strict=True) if given & PRICES),
        reshared=frozenset(_places(models, snapshot)),
    )


def _places(models: Iterable[tuple[Model, frozenset[str]]], before: Snapshot) -> Iterable[Place]:
    for model, given in models:
        if given & PLACES:
            yield model.layer, model.priority
            if known := before.models.get(model.id):
                yield known.layer, known.priority


class _Reading:
    """The parts of the file, and what is wrong with them: (field, reason)."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []

    def settings(self, file: Mapping[str, Any], current: Configuration) -> Configuration:
        """The configuration with the file's keys in it."""
        given = {}
        for key, value in file.items():
            if (name := _python_name(key, Configuration)) in SETTINGS:
                given[name] = value
            elif key not in KEYS:
                self.problems.append((key, _no_key(key, KEYS)))
        try:
            return Configuration.model_validate({**current.model_dump(by_alias=False), **given}, strict=True)
        except ValidationError as error:
            self._found("", error)
            return current

    def layers(self, given: Any, snapshot: Snapshot) -> dict[Layer, bool]:
        """Which layers are on."""
        enabled = dict(snapshot.layer_enabled)
        for name, table in self._tables("layers", given):
            if name not in LAYERS:
                self.problems.append((f"layers.{name}", f"there is no such layer; there are {', '.join(LAYERS)}"))
                continue
            for key, value in table.items():
                if key != "enabled":
                    self.problems.append((f"layers.{name}.{key}", "there is no such key; it can be 'enabled'"))
                elif not isinstance(value, bool):
                    self.problems.append((f"layers.{name}.enabled", "it must be true or false"))
                else:
                    enabled[name] = value
        return enabled

    def models(self, given: Any, snapshot: Snapshot) -> list[tuple[Model, frozenset[str]]]:
        """The models that are changed or new, each with the names of the fields that the file gives."""
        found = []
        for model_id, table in self._tables("models", given):
            fields = self._fields(f'models."{model_id}"', table)
            model = self._model(model_id, fields, snapshot)
            if model is not None:
                found.append((model, frozenset(fields)))
        return found

    def _fields(self, where: str, table: Mapping[str, Any]) -> dict[str, Any]:
        fields = {}
        for key, value in table.items():
            name = NAMES.get(key, key)
            if name in NAMES.values():
                fields[name] = value
            else:
                self.problems.append((f"{where}.{key}", _no_key(key, NAMES.values())))
        return fields

    def _model(self, model_id: str, fields: Mapping[str, Any], snapshot: Snapshot) -> Model | None:
        where, known = f'models."{model_id}"', snapshot.models.get(model_id)
        if known is None and (missing := [name for name in NEEDED if name not in fields]):
            near = _near(model_id, snapshot.models)
            self.problems.append((where, f"there is no such model{near}; a new one needs {', '.join(missing)}"))
            return None
        before = {} if known is None else known.model_dump(by_alias=False)
        try:
            return Model.model_validate({**before, **fields, "id": model_id}, strict=True)
        except ValidationError as error:
            self._found(f"{where}.", error)
            return None

    def _tables(self, name: str, given: Any) -> Iterable[tuple[Any, Mapping[str, Any]]]:
        if not isinstance(given, Mapping):
            self.problems.append((name, "it must be a table"))
            return
        for key, table in given.items():
            if isinstance(table, Mapping):
                yield key, table
            else:
                self.problems.append((f"{name}.{key}", "it must be a table"))

    def _found(self, where: str, error: ValidationError) -> None:
        for found in error.errors(include_url=False, include_input=False, include_context=False):
            reason = found["msg"].removeprefix("Value error, ")
            name = ".".join(str(part) for part in found["loc"])
            self.problems.append((f"{where}{name}", reason[:1].lower() + reason[1:]))


def _python_name(key: str, kind: type[Configuration]) -> str:
    return next((name for name, field in kind.model_fields.items() if field.alias == key), key)


def _no_key(key: str, known: Collection[str]) -> str:
    return f"there is no such key{_near(key, known)}; there are {', '.join(known)}"


def _near(key: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(key[:200], [*names], n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _refused(problems: list[tuple[str, str]]) -> InvalidInput:
    fields = [{"field": field, "reason": reason} for field, reason in problems]
    field, reason = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidInput(f"The policy is not valid: {field}: {reason}{more}.", details={"fields": fields})
