"""Questions about the fleet: its sums by date and site, and what has become of each date."""

import json

import pyarrow as pa
from fastapi import APIRouter, Request

from pvfault.readings import DEVICE_ID
from pvfault.tables import DEVICE_DAYS
from pvfault.versions import version_of
from pvfault_api.files_of_now import read_registered
from pvfault_api.lake import read_lake
from pvfault_api.snapshots import open_snapshot
from pvfault_api.states import states_of
from pvfault_api.verdicts import SITE, SUMMED, summarise, with_sites
from pvfault_server import examples
from pvfault_server.answers import Rows, answer
from pvfault_server.asked import DatesAsked, SummaryAsked, Where, days_asked

LONGEST_SUMMARY, LONGEST_DATES = 92, 366

_STATES = pa.schema([("date", pa.date32()), *((name, pa.string()) for name in ("table", "state", "reason"))])

router = APIRouter(tags=["fleet"])


@router.get("/fleet", responses=examples.rows(examples.SUMMARY))
def fleet(request: Request, settings: Where, asked: SummaryAsked):
    """Devices, verdicts, energy and lost energy of each date, or of each date and site."""
    verdicts = open_snapshot(settings, DEVICE_DAYS)
    registered = read_registered(settings)

    def sums() -> Rows:
        days = days_asked(asked, verdicts.dates(), longest=LONGEST_SUMMARY)
        rows = with_sites(verdicts.rows(days, (DEVICE_ID, *SUMMED), in_order=False), registered.sites)
        return Rows(summarise(rows, ["date", SITE] if asked.by == SITE else ["date"]))

    return answer(request, [verdicts.version, registered.version], sums)


@router.get("/dates", responses=examples.rows(examples.STATE))
def dates(request: Request, settings: Where, asked: DatesAsked):
    """What has become of each date in each table: made, empty, late, stale or missing, and why."""
    lake = read_lake(settings)
    days = days_asked(asked, lake.dates, longest=LONGEST_DATES)
    states = [
        {"date": day, "table": table, "state": state.what, "reason": state.reason}
        for day, tables in states_of(lake, days[0], days[-1]).items()
        for table, state in tables.items()
    ]
    found = version_of(json.dumps(states, default=str).encode())  # the states are of more than the snapshots
    return answer(request, [found], lambda: Rows(pa.Table.from_pylist(states, _STATES)))
