"""Usage by the hour and tag, read by what it is summed up by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("usage_hours", schema=None) as batch_op:
        batch_op.alter_column(
            "by", existing_type=sa.String(length=10), type_=sa.String(length=80), existing_nullable=False
        )
        batch_op.alter_column(
            "value", existing_type=sa.String(length=200), type_=sa.String(length=256), existing_nullable=False
        )
        batch_op.create_index("ix_usage_hours_by", ["by", "hour"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM usage_hours WHERE \"by\" LIKE 'tag%'")
    with op.batch_alter_table("usage_hours", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_hours_by")
        batch_op.alter_column(
            "value", existing_type=sa.String(length=256), type_=sa.String(length=200), existing_nullable=False
        )
        batch_op.alter_column(
            "by", existing_type=sa.String(length=80), type_=sa.String(length=10), existing_nullable=False
        )
