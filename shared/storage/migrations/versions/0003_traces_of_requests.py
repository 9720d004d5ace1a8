"""The trace that audit entries, decisions and usage belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("audit", "decisions", "usage")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("trace_id", sa.String(length=32), server_default="", nullable=False))

    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_trace_id", ["trace_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_trace_id")

    for table in TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("trace_id")
