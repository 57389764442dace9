"""How rows and columns of a file are laid out: which column goes where, for one device or several.

A `Plan` is made from names, units and the first rows; where two plans would be possible, the user is asked. Not here:
what a single name says (`columns.py`), and the values (`values.py`).
"""

import re
import shlex
from collections import defaultdict
from dataclasses import dataclass, field

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS, UNITS
from pvfault_files.choices import Choices
from pvfault_files.columns import Name, read_name
from pvfault_files.dialect import Dialect
from pvfault_files.key_columns import KeyColumns, Long
from pvfault_files.units import Unit, unit_of
from pvfault_files.zones import zone_in_name

_ELECTRICAL = ("voltage", "current")
_OF_DEVICES = re.compile(
    r"(?i)\b(inv|inverter|wr|wechselrichter|onduleur|inversor|omvormer|device|dev|sb|sma|combiner|cb|unit|sn|logger)"
    r"[ _-]?\w*"
)


@dataclass(frozen=True)
class Group:
    """Columns that make the readings of one device in a row.

    Attributes
    ----------
    owner : str
        What the device is called, beside the column of devices; empty if the row is of one device.
    columns : dict of str to tuple of int
        Columns by measurement, of which some may be missing.
    """

    owner: str
    columns: dict[str, tuple[int, ...]]


@dataclass
class Plan:
    """Where readings stand in a file.

    Attributes
    ----------
    times : tuple of int
        The column of timestamps, or those of dates and of times of day.
    device, port : int or None
        Columns of devices, and of inputs of a device that have rows of their own.
    groups : tuple of Group
    units : dict of int to Unit
        By column, where a unit is known.
    long : Long or None
    missing : tuple of str
        Measurements without a column.
    zone : str or None
        Zone that the column of times names.
    layout : str
        What a row is, in words; empty for one row a device and time.
    remarks : list of str
    asked : str
        What is to be said if the missing measurements are in no other file either.
    """

    times: tuple[int, ...]
    device: int | None
    port: int | None
    groups: tuple[Group, ...]
    units: dict[int, Unit]
    long: Long | None = None
    missing: tuple[str, ...] = ()
    zone: str | None = None
    layout: str = ""
    remarks: list[str] = field(default_factory=list)
    asked: str = ""

    def columns_of_numbers(self) -> list[int]:
        """All columns of measurements."""
        return list(dict.fromkeys(c for group in self.groups for numbers in group.columns.values() for c in numbers))


def make_plan(name: str, dialect: Dialect, choices: Choices) -> Plan:
    """Find which column goes where.

    Parameters
    ----------
    name : str
        What messages call the file.
    dialect : Dialect
    choices : Choices

    Raises
    ------
    PvfaultError
        If a column that was named is not there, no column of times can be found, or two plans are possible.
    """
    return _Planner(name, dialect, choices).plan()


