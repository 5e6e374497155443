"""A table with a row."""

from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    op.execute("create table cups (id integer)")
    op.execute("insert into cups values (7)")
