"""The tables of the database, as they are now. How an older database gets there is in `migrations/`.

Times are in UTC, without their zone. Nothing in `log` is changed or removed: triggers of the database refuse it.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from pvfault_alarms.life import CAUSES, OPEN, STATES
from pvfault_alarms.subjects import KINDS

METADATA = MetaData()


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, words))})", name=f"{column}_is_known")


PROGRESS = Table(
    "progress",
    METADATA,
    Column("id", Integer, primary_key=True),
    # Grows with every change: an answer that was of another one is out of date.
    Column("revision", Integer, nullable=False),
    # The snapshots that were read to their end.
    Column("snapshots", Text, nullable=False),
)
# Which devices have a row on a date: few lists, which hardly differ from date to date.
ROSTERS = Table(
    "rosters",
    METADATA,
    Column("id", String(64), primary_key=True),  # SHA-256 of the names
    Column("names", LargeBinary, nullable=False),  # compressed, a line each
)
DATES = Table(
    "dates",
    METADATA,
    Column("date", Date, primary_key=True),
    Column("files", String(64), nullable=False),  # SHA-256 of the names of the files that were read
    Column("roster", ForeignKey("rosters.id"), nullable=False),
)
ALARMS = Table(
    "alarms",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("device", Text, nullable=False),
    Column("subject", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("fault", String(32)),
    Column("runner_up", String(32)),
    Column("confidence", Double),
    Column("onset", DateTime),
    Column("first_seen", Date, nullable=False),
    Column("last_seen", Date, nullable=False),
    Column("days", Integer, nullable=False),
    Column("lost_kwh", Double),
    Column("lost_days", Integer, nullable=False),
    Column("over", Boolean, nullable=False),
    Column("withdrawn", Boolean, nullable=False, server_default=false()),
    Column("state", String(16), nullable=False, server_default=OPEN),
    Column("muted_until", DateTime),
    Column("cause", String(32)),
    Column("found_fault", String(32)),
    Column("closed_through", Date),
    # Whether somebody has done something with it.
    Column("touched", Boolean, nullable=False, server_default=false()),
    # What was last told of it: `new`, `over`, or `nothing` if nobody was to be told when it came up.
    Column("told", String(8)),
    _one_of("kind", KINDS),
    _one_of("state", STATES),
    _one_of("cause", CAUSES),
    Index("alarms_of_subject", "device", "subject"),
    Index("alarms_last_seen", "last_seen"),
    # A number is never given twice, also if the newest alarm should be removed by hand.
    sqlite_autoincrement=True,
)
SIGHTINGS = Table(
    "sightings",
    METADATA,
    Column("date", Date, ForeignKey("dates.date"), primary_key=True),
    Column("device", Text, primary_key=True),
    Column("subject", String(32), primary_key=True),
    Column("fault", String(32)),
    Column("onset", DateTime),
    Column("hours", Integer, nullable=False),
    Column("confidence", Double),
    Column("runner_up", String(32)),
    Column("lost_kwh", Double),
    Column("alarm_id", ForeignKey("alarms.id")),
    Index("sightings_of_device", "device"),
    Index("sightings_of_alarm", "alarm_id"),
)
# What a closed alarm was of when it was closed, whatever the tables say of these dates later: the crew has seen it.
FINDINGS = Table(
    "findings",
    METADATA,
    Column("alarm_id", ForeignKey("alarms.id"), primary_key=True),
    Column("date", Date, primary_key=True),
    Column("fault", String(32)),
)
LOG = Table(
    "log",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("comment", Text, nullable=False),
    Column("until", DateTime),
    Column("cause", String(32)),
    Column("fault", String(32)),
    Index("log_of_alarm", "alarm_id"),
    sqlite_autoincrement=True,
)