class _Planner(KeyColumns):
    """A file's columns, and the plan that is made of them."""

    def plan(self):
        times = self.find_times()
        device = self.find_device(times)
        taken = {*times, device}
        long = self.find_long(taken)
        if long is not None:
            return self._long_plan(times, device, long)
        mapped = {m: self.named(m) for m in MEASUREMENTS if m in self.choices.columns}
        for measurement in _ELECTRICAL:
            self._complete_inputs(measurement, mapped)
        taken |= {column for columns in mapped.values() for column in columns}
        port = self.find_port(taken)
        groups, layout, notes = self._find_groups(mapped, taken, device)
        missing = tuple(m for m in MEASUREMENTS if any(m not in group.columns for group in groups))
        units = self._units(groups)
        return Plan(
            times, device, port, groups, units, None, missing,
            zone_in_name(self.names[times[0]]) or zone_in_name(self.names[times[-1]]),
            layout, self.remarks, self._ask_for(missing, notes) if missing else "",
        )  # fmt: skip

    def _long_plan(self, times, device, long):
        self.remarks.append(
            f"{self.name}: each row was taken for one value, that of {self.names[long.what]!r} in "
            f"{self.names[long.value]!r}."
        )
        return Plan(
            times, device, None, (), {}, long, (), zone_in_name(self.names[times[0]]), "one row a value", self.remarks
        )

    def _find_groups(self, mapped, taken, device):
        """Groups of columns, what a row is, and notes on columns that could be meant."""
        free = {m: self._candidates(m, taken) for m in MEASUREMENTS if m not in mapped}
        electrical = [n for m in _ELECTRICAL for n in free.get(m, ())]
        owners = {self.owner(n) for n in electrical}
        owners = [owner for owner in dict.fromkeys(self.owner(n) for n in electrical) if owner or len(owners) == 1]
        if len(owners) > 1 and not any(m in mapped for m in _ELECTRICAL) and self._are_devices(owners, device):
            return self._device_groups(owners, free, mapped)
        if len(owners) > 1 and any(m in mapped for m in _ELECTRICAL):
            owners = owners[:1]
        shared = {
            m: mapped[m] if m in mapped else self._weather(m, free[m], None) for m in ("temperature", "irradiance")
        }
        found = {m: mapped[m] if m in mapped else self._inputs_of(m, free[m]) for m in _ELECTRICAL}
        together = {m: columns for m, columns in {**found, **shared}.items() if columns}
        self._tell_taken(together, mapped)
        groups, layout = self._split_inputs(together)
        return groups, layout, {m: free.get(m, ()) for m in MEASUREMENTS if not together.get(m)}

    def _candidates(self, measurement, taken):
        """Columns of a measurement, those of the highest rank."""
        exact = [n for n, text in enumerate(self.names) if text == measurement and n not in taken]
        if len(exact) > 1:
            raise PvfaultError(
                f"{self.name} has the column {measurement!r} twice. Rename one, so that it is clear which is meant."
            )
        if exact:
            return exact
        found = [n for n, each in enumerate(self.read) if each.measurement == measurement and n not in taken]
        # A column in which nothing ever stands is none.
        found = [n for n in found if self.cells(n) or not self.sample] or found
        # What is written as power needs no interval.
        found = [n for n in found if not self._is_energy(n) and self.read[n].rank] or found
        best = max((self.read[n].rank for n in found), default=0)
        return [n for n in found if self.read[n].rank == best]

    def _is_energy(self, column):
        unit = self.read[column].unit
        return unit is not None and unit.is_energy

    def _are_devices(self, owners, device):
        """Whether several owners of columns are devices; if they are inputs, they are summed."""
        if self.choices.inputs is not None:
            return self.choices.inputs == "devices"
        if device is None and self.choices.device is None and all(_OF_DEVICES.search(owner) for owner in owners):
            return True
        if device is None and self.choices.device is None:
            raise PvfaultError(
                f"{self.name} has columns of {', '.join(owners)}: are they devices of their own, or inputs of one "
                f"device? "
                "Say so: --inputs devices, or --inputs sum with --device NAME."
            )
        return False

    def _device_groups(self, owners, free, mapped):
        """One column a device."""
        groups = []
        for owner in owners:
            own = {m: self._inputs_of(m, [n for n in free[m] if self.owner(n) == owner]) for m in _ELECTRICAL}
            for m in ("temperature", "irradiance"):
                own[m] = mapped[m] if m in mapped else self._weather(m, free[m], owner)
            groups.append(Group(owner, {m: columns for m, columns in own.items() if columns}))
        self.remarks.append(
            f"{self.name}: columns of {len(owners)} devices stand side by side ({', '.join(owners[:4])}"
            f"{' …' if len(owners) > 4 else ''})."
        )
        return tuple(groups), "one column a device", {m: free.get(m, ()) for m in MEASUREMENTS}

    def _weather(self, measurement, columns, owner):
        """The one column of temperature or irradiance, of a device or shared."""
        columns = [n for n in columns if self.read[n].rank > 0]
        own = [n for n in columns if owner and self.owner(n) == owner]
        rest = own or [n for n in columns if not owner or not _OF_DEVICES.search(self.owner(n))] or columns
        if len(rest) > 1:
            raise PvfaultError(self.which_of(measurement, rest))
        return tuple(rest)

    def _inputs_of(self, measurement, columns):
        """Columns of voltage or current: one, or one of each input."""
        if len(columns) < 2:
            return tuple(columns)
        whole = [n for n in columns if not self.read[n].input]
        if len(whole) == 1:
            return tuple(whole)  # the total, beside its parts
        inputs = [(self.owner(n), self.read[n].input) for n in columns]
        if (whole and len({owner for owner, _ in inputs}) < len(columns)) or len(set(inputs)) < len(columns):
            raise PvfaultError(self.which_of(measurement, columns))
        return tuple(columns)

    def _split_inputs(self, together):
        """Several inputs as one group, or as groups of their own."""
        several = {m: columns for m, columns in together.items() if m in _ELECTRICAL and len(columns) > 1}
        if not several:
            return (Group("", together),), ""
        voltages, currents = together.get("voltage", ()), together.get("current", ())
        if len(voltages) > 1 and len(currents) != len(voltages):
            raise PvfaultError(
                f"{self.name} has {len(voltages)} columns of voltage and {len(currents)} of current "
                f"({self.listed(voltages + currents)}). Expected one voltage, or one beside each current. Say which "
                f"are "
                "meant, with --map voltage=COLUMN and --map current=COLUMN."
            )
        if self.choices.inputs == "devices":
            if len(voltages) == 1:
                voltages = voltages * len(currents)
            groups = tuple(
                Group(self._label(current, place), {**together, "voltage": (voltage,), "current": (current,)})
                for place, (voltage, current) in enumerate(zip(voltages, currents, strict=True), 1)
            )
            return groups, "inputs of a device side by side, as devices of their own"
        self.remarks.append(
            f"{self.name}: current is the sum of {self.listed(currents)}"
            + (f", voltage the mean of {self.listed(voltages)} weighted by current" if len(voltages) > 1 else "")
            + "; --inputs devices takes each input for a device of its own."
        )
        return (Group("", together),), "inputs of a device side by side, summed"

    def _complete_inputs(self, measurement, mapped):
        """Ask about one input that was named where the others of its device stand beside it, or add them."""
        if len(mapped.get(measurement, ())) != 1 or self.choices.inputs == "devices":
            return
        (column,) = mapped[measurement]
        own = self.read[column]
        beside = [
            n for n, each in enumerate(self.read)
            if n != column and own.input and each.input and self.cells(n)
            and (each.measurement, each.owner) == (measurement, own.owner)
        ]  # fmt: skip
        if not beside:
            return
        inputs = tuple(sorted([column, *beside]))
        if self.choices.inputs == "sum":
            mapped[measurement] = inputs
            return
        if measurement == "voltage":
            return  # one voltage goes with the sum of currents
        raise PvfaultError(
            f"{self.name} has the columns {self.listed(inputs)} (named in line {self.header_line}): is "
            f"{self.names[column]!r} "
            "one input of several that make up the device? Then say --inputs sum. If that input is to be judged alone, "
            "say --inputs devices."
        )

    def _label(self, column, place):
        return self.owner(column) or self.read[column].input or str(place)

    def _units(self, groups):
        """Units by column: of the user, of the name, of the row of units."""
        units = {}
        for group in groups:
            for measurement, columns in group.columns.items():
                for column in columns:
                    units[column] = self._unit(measurement, column)
        return {column: unit for column, unit in units.items() if unit is not None}

    def _unit(self, measurement, column):
        if measurement in self.choices.units:
            return unit_of(measurement, self.choices.units[measurement])
        unit = self.read[column].unit or read_name(self.names[column], self.beside[column]).unit
        if unit is None:
            return None
        if unit.measurement != measurement:
            raise PvfaultError(
                f"{self.name}: column {self.names[column]!r} is in {unit.text}, but was mapped to {measurement}, "
                f"which is "
                f"in {UNITS[measurement]}. Name another column, or the unit with --unit "
                f"{measurement}={UNITS[measurement]}."
            )
        if not unit.is_the_readings_own:
            self.remarks.append(
                f"{self.name}: {measurement} was converted from {unit.text} to {UNITS[measurement]}, as column "
                f"{self.names[column]!r} says."
            )
        return unit

    def _tell_taken(self, together, mapped):
        taken = [
            f"{measurement} from {self.listed(columns)}"
            for measurement, columns in together.items()
            if measurement not in mapped and self.listed(columns) != repr(measurement) and len(columns) == 1
        ]
        if taken:
            self.remarks.append(f"{self.name}: taken by their names: {', '.join(taken)}.")

    def _ask_for(self, missing, notes):
        """What is said of measurements for which there is no column."""
        near = [
            f"{self.listed(notes[m])} may be of another place than the array; if it is not: "
            + " ".join(f"--map {shlex.quote(f'{m}={self.names[n]}')}" for n in notes[m][:1])
            for m in missing
            if notes.get(m)
        ]
        asked = [f"--map {m}=COLUMN" for m in missing if not notes.get(m)]
        return (
            f"{self.name} has no column {', '.join(missing)}. It has {self.all_names()}. "
            + " ".join([*near, *(["Say which column is meant: " + " ".join(asked)] if asked else [])])
        )  # fmt: skip


def names_in(texts: list[str]) -> dict[str, list[Name]]:
    """What texts of a long file are, by measurement; of the highest rank of each."""
    found = defaultdict(list)
    for text in texts:
        name = read_name(text)
        if name.measurement:
            found[name.measurement].append(name)
    best = {m: max(each.rank for each in names) for m, names in found.items()}
    return {m: [each for each in names if each.rank == best[m]] for m, names in found.items()}
