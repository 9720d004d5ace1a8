"""Gateway API keys: make, list, delete."""

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from shared.domain.budgets import Budget
from shared.domain.identity import Caller
from shared.domain.keys import ApiKeyId, ApiKeys, DeletedApiKey, MadeApiKey, NewApiKey
from shared.domain.money import plain
from shared.domain.wire import NoInput, iso
from shared.errors import Forbidden, InvalidInput
from shared.operations import budgets
from shared.operations.operation import Operation
from shared.registry.snapshot import Snapshot

if TYPE_CHECKING:
    from shared.gateway import Gateway

NEAREST = 4


async def _create(gateway: "Gateway", caller: Caller, request: NewApiKey) -> MadeApiKey:
    missing = sorted(set(request.scopes) - caller.scopes)
    if missing:
        raise Forbidden(
            "A key cannot be given scopes that its maker does not have.", details={"field": "scopes", "scopes": missing}
        )
    if caller.kind == "key":
        request = _within(caller, request, gateway.settings.rate_limit_per_hour, await budgets.of_key(gateway, caller))
    _check_models(gateway, request.models or ())
    key, secret = await gateway.api_keys.create(
        request.name,
        request.scopes,
        expires_at=request.expires_at,
        rate_limit_per_minute=request.rate_limit_per_minute,
        rate_limit_per_hour=request.rate_limit_per_hour,
        tokens_per_minute=request.tokens_per_minute,
        max_streams=request.max_streams,
        commands_per_day=request.commands_per_day,
        command_seconds_per_day=request.command_seconds_per_day,
        budget_usd=request.budget_usd,
        budget_period=request.budget_period,
        models=request.models,
        max_layer=request.max_layer,
    )
    if request.budget_usd is not None:
        await gateway.budgets.refresh()  # before the secret is out, so that it binds the first request too
    return MadeApiKey(key=key, secret=secret)


def _within(caller: Caller, request: NewApiKey, usual_per_hour: int, own: Sequence[Budget]) -> NewApiKey:
    """The key bounded as its maker is: a key must not get past its own bounds by way of another. Raises Forbidden."""
    counted = [name for name, value in _amounts(caller).items() if value]
    if caller.budget_usd is not None or own:
        counted.append("budgetUsd")
    if counted:
        raise Forbidden(
            "A key with a budget or limits of its own cannot make keys: together they would have more of it. Make the key "
            "with a login, or with `mcp-gateway keys create`.",
            details={"bounds": counted},
        )
    wanted = request.rate_limit_per_hour
    if (
        caller.rate_limit_per_hour is None
        and usual_per_hour
        and wanted is not None
        and not 0 < wanted <= usual_per_hour
    ):
        raise _stronger("rateLimitPerHour", f"it may be {usual_per_hour} at most, as with the key that makes it")
    models = request.models
    if caller.models is not None:
        models = sorted(caller.models) if models is None else models
        if not caller.models.issuperset(models):
            raise _stronger("models", f"it may only name {', '.join(sorted(caller.models))}, as the key that makes it")
    layer = request.max_layer or caller.max_layer
    if caller.max_layer is not None and layer is not None and layer > caller.max_layer:
        raise _stronger("maxLayer", f"it may be {caller.max_layer} at most, as with the key that makes it")
    expires = request.expires_at or caller.expires_at
    if caller.expires_at is not None and expires is not None and expires > caller.expires_at:
        raise _stronger("expiresAt", f"it may be {iso(caller.expires_at)} at the latest, as with the key that makes it")
    return request.model_copy(update={"models": models, "max_layer": layer, "expires_at": expires})


def _amounts(caller: Caller) -> dict[str, int | None]:
    """What a caller may use up of, by the names that a key has for it."""
    return {
        "rateLimitPerMinute": caller.rate_limit_per_minute,
        "rateLimitPerHour": caller.rate_limit_per_hour,
        "tokensPerMinute": caller.tokens_per_minute,
        "maxStreams": caller.max_streams,
        "commandsPerDay": caller.commands_per_day,
        "commandSecondsPerDay": caller.command_seconds_per_day,
    }


def _stronger(field: str, reason: str) -> Forbidden:
    return Forbidden(
        f"'{field}' would make the key stronger than its maker: {reason}.",
        details={"fields": [{"field": field, "reason": reason}]},
    )


def _check_models(gateway: "Gateway", names: Sequence[str]) -> None:
    """A name that nobody has would leave the key without a model, and nobody would know why. Raises InvalidInput."""
    snapshot = gateway.registry.snapshot
    providers = {*gateway.accounts_of_providers.names(), *(model.provider for model in snapshot.models.values())}
    unknown = [name for name in names if name not in providers and not snapshot.named(name)]
    if unknown:
        fields = [{"field": "models", "reason": _unknown(snapshot, providers, name)} for name in unknown]
        raise InvalidInput(f"'models' is not valid: {fields[0]['reason']}.", details={"fields": fields})


def _unknown(snapshot: Snapshot, providers: Iterable[str], name: str) -> str:
    near = [*difflib.get_close_matches(name, providers, n=1), *snapshot.nearest(name)][:NEAREST]
    hint = f"; the nearest are {', '.join(near)}" if near else ""
    return f"there is no model or provider '{name}'{hint}"


async def _list(gateway: "Gateway", _: Caller, __: NoInput) -> ApiKeys:
    return ApiKeys(keys=await gateway.api_keys.list())


async def _delete(gateway: "Gateway", _: Caller, request: ApiKeyId) -> DeletedApiKey:
    await gateway.api_keys.delete(request.key_id)
    return DeletedApiKey(key_id=request.key_id)


CREATE_KEY = Operation(
    name="create_key",
    summary="Make a gateway API key. Its secret is in this answer and nowhere else.",
    scope="admin",
    effect="write",
    request=NewApiKey,
    result=MadeApiKey,
    run=_create,
    audit=lambda request: {
        "name": request.name,
        "scopes": request.scopes,
        "expiresAt": request.expires_at and iso(request.expires_at),
        "rateLimitPerMinute": request.rate_limit_per_minute,
        "rateLimitPerHour": request.rate_limit_per_hour,
        "tokensPerMinute": request.tokens_per_minute,
        "maxStreams": request.max_streams,
        "commandsPerDay": request.commands_per_day,
        "commandSecondsPerDay": request.command_seconds_per_day,
        "budgetUsd": None if request.budget_usd is None else plain(request.budget_usd),
        "budgetPeriod": None if request.budget_usd is None else request.budget_period,
        "models": request.models,
        "maxLayer": request.max_layer,
    },
)

LIST_KEYS = Operation(
    name="list_keys",
    summary="The gateway's API keys, without their secrets.",
    scope="admin",
    effect="read",
    request=NoInput,
    result=ApiKeys,
    run=_list,
)

DELETE_KEY = Operation(
    name="delete_key",
    summary="Delete a gateway API key; it stops working at once.",
    scope="admin",
    effect="destroy",
    request=ApiKeyId,
    result=DeletedApiKey,
    run=_delete,
    audit=lambda request: {"keyId": request.key_id},
)
