"""Questions about the fleet: its verdicts and their sums, by date, site or device. What of dates: `dates.py`."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request

from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID
from pvfault.tables import DEVICE_DAYS, UNSURE
from pvfault_api.files_of_now import read_registered
from pvfault_api.published import NoTableError
from pvfault_api.snapshots import open_snapshot
from pvfault_api.verdicts import IN_COLUMNS, OF_REGISTRY, SITE, SUMMED, summarise, with_registered
from pvfault_server import examples
from pvfault_server.answers import JSON, Rows, answer
from pvfault_server.asked import DatesAsked, OneDateAsked, SummaryAsked, Where, day_asked, days_asked

VERDICTS = (*FAULTS, UNSURE)
LONGEST_SUMMARY, LONGEST_MAP = 92, 92

router = APIRouter(tags=["fleet"])


@router.get("/fleet", responses=examples.rows(examples.SUMMARY))
def fleet(request: Request, settings: Where, asked: SummaryAsked):
    """Devices, verdicts, energy and lost energy of each date, or of each date and site."""
    verdicts = open_snapshot(settings, DEVICE_DAYS)
    registered = read_registered(settings)

    def sums() -> Rows:
        days = days_asked(asked, verdicts.dates(), longest=LONGEST_SUMMARY)
        rows = verdicts.rows(days, (DEVICE_ID, *SUMMED), in_order=False)
        rows = with_registered(rows, registered.names, registered.sites)
        return Rows(summarise(rows, ["date", SITE] if asked.by == SITE else ["date"]))

    return answer(request, [verdicts.version, registered.version], sums)


@router.get("/fleet/devices", responses=examples.one(examples.FLEET_DEVICES))
def fleet_devices(request: Request, settings: Where, asked: OneDateAsked):
    """The verdicts on all devices on a date by columns, with where they stand and what they are rated for."""
    registered = read_registered(settings)
    verdicts = open_snapshot(settings, DEVICE_DAYS)

    def columns() -> dict:
        day = day_asked(asked.date, verdicts.dates())
        rows = verdicts.rows([day], [name for name in IN_COLUMNS if name not in OF_REGISTRY])
        rows = with_registered(rows, registered.names, registered.sites)
        found = {name: rows[name].to_pylist() for name in IN_COLUMNS}
        devices = found[DEVICE_ID]
        rated = pa.array(registered.registry.ratings(devices).prod(axis=1) / 1000, from_pandas=True)
        places = [registered.places.get(device) for device in devices]
        return {
            "date": day,
            "columns": {
                **found,
                "rated_kw": rated.to_pylist(),
                "specific_yield_kwh_per_kw": pc.divide(rows["energy_kwh"], rated).to_pylist(),
                "latitude": [place and place.latitude for place in places],
                "longitude": [place and place.longitude for place in places],
            },
        }

    return answer(request, [verdicts.version, registered.version], columns, forms=[JSON])


@router.get("/fleet/days", responses=examples.one(examples.FLEET_DAYS))
def fleet_days(request: Request, settings: Where, asked: DatesAsked):
    """The verdict on each device on each of some dates, as its place among `faults`; null where there is none."""
    verdicts = open_snapshot(settings, DEVICE_DAYS)

    def found() -> dict:
        made = verdicts.dates()
        days = [day for day in days_asked(asked, made, longest=LONGEST_MAP) if day in set(made)]
        rows = verdicts.rows(days, (DEVICE_ID, "date", "fault"), in_order=False)
        devices = pc.unique(rows[DEVICE_ID]).sort()
        verdict = np.full((len(devices), len(days)), None, dtype=object)
        device = pc.index_in(rows[DEVICE_ID], devices).to_numpy()
        day = pc.index_in(rows["date"], pa.array(days, pa.date32())).to_numpy()
        verdict[device, day] = pc.index_in(rows["fault"], pa.array(VERDICTS)).to_pylist()
        return {"dates": days, "devices": devices.to_pylist(), "faults": list(VERDICTS), "verdict": verdict.tolist()}

    return answer(request, [verdicts.version], found, forms=[JSON])


@router.get("/about", responses=examples.one(examples.ABOUT))
def about(request: Request, settings: Where):
    """What a page has to know beside rows: the newest date, what time it is, zones, and what energy costs."""
    registered = read_registered(settings)
    try:
        verdicts = open_snapshot(settings, DEVICE_DAYS)
    except NoTableError:
        verdicts = None
    zones = {
        registered.sites[device]: zone for device, zone in registered.timezones.items() if device in registered.sites
    }
    now = datetime.now(UTC).replace(microsecond=0)
    document = {
        "tariff_per_kwh": settings.tariff_per_kwh,
        "currency": settings.currency,
        "newest_date": max(verdicts.dates(), default=None) if verdicts else None,
        "made_at": verdicts.made_at if verdicts else None,
        "now": now,
        "time_zones": dict(sorted(zones.items())),
    }
    return answer(request, [str(document)], lambda: document, forms=[JSON])
