"""Questions about dates: what has become of each in each table, when, how complete it is, and what its checks say."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Depends, Request

from pvfault.checks.assets import CHECKS
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS
from pvfault_api.checking import Checked
from pvfault_api.files_of_now import read_lake_now
from pvfault_api.published import NoTableError
from pvfault_api.snapshots import open_snapshot
from pvfault_api.states import states_of
from pvfault_server import examples
from pvfault_server.answers import Rows, answer, later
from pvfault_server.asked import DatesAsked, Day, Where, days_asked, require_made
from pvfault_server.inspection import Inspection, count_failed

LONGEST_DATES = 366
ERROR, WARNING = "error", "warning"

_WORD = pa.string()
_STATES = pa.schema(
    [
        ("date", pa.date32()), ("table", _WORD), ("state", _WORD), ("reason", _WORD), ("completeness", pa.float64()),
        ("made_at", pa.timestamp("us", tz="UTC")), ("errors", pa.int64()), ("warnings", pa.int64()),
    ]
)  # fmt: skip
_CHECKS = pa.schema(
    [
        ("table", _WORD), ("check", _WORD), ("passed", pa.bool_()), ("severity", _WORD), ("found", _WORD),
        ("means", _WORD),
    ]
)  # fmt: skip

router = APIRouter(tags=["fleet"])


def _inspection_of(request: Request) -> Inspection:
    return request.app.state.inspection


Inspected = Annotated[Inspection, Depends(_inspection_of)]


@router.get("/dates", responses=examples.rows(examples.STATE))
def dates(request: Request, settings: Where, inspection: Inspected, asked: DatesAsked):
    """What has become of each date in each table, when, and what of `/dates/{day}/checks` is known already."""
    lake, version = read_lake_now(settings)
    known = inspection.known(version)

    def states() -> Rows:
        days = days_asked(asked, lake.dates, longest=LONGEST_DATES)
        complete = _completeness(settings, days)
        found = []
        for day, tables in states_of(lake, days[0], days[-1]).items():
            for table, state in tables.items():
                failed = count_failed(known[day], table) if day in known else None
                held = lake.held[table].get(day)
                found.append(
                    {
                        "date": day,
                        "table": table,
                        "state": state.what,
                        "reason": state.reason,
                        "completeness": complete.get(day) if table == DEVICE_DAYS.name else None,
                        "made_at": held and held.made_at,
                        "errors": failed and failed.errors,
                        "warnings": failed and failed.warnings,
                    }
                )
        return Rows(pa.Table.from_pylist(found, _STATES))

    return answer(request, [version, *(f"checked {day}" for day in known)], states)


@router.get("/dates/{day}/checks", responses=examples.rows(examples.CHECK) | examples.later())
def checks(request: Request, settings: Where, inspection: Inspected, day: Day):
    """What each check says of a date: whether it passed, what was found, and what to do. Asked of all its rows."""
    lake, version = read_lake_now(settings)
    require_made([day], lake.dates)
    found = inspection.of(version, day)
    if found is None:
        return later("the date's rows are being looked at; ask again in a moment")
    return answer(request, [version], lambda: Rows(pa.Table.from_pylist(list(map(_row, found)), _CHECKS)))


def _row(one: Checked) -> dict:
    means = {check.name: check.description for check in CHECKS[one.asset]}
    return {
        "table": one.asset,
        "check": one.result.name,
        "passed": one.result.passed,
        "severity": ERROR if one.result.blocking else WARNING,
        "found": one.result.summary,
        "means": means[one.result.name],
    }


def _completeness(settings: Settings, days: Sequence[date]) -> dict[date, float]:
    """The mean share of readings that came, by date, as the verdicts' rows have it."""
    try:
        verdicts = open_snapshot(settings, DEVICE_DAYS)
    except NoTableError:
        return {}
    rows = verdicts.rows(days, ("date", "completeness"), in_order=False)
    means = rows.group_by("date").aggregate([("completeness", "mean")])
    return dict(zip(means["date"].to_pylist(), means["completeness_mean"].to_pylist(), strict=True))
