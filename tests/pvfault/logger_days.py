"""Device-days as loggers and people get them wrong, in many variants, each with what a verdict may say of it.

Kinds are those that are found in public reports: a string that opens within the day, ratings of something else, units,
columns, clocks, what loggers write where there is no value, what inverters do. `judging.py` tells how many are right.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from pvfault.faults import FAULTS, NONE, OPEN_CIRCUIT
from pvfault.tables import CURTAILED, INVALID, MISSING, NOT_REPORTING, SPARSE
from tests.pvfault.single_diode import NAMES, Array, Day, a_day

ARRAYS = (Array(), Array(NAMES[1], 20, 2), Array(NAMES[0], 16, 3), Array(NAMES[1], 22, 4), Array(NAMES[2], 10, 12))
DAYS = (
    {}, {"air": 8.0, "top": 800.0, "seed": 1}, {"noon": 11.2, "light_hours": 12.0, "seed": 2},
    {"air": 30.0, "noon": 13.1, "seed": 3, "cadence": 60},
)  # fmt: skip
LEFT_OUT = {INVALID, SPARSE, CURTAILED, NOT_REPORTING, MISSING}
FAULTY = {*FAULTS} - {NONE}


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


def cases(thin: int = 1) -> Iterator[Case]:
    """Variants of all kinds: all, or of every so many days, and of these every so many."""
    for make in (
        opened, other_ratings, units, temperatures, columns, zeros, placeholders, frozen, filled, jittered, thinned,
        curtailed, clipped, switched_off, east_west, healthy,
    ):  # fmt: skip
        for number, case in enumerate(make(thin)):
            if number % thin == 0:
                yield replace(case, label=f"{number}: {case.label}")


def days(every: int = 1) -> Iterator[Day]:
    for number, (array, options) in enumerate(product(ARRAYS, DAYS)):
        if number % every == 0:
            yield a_day(array, **options)


def both(day: Day):
    """With a registry, and without."""
    return (("registered", day.array.rated), ("not registered", None))


def healthy(thin=1):
    for day in days(thin):
        for known, ratings in both(day):
            yield Case("healthy", known, day, ratings)


def opened(thin=1):
    """One or some of the strings open for good."""
    for day, hour in product(days(thin), (9, 11, 13, 15)):
        strings = day.array.parallel
        for lost in sorted({1, max(strings // 3, 1), strings // 2}):
            left = np.where(day.hour >= hour, 1 - lost / strings, 1)
            faulty = replace(day, current=day.current * left)
            shows = dict.fromkeys(range(hour, 24), FAULTY)
            for known, ratings in both(day):
                label = f"{lost} of {strings} strings from {hour} h, {known}"
                yield Case(f"string opens, {known}", label, faulty, ratings, shows, name=OPEN_CIRCUIT)


def other_ratings(thin=1):
    for day, hour in product(days(thin), (None, 10, 14)):
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
            faulty, shows = replace(day, current=day.current * left), dict.fromkeys(range(hour, 24), FAULTY)
        for label, ratings in wrong.items():
            yield Case(f"registry: {label}", f"fault from {hour}", faulty, ratings, shows, mistake=True)


def units(thin=1):
    for day in days(2 * thin):
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


def temperatures(thin=1):
    for day in days(2 * thin):
        wrong = {
            "°F": day.temperature * 1.8 + 32, "K": day.temperature + 273.15, "constant": np.full(len(day.hour), 25.0),
        }  # fmt: skip
        for (label, values), (known, ratings) in product(wrong.items(), both(day)):
            yield Case(f"temperature: {label}", known, replace(day, temperature=values), ratings, mistake=True)


def columns(thin=1):
    for day in days(2 * thin):
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
    return dict.fromkeys(range(int(start), int(np.ceil(end))), LEFT_OUT)


def zeros(thin=1):
    for day, (start, end) in product(days(2 * thin), ((8, 9), (10, 11), (12, 13), (13, 15), (15, 16), (11.5, 12.5))):
        for known, ratings in both(day):
            now = spoilt(day, start, end, voltage=0, current=0)
            yield Case("zeros in light", f"{start} to {end} h, {known}", now, ratings, left_out(start, end))


def placeholders(thin=1):
    values = (-1.0, 65535.0, 6553.5, 655.35, 32767.0, 3276.7, -999.0)
    for day, value, names in product(days(4 * thin), values, (("voltage",), ("current",), ("voltage", "current"))):
        if value == 655.35 and "voltage" in names:
            continue  # these loggers write tenths of a volt
        for (start, end), (known, ratings) in product(((9, 10), (12, 14)), both(day)):
            now = spoilt(day, start, end, **dict.fromkeys(names, value))
            label = f"{value:g} in {' and '.join(names)}, {start} to {end} h, {known}"
            yield Case("placeholders", label, now, ratings, left_out(start, end))


def frozen(thin=1):
    for day, (start, end) in product(days(2 * thin), ((8, 24), (10, 24), (12, 24), (14, 24), (9, 11), (12, 15))):
        before = np.searchsorted(day.hour, start) - 1
        now = spoilt(day, start, end, voltage=day.voltage[before], current=day.current[before])
        for known, ratings in both(day):
            yield Case("frozen", f"{start} to {end} h, {known}", now, ratings, left_out(start, min(end, 24)))


def filled(thin=1):
    """Gaps in which a logger says its last row again; part of an hour may be judged by its other part."""
    for day, (start, end) in product(days(2 * thin), ((8, 9), (10, 11), (12, 13.5), (14, 16), (9.5, 10.25))):
        before = np.searchsorted(day.hour, start) - 1
        of_all = {name: getattr(day, name)[before] for name in ("voltage", "current", "temperature", "irradiance")}
        shows = {hour: {*LEFT_OUT, NONE} for hour in left_out(start, end)}
        for known, ratings in both(day):
            yield Case("filled gaps", f"{start} to {end} h, {known}", spoilt(day, start, end, **of_all), ratings, shows)


def jittered(thin=1):
    for day, seconds in product(days(2 * thin), (19, 23, 27, 31)):
        random = np.random.default_rng(seconds)
        moved = day.hour + random.uniform(-seconds, seconds, len(day.hour)) / 3600
        if day.hour[1] * 3600 < 4 * seconds:
            continue
        shown = replace(day, hour=np.clip(moved, 0, 23.999))
        for known, ratings in both(day):
            yield Case("jitter", f"{seconds} s, {known}", shown, ratings)


def thinned(thin=1):
    for day, lost in product(days(2 * thin), range(0, 12, 3)):
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


def curtailed(thin=1):
    for day, (start, end), share in product(
        days(3 * thin), ((9, 10), (11, 13), (13, 16), (10.5, 12.5)), (0, 0.3, 0.5, 0.7)
    ):
        now = limited(day, start, end, share)
        for known, ratings in both(day):
            label = f"to {share:.0%} from {start} to {end} h, {known}"
            yield Case("curtailed", label, now, ratings, of_the_inverter(start, end))


def clipped(thin=1):
    """The inverter takes so much of the array's rated power and no more."""
    for day, share in product(days(3 * thin), (0.5, 0.6, 0.7, 0.8)):
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


def switched_off(thin=1):
    """By order: the voltage is that of the open array, or, behind the switch, nothing."""
    for day, (start, end), volts in product(days(3 * thin), ((9, 10), (12, 14), (11, 15)), ("open", "none")):
        now = limited(day, start, end, 0) if volts == "open" else spoilt(day, start, end, voltage=0, current=0)
        for known, ratings in both(day):
            yield Case(
                "off by order", f"{volts}, {start} to {end} h, {known}", now, ratings, of_the_inverter(start, end)
            )


def east_west(thin=1):
    """Half of the strings face the morning, half the evening; the sensor is with one of them, or lies flat."""
    for array, options, apart in product(ARRAYS[:4:thin], DAYS[:3], (1.5, 2.5)):
        options = {name: value for name, value in options.items() if name != "seed"}
        east, west = (a_day(array, facing=side * apart, **options) for side in (-1, 1))
        current = (east.current + west.current) / 2
        of_most = (east.voltage * east.current + west.voltage * west.current) / np.maximum(2 * current, 1e-6)
        shown = replace(east, current=current, voltage=of_most)
        for known, ratings in both(east):
            yield Case("east and west", f"{apart} h, {known}", shown, ratings, mistake=True)
