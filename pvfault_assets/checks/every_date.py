"""The check that stays red as long as any date is not good, however good the newest one is.

Dagster colours an asset by its last date, and marks as out of date what it knows of: it does not know of the dates that
`scalograms` looks back at, of late readings, of a network that nobody has loaded, or of a date that nobody has asked
for. What is looked at, and what is said of each date, is in `pvfault_assets/dates.py`.

The check is part of each run of `device_days`, and a sensor gives it a result when a run has ended, well or not, and
when something else has changed. It needs no run for that, and so no turn: a backfill of a month does not hold it up.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS
from pvfault_api.states import LATE, STALE, STATES, version_at
from pvfault_assets.dates import Dates, Looks, last_date_due, read_dates, together
from pvfault_assets.instance import is_scheduled

EVERY_DATE = "every_date_is_good"
_LISTED = 100
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def every_date_check(settings: Settings) -> dg.AssetChecksDefinition:
    """The check, as part of runs and by itself."""

    @dg.asset_check(
        asset=DEVICE_DAYS.name,
        name=EVERY_DATE,
        description="Every date from the first one on is made down to its verdicts, of what is there now. Lists the "
        "others, in whichever table, with what to type for each.",
    )
    def every_date_is_good(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(**_assess(settings, context.instance, but_for=context.run.run_id))

    return every_date_is_good


def looking_at_dates(settings: Settings) -> dg.SensorDefinition:
    """The sensor that gives the check a result when something has changed."""

    @dg.sensor(
        name="look_at_dates",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Gives {EVERY_DATE} of {DEVICE_DAYS.name} a result when a run has ended, and when a day, the "
        "registry, the network or the daily schedule has changed. Starts no run.",
    )
    def look_at_dates(context: dg.SensorEvaluationContext):
        changed = _changed(settings, context.instance)
        if changed == context.cursor:
            return dg.SkipReason("Nothing has changed.")
        context.update_cursor(changed)
        return dg.SensorResult(asset_events=[evaluate(settings, context.instance)])

    return look_at_dates


def evaluate(settings: Settings, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """The check's result as an event of no run."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(DEVICE_DAYS.name), check_name=EVERY_DATE, **_assess(settings, instance)
    )


def _changed(settings: Settings, instance: dg.DagsterInstance) -> str:
    """What the states of dates hang on; another text when it has changed."""
    ended = instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=1, order_by="update_timestamp")
    return " ".join(
        [
            *(f"{record.dagster_run.run_id} {record.update_timestamp:%s}" for record in ended),
            str(last_date_due(settings, datetime.now(UTC))),
            version_at(settings.registry),
            version_at(settings.model),
            str(is_scheduled(instance)),
        ]
    )


def _assess(settings: Settings, instance: dg.DagsterInstance, *, but_for: str = "") -> dict:
    """What the check says now."""
    try:
        dates = read_dates(settings, instance, but_for=but_for)
    except PvfaultError as error:
        found = f"dates could not be looked at: {error}"
        return {
            "passed": False,
            "severity": dg.AssetCheckSeverity.ERROR,
            "description": found,
            "metadata": {"found": found},
        }
    looks = together(dates.to_look_at)
    counts = Counter(look.state for look in dates.to_look_at)
    found = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    # What is stale or late has verdicts, of less or of something older.
    mild = counts.keys() <= {STALE, LATE}
    return {
        "passed": not looks,
        "severity": dg.AssetCheckSeverity.WARN if mild else dg.AssetCheckSeverity.ERROR,
        "description": f"{found}; `pvfault status` lists them" if looks else f"all {len(dates.made)} dates are good",
        "metadata": {
            "dates_to_look_at": len(dates.to_look_at),
            "good_dates": len(dates.made),
            **({"list": dg.MetadataValue.md(_listed(looks))} if looks else {}),
            **_also(dates),
        },
    }


def _also(dates: Dates) -> dict:
    under_way = {"being_made": ", ".join(map(str, dates.under_way))} if dates.under_way else {}
    return {"daily_schedule": "on" if dates.is_scheduled else "off", **under_way}


def _listed(looks: Sequence[Looks]) -> str:
    """The dates as a table in Markdown, the first ones of many."""
    rows = [
        f"| {each.days} | {each.table} | {each.state} | {_in_cell(each.reason)} | {_in_cell(each.next)} |"
        for each in looks[:_LISTED]
    ]
    more = [f"\n{len(looks) - _LISTED} more: `pvfault status`"] if len(looks) > _LISTED else []
    return "\n".join(["| dates | table | state | why | next |", "|---|---|---|---|---|", *rows, *more])


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
