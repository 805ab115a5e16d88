"""Which challengers alone a person asked a training run for.

Code of earlier revisions goes on: it leaves the column empty, which means all that the rows allow.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("mode", sa.Text(), nullable=True))
