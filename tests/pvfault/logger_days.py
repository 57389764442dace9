"""Device-days as loggers and people get them wrong, in many variants, each with what a verdict may say of it.

Kinds are those that are found in public reports: a string that opens within the day, ratings of something else, units,
columns, clocks, what loggers write where there is no value, what inverters do. How many variants of each kind are right:
`python -m tests.pvfault.logger_days`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product

import numpy as np
import pyarrow as pa

from pvfault.classify import judge_readings
from pvfault.credibility import why_in_doubt, examine_readings
from pvfault.faults import FAULTS, NONE, OPEN_CIRCUIT
from pvfault.readings import READING_SCHEMA, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.tables import CURTAILED, INVALID, MISSING, NOT_REPORTING, SPARSE, UNSURE
from tests.pvfault.single_diode import NAMES, Array, Day, a_day

MIDNIGHT = datetime(2024, 6, 10, tzinfo=UTC)
ARRAYS = (Array(), Array(NAMES[1], 20, 2), Array(NAMES[0], 16, 3), Array(NAMES[1], 22, 4), Array(NAMES[2], 10, 12))
DAYS = (
    {}, {"air": 8.0, "top": 800.0, "seed": 1}, {"noon": 11.2, "light_hours": 12.0, "seed": 2},
    {"air": 30.0, "noon": 13.1, "seed": 3, "cadence": 60},
)  # fmt: skip
LEFT_OUT = {INVALID, SPARSE, CURTAILED, NOT_REPORTING, MISSING}
FAULTY = {*FAULTS} - {NONE}
# Where less light falls in an hour, a fault leaves hardly any trace. [W/m²]
DUSK = 150.0
# A healthy look that is no surer is a guess.
SURE = 0.8
RIGHT, OPEN, REFUSED, MISNAMED, WRONG = "right", "unsure", "refused", "misnamed", "silently wrong"
OUTCOMES = (RIGHT, OPEN, REFUSED, MISNAMED, WRONG)


@dataclass(frozen=True)
class Case:
    """A device-day, and what may be said of it.

    Attributes
    ----------
    kind, label : str
    day : Day
    ratings : tuple of float or None
        Voltage and current that the registry has; None without a registry.
    shows : dict of int to set of str
        What may stand in an hour instead of `none`.
    mistake : bool
        Whether the file or the registry is wrong: then it should be refused or marked, if not judged rightly.
    name : str or None
        What a faulty hour should be named; None where any fault's name will do.
    """

    kind: str
    label: str
    day: Day
    ratings: tuple[float, float] | None
    shows: dict[int, set[str]] = field(default_factory=dict)
    mistake: bool = False
    name: str | None = None
    received: np.ndarray | None = None


def cases() -> Iterator[Case]:
    """All variants of all kinds."""
    for make in (
        opened, other_ratings, units, temperatures, columns, zeros, placeholders, frozen, filled, jittered, thinned,
        curtailed, clipped, switched_off, east_west, healthy,
    ):  # fmt: skip
        for number, case in enumerate(make()):
            yield replace(case, label=f"{number}: {case.label}")


def days(every: int = 1) -> Iterator[Day]:
    for number, (array, options) in enumerate(product(ARRAYS, DAYS)):
        if number % every == 0:
            yield a_day(array, **options)


def both(day: Day):
    """With a registry, and without."""
    return (("registered", day.array.rated), ("not registered", None))


def healthy():
    for day in days():
        for known, ratings in both(day):
            yield Case("healthy", known, day, ratings)


def opened():
    """One or some of the strings open for good."""
    for day, hour in product(days(), (9, 11, 13, 15)):
        strings = day.array.parallel
        for lost in sorted({1, max(strings // 3, 1), strings // 2}):
            left = np.where(day.hour >= hour, 1 - lost / strings, 1)
            faulty = replace(day, current=day.current * left)
            shows = {h: FAULTY for h in range(hour, 24)}
            for known, ratings in both(day):
                label = f"{lost} of {strings} strings from {hour} h, {known}"
                yield Case(f"string opens, {known}", label, faulty, ratings, shows, name=OPEN_CIRCUIT)


def other_ratings():
    for day, hour in product(days(), (None, 10, 14)):
        array = day.array
        rated, (v_oc, i_sc) = array.rated, array.open_and_short
        wrong = {
            "V_oc and I_sc": (v_oc, i_sc),
            "one string's current": (rated[0], rated[1] / array.parallel),
            "one module's voltage": (rated[0] / array.series, rated[1]),
        }
        faulty, shows = day, {}
        if hour is not None:
            left = np.where(day.hour >= hour, 1 - 1 / array.parallel, 1)
            faulty, shows = replace(day, current=day.current * left), {h: FAULTY for h in range(hour, 24)}
        for label, ratings in wrong.items():
            yield Case(f"registry: {label}", f"fault from {hour}", faulty, ratings, shows, mistake=True)


def units():
    for day in days(2):
        step = round((day.hour[1] - day.hour[0]) * 3600)
        hourly = np.repeat(day.irradiance.reshape(24, -1).mean(axis=1), len(day.hour) // 24)
        wrong = {
            "kW/m²": day.irradiance / 1000,
            "Wh/m²": day.irradiance * step / 3600,
            "hourly means": hourly,
            "counted up": np.cumsum(day.irradiance) * step / 3600,
            "2 h late": np.roll(day.irradiance, 2 * 3600 // step),
        }
        for (label, light), (known, ratings) in product(wrong.items(), both(day)):
            yield Case(f"irradiance: {label}", known, replace(day, irradiance=light), ratings, mistake=True)


def temperatures():
    for day in days(2):
        wrong = {
            "°F": day.temperature * 1.8 + 32, "K": day.temperature + 273.15, "constant": np.full(len(day.hour), 25.0),
        }  # fmt: skip
        for (label, values), (known, ratings) in product(wrong.items(), both(day)):
            yield Case(f"temperature: {label}", known, replace(day, temperature=values), ratings, mistake=True)


def columns():
    for day in days(2):
        random = np.random.default_rng(5)
        grid = 400 * random.normal(1, 0.004, len(day.hour))
        wrong = {
            "swapped": replace(day, voltage=day.current, current=day.voltage),
            "voltage twice": replace(day, current=day.voltage),
            "current twice": replace(day, voltage=day.current),
            "AC for DC": replace(day, voltage=grid, current=0.97 * day.voltage * day.current / 400 / 1.732),
            "power [W] for current": replace(day, current=day.voltage * day.current),
            "power [kW] for current": replace(day, current=day.voltage * day.current / 1000),
            "AC voltage": replace(day, voltage=grid),
        }
        for (label, day_), (known, ratings) in product(wrong.items(), both(day)):
            yield Case(f"columns: {label}", known, day_, ratings, mistake=True)


def spoilt(day, start, end, **values):
    """A day in some hours of which columns have other values."""
    now = (day.hour >= start) & (day.hour < end)
    return replace(day, **{name: np.where(now, value, getattr(day, name)) for name, value in values.items()})


def left_out(start, end):
    return {hour: LEFT_OUT for hour in range(int(start), int(np.ceil(end)))}


def zeros():
    for day, (start, end) in product(days(2), ((8, 9), (10, 11), (12, 13), (13, 15), (15, 16), (11.5, 12.5))):
        for known, ratings in both(day):
            now = spoilt(day, start, end, voltage=0, current=0)
            yield Case("zeros in light", f"{start} to {end} h, {known}", now, ratings, left_out(start, end))


def placeholders():
    values = (-1.0, 65535.0, 6553.5, 655.35, 32767.0, 3276.7, -999.0)
    for day, value, names in product(days(4), values, (("voltage",), ("current",), ("voltage", "current"))):
        for (start, end), (known, ratings) in product(((9, 10), (12, 14)), both(day)):
            now = spoilt(day, start, end, **dict.fromkeys(names, value))
            label = f"{value:g} in {' and '.join(names)}, {start} to {end} h, {known}"
            yield Case("placeholders", label, now, ratings, left_out(start, end))


def frozen():
    for day, (start, end) in product(days(2), ((8, 24), (10, 24), (12, 24), (14, 24), (9, 11), (12, 15))):
        before = np.searchsorted(day.hour, start) - 1
        now = spoilt(day, start, end, voltage=day.voltage[before], current=day.current[before])
        for known, ratings in both(day):
            yield Case("frozen", f"{start} to {end} h, {known}", now, ratings, left_out(start, min(end, 24)))


def filled():
    """Gaps in which a logger says its last row again; part of an hour may be judged by its other part."""
    for day, (start, end) in product(days(2), ((8, 9), (10, 11), (12, 13.5), (14, 16), (9.5, 10.25))):
        before = np.searchsorted(day.hour, start) - 1
        of_all = {name: getattr(day, name)[before] for name in ("voltage", "current", "temperature", "irradiance")}
        shows = {hour: {*LEFT_OUT, NONE} for hour in left_out(start, end)}
        for known, ratings in both(day):
            yield Case("filled gaps", f"{start} to {end} h, {known}", spoilt(day, start, end, **of_all), ratings, shows)


def jittered():
    for day, seconds in product(days(2), (19, 23, 27, 31)):
        random = np.random.default_rng(seconds)
        moved = day.hour + random.uniform(-seconds, seconds, len(day.hour)) / 3600
        if day.hour[1] * 3600 < 4 * seconds:
            continue
        shown = replace(day, hour=np.clip(moved, 0, 23.999))
        for known, ratings in both(day):
            yield Case("jitter", f"{seconds} s, {known}", shown, ratings)


def thinned():
    for day, lost in product(days(2), range(0, 12, 3)):
        if day.hour[1] * 3600 < 200:
            continue
        received = np.arange(len(day.hour)) % 12 != lost
        for known, ratings in both(day):
            yield Case("11 of 12 readings", f"without {lost}, {known}", day, ratings, received=received)


def limited(day, start, end, share):
    now = (day.hour >= start) & (day.hour < end) & (day.irradiance > 15)
    voltage, current = day.voltage.copy(), day.current.copy()
    voltage[now], current[now] = day.array.limited(day.irradiance[now], day.temperature[now], share)
    return replace(day, voltage=voltage, current=current)


def of_the_inverter(start, end):
    return {hour: {*LEFT_OUT, NONE} for hour in range(int(start), int(np.ceil(end)))}


def curtailed():
    for day, (start, end), share in product(days(3), ((9, 10), (11, 13), (13, 16), (10.5, 12.5)), (0, 0.3, 0.5, 0.7)):
        now = limited(day, start, end, share)
        for known, ratings in both(day):
            label = f"to {share:.0%} from {start} to {end} h, {known}"
            yield Case("curtailed", label, now, ratings, of_the_inverter(start, end))


def clipped():
    """The inverter takes so much of the array's rated power and no more."""
    for day, share in product(days(3), (0.5, 0.6, 0.7, 0.8)):
        most = share * np.prod(day.array.rated)
        power = day.voltage * day.current
        over = np.flatnonzero(power > most)
        voltage, current = day.voltage.copy(), day.current.copy()
        voltage[over], current[over] = day.array.limited(
            day.irradiance[over], day.temperature[over], most / power[over]
        )
        shows = of_the_inverter(day.hour[over[0]], day.hour[over[-1]] + 0.01) if len(over) else {}
        shown = replace(day, voltage=voltage, current=current)
        for known, ratings in both(day):
            yield Case("clipped", f"at {share:.0%}, {known}", shown, ratings, shows)


