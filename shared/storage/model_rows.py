"""Rows of the registry: models, layers, and the version that tells other processes of a change."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from shared.domain.models import LAYERS, Layer, Model
from shared.storage import facts, readable
from shared.storage.tables import LayerRow, ModelRow

VERSION = "registry_version"


def load(session: Session) -> tuple[int, list[Model], dict[Layer, bool]]:
    """The whole registry: its version, the models that can be read, which layers are on."""
    version = int(facts.read(session, VERSION, 0))
    rows = session.exec(select(ModelRow).where(ModelRow.removed == False))  # noqa: E712
    models = readable.readable(session, "models", rows, _model, name=lambda row: row.id)
    states = {row.name: row.enabled for row in session.exec(select(LayerRow))}
    return version, models, {layer: states.get(layer, True) for layer in LAYERS}


def version(session: Session) -> int:
    """The registry's version."""
    return int(facts.read(session, VERSION, 0))


def bump(session: Session) -> int:
    """Raise the version, and keep other writers out until the transaction ends."""
    return facts.next_version(session, VERSION)


def get(session: Session, model_id: str) -> Model | None:
    """One model, unless it was removed. Raises Conflict when this version cannot read it."""
    row = session.get(ModelRow, model_id)
    try:
        return None if row is None or row.removed else _model(row)
    except readable.UNREADABLE as error:
        raise readable.refused("model", model_id, error) from None


def put(session: Session, models: Iterable[Model]) -> None:
    """Insert or replace."""
    for model in models:
        session.merge(ModelRow(id=model.id, removed=False, data=_stored(model)))


def remove(session: Session, model_id: str) -> bool:
    """Delete, also what cannot be read; False when there is none. A discovered model leaves a mark, since its server
    would bring it back.
    """
    row = session.get(ModelRow, model_id)
    if row is None or row.removed:
        return False
    if isinstance(row.data, dict) and row.data.get("source") == "discovered":
        row.removed = True
        session.add(row)
    else:
        session.delete(row)
    readable.noted_in(session).forget("models", model_id)
    return True


def known_ids(session: Session) -> set[str]:
    """Every id there is or was, removed ones included."""
    return set(session.exec(select(ModelRow.id)))


def set_layer(session: Session, layer: Layer, enabled: bool) -> None:
    """Turn a layer on or off."""
    session.merge(LayerRow(name=layer, enabled=enabled))


def _model(row: ModelRow) -> Model:
    return readable.known_fields(Model, row.data)


def _stored(model: Model) -> dict[str, Any]:
    data = model.model_dump(by_alias=False)
    data["source"] = model.source
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in data.items()}
