"""The device registry: what is known of each device beforehand.

Here: reading and checking `devices.csv`. Not here: what the ratings are used for (`reference.py`,
`expected_power.py`), and what stands for them where a device is not listed (`estimates.py`).
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from pvfault.device_names import device_id_of, refuse_shared_ids
from pvfault.errors import PvfaultError
from pvfault.locations import Location, is_there, local_file
from pvfault.readings import DEVICE_ID, PLAUSIBLE
from pvfault.versions import version_of

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
NAME = "name"  # the user's own, by which files call a device; a column that may be there beside those above
REQUIRED_COLUMNS = (DEVICE_ID, "rated_voltage", "rated_current")
LAYOUT_COLUMNS = ("modules_in_series", "strings_in_parallel")
PLACE_COLUMNS = ("latitude", "longitude")

# V and A. No array's ratings lie outside: infinity falls out here, and volts written as kilovolts; below 1, only a
# laboratory's sample remains.
RATING_LIMITS = {
    rating: (0.1, PLAUSIBLE[measurement][1])
    for rating, measurement in (("rated_voltage", "voltage"), ("rated_current", "current"))
}
SMALLEST_ESTIMATE = 1.0  # V and A: below, an estimate is the noise of the sensors

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
    layout : ndarray, shape (n_devices, 2), optional
        Modules in series and strings in parallel; NaN where they are not known, as for all if not given.
    version : str
        Of the file that it was read from.
    place : ndarray, shape (n_devices, 2), optional
        Latitude and longitude; NaN where they are not known, as for all if not given. [°]
    names : tuple of str, optional
        What the user calls each device; its deviceID where there is no other name.
    """

    devices: tuple[str, ...]
    rated_voltage: np.ndarray
    rated_current: np.ndarray
    layout: np.ndarray | None = None
    version: str = "none"
    place: np.ndarray | None = None
    names: tuple[str, ...] | None = None

    @property
    def own_names(self) -> dict[str, str]:
        """The user's name by deviceID, of all devices."""
        return dict(zip(self.devices, self.names or self.devices, strict=True))

    @property
    def device_ids(self) -> dict[str, str]:
        """DeviceID by the user's name, of all devices."""
        return dict(zip(self.names or self.devices, self.devices, strict=True))

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
        return self._look_up(devices, np.column_stack([self.rated_voltage, self.rated_current]))

    def layouts(self, devices) -> np.ndarray:
        """Modules in series and strings in parallel of some devices.

        Parameters
        ----------
        devices : sequence of str, length n

        Returns
        -------
        ndarray of float64, shape (n, 2)
            NaN where they are not known.
        """
        return self._look_up(devices, self._or_unknown(self.layout))

    def places(self, devices) -> np.ndarray:
        """Latitude and longitude of some devices.

        Parameters
        ----------
        devices : sequence of str, length n

        Returns
        -------
        ndarray of float64, shape (n, 2)
            [°], north and east; NaN where they are not known.
        """
        return self._look_up(devices, self._or_unknown(self.place))

    def _or_unknown(self, pairs):
        """Two numbers of each device, or NaN for all."""
        return np.full((len(self.devices), 2), np.nan) if pairs is None else pairs

    def _look_up(self, devices, values):
        """Rows of values for some devices; NaN for one that is not registered."""
        row = np.array([self._row_of.get(device, -1) for device in devices], dtype=int)
        known = row >= 0
        found = np.full((len(row), values.shape[1]), np.nan)
        found[known] = values[row[known]]
        return found

    @cached_property
    def _row_of(self):
        return {device: row for row, device in enumerate(self.devices)}


EMPTY_REGISTRY = Registry((), np.empty(0), np.empty(0))


def read_registry(path: Location) -> Registry:
    """Read and check a registry file.

    Parameters
    ----------
    path : Path or str
        CSV with a header, also at an s3:// URI; columns as in `REGISTRY_SCHEMA`, of which `REQUIRED_COLUMNS` must be
        there, and `NAME`, which may stand in place of the deviceID. Other columns are ignored. A deviceID that is not
        ten letters and digits is a name, and gets the alias of it (`device_names.py`).

    Raises
    ------
    RegistryError
        If the file is absent or no CSV, a column is missing or there twice, a device has no name or stands there
        twice, a rating is absent or outside `RATING_LIMITS`, or an array is of no modules or no strings.
    """
    content = _read(path)
    table = _parse_csv(path, content)
    table, names = _name_devices(path, table)
    for rating, (low, high) in RATING_LIMITS.items():
        # NaN compares false, and what is absent compares null.
        good = pc.and_(pc.greater_equal(table[rating], low), pc.less_equal(table[rating], high))
        _refuse_rows(path, table, pc.invert(good), f"no {rating} between {low:g} and {high:g}")
    for name in (name for name in LAYOUT_COLUMNS if name in table.column_names):
        none = pc.fill_null(pc.less(table[name], 1), False)
        _refuse_rows(path, table, none, f"{name} below 1, where an empty field says that it is not known")
    return Registry(
        tuple(table[DEVICE_ID].to_pylist()),
        table["rated_voltage"].to_numpy(),
        table["rated_current"].to_numpy(),
        np.column_stack([_numbers(table, name) for name in LAYOUT_COLUMNS]),
        version_of(content),
        np.column_stack([_numbers(table, name) for name in PLACE_COLUMNS]),
        names,
    )


