"""Which Bento answers on a host, so that its files are kept there.

Supervisors of earlier revisions go on: they leave the column empty, and nothing is kept for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("processes", sa.Column("bento", sa.Text(), nullable=True))
