"""The chat that led to what an audit entry is about."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cause_request_id", sa.String(length=100), server_default="", nullable=False))
        batch_op.create_index("ix_audit_request_id", ["request_id"], unique=False)
        batch_op.create_index("ix_audit_cause_request_id", ["cause_request_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_cause_request_id")
        batch_op.drop_index("ix_audit_request_id")
        batch_op.drop_column("cause_request_id")
