"""Dates that are made again without anybody asking, because what they come from has changed.

Here: the sensor for readings that came late, and the one for another network. Both are off until somebody starts them,
ask for runs of at most a month of dates, and ask for nothing while what they asked for is still being made. A date
whose run fails is not asked for again until something else has changed. Not here: the daily schedule (`schedules.py`),
what has become of a date (`pvfault_api/states.py`).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date

import dagster as dg

from pvfault.date_ranges import runs_of
from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, SCALOGRAMS
from pvfault_api.states import MADE, STALE, Lake, states_of
from pvfault_assets.partitions import DATES_PER_RUN, tags_of
from pvfault_assets.schedules import materialise_day

# Of one device at 20 s, an hour: fewer late readings hardly change a verdict, and `pvfault status` names them.
LATE_AT_LEAST = 180
# Of a tick; the next one asks for the others.
_RUNS_AT_ONCE = 12
_EVERY_S = 300

judge_again = dg.define_asset_job(
    "judge_again",
    selection=dg.AssetSelection.assets(PREDICTIONS.name, DEVICE_DAYS.name),
    description="Verdicts of dates whose scalograms are there: by another network, without reading the topic again.",
)


def automation(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors that make dates again."""
    return [
        _sensor(
            "make_late_dates_again",
            materialise_day,
            settings,
            late_dates,
            f"Makes dates again of which at least {LATE_AT_LEAST} readings came after they were made.",
        ),
        _sensor(
            "judge_history_again",
            judge_again,
            settings,
            outjudged_dates,
            "After another network was put in place: makes the verdicts again of all dates that an earlier one judged.",
        ),
    ]


def late_dates(lake: Lake) -> dict[date, str]:
    """Dates to make again because readings came late, each with what it is now: its making, and how many they are."""
    making = {day: next(iter(rows.values()))["made_at"].isoformat() for day, rows in lake.makings.last.items()}
    late = lake.makings.dates_to_make_again()
    return {day: f"{making[day]} {count}" for day, count in late.items() if count >= LATE_AT_LEAST}


def outjudged_dates(lake: Lake) -> dict[date, str]:
    """Dates whose verdicts are not of the network that is there now, each with that network's version.

    Only where the scalograms are of what is there now: others are to be made again first.
    """
    if not lake.dates or not lake.model_version:
        return {}
    states = states_of(lake, lake.dates[0], lake.dates[-1])
    return {
        day: lake.model_version
        for day, of in states.items()
        if (of[SCALOGRAMS.name].what, of[PREDICTIONS.name].what) == (MADE, STALE)
    }


def _sensor(name, job, settings, find: Callable[[Lake], dict[date, str]], description) -> dg.SensorDefinition:
    @dg.sensor(name=name, job=job, minimum_interval_seconds=_EVERY_S, description=f"{description} Off until started.")
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        waiting = context.instance.get_runs(
            dg.RunsFilter(tags={"dagster/sensor_name": name}, statuses=_UNDER_WAY), limit=1
        )
        if waiting:
            return dg.SkipReason(f"The run {waiting[0].run_id} that this has asked for is not done yet.")
        # Not with the definitions, which are loaded often: with it comes PyIceberg.
        from pvfault_api.lake import read_lake

        try:
            found = find(read_lake(settings))
        except PvfaultError as error:
            return dg.SkipReason(str(error))
        if not found:
            return dg.SkipReason("No date asks for it.")
        return dg.SensorResult(run_requests=[_request(days, found) for days in _runs_of(sorted(found))][:_RUNS_AT_ONCE])

    return look


_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def _request(days: Sequence[date], found: dict[date, str]) -> dg.RunRequest:
    """A run of some dates, known by these and by what each of them is: the same is asked for once."""
    state = "\n".join(f"{day} {found[day]}" for day in days)
    key = f"{days[0]} to {days[-1]}, {hashlib.sha256(state.encode()).hexdigest()[:12]}"
    return dg.RunRequest(run_key=key, tags=tags_of(days[0], days[-1]))


def _runs_of(days: Sequence[date]) -> Iterator[list[date]]:
    """Dates that follow each other, as many as a run may make."""
    for run in runs_of(days):
        for first in range(0, len(run), DATES_PER_RUN):
            yield run[first : first + DATES_PER_RUN]
