"""An example of each answer, for the OpenAPI document; a test holds them to what is answered."""

from collections.abc import Mapping

import pyarrow as pa

from pvfault.faults import FAULTS
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, UNSURE
from pvfault_api.fleet import UNKNOWN
from pvfault_api.verdicts import CURRENT, IN_COLUMNS
from pvfault_server.answers import CSV, FORMS, JSON, PNG, Rows
from pvfault_server.problems import MEDIA_TYPE

_ORIGIN = {
    "model_version": "3f0c5a1b9d27",
    "readings_making": "8a5f0b3c2d1e4f60718293a4b5c6d7e8",
    "registry_version": "b51d0e7a4c96",
    "code_version": "09c1f6e2ab34",
}
_VERDICT = {
    "deviceID": "19TW8L3GNY", "name": "Roof south", "site": "Ancona", "date": "2024-06-02", "fault": "open_circuit",
    "onset": "2024-06-02T05:00:00Z", "faulty_hours": 13, "usable_hours": 14, "confidence": 0.98, "energy_kwh": 31.7,
    "lost_kwh": 15.2, "completeness": 0.99, "runner_up": "line_line", "runner_up_probability": 0.01,
    "unsure_because": None, "candidates": ["open_circuit", "partial_shading"], **_ORIGIN,
}  # fmt: skip
_HOUR = {
    "deviceID": "19TW8L3GNY", "window_start": "2024-06-02T11:00:00Z", "quality": "ok", "fault": "open_circuit",
    "confidence": 0.95, "probabilities": {fault: 0.95 if fault == "open_circuit" else 0.01 for fault in FAULTS},
    "unsure_because": None, "candidates": ["open_circuit"], **_ORIGIN,
}  # fmt: skip
VERDICT = {name: _VERDICT[name] for name in CURRENT}
DEVICE_DAY = {name: _VERDICT[name] for name in DEVICE_DAYS.schema.names}
PREDICTION = {name: _HOUR[name] for name in PREDICTIONS.schema.names}
PIXEL = {
    "start": "2024-06-02T11:00:00Z", "readings": 9, "voltage_min": 561.2, "voltage_max": 564.0, "current_min": 5.91,
    "current_max": 6.02, "temperature_min": 41.3, "temperature_max": 41.6, "irradiance_min": 880.1,
    "irradiance_max": 887.4,
}  # fmt: skip
LINEAGE = {
    "deviceID": "19TW8L3GNY", "date": "2024-06-02", "fault": "open_circuit",
    "model": {"version": _ORIGIN["model_version"], "is_current": True},
    "registry": {"version": _ORIGIN["registry_version"], "is_current": False},
    "code_version": _ORIGIN["code_version"],
    "readings": {
        "making": _ORIGIN["readings_making"], "made_at": "2024-06-03T02:04:11Z",
        "partitions": [{
            "topic": "pv-readings", "topic_id": "Zx3kTq0fR3yQ8n1B5vJw2A", "partition": 0, "first_offset": 25714,
            "end_offset": 51413, "scanned": [{"first_offset": 25698, "end_offset": 51433}],
        }],
    },
}  # fmt: skip
EVIDENCE = {
    **VERDICT,
    "hours": [{
        "window_start": "2024-06-02T11:00:00Z", "quality": "ok", "readings": 180, "mean_irradiance": 884.2,
        "mean_temperature": 41.4, "voltage": {"measured": 562.4, "expected": 563.1},
        "current": {"measured": 5.98, "expected": 8.97}, "power": {"measured": 3363.1, "expected": 5012.6},
        **{name: _HOUR[name] for name in ("fault", "confidence", "probabilities", "unsure_because", "candidates")},
        "in_fault": True,
    }],
    "explanation": {
        "text": "Since the hour of 05:00 UTC the current is two thirds of what the light promises, and the voltage is "
        "as expected: like 1 of 3 strings open. It was there in the first hour that could be judged.",
        "observations": ["Current: 67 % of what is expected over 12 hours of the fault, 66 % to 68 % by the hour."],
        "runner_up": "The open-circuit voltage of each string tells: with a short it is lower by the bridged modules, "
        "and a string that is open carries nothing.",
    },
}  # fmt: skip
FLEET_DEVICES = {
    "date": "2024-06-02",
    "columns": {
        **{name: [_VERDICT[name]] for name in IN_COLUMNS}, "rated_kw": [5.6], "specific_yield_kwh_per_kw": [5.66],
        "latitude": [43.6], "longitude": [13.5],
    },
}  # fmt: skip
FLEET_DAYS = {
    "dates": ["2024-06-01", "2024-06-02"], "devices": ["19TW8L3GNY"], "faults": [*FAULTS, UNSURE], "verdict": [[0, 3]],
}  # fmt: skip
ABOUT = {
    "tariff_per_kwh": 0.08, "currency": "EUR", "newest_date": "2024-06-02", "made_at": "2024-06-03T02:05:40Z",
    "now": "2024-06-03T08:00:00Z", "time_zones": {"Ancona": "Europe/Rome"},
}  # fmt: skip
SUMMARY = {
    "date": "2024-06-02", "devices": 50, "faulty": 10,
    "faults": {"none": 39, **dict.fromkeys(FAULTS[1:], 2), UNSURE: 0, UNKNOWN: 1}, "energy_kwh": 1821.4,
    "lost_kwh": 61.9, "completeness": 0.99,
}  # fmt: skip
ALARM = {
    "id": 7, "deviceID": "19TW8L3GNY", "name": "Roof south", "site": "Ancona", "kind": "fault", "fault": "open_circuit",
    "runner_up": "line_line", "confidence": 0.98, "onset": "2024-06-01T05:00:00Z", "first_seen": "2024-06-01",
    "last_seen": "2024-06-02", "days": 2, "lost_kwh": 30.4, "lost_kwh_a_day": 15.2, "money": 2.43,
    "money_a_day": 1.22, "currency": "EUR", "state": "acknowledged", "muted_until": None, "cause": None,
    "found_fault": None, "over": False, "withdrawn": False,
}  # fmt: skip
ALARM_WITH_LOG = {**ALARM, "log": [
    {"at": "2024-06-03T07:12:45Z", "by": "night shift", "action": "acknowledge", "comment": "string 3, on our way",
     "until": None, "cause": None, "fault": None},
]}  # fmt: skip
STATE = {"date": "2024-06-02", "table": "device_days", "state": "stale",
         "reason": "made of `predictions` that were made again since", "completeness": 0.99,
         "made_at": "2024-06-03T02:05:40Z", "errors": 0, "warnings": 1}  # fmt: skip
