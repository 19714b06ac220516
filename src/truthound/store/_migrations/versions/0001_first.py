"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _partial(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "runs",
        sa.Column("seq", _NUMBER, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False, unique=True),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("trigger", sa.Text),
        sa.Column("slot", sa.Text),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.Column("began_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("status", sa.Text),
        sa.Column("source", sa.Text, nullable=False, server_default=""),
        sa.Column("duration_ms", sa.Float),
        sa.Column("row_count", sa.BigInteger),
        sa.Column("summary", sa.Text, nullable=False, server_default=""),
        sa.Column("error", sa.Text),
        sa.Column("context", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_by_checkpoint", "runs", ["checkpoint", "accepted_at"])
    _partial("runs_active", "runs", ["owner"], "state in ('accepted', 'running')")
    bad = "status in ('warning', 'failure', 'error')"
    _partial("runs_bad", "runs", ["checkpoint", "accepted_at"], bad)
    _partial("runs_slot", "runs", ["slot"], "slot is not null", unique=True)
    op.create_table(
        "results",
        sa.Column(
            "seq",
            _NUMBER,
            sa.ForeignKey("runs.seq", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("metrics", sa.Text, nullable=False),
        sa.Column("actions", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("action_type", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("owner", sa.Text),
        sa.Column("error", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("notices_of_run", "notices", ["run_id", "position"], unique=True)
    _partial("notices_pending", "notices", ["due_at"], "state in ('owed', 'sending')")
    op.create_table(
        "owners",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "parts",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
