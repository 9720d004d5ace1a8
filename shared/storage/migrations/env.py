"""What alembic runs: apply the migrations on the connection that schema.py hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import DateTime, String, TypeDecorator
from sqlmodel import SQLModel

import shared.storage.tables  # noqa: F401  (fills the metadata)


def plain_type(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Our own column types by the plain ones beneath, so that a migration stands on its own."""
    if kind == "type" and isinstance(item, TypeDecorator):
        if isinstance(item.impl, DateTime):
            return "sa.DateTime(timezone=True)"
        if isinstance(item.impl, String):
            return f"sa.String(length={item.impl.length})"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True, render_item=plain_type
)
with context.begin_transaction():
    context.run_migrations()
