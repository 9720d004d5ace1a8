"""The one door: nothing runs unvalidated, unauthorised or, where that is wanted, unrecorded."""

from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from pydantic import Field

from shared.domain.identity import ANONYMOUS, LOCAL, Caller
from shared.domain.wire import Money, Timestamp, Wire
from shared.errors import Conflict, Forbidden, InvalidInput, Unauthenticated, Unavailable
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.operation import Operation, StreamOperation

VIEWER = Caller(id="v", kind="user", name="v", scopes=frozenset({"models:read"}))


class Ask(Wire):
    how_many: int = Field(ge=0)
    price: Money | None = None
    since: Timestamp | None = None


class Told(Wire):
    doubled: int


class Recorder:
    def __init__(self, *, away: bool = False) -> None:
        self.rows: list[tuple[str, dict[str, Any], str]] = []
        self.away = away

    async def require(self) -> None:
        if self.away:
            raise Unavailable("the trail cannot be written")

    async def record(self, caller: Caller, action: str, details: dict[str, Any], outcome: str) -> None:
        self.rows.append((action, details, outcome))


class FakeGateway:
    def __init__(self, *, away: bool = False) -> None:
        self.audit = Recorder(away=away)
        self.ran = 0


async def double(gateway: Gateway, caller: Caller, request: Ask) -> Told:
    cast("Any", gateway).ran += 1
    if request.how_many == 99:
        raise Conflict("taken")
    return Told(doubled=2 * request.how_many)


DOUBLE = Operation(
    name="double", summary="Double", scope="models:write", effect="write", request=Ask, result=Told, run=double,
    audit=lambda request: {"howMany": request.how_many},
)  # fmt: skip


async def call(gateway: FakeGateway, caller: Caller, payload: Any, **more: Any) -> Told:
    return await dispatch.call(cast("Gateway", gateway), caller, DOUBLE, payload, **more)


async def test_a_call_is_validated_run_and_recorded() -> None:
    gateway = FakeGateway()
    assert (await call(gateway, LOCAL, {"howMany": 4})).doubled == 8
    assert gateway.audit.rows == [("double", {"howMany": 4}, "ok")]


async def test_a_failure_is_recorded_with_its_code() -> None:
    gateway = FakeGateway()
    with pytest.raises(Conflict):
        await call(gateway, LOCAL, {"howMany": 99})
    assert gateway.audit.rows == [("double", {"howMany": 99}, "conflict")]


@pytest.mark.parametrize(("caller", "error"), [(ANONYMOUS, Unauthenticated), (VIEWER, Forbidden)])
async def test_without_the_scope_nothing_runs(caller: Caller, error: type[Exception]) -> None:
    gateway = FakeGateway()
    with pytest.raises(error):
        await call(gateway, caller, {"howMany": 1})
    assert gateway.ran == 0


async def test_while_the_trail_cannot_be_written_what_must_leave_a_trace_is_refused() -> None:
    gateway = FakeGateway(away=True)
    with pytest.raises(Unavailable):
        await call(gateway, LOCAL, {"howMany": 1})
    assert gateway.ran == 0


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "howMany"),
        ({"howMany": "4"}, "howMany"),
        ({"howMany": True}, "howMany"),
        ({"howMany": -1}, "howMany"),
        ({"howMany": 1, "secretField": "hunter2"}, "secretField"),
        ({"howMany": 1, "price": "x"}, "price"),
        ({"howMany": 1, "since": "yesterday"}, "since"),
    ],
)
async def test_wrong_input_names_the_field_and_never_the_value(payload: dict[str, Any], field: str) -> None:
    gateway = FakeGateway()
    with pytest.raises(InvalidInput) as caught:
        await call(gateway, LOCAL, payload)
    assert isinstance(caught.value.details, dict)
    assert caught.value.details["fields"][0]["field"] == field
    assert "hunter2" not in str(caught.value) + str(caught.value.details)
    assert gateway.ran == 0


@pytest.mark.parametrize("payload", [None, [], "x"])
async def test_a_payload_that_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(InvalidInput):
        await call(FakeGateway(), LOCAL, payload)


async def test_text_payloads_are_read_leniently_when_asked() -> None:
    assert (await call(FakeGateway(), LOCAL, {"howMany": "4"}, strict=False)).doubled == 8


async def test_numbers_and_dates_of_json_are_taken_where_types_are_strict() -> None:
    request = dispatch.parse(Ask, {"howMany": 1, "price": 0.1, "since": "2026-01-02T03:04:05Z"})
    assert str(request.price) == "0.1"
    assert request.since is not None
    assert request.since.year == 2026


async def test_a_stream_is_recorded_when_it_ends() -> None:
    gateway = FakeGateway()

    @asynccontextmanager
    async def opened(_: Gateway, __: Caller, request: Ask) -> Any:
        yield range(request.how_many)

    operation = StreamOperation(
        name="count", summary="Count", scope=None, effect="read", request=Ask, open=opened, audit=lambda _: {}
    )
    async with dispatch.open_stream(cast("Gateway", gateway), ANONYMOUS, operation, {"howMany": 2}) as stream:
        assert list(stream) == [0, 1]
        assert gateway.audit.rows == []
    assert gateway.audit.rows == [("count", {}, "ok")]
