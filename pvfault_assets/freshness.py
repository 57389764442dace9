"""Whether the newest date that is due has been made.

Dagster's own freshness looks at when something was made last, whichever date it was: a backfill of years ago would make
today fresh. This check looks at the date. It is evaluated by a sensor, which takes no run for it, or by hand.
"""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS
from pvfault_api.states import MISSING, read_lake, states_of

NAME = "newest_date_that_is_due_is_made"
DESCRIPTION = (
    "The newest date (UTC) that is over, with its late readings, and has had its time to be made, is there; one that "
    "nobody sent anything of counts if it was made so."
)
# After the schedule has started a date: runs before it, and its own.
TIME_TO_MAKE = timedelta(hours=2)
_EVERY_S = 600


def freshness_check(settings: Settings) -> dg.AssetChecksDefinition:
    """The check, to be run by hand."""

    @dg.asset_check(asset=DEVICE_DAYS.name, name=NAME, description=DESCRIPTION)
    def newest_date_that_is_due_is_made() -> dg.AssetCheckResult:
        passed, found, due = look(settings, datetime.now(UTC))
        return dg.AssetCheckResult(
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=found,
            metadata={"found": found, "due": str(due)},
        )

    return newest_date_that_is_due_is_made


def freshness_sensor(settings: Settings) -> dg.SensorDefinition:
    """What evaluates the check, and records it when it says something else than the last time."""

    @dg.sensor(
        name="watch_freshness",
        minimum_interval_seconds=_EVERY_S,
        description="Looks whether the newest date that is due has been made. Off until started.",
    )
    def watch_freshness(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        passed, found, due = look(settings, datetime.now(UTC))
        if found == context.cursor:
            return dg.SkipReason(found)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(DEVICE_DAYS.name),
            check_name=NAME,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=found,
            metadata={"found": found, "due": str(due)},
        )
        return dg.SensorResult(asset_events=[evaluation], cursor=found)

    return watch_freshness


def look(settings: Settings, now: datetime) -> tuple[bool, str, date]:
    """Whether the newest date that is due is made, what was found, and which date that is."""
    due = (now - timedelta(hours=settings.lateness_hours) - TIME_TO_MAKE).date() - timedelta(days=1)
    advice = f"look at the runs of the last hours, and make it: materialise `materialise_day` of {due}"
    try:
        lake = read_lake(settings)
    except PvfaultError as error:
        return False, f"{due} is due, and cannot be looked for: {error}", due
    made = [day for day in lake.dates if states_of(lake, day, day)[day][DEVICE_DAYS.name].what != MISSING]
    if made and made[-1] >= due:
        return True, f"{due} is due, and made", due
    newest = f"the newest date that is made is {made[-1]}" if made else "no date is made"
    return False, f"{due} is due, and {newest}; {advice}", due
