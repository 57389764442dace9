"""Memory of the steps that hold something a device, by the size of the fleet.

Each step has its peak in a process of its own. The memory of whole stages while a day is made is in `machine.py`.

What a step is given lies on the disk or is made as it goes, so that only what the step itself holds is counted.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.dates import midnight_ms
from pvfault.errors import PvfaultError
from pvfault.faults import NONE, OPEN_CIRCUIT
from pvfault.readings import DEVICE_ID, TIMESTAMP_TYPE
from pvfault.reference import HISTORY
from pvfault.registry import REGISTRY_SCHEMA, read_registry, write_registry
from pvfault.rows.references import HISTORY_COLUMNS
from pvfault.settings import Settings
from pvfault.tables import CANDIDATES_TYPE, CATALOG, DEVICE_DAYS, NAMESPACE, OK, WINDOW_START
from pvfault_bench.filling import device_names
from pvfault_bench.machine import describe_machine, peak_memory

FLEETS = (1_000, 10_000, 100_000)
DAY = date(2024, 6, 30)
MONTH = tuple(DAY - timedelta(days=back) for back in reversed(range(30)))
# One device in so many is faulty; as many as in a plant, not as in a simulated fleet.
FAULTY = 50
DEVICES_AT_ONCE = 20  # whose history is one batch, of some ten thousand rows as from Spark
WARM_UP = 10  # devices

# A name under which a step is shown while it lasts.
Step = Callable[[str], AbstractContextManager]


def measure_memory(fleets: Sequence[int], folder: Path, step: Step = lambda _name: nullcontext()) -> dict:
    """Measure each step with each fleet, each time in a fresh process.

    Parameters
    ----------
    fleets : sequence of int
        Devices.
    folder : Path
        Empty; what steps read is written there.
    step : function
        Gives a context around each measurement.

    Returns
    -------
    dict
        `steps`, as `derive_slopes` gives them, and `machine`; as JSON can hold it.
    """
    peaks: dict[str, dict[int, int]] = {name: {} for name in STEPS}
    for devices in sorted(set(fleets)):
        for name, (prepare, _) in STEPS.items():
            with step(f"{name} of {devices:,} devices"):
                place = folder / f"{name} {devices}"
                place.mkdir()
                prepare(place, devices)
                peaks[name][devices] = _measure_apart(name, devices, place)
    return {"steps": {name: derive_slopes(of_step) for name, of_step in peaks.items()}, "machine": describe_machine()}


def derive_slopes(peaks: dict[int, int]) -> list[dict]:
    """What follows from the peaks of one step.

    Parameters
    ----------
    peaks : dict of int to int
        Bytes by number of devices, ascending.

    Returns
    -------
    list of dict
        One for each fleet: `devices`, `peak_bytes`, `bytes_a_device`, and `bytes_a_device_more`, by which the peak
        rises from the fleet before it to this one; None for the first.

    Examples
    --------
    >>> [row["bytes_a_device_more"] for row in derive_slopes({10: 1000, 110: 1500})]
    [None, 5.0]
    """
    slopes = [None, *((peaks[b] - peaks[a]) / (b - a) for a, b in pairwise(peaks))]
    return [
        {"devices": n, "peak_bytes": peak, "bytes_a_device": peak / n, "bytes_a_device_more": slope}
        for (n, peak), slope in zip(peaks.items(), slopes, strict=True)
    ]


def _measure_apart(name, devices, place):
    """Bytes that a step takes at its peak beyond what a small one has taken, in a process of its own."""
    command = [sys.executable, "-m", "pvfault_bench.memory", name, str(devices), str(place)]
    # Modules are found as they are here, wherever the user stands.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent
    )  # fmt: skip
    if done.returncode == -signal.SIGKILL:
        raise PvfaultError(
            f"{name} of {devices:,} devices was killed by the system, probably because {devices:,} devices did not fit "
            "into memory; measure smaller fleets, as in --memory 1000 --memory 10000"
        )
    if done.returncode != 0:
        raise PvfaultError(f"{name} of {devices:,} devices failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def _prepare_nothing(_place, _devices):
    """The step makes what it is given as it goes."""


def _run_references(place, devices):
    """What devices should give, from the hourly means of all dates before, as one task of a job does."""
    from pvfault.registry import EMPTY_REGISTRY
    from spark_jobs.references import to_reference_files

    to_reference_files(EMPTY_REGISTRY, DAY, str(place))(_histories(devices))


def _histories(devices) -> Iterator[pa.RecordBatch]:
    """Hourly means of all dates before, device after device."""
    names = device_names(devices)
    hours = np.arange(24)
    hours_before = np.concatenate([hours - 24 * back for back in HISTORY])
    starts = (midnight_ms(DAY) + hours_before * 3_600_000) * 1000
    light = np.tile(np.maximum(np.sin((hours - 6) * np.pi / 12), 0) * 900, len(HISTORY))
    means = dict(zip(HISTORY_COLUMNS, (400 + 0 * light, light / 100, 20 + light / 40, light), strict=True))
    for first in range(0, devices, DEVICES_AT_ONCE):
        some = names[first : first + DEVICES_AT_ONCE]
        columns = {
            DEVICE_ID: pa.array(np.repeat(some, len(starts)), pa.string()),
            WINDOW_START: pa.array(np.tile(starts, len(some))).cast(TIMESTAMP_TYPE),
            "quality": pa.array([OK] * (len(starts) * len(some)), pa.string()),
        }
        columns |= {name: pa.array(np.tile(mean, len(some)).astype(np.float32)) for name, mean in means.items()}
        yield pa.RecordBatch.from_pydict(columns)


def _prepare_notifications(place, devices):
    """Write a month of verdicts."""
    from pyiceberg.catalog.sql import SqlCatalog

    settings = _settings_of(place)
    with SqlCatalog(CATALOG, uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri()) as catalog:
        catalog.create_namespace(NAMESPACE)
        table = catalog.create_table(f"{NAMESPACE}.{DEVICE_DAYS.name}", DEVICE_DAYS.schema)
        with table.transaction() as month:  # one commit, a file a date
            for day in MONTH:
                month.append(_verdicts(devices, day))


def _verdicts(devices, day):
    """Verdicts of a date, one in `FAULTY` a fault."""
    faulty = np.arange(devices) % FAULTY == 0
    morning = pa.scalar(datetime(day.year, day.month, day.day, 9, tzinfo=UTC), TIMESTAMP_TYPE)
    return _table(
        DEVICE_DAYS.schema,
        devices,
        {
            DEVICE_ID: device_names(devices), "date": day, "fault": np.where(faulty, OPEN_CIRCUIT, NONE).astype(object),
            "onset": pc.if_else(pa.array(faulty), morning, None), "faulty_hours": np.where(faulty, 6, 0),
            "usable_hours": 12, "confidence": 0.9, "energy_kwh": 30.0, "lost_kwh": 1.0, "completeness": 1.0,
            "runner_up": NONE, "runner_up_probability": 0.1, "model_version": "0" * 12, "readings_making": "0" * 32,
            "registry_version": "0" * 12, "code_version": "0" * 12, "unsure_because": None,
            "candidates": pa.array([[NONE]] * devices, CANDIDATES_TYPE),
        },
    )  # fmt: skip


def _table(schema, rows, columns):
    """A table of columns, of which some have one value for all rows."""
    arrays = [
        pa.array(column).cast(field.type) if np.ndim(column) or isinstance(column, pa.Array)
        else pa.repeat(pa.scalar(column, field.type), rows)
        for field in schema
        for column in [columns[field.name]]
    ]  # fmt: skip
    return pa.table(arrays, schema)


def _run_notifications(place, _devices):
    """The faulty devices of a month, as the message of a run of that range tells them."""
    from pvfault_api.fleet import read_fleet

    read_fleet(_settings_of(place), MONTH)


def _prepare_registry(place, devices):
    """Write a registry."""
    columns = {
        DEVICE_ID: device_names(devices), "rated_voltage": 520.0, "rated_current": 9.0, "site": "north",
        "latitude": 48.1, "longitude": 11.6, "timezone": "Europe/Berlin", "modules_in_series": 16,
        "strings_in_parallel": 1,
    }  # fmt: skip
    write_registry(_table(REGISTRY_SCHEMA, devices, columns), place / "devices.csv")


def _run_registry(place, devices):
    """The registry, with the ratings of every device looked up."""
    read_registry(place / "devices.csv").ratings(device_names(devices))


def _settings_of(place):
    """Of a state folder of the benchmark's own."""
    return Settings.from_environment({"PVFAULT_HOME": str(place)}, place)


# What a step is called, what it is given, and the step itself.
STEPS = {
    "references": (_prepare_nothing, _run_references),
    "notifications": (_prepare_notifications, _run_notifications),
    "registry": (_prepare_registry, _run_registry),
}


def main() -> None:
    """Run one step, and say what it took beyond a small one that has loaded all code."""
    import tempfile

    name, devices, place = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    prepare, run = STEPS[name]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder)
        prepare(small, WARM_UP)
        run(small, WARM_UP)
    before = peak_memory()
    run(place, devices)
    sys.stdout.write(json.dumps(peak_memory() - before))


if __name__ == "__main__":
    main()
