"""Dates of a small plant drawn as letters, one a date: in the tables as PyIceberg writes them, or as they are read."""

import warnings
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo

from pvfault.faults import FAULTS
from pvfault.tables import DEVICE_DAYS, SCALOGRAMS
from pvfault_alarms.reading import DateSeen, Sighting

FIRST = date(2024, 6, 1)
# L and G are the two shorts; ? is a date without a verdict, O one without a reading, and a blank one without a row.
FAULT_OF = dict(zip(".LGCSA", FAULTS, strict=True))
NO_ROW, NO_VERDICT, OUTAGE = " ", "?", "O"


def day(number):
    return FIRST + timedelta(days=number)


def row(device, when, letter, *, hours=8, confidence=0.875, lost=2.0, runner_up=None):
    """A row of `device_days`; none for a blank."""
    if letter == NO_ROW:
        return []
    fault = FAULT_OF.get(letter)
    is_faulty = fault not in (None, "none")
    onset = datetime(when.year, when.month, when.day, 6, tzinfo=UTC) if is_faulty else None
    return [
        {"deviceID": device, "date": when, "fault": fault, "onset": onset, "faulty_hours": hours if is_faulty else 0,
         "usable_hours": 14 if fault else 0, "confidence": confidence if fault else None, "energy_kwh": 1.0,
         "lost_kwh": lost if is_faulty else None, "completeness": 0.0 if letter == OUTAGE else 1.0,
         "runner_up": runner_up or ("none" if fault else None)}
    ]  # fmt: skip


class Tables:
    """The tables of verdicts and scalograms of a home."""

    def __init__(self, settings):
        settings.home.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        with self._catalog() as catalog:
            catalog.create_namespace("pvfault")
            for table in (DEVICE_DAYS, SCALOGRAMS):
                catalog.create_table(f"pvfault.{table.name}", table.schema)

    def _catalog(self):
        home = self._settings
        return SqlCatalog("lake", uri=f"sqlite:///{home.catalog}", warehouse=f"file://{home.warehouse}")

    def draw(self, **letters):
        """Write the dates of devices, a commit for all."""
        n_dates = max(map(len, letters.values()))
        for number in range(n_dates):
            rows = [one for device, drawn in letters.items() for one in row(device, day(number), drawn[number])]
            self._append(DEVICE_DAYS, rows)

    def make(self, when, rows):
        """Make a date, also again."""
        self.remove(when)
        self._append(DEVICE_DAYS, rows)

    def remove(self, when):
        with self._catalog() as catalog, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Delete operation did not match", UserWarning)
            catalog.load_table("pvfault.device_days").delete(EqualTo("date", when.isoformat()))

    def add_hours(self, rows):
        self._append(SCALOGRAMS, rows)

    def _append(self, table, rows):
        if rows:
            with self._catalog() as catalog:
                catalog.load_table(f"pvfault.{table.name}").append(pa.Table.from_pylist(rows, schema=table.schema))


def seen(when, letters, making="1"):
    """What is read of a date: a letter by device."""
    subjects = {"L": "short", "G": "short", "C": "open_circuit", "S": "partial_shading", "A": "arc_fault"}
    sightings = []
    for device, letter in letters.items():
        if letter in subjects:
            onset = datetime(when.year, when.month, when.day, 6)
            sightings.append(Sighting(device, subjects[letter], FAULT_OF[letter], onset, 8, 0.875, "none", 2.0))
        elif letter in (NO_VERDICT, OUTAGE):
            sightings.append(Sighting(device, "no_verdict"))
        if letter == OUTAGE:
            sightings.append(Sighting(device, "communication_outage", hours=24))
    there = frozenset(device for device, letter in letters.items() if letter != NO_ROW)
    return DateSeen(when, making, there, tuple(sightings))
