"""How long `pvfault classify` takes for a year of a plant in one file, and what memory, beside bare reading of it.

As a program it prints one line of JSON: `python -m pvfault_bench.own_file [DAYS] [time|device]`. A day of each month is
simulated and repeated through its month; the file has 20 devices every 20 s. Each thing is measured in a process of its
own: PyArrow's bare reading, `read_files`, and the whole command, from the start of Python to its exit code.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from pvfault.device_names import device_id_of
from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP
from pvfault.registry import write_registry
from pvfault_bench.machine import describe_machine, memory_of_all
from pvfault_workshop.simulation import Fleet, simulate_fleet

PROJECT = Path(__file__).parent.parent
DEVICES = 20
DAYS = 365
SEED = 1
FIRST = date(2025, 1, 1)
ORDERS = ("time", "device")
# As loggers round: V, A, °C, W/m².
_DIGITS = (1, 2, 1, 0)
_LOOK_EVERY_S = 0.2
_TELL_PEAK = """
    import re
    sys.stderr.write("\\n" + re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
_ARROW = "import pyarrow.csv, sys\npyarrow.csv.read_csv(sys.argv[1])\nif True:" + _TELL_PEAK
_READ = (
    "import sys\nfrom pathlib import Path\nfrom pvfault_files.choices import Choices\n"
    "from pvfault_files.reader import read_files\nread_files([Path(sys.argv[1])], Choices())\nif True:" + _TELL_PEAK
)
_CLASSIFY = "import sys\nfrom pvfault_cli.main import main\ntry:\n    main()\nfinally:" + _TELL_PEAK


def write_file(path: Path, registry: Path, days: int, order: str) -> int:
    """Write readings of `DEVICES` devices as a CSV with times in seconds since 1970, and their registry.

    Parameters
    ----------
    path, registry : Path
    days : int
        From the first of January on.
    order : str
        Of `ORDERS`: rows by time, or one device after the other.

    Returns
    -------
    int
        Rows.
    """
    fleet = simulate_fleet(DEVICES, [FIRST.replace(month=month, day=15) for month in range(1, 13)], SEED)
    names = {device: f"PV{number:02}" for number, device in enumerate(fleet.registry[DEVICE_ID].to_pylist(), 1)}
    _write_registry(registry, fleet, names)
    simulated = {}
    for day in (FIRST + timedelta(days=number) for number in range(days)):
        if day.month not in simulated:
            simulated[day.month] = _as_written(fleet.readings(day.replace(day=15)), names)
    parts = [None] if order == "time" else list(names.values())
    rows = 0
    with path.open("wb") as file:
        for name in parts:
            for day in (FIRST + timedelta(days=number) for number in range(days)):
                of_day = _moved(simulated[day.month], (day - day.replace(day=15)).days)
                if name is not None:
                    of_day = of_day.filter(pc.equal(of_day[DEVICE_ID], name))
                pa_csv.write_csv(of_day, file, pa_csv.WriteOptions(include_header=rows == 0, quoting_style="none"))
                rows += len(of_day)
    return rows


def measure(command: Sequence[str]) -> dict[str, float]:
    """Run a program that tells its highest memory at the end of standard error.

    Returns
    -------
    dict
        `seconds`, and `peak_mib` of it and all that it starts.
    """
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        started = time.perf_counter()
        running = subprocess.Popen(command, stdout=said, stderr=complained, cwd=PROJECT)
        most = 0
        while running.poll() is None:
            most = max(most, memory_of_all(running.pid))
            time.sleep(_LOOK_EVERY_S)
        seconds = time.perf_counter() - started
        told = []
        for file in (said, complained):
            file.seek(0)
            told.append(file.read())
    if running.returncode != 0:
        raise PvfaultError(f"{' '.join(command[-6:])} ended with exit code {running.returncode}: {' '.join(told)}")
    # Between two looks a process may have had more.
    most = max(most, int(told[1].splitlines()[-1]) * 1024)
    return {"seconds": round(seconds, 2), "peak_mib": round(most / 2**20)}


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else DAYS
    order = sys.argv[2] if len(sys.argv) > 2 else ORDERS[0]
    if order not in ORDERS:
        raise PvfaultError(f"The order of rows is {order!r}; expected {' or '.join(ORDERS)}.")
    with tempfile.TemporaryDirectory(prefix="pvfault-own-file-") as folder:
        file, registry = Path(folder) / "plant.csv", Path(folder) / "registry.csv"
        rows = write_file(file, registry, days, order)
        verdicts = ("-o", str(Path(folder) / "verdicts.parquet"))
        commands = {
            "pyarrow": (_ARROW, str(file)),
            "read_files": (_READ, str(file)),
            "classify": (_CLASSIFY, "classify", str(file), "--registry", str(registry), *verdicts),
            "classify_without_registry": (_CLASSIFY, "classify", str(file), *verdicts),
        }
        found = {name: measure([sys.executable, "-c", *command]) for name, command in commands.items()}
        about = {"rows": rows, "bytes": file.stat().st_size, "device_days": DEVICES * days, "order": order}
    sys.stdout.write(json.dumps({**about, **found, "machine": describe_machine()}) + "\n")


def _write_registry(path, fleet: Fleet, names):
    """The fleet's registry under the names in the file."""
    told = [names[device] for device in fleet.registry[DEVICE_ID].to_pylist()]
    ids = pa.array([device_id_of(name) for name in told], pa.string())
    registry = fleet.registry.set_column(0, DEVICE_ID, ids).append_column("name", pa.array(told, pa.string()))
    write_registry(registry, path)


def _as_written(readings, names):
    """A simulated day as a logger writes it."""
    devices = [names[device] for device in readings[DEVICE_ID].to_pylist()]
    columns = {
        DEVICE_ID: pa.array(devices, pa.string()),
        TIMESTAMP: pa.array(readings[TIMESTAMP].cast(pa.int64()).to_numpy() // 1_000_000),
    }
    for name, digits in zip(MEASUREMENTS, _DIGITS, strict=True):
        columns[name] = pa.array(np.round(readings[name].to_numpy().astype(np.float64), digits))
    return pa.table(columns)


def _moved(rows, days):
    """The same rows some days later."""
    return rows.set_column(1, TIMESTAMP, pc.add(rows[TIMESTAMP], days * 86_400))


if __name__ == "__main__":
    main()
