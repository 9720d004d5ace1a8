"""The model registry: writes go to the database, reads come from a snapshot in memory."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlmodel import Session

from shared.domain.models import RESERVED_IDS, Layer, Model
from shared.errors import Ability, Conflict, InvalidInput, NotFound, Unavailable
from shared.registry import seed
from shared.registry.snapshot import Snapshot, order
from shared.storage import facts, model_rows
from shared.storage.database import Database

T = TypeVar("T")

SEEDED = "registry_seeded"


class Registry:
    """Which models exist, in which layer, in which order, on or off.

    A change is on disk before it is acknowledged, visible to this process with the acknowledgement, and to others
    with their next `refresh`. `snapshot` is replaced as a whole, never altered.
    """

    def __init__(self, database: Database) -> None:
        self.snapshot = Snapshot.build(0, (), {"L0": True, "L1": True, "L2": True, "L3": True})
        self._database = database
        self._lock = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._lessons: set[asyncio.Task[None]] = set()

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call the listener after each change; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def load(self) -> None:
        """Read everything; on the very first start put the seed there."""
        async with self._lock:
            self._swap(Snapshot.build(*await self._database.run(_seeded)))

    async def refresh(self) -> None:
        """Take over what other processes changed."""
        if await self._database.read(model_rows.version) != self.snapshot.version:
            async with self._lock:
                self._swap(Snapshot.build(*await self._database.read(model_rows.load)))

    async def add(self, model: Model) -> Model:
        """A new model. Raises Conflict when the id is taken."""
        if model.id in RESERVED_IDS:
            raise InvalidInput(f"'{model.id}' is a reserved name; choose another id.", code="reserved_id")

        def work(session: Session) -> Model:
            if model_rows.get(session, model.id):
                raise Conflict(f"A model '{model.id}' exists already; change it with PUT.", code="model_exists")
            model_rows.put(session, (model,))
            return model

        return await self._change(work, lambda put: {"put": (put,)})

    async def update(self, model_id: str, changes: Mapping[str, Any]) -> Model:
        """Change some fields (by their Python names) of a model. Raises NotFound, InvalidInput."""

        def work(session: Session) -> Model:
            model = self._existing(session, model_id)
            changed = _merged(model, changes)
            model_rows.put(session, (changed,))
            return changed

        return await self._change(work, lambda put: {"put": (put,)})

    def learn(self, model: Model, ability: Ability, able: bool) -> None:
        """Remember what a model's answer has shown, where nobody has said whether it can do that. Never waits."""
        known = self.snapshot.models.get(model.id)
        if known is None or getattr(known.capabilities, ability) is not None:
            return
        changes = {"capabilities": known.capabilities.model_copy(update={ability: able})}
        task = asyncio.create_task(self._learn(model.id, changes))
        self._lessons.add(task)
        task.add_done_callback(self._lessons.discard)

    async def aclose(self) -> None:
        """Wait until what was learned is stored."""
        await asyncio.gather(*self._lessons)

    async def _learn(self, model_id: str, changes: Mapping[str, Any]) -> None:
        with suppress(NotFound, Unavailable):  # it is learned again
            await self.update(model_id, changes)

    async def delete(self, model_id: str) -> None:
        """Take a model away. Raises NotFound."""

        def work(session: Session) -> None:
            if not model_rows.remove(session, model_id):
                raise unknown_model(self.snapshot, model_id)

        await self._change(work, lambda _: {"removed": (model_id,)})

    async def toggle_layer(self, layer: Layer, enabled: bool) -> None:
        """Turn a layer on or off; its models keep their own state."""
        async with self._lock:

            def work(session: Session) -> int:
                version = model_rows.bump(session)
                model_rows.set_layer(session, layer, enabled)
                return version

            version = await self._database.run(work)
            if version == self.snapshot.version + 1:
                self._swap(self.snapshot.with_layer(version, layer, enabled))
            else:
                self._swap(Snapshot.build(*await self._database.read(model_rows.load)))

    async def reorder(self, layer: Layer, model_ids: list[str]) -> None:
        """Give a layer's models the priorities 0, 1, … in that order; those not named follow as they were."""

        def work(session: Session) -> list[Model]:
            _, models, _ = model_rows.load(session)
            inside = {model.id: model for model in sorted(models, key=order) if model.layer == layer}
            strangers = [model_id for model_id in model_ids if model_id not in inside]
            if strangers or len(set(model_ids)) != len(model_ids):
                raise InvalidInput(
                    f"'modelIds' must name models of layer {layer}, each once.",
                    details={
                        "fields": [{"field": "modelIds", "reason": f"must name models of layer {layer}, each once"}],
                        "unknown": strangers[:20],
                    },
                )
            named = [inside.pop(model_id) for model_id in model_ids]
            moved = [
                model.model_copy(update={"priority": place}) for place, model in enumerate([*named, *inside.values()])
            ]
            model_rows.put(session, moved)
            return moved

        await self._change(work, lambda moved: {"put": moved})

    async def add_discovered(self, models: Iterable[Model]) -> None:
        """Put models that a local server offers there, unless they are known or were removed by somebody."""
        offered = [model for model in models if model.id not in self.snapshot.models]
        if not offered or {model.id for model in offered} <= await self._database.read(model_rows.known_ids):
            return

        def work(session: Session) -> list[Model]:
            known = model_rows.known_ids(session)
            new = [model for model in offered if model.id not in known]
            model_rows.put(session, new)
            return new

        await self._change(work, lambda new: {"put": new})

    async def _change(self, work: Callable[[Session], T], delta: Callable[[T], dict[str, Any]]) -> T:
        """Do a write, and put the same change into the snapshot (or reload, when others changed something too)."""

        def versioned(session: Session) -> tuple[int, T]:
            return model_rows.bump(session), work(session)

        async with self._lock:
            version, answer = await self._database.run(versioned)
            if version == self.snapshot.version + 1:
                self._swap(self.snapshot.changed(version, **delta(answer)))
            else:
                self._swap(Snapshot.build(*await self._database.read(model_rows.load)))
        return answer

    def _existing(self, session: Session, model_id: str) -> Model:
        model = model_rows.get(session, model_id)
        if model is None:
            raise unknown_model(self.snapshot, model_id)
        return model

    def _swap(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for listener in tuple(self._listeners):
            listener()


def unknown_model(snapshot: Snapshot, name: str) -> NotFound:
    """The error that names the nearest models."""
    near = snapshot.nearest(name)
    hint = f" Did you mean {' or '.join(repr(close) for close in near)}?" if near else " See GET /v1/models."
    return NotFound(f"There is no model '{name[:200]}'.{hint}", details={"nearest": near}, code="model_not_found")


def _merged(model: Model, changes: Mapping[str, Any]) -> Model:
    try:
        return Model.model_validate({**model.model_dump(by_alias=False), "source": model.source, **changes})
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]
        raise InvalidInput(f"'{reason['loc'][0]}' is not valid: {reason['msg']}.") from None


def _seeded(session: Session) -> tuple[int, list[Model], dict[Layer, bool]]:
    if not facts.read(session, SEEDED):
        version = model_rows.bump(session)
        if not facts.read(session, SEEDED):  # another process may have been first, while we waited in bump
            known = model_rows.known_ids(session)
            model_rows.put(session, (model for model in seed.models() if model.id not in known))
            facts.write(session, SEEDED, {"version": version})
    return model_rows.load(session)
