"""What the published tables say of a date, as far as there are alarms of it.

- A *fault* is a verdict of `device_days` other than `none` and `unsure`.
- *communication_outage*: nothing came of a registered device all day (completeness 0).
- *sensor_suspect*: readings came, and hours in the light cannot be judged because of them. These are hours that
  `scalograms` calls `invalid` or `not reporting`: values that no array of these ratings gives, that stand still while
  the light moves, or zeros and placeholders, took more of the hour than may be missing. So are hours that are dark by
  the irradiance sensor while the array gives more power than that light could. At least three such hours, and half of
  those in the light.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from pvfault.expected_power import STC_IRRADIANCE
from pvfault.faults import NONE
from pvfault.readings import DEVICE_ID
from pvfault.registry import Registry
from pvfault.settings import Settings
from pvfault.tables import CURTAILED, DARK, DEVICE_DAYS, INVALID, NOT_REPORTING, OK, SCALOGRAMS, SPARSE, UNSURE
from pvfault.windows import DARK_BELOW
from pvfault_alarms.subjects import NO_VERDICT, OUTAGE, SENSOR, subject_of
from pvfault_api.files_of_now import read_registered
from pvfault_api.published import NoTableError, files_by_date
from pvfault_api.snapshots import Snapshot, open_snapshot

SUSPECT_HOURS = 3
SUSPECT_SHARE = 0.5
# Of the rated power: three times what the light gives below which an hour is called dark.
DARK_POWER = 3 * DARK_BELOW / STC_IRRADIANCE

_VERDICT = (
    DEVICE_ID, "fault", "onset", "faulty_hours", "usable_hours", "confidence", "runner_up", "lost_kwh", "completeness",
)  # fmt: skip


@dataclass(frozen=True)
class Sighting:
    """Something that is seen of a device on a date.

    Attributes
    ----------
    device, subject : str
    fault : str or None
        The verdict, of a fault.
    onset : datetime or None
        When the first hour began in which it shows (UTC).
    hours : int
        In which it shows; of an outage or sensors, hours without readings or with suspect ones.
    confidence : float or None
    runner_up : str or None
    lost_kwh : float or None
        [kWh]
    """

    device: str
    subject: str
    fault: str | None = None
    onset: datetime | None = None
    hours: int = 0
    confidence: float | None = None
    runner_up: str | None = None
    lost_kwh: float | None = None


@dataclass(frozen=True)
class DateSeen:
    """What the tables say of a date.

    Attributes
    ----------
    day : date
    files : str
        Names what was read: other files, another name.
    devices : frozenset of str
        That have a row.
    sightings : tuple of Sighting
        At most one of a device and subject.
    """

    day: date
    files: str
    devices: frozenset[str]
    sightings: tuple[Sighting, ...]


class Published:
    """The tables as they are now.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    NoTableError
        If there is no table of verdicts yet.
    PvfaultError
        If the tables cannot be read.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._verdicts = open_snapshot(settings, DEVICE_DAYS)
        try:
            self._hours = open_snapshot(settings, SCALOGRAMS)
        except NoTableError:
            self._hours = None

    @property
    def version(self) -> str:
        """Names the snapshots."""
        return " ".join(table.version for table in (self._verdicts, self._hours) if table)

    def files(self) -> dict[date, str]:
        """What names the files of each date that has verdicts, from the tables' metadata alone."""
        verdicts = _locations_by_date(self._verdicts)
        hours = _locations_by_date(self._hours) if self._hours else {}
        return {
            day: hashlib.sha256("\n".join([*found, *hours.get(day, ())]).encode()).hexdigest()
            for day, found in verdicts.items()
        }

    def read(self, day: date, files: str) -> DateSeen:
        """Read what a date says."""
        verdicts = self._verdicts.rows([day], _VERDICT)
        suspects = self._suspect_hours(day)
        devices = frozenset(verdicts[DEVICE_ID].to_pylist())
        return DateSeen(day, files, devices, tuple(_sightings(verdicts, suspects)))

    def _suspect_hours(self, day: date) -> dict[str, int]:
        """Hours of the devices whose sensors are not to be believed on a date."""
        if not self._hours:
            return {}
        hours = self._hours.rows([day], (DEVICE_ID, "quality", "mean_power"))
        return suspect_hours(hours, read_registered(self._settings).registry)


def suspect_hours(hours: pa.Table, registry: Registry) -> dict[str, int]:
    """Devices whose sensors are not to be believed, and in how many hours.

    Parameters
    ----------
    hours : pa.Table
        `deviceID`, `quality` and `mean_power` [W] of a date's scalograms.
    registry : Registry
        Of devices that it does not have, only hours that are `invalid` or `not reporting` tell.
    """
    hours = hours.combine_chunks()
    rated = pa.array(registry.ratings(registry.devices).prod(axis=1), pa.float64())
    position = pc.index_in(hours[DEVICE_ID], pa.array(registry.devices, pa.string()))
    most = pc.multiply(rated.take(position.combine_chunks()), DARK_POWER)
    is_lit_all_the_same = pc.and_(
        pc.equal(hours["quality"], DARK), pc.fill_null(pc.greater(hours["mean_power"], most), False)
    )
    suspect = pc.or_(pc.is_in(hours["quality"], pa.array([INVALID, NOT_REPORTING])), is_lit_all_the_same)
    lit = pc.or_(suspect, pc.is_in(hours["quality"], pa.array([OK, SPARSE, CURTAILED])))
    counted = pa.table({DEVICE_ID: hours[DEVICE_ID], "suspect": suspect.cast(pa.int32()), "lit": lit.cast(pa.int32())})
    found = counted.group_by(DEVICE_ID).aggregate([("suspect", "sum"), ("lit", "sum")]).to_pylist()
    return {
        row[DEVICE_ID]: row["suspect_sum"]
        for row in found
        if row["suspect_sum"] >= max(SUSPECT_HOURS, SUSPECT_SHARE * row["lit_sum"])
    }


def _sightings(verdicts: pa.Table, suspects: Mapping[str, int]) -> Iterator[Sighting]:
    for device, hours in suspects.items():
        yield Sighting(device, SENSOR, hours=hours)
    # Most devices are healthy, and as Python's objects they take a hundred times as long.
    told = verdicts.filter(pc.fill_null(pc.not_equal(verdicts["fault"], NONE), True))
    for row in told.to_pylist():
        device = row[DEVICE_ID]
        if row["fault"] not in (None, UNSURE):
            yield Sighting(
                device, subject_of(row["fault"]), row["fault"], row["onset"] and row["onset"].replace(tzinfo=None),
                row["faulty_hours"], row["confidence"], row["runner_up"], row["lost_kwh"],
            )  # fmt: skip
            continue
        yield Sighting(device, NO_VERDICT)
        if not row["completeness"]:
            yield Sighting(device, OUTAGE, hours=24)


def _locations_by_date(table: Snapshot) -> dict[date, list[str]]:
    found = files_by_date(table.iceberg, table.table)
    return {day: sorted(file.file_path for file in files) for day, files in found.items()}
