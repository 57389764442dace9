"""What programs read of `pvfault classify`: the JSON document (docs/your_data.md lists its keys), the Parquet rows."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pvfault.classify import Judged
from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.registry import Registry
from pvfault.tables import PREDICTION_SCHEMA
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_report.days import DeviceDay
from pvfault_report.reasons import in_words

_OF_ROWS = (DEVICE_ID, "date", "fault")


def write_document(about: Mapping, judged: Judged, days: Sequence[DeviceDay], findings: Sequence) -> str:
    """Give all that is told of a file as one JSON document.

    Parameters
    ----------
    about : mapping
        What was read and with what it was judged; the document's first keys.
    judged : Judged
    days : sequence of DeviceDay
        In the order in which they are listed.
    findings : sequence of pvfault.credibility.Finding

    Returns
    -------
    str
        Times in ISO 8601, UTC; null where nothing is known.
    """
    return json.dumps(
        {
            **about,
            "findings": [describe_finding(each, about["devices"]) for each in findings],
            "device_days": [_describe_day(day) for day in days],
            "hours": judged.hours.select(PREDICTION_SCHEMA.names).to_pylist(),
        },
        default=_isoformat,
        ensure_ascii=False,
        allow_nan=False,
    )


def describe_finding(finding, names: Mapping[str, str]) -> dict:
    """One finding with its keys."""
    return {
        DEVICE_ID: finding.device,
        "name": names.get(finding.device, finding.device),
        "first": finding.dates[0],
        "last": finding.dates[-1],
        "kind": finding.kind,
        "certain": finding.certain,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }


def _describe_day(day):
    first, rest = ({name: day.verdict[name] for name in _OF_ROWS}, dict(day.verdict))
    told = {
        "name": day.name,
        "state": day.state,
        "reason": day.reason,
        "findings": [each.kind for each in day.findings],
    }
    return {name: _number(value) for name, value in (first | told | rest).items()}


def _number(value):
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _isoformat(value):
    """Times and dates as ISO 8601 has them."""
    return value.isoformat()


def write_rows(path: Path, judged: Judged, names: Mapping[str, str], days: Sequence[DeviceDay]) -> None:
    """Write predictions as Parquet, with two columns behind: the user's `name`, and the kinds of the day's `findings`.

    Parameters
    ----------
    path : Path
    judged : Judged
    names : mapping of str to str
        By deviceID.
    days : sequence of DeviceDay
    """
    rows = judged.hours.select(PREDICTION_SCHEMA.names)
    kinds = [None] * len(judged.device_days)
    for day in days:
        kinds[day.row] = ", ".join(each.kind for each in day.findings) or None
    told = [names.get(device, device) for device in judged.device_days[DEVICE_ID].to_pylist()]
    for name, by_day in (("name", told), ("findings", kinds)):
        of_hours = np.repeat(np.array(by_day, dtype=object), WINDOWS_PER_DAY)
        rows = rows.append_column(name, pa.array(of_hours, pa.string()))
    pq.write_table(rows, path, compression="zstd")


def describe_input(files: Sequence[Path], found, registry: Registry, model_version: str) -> dict:
    """What was read and what it was judged with: the document's first keys.

    Parameters
    ----------
    files : sequence of Path
    found : pvfault_files.forms.ReadFiles
    registry : Registry
    model_version : str
    """
    times = pc.min_max(found.table[TIMESTAMP]).as_py()
    unregistered = sorted(found.names[device] for device in found.names.keys() - set(registry.devices))
    ratings = "Ratings are the registry's."
    if unregistered:
        named = ", ".join(unregistered[:3]) + (" …" if len(unregistered) > 3 else "")
        ratings = f"Ratings estimated for {in_words(len(unregistered), 'unregistered device')}: {named}."
    counted = [
        f"{in_words(number, 'row')} {why}"
        for number, why in (
            (found.rows_without_time, "without a timestamp: no readings"),
            (found.duplicates, "left out, because they repeat another one"),
        )
        if number
    ]
    return {
        "pvfault": version("pvfault"),
        "model_version": model_version,
        "registry_version": registry.version,
        "files": [str(file) for file in files],
        "readings": len(found.table),
        "first": f"{times['min']:%Y-%m-%d %H:%M}",
        "last": f"{times['max']:%Y-%m-%d %H:%M}",
        "devices": dict(sorted(found.names.items())),
        "ratings": ratings,
        "remarks": [*found.remarks, *counted],
    }
