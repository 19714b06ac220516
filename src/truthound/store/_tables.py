"""The tables of a store, as the newest migration leaves them.

Moments are whole microseconds since 1970 in UTC: exact, compact, and compared alike by
every database. What holds several values is JSON in a text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

# SQLite counts up by itself only in a column of the type INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ACTIVE = "state in ('accepted', 'running')"
_BAD = "status in ('warning', 'failure', 'error')"
_PENDING = "state in ('owed', 'sending')"

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("seq", _NUMBER, primary_key=True),  # in the order of acceptance
    Column("run_id", Text, nullable=False, unique=True),
    Column("checkpoint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("trigger", Text),
    Column("slot", Text),
    Column("accepted_at", BigInteger, nullable=False),
    Column("began_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("status", Text),
    Column("source", Text, nullable=False, server_default=""),
    Column("duration_ms", Float),
    Column("row_count", BigInteger),
    Column("summary", Text, nullable=False, server_default=""),
    Column("error", Text),
    Column("context", Text),
    Index("runs_by_checkpoint", "checkpoint", "accepted_at"),
    # Small ones, of the rows that are looked for among many others.
    Index(
        "runs_active",
        "owner",
        sqlite_where=text(_ACTIVE),
        postgresql_where=text(_ACTIVE),
    ),
    Index(
        "runs_bad",
        "checkpoint",
        "accepted_at",
        sqlite_where=text(_BAD),
        postgresql_where=text(_BAD),
    ),
    Index(
        "runs_slot",
        "slot",
        unique=True,
        sqlite_where=text("slot is not null"),
        postgresql_where=text("slot is not null"),
    ),
    sqlite_autoincrement=True,  # the number of a run that was removed is not used again
)

results = Table(
    "results",
    metadata,
    Column(
        "seq",
        _NUMBER,
        ForeignKey("runs.seq", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # Before the document, which may be large: what stands behind it is slow to reach.
    Column("metrics", Text, nullable=False),
    Column("actions", Text),  # what became of them; the document was stored before
    Column("document", Text, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("action_type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("owner", Text),
    Column("error", Text),
    Index("notices_of_run", "run_id", "position", unique=True),
    Index(
        "notices_pending",
        "due_at",
        sqlite_where=text(_PENDING),
        postgresql_where=text(_PENDING),
    ),
    sqlite_autoincrement=True,
)

owners = Table(
    "owners",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", Text, nullable=False),  # tells a later one of the same pid apart
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

parts = Table(
    "parts",
    metadata,
    Column("source", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stamp(moment: datetime) -> int:
    """Return a moment as the tables have it."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(stamped: int) -> datetime:
    """Return the moment of a stamp, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=stamped)