CHECK = {"table": "device_days", "check": "every_device_has_a_verdict", "passed": False, "severity": "warning",
         "found": "1 of 50 devices has no verdict; look at their communication and sensors, and register those that "
         "are not registered",
         "means": "Every device had at least one window that could be judged, and ratings that it could be held "
         "against."}  # fmt: skip

_PROBLEM = {
    "type": "about:blank", "title": "Not Found", "status": 404, "code": "not_made",
    "detail": "no date that is asked for is made; the dates that are made begin at 2024-06-01 and end at 2024-06-02",
}  # fmt: skip
_CONFLICT = {
    **_PROBLEM, "title": "Conflict", "status": 409, "code": "wrong_state",
    "detail": "the alarm is closed, and `acknowledge` is for one that is open or muted; look at its log, somebody may "
    "have been quicker",
}  # fmt: skip
_FAILURES = {
    "304": {"description": "The client has the answer already."},
    "4XX": {"description": "What is asked cannot be answered.", "content": {MEDIA_TYPE: {"example": _PROBLEM}}},
    "422": {"description": "Parameters are not as expected.", "content": {MEDIA_TYPE: {"example": {
        **_PROBLEM, "title": "Unprocessable Content", "status": 422, "code": "range_reversed",
        "detail": "the range ends before it begins; exchange its ends"}}}},
    "5XX": {"description": "The tables cannot be read, or the server failed.", "content": {MEDIA_TYPE: {"example": {
        **_PROBLEM, "title": "Service Unavailable", "status": 503, "code": "tables_not_readable",
        "detail": "the tables cannot be read now; the server's log says why"}}}},
}  # fmt: skip


def rows(row: Mapping, *, pages: bool = False) -> dict:
    """The answers of a question for rows."""
    following = {"next": "/devices?cursor=WzU0NDQ4NzE3Njkz"} if pages else {}
    forms = {form: {} for form in FORMS}
    forms[JSON] = {"example": {"rows": [row], **following}}
    forms[CSV] = {"example": FORMS[CSV](Rows(pa.Table.from_pylist([row]))).decode()}
    return {"200": {"description": "Rows.", "content": forms}, **_FAILURES}


def later() -> dict:
    """What is answered as long as an answer is not there yet."""
    example = {"detail": "the date's rows are being looked at; ask again in a moment"}
    return {"202": {"description": "Ask again.", "content": {JSON: {"example": example}}}}


def picture() -> dict:
    """The answers of a question for a picture."""
    return {"200": {"description": "A picture.", "content": {PNG: {}}}, **_FAILURES}


def one(document: Mapping) -> dict:
    """The answers of a question for one document."""
    return {"200": {"description": "One document.", "content": {JSON: {"example": document}}}, **_FAILURES}


def done(document: Mapping) -> dict:
    """The answers to something that was done."""
    failures = {status: failure for status, failure in _FAILURES.items() if status != "304"}
    conflict = {"description": "It does not fit the state.", "content": {MEDIA_TYPE: {"example": _CONFLICT}}}
    answered = {"description": "What it has come to.", "content": {JSON: {"example": document}}}
    return {"200": answered, "409": conflict, **failures}