def _name_devices(path, table):
    """The table with deviceIDs of ten letters and digits, and what the user calls each device."""
    table, names = with_device_ids(table)
    _refuse_rows(path, table, pc.is_null(table[DEVICE_ID]), "no deviceID and no name")
    refuse_shared_ids(zip(names, table[DEVICE_ID].to_pylist(), strict=True))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RegistryError(
            f"registry {path}: {len(twice)} devices stand there more than once ({', '.join(twice[:3])}); "
            "keep one row for each device"
        )
    return table, names


def parse_columns(content: bytes) -> pa.Table:
    """The columns of a registry's CSV, those of `REGISTRY_SCHEMA` and `NAME` in their types; nothing is checked."""
    types = {field.name: field.type for field in REGISTRY_SCHEMA} | {NAME: pa.string()}
    convert = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return pa_csv.read_csv(pa.BufferReader(content), convert_options=convert)


def with_device_ids(table: pa.Table) -> tuple[pa.Table, tuple[str | None, ...]]:
    """A registry's rows with deviceIDs of the form of the wire, and what the user calls each device.

    Parameters
    ----------
    table : pa.Table
        With columns of deviceIDs, names, or both; None for a row that has neither.
    """
    given, names = (_texts(table, column) for column in (DEVICE_ID, NAME))
    ids = [device_id_of(device or name) if device or name else None for device, name in zip(given, names, strict=True)]
    table = table.drop_columns([DEVICE_ID]) if DEVICE_ID in table.column_names else table
    called = tuple(name or device or None for device, name in zip(given, names, strict=True))
    return table.append_column(DEVICE_ID, pa.array(ids, pa.string())), called


def _texts(table, column):
    """A column's texts, without spaces around them; empty where there is none."""
    values = table[column].to_pylist() if column in table.column_names else [None] * len(table)
    return [(value or "").strip() for value in values]


def _numbers(table, name):
    """A column as floats; NaN where nothing is given."""
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    return pc.fill_null(pc.cast(table[name], pa.float64()), np.nan).to_numpy()


def write_registry(table: pa.Table, path: Path) -> None:
    """Write a registry of `REGISTRY_SCHEMA`'s columns as CSV."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pa_csv.write_csv(table, path)


def _read(path):
    """The registry's bytes, all at once: what is parsed is what its version is of."""
    if not is_there(path):
        raise RegistryError(f"registry {path}: no such file; write one, or point PVFAULT_REGISTRY at it")
    try:
        with local_file(path) as file:
            return file.read_bytes()
    except OSError as error:
        raise RegistryError(f"registry {path}: cannot be read ({error})") from error


def _parse_csv(path, content):
    """The registry's rows, columns typed, required ones present."""
    try:
        table = parse_columns(content)
        names = table.column_names  # decodes the header
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise RegistryError(f"registry {path}: not a CSV of devices ({error}); expected {_expected()}") from error
    required = [
        NAME if name == DEVICE_ID and DEVICE_ID not in names and NAME in names else name for name in REQUIRED_COLUMNS
    ]
    wrong = [name for name in required if names.count(name) != 1]
    if wrong:
        raise RegistryError(
            f"registry {path}: {', '.join(wrong)} missing or more than once among the columns {', '.join(names)}; "
            f"expected {_expected()}"
        )
    return table


def _expected():
    return f"a header with at least {','.join(REQUIRED_COLUMNS)} and one row for each device"


def _refuse_rows(path, table, refused, what):
    """Raise for the rows that `refused` marks, or leaves unknown, naming the first ones as the user can find them."""
    rows = np.flatnonzero(np.asarray(pc.fill_null(refused, True)))
    if len(rows):
        # By number and name: blank lines and line breaks within quotes make a line's number uncertain.
        found = [f"row {row + 1}, deviceID {table[DEVICE_ID][int(row)].as_py()!r}" for row in rows[:3]]
        raise RegistryError(
            f"registry {path}: {len(rows)} of {len(table)} rows have {what} ({'; '.join(found)}); "
            "correct or remove them"
        )
