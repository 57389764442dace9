"""How right a network is where an expert would be certain: the cases of `textbook.py`, judged in the product's way.

Both shorts count as one: over the modules of a string they are one circuit, and no expert tells them apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.rows.columns import midnight_us
from pvfault.rows.device_days import HOURLY_COLUMNS, device_day_rows
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.references import HISTORY_COLUMNS, HOUR_COLUMNS, reference_rows, references_by_device
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import OK, SCALOGRAM_SCHEMA, WINDOW_START
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY
from pvfault_workshop.evaluation.scores import group_shorts
from pvfault_workshop.evaluation.textbook import (
    DAY,
    OPEN,
    SHORT,
    VARIANTS,
    Case,
    Variant,
    cases,
    dates_before,
    ratings_of,
    read_day,
    truth_of,
)

# Below, an expert would wait for the sun too. [W/m²]
BRIGHT = 200.0
DEVICES_AT_ONCE = 96


@dataclass(frozen=True)
class Tally:
    """How often some cases are called what they are.

    Attributes
    ----------
    faulty, right, among_two : int
        Judged hours with the fault, those that are called it, and those of which it is one of the two most probable
        classes.
    healthy, false_alarms : int
        Judged hours without, and those of them that are called faulty.
    unjudged : int
        Hours that were not judged.
    days, days_right : int
        Device-days, and those of them that are called what they are.
    """

    faulty: int
    right: int
    among_two: int
    healthy: int
    false_alarms: int
    unjudged: int
    days: int
    days_right: int

    def cells(self) -> list[str]:
        """Text below `TALLY_HEADINGS`."""
        return [
            f"{self.faulty:,}",
            _share(self.right, self.faulty),
            _share(self.among_two, self.faulty),
            f"{self.healthy:,}",
            f"{self.false_alarms:,}",
            f"{self.unjudged:,}",
            f"{self.days:,}",
            _share(self.days_right, self.days),
        ]


TALLY_HEADINGS = (
    "faulty hours", "called so", "among the two", "healthy hours", "called faulty", "not judged", "device-days",
    "called so",
)  # fmt: skip


@dataclass(frozen=True)
class Textbook:
    """What the cases were taken for, in all variants: a row a device.

    Attributes
    ----------
    devices : list of (Case, Variant)
    truth : ndarray of int, shape (n, 24)
        Positions in `FAULTS`; -1 in hours that are not asked about.
    probabilities : ndarray, shape (n, 24, 6)
        NaN in hours that were not judged.
    called : ndarray of int, shape (n, 24)
        -1 in hours that were not judged.
    verdicts : ndarray of int, shape (n,)
        Of the days; -1 for none.
    """

    devices: list[tuple[Case, Variant]]
    truth: np.ndarray
    probabilities: np.ndarray
    called: np.ndarray
    verdicts: np.ndarray

    def tally(self, which=None) -> Tally:
        """Count what some of the devices, all if not given, were taken for."""
        which = np.ones(len(self.devices), bool) if which is None else np.asarray(which)
        truth, called = self.truth[which], self.called[which]
        judged = (truth >= 0) & (called >= 0)
        faulty, healthy = judged & (truth > 0), judged & (truth == 0)
        right = _same(truth, called)
        day_truth = truth.max(axis=1)
        return Tally(
            faulty=int(faulty.sum()),
            right=int((faulty & right).sum()),
            among_two=int((faulty & (right | _same(truth, self._second()[which]))).sum()),
            healthy=int(healthy.sum()),
            false_alarms=int((healthy & ~right).sum()),
            unjudged=int(((truth >= 0) & (called < 0)).sum()),
            days=len(day_truth),
            days_right=int(_same(day_truth, self.verdicts[which]).sum()),
        )

    def _second(self):
        """The most probable class beside what an hour is called, where the two shorts are one; -1 where not judged."""
        others = np.nan_to_num(self.probabilities)
        others[_same(self.called[..., None], np.arange(len(FAULTS)))] = -1.0
        return np.where(self.called >= 0, others.argmax(axis=-1), -1)

    def by_factor(self) -> dict[str, dict[str, Tally]]:
        """The tallies by what was varied: kind and size of a case, and how it is read."""
        found = {}
        for factor, of in FACTORS.items():
            values = [of(*device) for device in self.devices]
            # In the order of the cases, which rises; healthy ones have no size.
            found[factor] = {
                value: self.tally([value == each for each in values]) for value in dict.fromkeys(values) if value
            }
        return found


FACTORS: dict[str, Callable[[Case, Variant], str]] = {
    "all": lambda _case, _variant: "all",
    "case": lambda case, _: f"{case.kind}{f', {case.how}' if case.how else ''}",
    "open of strings": lambda case, _: f"{case.lost} of {case.strings}" if case.kind == OPEN else "",
    "shorted of modules": lambda case, _: f"{case.lost} of {case.modules}" if case.kind == SHORT else "",
    "readings every": lambda _, variant: f"{variant.cadence} s",
    "noise": lambda _, variant: f"{variant.noise:.0%}",
    "counts in the registry": lambda _, variant: "with" if variant.counts else "without",
    "dates before": lambda _, variant: "with" if variant.history else "without",
}


def judge_textbook(classifier, *, of: Sequence[Case] | None = None, variants: Sequence[Variant] = VARIANTS) -> Textbook:
    """Judge the cases in all variants.

    Parameters
    ----------
    classifier : pvfault.lenet.Classifier
    of : sequence of Case, optional
        All if not given.
    variants : sequence of Variant

    Returns
    -------
    Textbook
    """
    devices = [(case, variant) for case in of or cases() for variant in variants]
    parts = [
        _judge(devices[first : first + DEVICES_AT_ONCE], first, classifier)
        for first in range(0, len(devices), DEVICES_AT_ONCE)
    ]
    return Textbook(devices, *(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def _judge(devices, first, classifier):
    """Truth, probabilities and names of the hours of some devices, and names of their days."""
    names = [f"TB{number:08d}" for number in range(first, first + len(devices))]
    registry = _registry(names, devices)
    known = references_by_device(reference_rows(_before(names, devices), DAY, registry))
    windows = scalogram_rows(_readings(names, devices), DAY, registry, known)
    predictions = prediction_rows(windows, classifier)
    hours = pa.table(
        [*predictions.columns, *(windows[name] for name in HOURLY_COLUMNS)],
        names=[*predictions.column_names, *HOURLY_COLUMNS],
    )
    days = device_day_rows(hours, DAY, registry)
    shape = (len(devices), WINDOWS_PER_DAY)
    probabilities = np.array(
        [list(row.values()) if row else [np.nan] * len(FAULTS) for row in hours["probabilities"].to_pylist()]
    ).reshape(*shape, len(FAULTS))
    light = windows["mean_irradiance"].to_numpy().reshape(shape)
    truth = np.where(light >= BRIGHT, np.stack([truth_of(case) for case, _ in devices]), -1)
    return truth, probabilities, _positions(hours["fault"]).reshape(shape), _positions(days["fault"])


def _registry(names, devices):
    """What is known of the devices beforehand."""
    voltage, current = np.array([ratings_of(case) for case, _ in devices]).T
    layout = np.array([(c.modules, c.strings) if v.counts else (np.nan, np.nan) for c, v in devices])
    return Registry(tuple(names), voltage, current, layout)


def _readings(names, devices):
    """Readings of the day, sorted."""
    read = [read_day(*device) for device in devices]
    second = np.concatenate([each for each, _ in read])
    measurements = np.concatenate([each for _, each in read])
    name = np.repeat(np.array(names, object), [len(each) for each, _ in read])
    time = pa.array(midnight_us(DAY) + second * 1_000_000).cast(READING_SCHEMA.field("timestamp").type)
    return pa.table([pa.array(name, pa.string()), time, *measurements.T], schema=READING_SCHEMA)


def _before(names, devices):
    """`HOUR_COLUMNS` of the dates before, of the devices of which they are known."""
    tables = [SCALOGRAM_SCHEMA.empty_table().select(HOUR_COLUMNS)]
    schema = tables[0].schema
    means = {case: list(dates_before(case)) for case in {case for case, variant in devices if variant.history}}
    for name, (case, variant) in zip(names, devices, strict=True):
        for day, of_day in means[case] if variant.history else ():
            start = midnight_us(day) + np.arange(WINDOWS_PER_DAY) * WINDOW_S * 1_000_000
            columns = {
                DEVICE_ID: [name] * WINDOWS_PER_DAY,
                WINDOW_START: pa.array(start).cast(TIMESTAMP_TYPE),
                "quality": [OK] * WINDOWS_PER_DAY,
                **dict(zip(HISTORY_COLUMNS, of_day.astype(np.float32).T, strict=True)),
            }
            tables.append(pa.table(columns).select(HOUR_COLUMNS).cast(schema))
    return pa.concat_tables(tables)


def _share(part, whole):
    return f"{part / whole:.1%}" if whole else ""


def _positions(names):
    """Positions in `FAULTS`; -1 where something has no name, or is unsure."""
    return np.array([FAULTS.index(name) if name in FAULTS else -1 for name in names.to_pylist()])


def _same(first, second):
    """Where two are the same class, the two shorts being one."""
    groups = np.append(group_shorts(np.arange(len(FAULTS))), -1)
    return groups[first] == groups[second]
