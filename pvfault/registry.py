"""The device registry: what is known of each device beforehand.

Here: reading and checking `devices.csv`, and estimating the ratings of a device that it does not list. Not here:
what the ratings are used for (`scalogram.py`, `verdicts.py`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, DEVICE_ID_PATTERN, MEASUREMENTS, is_plausible

REGISTRY_SCHEMA = pa.schema(
    [
        pa.field(DEVICE_ID, pa.string(), nullable=False),
        pa.field("rated_voltage", pa.float64(), nullable=False),
        pa.field("rated_current", pa.float64(), nullable=False),
        pa.field("site", pa.string()),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("timezone", pa.string()),
        pa.field("modules_in_series", pa.int32()),
        pa.field("strings_in_parallel", pa.int32()),
    ]
)
REQUIRED_COLUMNS = (DEVICE_ID, "rated_voltage", "rated_current")

# Relative change of V_mp with cell temperature for crystalline silicon, 1/°C: the median over the modules of the CEC
# library that pvlib ships is close to the datasheets' -0.3 to -0.4 %/°C.
VOLTAGE_TEMPERATURE_COEFFICIENT = -0.0035


class RegistryError(PvfaultError):
    """The registry cannot be used as it is."""


@dataclass(frozen=True)
class Registry:
    """Ratings of the registered devices.

    Attributes
    ----------
    devices : tuple of str
    rated_voltage : ndarray, shape (n_devices,)
        V_mp of the whole array at standard test conditions. [V]
    rated_current : ndarray, shape (n_devices,)
        I_mp of the whole array at standard test conditions. [A]
    """

    devices: tuple[str, ...]
    rated_voltage: np.ndarray
    rated_current: np.ndarray

    def ratings(self, devices) -> np.ndarray:
        """Rated voltage and current of some devices.

        Parameters
        ----------
        devices : sequence of str, length n

        Returns
        -------
        ndarray of float64, shape (n, 2)
            Voltage [V] and current [A]; NaN for a device that is not registered.
        """
        rows = pc.index_in(pa.array(devices, pa.string()), pa.array(self.devices, pa.string()))
        known = np.asarray(rows.is_valid())
        row = np.asarray(rows.fill_null(0))
        ratings = np.full((len(devices), 2), np.nan)
        ratings[known, 0] = self.rated_voltage[row[known]]
        ratings[known, 1] = self.rated_current[row[known]]
        return ratings


EMPTY_REGISTRY = Registry((), np.empty(0), np.empty(0))


def read_registry(path: Path) -> Registry:
    """Read and check a registry file.

    Parameters
    ----------
    path : Path
        CSV with a header; columns as in `REGISTRY_SCHEMA`, of which `REQUIRED_COLUMNS` must be there. Other columns
        are ignored.

    Raises
    ------
    RegistryError
        If the file is absent or no CSV, a required column is missing, a deviceID is of the wrong form or stands there
        twice, or a rating is absent or not positive.
    """
    table = _read_csv(Path(path))
    _refuse_rows(path, table, pc.invert(pc.match_substring_regex(table[DEVICE_ID], DEVICE_ID_PATTERN)),
                 "a deviceID that is not 10 letters and digits")  # fmt: skip
    counts = pc.value_counts(table[DEVICE_ID])
    repeated = [count["values"].as_py() for count in counts if count["counts"].as_py() > 1]
    if repeated:
        raise RegistryError(
            f"registry {path}: {len(repeated)} devices stand there more than once ({', '.join(repeated[:3])}); "
            "keep one row for each device"
        )
    for rating in ("rated_voltage", "rated_current"):
        # Infinity and NaN are no ratings either.
        good = pc.and_(pc.greater(table[rating], 0.0), pc.is_finite(table[rating]))
        _refuse_rows(path, table, pc.invert(pc.fill_null(good, False)), f"no positive {rating}")  # noqa: FBT003
    return Registry(
        tuple(table[DEVICE_ID].to_pylist()),
        table["rated_voltage"].to_numpy(),
        table["rated_current"].to_numpy(),
    )


def write_registry(table: pa.Table, path: Path) -> None:
    """Write a registry of `REGISTRY_SCHEMA`'s columns as CSV."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pa_csv.write_csv(table, path)


def estimate_ratings(measurements) -> tuple[float, float]:
    """Ratings of a device that is not registered, from a day of its own readings.

    The brightest quarter of its readings in the light (irradiance above 50 W/m²) is brought to standard test
    conditions, current in proportion to irradiance, voltage by the temperature coefficient; the medians are the
    ratings. A fault of the whole day is part of them and so cannot be seen: register the device.

    Parameters
    ----------
    measurements : ndarray, shape (n, 4)
        One device's readings in the order of `MEASUREMENTS`.

    Returns
    -------
    rated_voltage, rated_current : float
        V and A. 1 where nothing positive can be estimated: without light there is nothing to judge, and a voltage or
        current of zero is zero at any rating.
    """
    lit = measurements[is_plausible(measurements) & (measurements[:, MEASUREMENTS.index("irradiance")] > 50)]
    if not len(lit):
        return 1.0, 1.0
    voltage, current, temperature, irradiance = lit.astype(np.float64).T
    bright = irradiance >= np.quantile(irradiance, 0.75)
    rated_voltage = np.median(voltage[bright] / (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature[bright] - 25)))
    rated_current = np.median(current[bright] / irradiance[bright]) * 1000
    return tuple(float(rating) if rating > 0 else 1.0 for rating in (rated_voltage, rated_current))


def _read_csv(path):
    """The registry's rows, columns typed, required ones present."""
    if not path.is_file():
        raise RegistryError(f"registry {path}: no such file; write one, or point PVFAULT_REGISTRY at it")
    convert = pa_csv.ConvertOptions(column_types=REGISTRY_SCHEMA, strings_can_be_null=True)
    try:
        table = pa_csv.read_csv(path, convert_options=convert)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise RegistryError(f"registry {path}: not a CSV of devices ({error}); expected {_expected()}") from error
    missing = [name for name in REQUIRED_COLUMNS if name not in table.column_names]
    if missing:
        raise RegistryError(
            f"registry {path}: no column {', '.join(missing)} among {', '.join(table.column_names)}; "
            f"expected {_expected()}"
        )
    return table


def _expected():
    return f"a header with at least {','.join(REQUIRED_COLUMNS)} and one row for each device"


def _refuse_rows(path, table, refused, what):
    """Raise for the rows that `refused` marks, naming the first ones as the user sees them in the file."""
    lines = [int(row) + 2 for row in np.flatnonzero(np.asarray(pc.fill_null(refused, True)))]  # noqa: FBT003
    if lines:
        raise RegistryError(
            f"registry {path}: {len(lines)} of {len(table)} rows have {what} "
            f"(line {', '.join(map(str, lines[:3]))}); correct or remove them"
        )
