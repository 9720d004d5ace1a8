"""Decisions in a quarter of the space, audit entries in half, numbered with 64 bits."""

import json

import sqlalchemy as sa
from alembic import op

from shared.storage.packing import unpacked

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FOUND_BY = ("trace_id", "request_id")


def upgrade() -> None:
    op.create_table(
        "decision_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_log")),
    )
    op.create_index("ix_decision_log_key", "decision_log", ["key"], unique=False)
    op.add_column("audit", sa.Column("packed", sa.LargeBinary(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":  # SQLite's whole numbers have 64 bits, and it has no such indexes
        for column in FOUND_BY:
            op.drop_index(f"ix_audit_{column}", table_name="audit")
        op.alter_column("audit", "sequence", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        for column in FOUND_BY:
            op.create_index(f"ix_audit_{column}", "audit", [column], unique=False, postgresql_using="hash")


def _unpack() -> None:
    audit = sa.table("audit", *(sa.column(name) for name in ("sequence", "packed", "hash", "previous_hash")))
    details = sa.column("details", sa.JSON())
    audit.append_column(details)
    connection = op.get_bind()
    rows = connection.execute(sa.select(audit.c.sequence, audit.c.packed).where(audit.c.packed.is_not(None))).all()
    for sequence, packed in rows:
        told = json.loads(unpacked(packed))
        values = {"hash": told["h"], "previous_hash": told["p"], "details": told["d"]}
        connection.execute(sa.update(audit).where(audit.c.sequence == sequence).values(values))


def downgrade() -> None:
    _unpack()
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_column("packed")
    if op.get_bind().dialect.name == "postgresql":
        for column in FOUND_BY:
            op.drop_index(f"ix_audit_{column}", table_name="audit")
            op.create_index(f"ix_audit_{column}", "audit", [column], unique=False)
        op.alter_column("audit", "sequence", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
    op.drop_index("ix_decision_log_key", table_name="decision_log")
    op.drop_table("decision_log")
