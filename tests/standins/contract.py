"""Answers that the fleet page asks for and the application does not give yet, from the same tables.

A path that the application has is left to it, so whatever is here falls out of use as soon as that is there; then it is
to be removed. What it says of why is made up and of no use beyond looking at the page.
"""

from datetime import UTC, date, datetime, timedelta

import orjson
import pyarrow.csv as pa_csv
from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from pvfault.expected_power import expected_power
from pvfault.faults import FAULTS, NONE
from pvfault.tables import DEVICE_DAYS, OK, PREDICTIONS, SCALOGRAMS
from pvfault_api.snapshots import open_snapshot
from pvfault_server.problems import ProblemError

# One pixel.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
_OF_DAY = ("deviceID", "fault", "onset", "faulty_hours", "confidence", "energy_kwh", "lost_kwh", "completeness")


def add(app: FastAPI, settings) -> None:
    """Let an application answer what it does not answer yet."""
    answers = _Answers(settings)
    wanted = {
        "/about": answers.about,
        "/fleet/devices": answers.fleet_devices,
        "/fleet/days": answers.fleet_days,
        "/devices/{device}/days/{day}": answers.device_day,
        "/devices/{device}/windows/{window_start}/scalogram.png": answers.scalogram,
    }
    router = APIRouter()
    there = {_shape(path) for path in app.openapi()["paths"]}
    for path, answer in wanted.items():
        if _shape(path) not in there:
            router.add_api_route(path, answer, methods=["GET"])
    app.include_router(router)
    # Before those that are there: /devices/{device}/days/{day} is nobody else's.
    app.router.routes.insert(0, app.router.routes.pop())


def _shape(path) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _json(value) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), media_type="application/json")


class _Answers:
    def __init__(self, settings):
        self._settings = settings

    def _registry(self):
        return {row["deviceID"]: row for row in pa_csv.read_csv(self._settings.registry).to_pylist()}

    def about(self):
        made = open_snapshot(self._settings, DEVICE_DAYS).dates()
        now = datetime.now(UTC)
        zones = {row["site"]: row["timezone"] for row in self._registry().values()}
        return _json(
            {"tariff_per_kwh": self._settings.tariff_per_kwh, "currency": self._settings.currency,
             "newest_date": made[-1], "made_at": now.replace(microsecond=0) - timedelta(hours=3), "now": now,
             "time_zones": zones, "writable_alarms": True}
        )  # fmt: skip

    def fleet_devices(self, date: date | None = None):
        verdicts = open_snapshot(self._settings, DEVICE_DAYS)
        made = verdicts.dates()
        if date and date not in made:
            there = f"the dates that are made begin at {made[0]} and end at {made[-1]}"
            raise ProblemError(404, "not_made", f"no date that is asked for is made; {there}")
        rows = verdicts.rows([date or made[-1]], _OF_DAY)
        columns = {name: rows[name].to_pylist() for name in _OF_DAY}
        known = self._registry()
        of = [known.get(device, {}) for device in columns["deviceID"]]
        rated = [row["rated_voltage"] * row["rated_current"] / 1000 if row else None for row in of]
        columns |= {name: [row.get(name) for row in of] for name in ("site", "latitude", "longitude")}
        columns["rated_kw"] = rated
        yields = [energy / kw if kw else None for energy, kw in zip(columns["energy_kwh"], rated, strict=True)]
        return _json({"date": date or made[-1], "columns": {**columns, "specific_yield_kwh_per_kw": yields}})

    def fleet_days(self, first: date, last: date):
        verdicts = open_snapshot(self._settings, DEVICE_DAYS)
        days = [day for day in verdicts.dates() if first <= day <= last]
        rows = verdicts.rows(days, ["deviceID", "date", "fault"]).to_pylist()
        devices = sorted({row["deviceID"] for row in rows})
        found = {(row["deviceID"], row["date"]): row["fault"] for row in rows}
        numbers = {fault: number for number, fault in enumerate(FAULTS)}
        verdict = [[numbers.get(found.get((device, day))) for day in days] for device in devices]
        return _json({"dates": days, "devices": devices, "faults": list(FAULTS), "verdict": verdict})

    def device_day(self, device: str, day: date):
        found = open_snapshot(self._settings, DEVICE_DAYS).rows([day], device=device).to_pylist()
        if not found:
            raise ProblemError(404, "unknown_device", "there is no such device")
        row, of = found[0], self._registry().get(device, {})
        predicted = open_snapshot(self._settings, PREDICTIONS).rows([day], device=device).to_pylist()
        judged = {hour["window_start"]: hour for hour in predicted}
        columns = [name for name in SCALOGRAMS.schema.names if name != "scalogram"]
        hours = open_snapshot(self._settings, SCALOGRAMS).rows([day], columns, device=device).to_pylist()
        told = [_hour(hour, judged.get(hour["window_start"], {}), of, row["fault"]) for hour in hours]
        why = {"text": "What is found is made up here.", "observations": ["A first one.", "A second one."]}
        return _json({**row, "site": of.get("site"), "hours": told, "explanation": {**why, "runner_up": "Nothing."}})

    def scalogram(self, device: str, window_start: datetime):  # noqa: ARG002 - the path has them
        return Response(_PNG, media_type="image/png")


def _hour(hour, judged, of, verdict) -> dict:
    light, temperature, quality = hour["mean_irradiance"], hour["mean_temperature"], hour["quality"]
    current = of["rated_current"] * light / 1000 if of and light is not None and quality == OK else None
    power = expected_power(light, temperature, of["rated_voltage"] * of["rated_current"]) if current else None
    return {
        "window_start": hour["window_start"], "quality": quality, "readings": hour["readings"],
        "mean_irradiance": light, "mean_temperature": temperature,
        "voltage": {"measured": hour["mean_voltage"], "expected": power and power / current},
        "current": {"measured": hour["mean_current"], "expected": current},
        "power": {"measured": hour["mean_power"], "expected": power},
        "fault": judged.get("fault"), "confidence": judged.get("confidence"),
        "probabilities": judged.get("probabilities"),
        "in_fault": verdict not in (None, NONE) and judged.get("fault") == verdict,
    }  # fmt: skip