def switched_off():
    """By order: the voltage is that of the open array, or, behind the switch, nothing."""
    for day, (start, end), volts in product(days(3), ((9, 10), (12, 14), (11, 15)), ("open", "none")):
        now = limited(day, start, end, 0) if volts == "open" else spoilt(day, start, end, voltage=0, current=0)
        for known, ratings in both(day):
            yield Case(
                "off by order", f"{volts}, {start} to {end} h, {known}", now, ratings, of_the_inverter(start, end)
            )


def east_west():
    """Half of the strings face the morning, half the evening; the sensor is with one of them, or lies flat."""
    for array, options, apart in product(ARRAYS[:4], DAYS[:3], (1.5, 2.5)):
        options = {name: value for name, value in options.items() if name != "seed"}
        east, west = (a_day(array, facing=side * apart, **options) for side in (-1, 1))
        current = (east.current + west.current) / 2
        of_most = (east.voltage * east.current + west.voltage * west.current) / np.maximum(2 * current, 1e-6)
        shown = replace(east, current=current, voltage=of_most)
        for known, ratings in both(east):
            yield Case("east and west", f"{apart} h, {known}", shown, ratings, mistake=True)


# --- judging ---


def judge(some: list[Case], classifier) -> list[tuple[Case, str, str]]:
    """The outcome of each case, and what of it is not right."""
    names = [f"D{number:09d}" for number in range(len(some))]
    known = [(name, case) for name, case in zip(names, some, strict=True) if case.ratings]
    registry = Registry(
        tuple(name for name, _ in known),
        np.array([case.ratings[0] for _, case in known]),
        np.array([case.ratings[1] for _, case in known]),
        np.array([[case.day.array.series, case.day.array.parallel] for _, case in known], float).reshape(-1, 2),
    )
    tables = [as_table(name, case) for name, case in zip(names, some, strict=True)]
    # One by one: what is alike in many devices is known of a fleet, and these are none.
    findings = {name: examine_readings(table, registry) for name, table in zip(names, tables, strict=True)}
    every = [finding for found in findings.values() for finding in found]
    judged = judge_readings(pa.concat_tables(tables), registry, classifier, doubts=why_in_doubt(every))
    shown = {name: {} for name in names}
    for row in judged.hours.to_pylist():
        shown[row["deviceID"]][row["window_start"].hour] = (row["fault"] or row["quality"], row["confidence"] or 0.0)
    day = {row["deviceID"]: row["fault"] for row in judged.device_days.to_pylist()}
    return [
        (case, *outcome(case, shown[name], day[name], findings[name])) for name, case in zip(names, some, strict=True)
    ]


