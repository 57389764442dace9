"""Questions that a page asks to show a whole fleet: all devices of a date, their verdicts by date, and what is there.

By columns, an array each: ten thousand rows as objects are five times the bytes. Not here: sums (`fleet.py`).
"""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request

from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID
from pvfault.tables import DEVICE_DAYS
from pvfault_api.files_of_now import Registered, read_registered
from pvfault_api.snapshots import Snapshot, open_snapshot
from pvfault_api.verdicts import with_sites
from pvfault_server import examples
from pvfault_server.answers import JSON, answer, written
from pvfault_server.asked import DatesAsked, OneDateAsked, Where, days_asked, require_made

LONGEST = 92
_OF_DAY = (
    DEVICE_ID, "fault", "onset", "faulty_hours", "confidence", "energy_kwh", "lost_kwh", "completeness",
)  # fmt: skip

router = APIRouter(tags=["fleet"])


@router.get("/about", responses=examples.one(examples.ABOUT))
def about(settings: Where):
    """What is there: the newest date and when it was made, time zones of sites, the tariff, and the time now."""
    verdicts = open_snapshot(settings, DEVICE_DAYS)
    return written(
        {
            "newest_date": max(verdicts.dates(), default=None),
            "made_at": verdicts.published_at,
            "now": datetime.now(UTC).replace(microsecond=0),
            "time_zones": _zones(read_registered(settings)),
            "tariff_per_kwh": settings.tariff_per_kwh,
            "currency": settings.currency,
        }
    )


@router.get("/fleet/devices", responses=examples.one(examples.FLEET_DEVICES))
def fleet_devices(request: Request, settings: Where, asked: OneDateAsked):
    """All devices of a date by columns: verdict, energy, and what the registry says of each."""
    verdicts = open_snapshot(settings, DEVICE_DAYS)
    registered = read_registered(settings)

    def columns() -> dict:
        day = asked.date or max(verdicts.dates(), default=None)
        require_made([day], verdicts.dates())
        rows = with_sites(verdicts.rows([day], _OF_DAY), registered.sites)
        return {"date": day, "columns": {**rows.to_pydict(), **_of_registry(rows, registered)}}

    return answer(request, [verdicts.version, registered.version], columns, forms=[JSON])


@router.get("/fleet/days", responses=examples.one(examples.FLEET_DAYS))
def fleet_days(request: Request, settings: Where, asked: DatesAsked):
    """The verdict on each device and date, as a place in `faults`; null without a verdict or a row."""
    verdicts = open_snapshot(settings, DEVICE_DAYS)

    def matrix() -> dict:
        made = verdicts.dates()
        wanted = set(days_asked(asked, made, longest=LONGEST))
        days = [day for day in made if day in wanted]
        devices, found = _matrix(verdicts, days)
        return {"dates": days, "devices": devices, "faults": FAULTS, "verdict": found}

    return answer(request, [verdicts.version], matrix, forms=[JSON])


def _zones(registered: Registered) -> dict[str, str]:
    """The time zone of each site: that of its first device which has one."""
    zones: dict[str, str] = {}
    for device, site in registered.sites.items():
        if device in registered.timezones:
            zones.setdefault(site, registered.timezones[device])
    return zones


def _of_registry(rows: pa.Table, registered: Registered) -> dict[str, list]:
    """Rated power, specific yield and place of devices; null where the registry does not say."""
    devices = rows[DEVICE_ID].to_pylist()
    rated_kw = registered.registry.ratings(devices).prod(axis=1) / 1000
    places = [registered.places.get(device) for device in devices]
    return {
        "rated_kw": _known(rated_kw),
        "specific_yield_kwh_per_kw": _known(rows["energy_kwh"].to_numpy() / rated_kw),
        "latitude": [place and place.latitude for place in places],
        "longitude": [place and place.longitude for place in places],
    }


def _known(values: np.ndarray) -> list[float | None]:
    return pa.array(values, from_pandas=True).to_pylist()


def _matrix(verdicts: Snapshot, days: list[date]) -> tuple[list[str], list[list[int | None]]]:
    """Devices in order, and a row for each with the places of its verdicts in `FAULTS`."""
    rows = verdicts.rows(days, (DEVICE_ID, "date", "fault"))
    devices = pc.unique(rows[DEVICE_ID]).sort()
    found = np.full((len(devices), len(days)), None, object)
    places = pc.index_in(rows["fault"], pa.array(FAULTS)).to_pylist()
    across = {day: number for number, day in enumerate(days)}
    down = pc.index_in(rows[DEVICE_ID], devices).to_pylist()
    for row, day, place in zip(down, rows["date"].to_pylist(), places, strict=True):
        found[row, across[day]] = place
    return devices.to_pylist(), found.tolist()
