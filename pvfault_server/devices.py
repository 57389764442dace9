"""Questions about devices: which have which verdict, and one of them through its days, hours and readings."""

from datetime import UTC, date, timedelta
from difflib import get_close_matches

from fastapi import APIRouter, Request
from starlette.datastructures import URL

from pvfault.date_ranges import days_between
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP
from pvfault.settings import Settings
from pvfault.tables import (
    CURTAILED,
    DARK,
    DEVICE_DAYS,
    INVALID,
    LEDGER,
    MISSING,
    NOT_REPORTING,
    PREDICTIONS,
    READINGS,
    SCALOGRAMS,
    SPARSE,
    WINDOW_START,
    Table,
)
from pvfault.versions import version_of
from pvfault_api.curves import draw
from pvfault_api.evidence import read_evidence
from pvfault_api.files_of_now import read_registered, version_now
from pvfault_api.origins import trace
from pvfault_api.snapshots import Snapshot, open_snapshot
from pvfault_api.verdicts import CURRENT, Wanted, choose, in_order, with_registered
from pvfault_server import examples
from pvfault_server.answers import JSON, PNG, Rows, answer
from pvfault_server.asked import (
    Cursor,
    DatesAsked,
    Day,
    Device,
    OfDeviceAsked,
    PictureAsked,
    Verdicts,
    VerdictsAsked,
    Where,
    WindowStart,
    day_asked,
    days_asked,
    require_made,
    require_range,
)
from pvfault_server.pictures import draw_scalogram
from pvfault_server.problems import ProblemError

LONGEST_DAYS, LONGEST_PREDICTIONS, LONGEST_READINGS = 366, 92, 31

router = APIRouter(tags=["devices"])


@router.get("/devices", responses=examples.rows(examples.VERDICT, pages=True))
def devices(request: Request, settings: Where, asked: VerdictsAsked):
    """The verdict on each device on a date, the newest one by default."""
    registered = read_registered(settings)
    digest = version_of((registered.version + asked.digest_input()).encode())
    verdicts = open_snapshot(settings, DEVICE_DAYS)
    cursor = Cursor.of_text(asked.cursor) if asked.cursor else None
    if cursor:
        verdicts = cursor.table(verdicts, digest)
    position = cursor.position if cursor else 0

    def page() -> Rows:
        rows = verdicts.rows([day_asked(asked.date, verdicts.dates())])
        rows = with_registered(rows, registered.names, registered.sites).select(CURRENT)
        rows = in_order(choose(rows, _wanted(asked)), asked.sort.lstrip("-"), descending=asked.sort.startswith("-"))
        end = position + asked.limit
        following = Cursor(verdicts.id, digest, end).text() if end < len(rows) else None
        return Rows(
            rows.slice(position, asked.limit),
            is_page=True,
            following=following and _with_cursor(request.url, following),
        )

    return answer(request, [verdicts.version, registered.version], page)


@router.get("/devices/{device}", responses=examples.one(examples.VERDICT))
def device(request: Request, settings: Where, device: Device):
    """The newest verdict on a device."""
    registered = read_registered(settings)
    verdicts = open_snapshot(settings, DEVICE_DAYS)

    def newest() -> dict:
        day = day_asked(None, verdicts.dates())
        rows = with_registered(verdicts.rows([day], device=device), registered.names, registered.sites).select(CURRENT)
        return _only(rows.to_pylist(), settings, verdicts, device, day)

    return answer(request, [verdicts.version, registered.version], newest, forms=[JSON])


@router.get("/devices/{device}/days", responses=examples.rows(examples.DEVICE_DAY))
def device_days(request: Request, settings: Where, device: Device, asked: DatesAsked):
    """The verdicts on a device, a row a date."""
    return _answer_rows(request, settings, DEVICE_DAYS, device, asked, LONGEST_DAYS)


@router.get("/devices/{device}/predictions", responses=examples.rows(examples.PREDICTION))
def predictions(request: Request, settings: Where, device: Device, asked: DatesAsked):
    """What the network takes a device's hours for, a row an hour."""
    return _answer_rows(request, settings, PREDICTIONS, device, asked, LONGEST_PREDICTIONS)


@router.get("/query-results", responses=examples.rows(examples.PREDICTION))
def query_results(request: Request, settings: Where, asked: OfDeviceAsked):
    """The same as `/devices/{device}/predictions`, by the path of the first design."""
    return _answer_rows(request, settings, PREDICTIONS, asked.device, asked, LONGEST_PREDICTIONS)


@router.get("/devices/{device}/readings", responses=examples.rows(examples.PIXEL))
def readings(request: Request, settings: Where, device: Device, asked: PictureAsked):
    """A device's readings for a picture: the least and greatest value of each pixel that has a reading."""
    if asked.end <= asked.start:
        raise ProblemError(422, "range_reversed", "the range ends before it begins; exchange its ends")
    first, last = (moment.astimezone(UTC).date() for moment in (asked.start, asked.end - timedelta(microseconds=1)))
    require_range(first, last, longest=LONGEST_READINGS)
    table = open_snapshot(settings, READINGS)

    def picture() -> Rows:
        days = days_between(first, last)
        rows = table.rows(days, (TIMESTAMP, *MEASUREMENTS), device=device)
        if not len(rows):
            _require_known(settings, device)
            require_made(days, table.dates())
        return Rows(draw(rows, asked.start, asked.end, asked.pixels))

    return answer(request, [table.version], picture)


