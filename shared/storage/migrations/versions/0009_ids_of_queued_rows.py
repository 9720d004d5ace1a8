"""Ids that rows get when they are queued, so that each is stored once."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BY_TIME = ("usage", "decisions")


def upgrade() -> None:
    for table in (*BY_TIME, "audit"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("row_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_audit_row_id", "audit", ["row_id"], unique=True)
    for table in BY_TIME:
        op.create_index(f"ix_{table}_at_row_id", table, ["at", "row_id"], unique=True)
        op.drop_index(f"ix_{table}_at", table_name=table)


def downgrade() -> None:
    for table in BY_TIME:
        op.create_index(f"ix_{table}_at", table, ["at"], unique=False)
        op.drop_index(f"ix_{table}_at_row_id", table_name=table)
    op.drop_index("ix_audit_row_id", table_name="audit")
    for table in (*BY_TIME, "audit"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("row_id")