def as_table(name, case):
    day = case.day
    start = np.datetime64(MIDNIGHT.replace(tzinfo=None), "us")
    times = pa.array(start + np.round(day.hour * 3.6e9).astype("timedelta64[us]")).cast(TIMESTAMP_TYPE)
    columns = [pa.array(column, pa.float32()) for column in day.measurements.T]
    table = pa.table([[name] * len(times), times, *columns], schema=READING_SCHEMA)
    return table if case.received is None else table.filter(pa.array(case.received))


def outcome(case, shown, of_day, findings) -> tuple[str, str]:
    """What came out, and what of it is not right.

    A faulty hour that is called healthy is wrong if that is more than a guess, and so is a faulty day.
    """
    marks = ", ".join(f"{found.kind}{'!' if found.certain else ''}" for found in findings)
    if any(found.certain for found in findings):
        return (REFUSED if case.mistake else WRONG), marks
    light = {hour: case.day.irradiance[case.day.hour.astype(int) == hour].mean() for hour in shown}
    wrong, named, unsure = {}, {}, False
    for hour, (what, sure) in shown.items():
        may = case.shows.get(hour, {NONE})
        if what in ("dark", MISSING) and what not in may:
            continue
        if what == UNSURE:
            unsure = True
        elif what in LEFT_OUT and what not in may:
            unsure = True
        elif what == NONE and may == FAULTY:
            unsure |= light[hour] >= DUSK
            if light[hour] >= DUSK and (sure >= SURE or of_day == NONE):
                wrong[hour] = f"{what} {sure:.2f}"
        elif what not in may:
            wrong[hour] = f"{what} {sure:.2f}"
        elif what in FAULTY and case.name and what != case.name:
            named[hour] = f"{what} {sure:.2f}"
    told = f"{wrong or named or ''} {marks}".strip()
    if wrong:
        return (OPEN if marks and case.mistake else WRONG), told
    if marks and not case.mistake:
        return WRONG, f"marked: {told}"
    if named:
        return MISNAMED, told
    return (OPEN if unsure or marks else RIGHT), told


def main():
    """Print how many variants of each kind come out how."""
    import sys
    from pathlib import Path

    from pvfault.lenet import load_classifier

    every = list(cases())
    judged = judge(every, load_classifier(Path("models/lenet5.h5")))
    by_kind: dict[str, Counter] = {}
    for case, found, told in judged:
        by_kind.setdefault(case.kind, Counter())[found] += 1
        if found in (WRONG, MISNAMED) and "-v" in sys.argv:
            print(f"{found}: {case.kind}, {case.label}: {told}", file=sys.stderr)
    width = max(map(len, by_kind))
    print("  ".join(["kind".ljust(width), "variants", *OUTCOMES]))
    for kind, counts in [*by_kind.items(), ("all", sum(by_kind.values(), Counter()))]:
        cells = [str(counts.total()).rjust(8), *(str(counts[each]).rjust(len(each)) for each in OUTCOMES)]
        print("  ".join([kind.ljust(width), *cells]))


if __name__ == "__main__":
    main()