@router.get("/devices/{device}/days/{day}/lineage", responses=examples.one(examples.LINEAGE))
def lineage(request: Request, settings: Where, device: Device, day: Day):
    """What a verdict comes from: network, registry, and which offsets of the topic."""
    verdicts, ledger = open_snapshot(settings, DEVICE_DAYS), open_snapshot(settings, LEDGER)
    now = {"registry_version": version_now(settings.registry), "model_version": version_now(settings.model)}

    def origin() -> dict:
        found = verdicts.rows([day], device=device).to_pylist()
        return trace(_only(found, settings, verdicts, device, day), ledger, **now)

    return answer(request, [verdicts.version, ledger.version, *now.values()], origin, forms=[JSON])


@router.get("/devices/{device}/days/{day}", responses=examples.one(examples.EVIDENCE))
def device_day(request: Request, settings: Where, device: Device, day: Day):
    """A verdict with what stands behind it: each hour measured and expected, and why, in words."""
    registered = read_registered(settings)
    verdicts, *others = (open_snapshot(settings, table) for table in (DEVICE_DAYS, PREDICTIONS, SCALOGRAMS))

    def evidence() -> dict:
        rows = with_registered(verdicts.rows([day], device=device), registered.names, registered.sites).select(CURRENT)
        verdict = _only(rows.to_pylist(), settings, verdicts, device, day)
        return {**verdict, **read_evidence(verdict, *others, registered, day)}

    versions = [registered.version, *(each.version for each in (verdicts, *others))]
    return answer(request, versions, evidence, forms=[JSON])


@router.get("/devices/{device}/windows/{window_start}/scalogram.png", responses=examples.picture())
def scalogram(request: Request, settings: Where, device: Device, window_start: WindowStart):
    """What the network is shown of an hour, as a picture: strength by period and time, in four channels."""
    scalograms = open_snapshot(settings, SCALOGRAMS)
    start = window_start.astimezone(UTC)

    def picture() -> bytes:
        rows = scalograms.rows([start.date()], (WINDOW_START, "quality", "scalogram"), device=device).to_pylist()
        if not rows:
            require_made([start.date()], scalograms.dates())
            _require_known(settings, device)
        row = next((row for row in rows if row[WINDOW_START] == start), None)
        if row is None:
            raise ProblemError(
                404, "no_scalogram", "no hour of this device begins then; hours begin at full hours, UTC"
            )
        if row["scalogram"] is None:
            why = _WHY.get(row["quality"], "only hours that are ok have one")
            raise ProblemError(404, "no_scalogram", f"this hour has no scalogram, as it is {row['quality']}: {why}")
        return draw_scalogram(row["scalogram"], device, start)

    return answer(request, [scalograms.version], picture, forms=[PNG])


_WHY = {
    DARK: "too little light",
    SPARSE: "too few readings",
    INVALID: "mostly readings that do not tell of the array",
    NOT_REPORTING: "zeros or placeholders where readings should be",
    CURTAILED: "the inverter takes less than the array has to give",
    MISSING: "no reading",
}


def _answer_rows(request: Request, settings: Settings, table: Table, device: str, asked, longest: int):
    """All rows of a device on some dates."""
    snapshot = open_snapshot(settings, table)

    def found() -> Rows:
        days = days_asked(asked, snapshot.dates(), longest=longest)
        rows = snapshot.rows(days, device=device)
        if not len(rows):
            _require_known(settings, device)
        return Rows(rows)

    return answer(request, [snapshot.version], found)


def _wanted(asked: Verdicts) -> Wanted:
    return Wanted(asked.site, asked.fault, asked.min_confidence, asked.min_lost_kwh, asked.since)


def _with_cursor(url: URL, cursor: str) -> str:
    """Path and query of the next page."""
    following = url.include_query_params(cursor=cursor)
    return f"{following.path}?{following.query}"


def _only(rows: list[dict], settings: Settings, verdicts: Snapshot, device: str, day: date) -> dict:
    """The row of a device and date; a problem that says what is missing if there is none."""
    if rows:
        return rows[0]
    require_made([day], verdicts.dates())
    _require_known(settings, device)
    raise ProblemError(404, "no_verdict", f"there is no verdict on this device on {day}, though the date is made")


def _require_known(settings: Settings, device: str) -> None:
    """Refuse a device that neither the registry nor the newest verdicts name."""
    registered = read_registered(settings)
    verdicts = open_snapshot(settings, DEVICE_DAYS)
    known = {*registered.registry.devices, *verdicts.rows(verdicts.dates()[-1:], [DEVICE_ID])[DEVICE_ID].to_pylist()}
    if device not in known:
        nearest = next(iter(get_close_matches(device, sorted(known), n=1, cutoff=0.0)), None)
        hint = f"; the nearest name is {nearest}" if nearest else ""
        raise ProblemError(404, "unknown_device", f"there is no such device{hint}", nearest=nearest)
