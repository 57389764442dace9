"""The first form: alarms, what they were seen by, and their log."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None

_MOMENT, _WORD = sa.DateTime(), sa.String(32)


def upgrade():
    """Make all tables."""
    op.create_table(
        "progress",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("snapshots", sa.Text(), nullable=False),
    )
    op.execute("INSERT INTO progress (id, revision, snapshots) VALUES (1, 0, '')")
    op.create_table(
        "rosters",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("names", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "dates",
        sa.Column("date", sa.Date(), primary_key=True),
        sa.Column("files", sa.String(64), nullable=False),
        sa.Column("roster", sa.String(64), sa.ForeignKey("rosters.id"), nullable=False),
    )
    _make_alarms()
    _make_sightings()
    op.create_table(
        "findings",
        sa.Column("alarm_id", sa.Integer(), sa.ForeignKey("alarms.id"), primary_key=True),
        sa.Column("date", sa.Date(), primary_key=True),
        sa.Column("fault", _WORD),
    )
    _make_log()


def _make_alarms():
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("subject", _WORD, nullable=False),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("fault", _WORD),
        sa.Column("runner_up", _WORD),
        sa.Column("confidence", sa.Double()),
        sa.Column("onset", _MOMENT),
        sa.Column("first_seen", sa.Date(), nullable=False),
        sa.Column("last_seen", sa.Date(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("lost_kwh", sa.Double()),
        sa.Column("lost_days", sa.Integer(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("state", sa.String(16), nullable=False, server_default="open"),
        sa.Column("muted_until", _MOMENT),
        sa.Column("cause", _WORD),
        sa.Column("found_fault", _WORD),
        sa.Column("closed_through", sa.Date()),
        sa.Column("touched", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("told", sa.String(8)),
        sa.CheckConstraint("kind IN ('fault', 'communication_outage', 'sensor_suspect')", name="kind_is_known"),
        sa.CheckConstraint("state IN ('open', 'acknowledged', 'muted', 'closed')", name="state_is_known"),
        sa.CheckConstraint(
            "cause IN ('confirmed_fault', 'other_fault', 'false_alarm', 'maintenance')", name="cause_is_known"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("alarms_of_subject", "alarms", ["device", "subject"])
    op.create_index("alarms_last_seen", "alarms", ["last_seen"])


def _make_sightings():
    op.create_table(
        "sightings",
        sa.Column("date", sa.Date(), sa.ForeignKey("dates.date"), primary_key=True),
        sa.Column("device", sa.Text(), primary_key=True),
        sa.Column("subject", _WORD, primary_key=True),
        sa.Column("fault", _WORD),
        sa.Column("onset", _MOMENT),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Double()),
        sa.Column("runner_up", _WORD),
        sa.Column("lost_kwh", sa.Double()),
        sa.Column("alarm_id", sa.Integer(), sa.ForeignKey("alarms.id")),
    )
    op.create_index("sightings_of_device", "sightings", ["device"])
    op.create_index("sightings_of_alarm", "sightings", ["alarm_id"])


def _make_log():
    op.create_table(
        "log",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("alarm_id", sa.Integer(), sa.ForeignKey("alarms.id"), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", _WORD, nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("until", _MOMENT),
        sa.Column("cause", _WORD),
        sa.Column("fault", _WORD),
        sqlite_autoincrement=True,
    )
    op.create_index("log_of_alarm", "log", ["alarm_id"])
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER log_no_{change.lower()} BEFORE {change} ON log "
                "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION refuse_change_of_log() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the log is only added to'; END $$"
        )
        op.execute(
            "CREATE TRIGGER log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_log()"
        )
