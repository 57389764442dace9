"""How rows and columns of a file are laid out: which column goes where, for one device or several.

A `Plan` is made from names, units and the first rows; where two plans would be possible, the user is asked. Not here: what
a single name says (`columns.py`), and the values (`values.py`).
"""

import re
import shlex
from collections import defaultdict
from dataclasses import dataclass, field

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP, UNITS
from pvfault_files import columns as words
from pvfault_files.cells import is_number, is_placeholder, is_time
from pvfault_files.choices import Choices
from pvfault_files.columns import Name, read_name
from pvfault_files.dialect import Dialect
from pvfault_files.units import Unit, unit_of

_ELECTRICAL = ("voltage", "current")
_OF_DEVICES = re.compile(
    r"(?i)\b(inv|inverter|wr|wechselrichter|onduleur|inversor|device|dev|sb|sma|combiner|unit|cb|sn|logger|omvormer)[ _-]?\w*"
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


@dataclass(frozen=True)
class Long:
    """Columns of a file that has one value in a row: what it is, the value, and the unit if there is one."""

    what: int
    value: int
    unit: int | None


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


class _Planner:
    """Columns of one file, as far as they are given away."""

    def __init__(self, name, dialect, choices):
        self.name = name
        self.names = dialect.names
        self.beside = dialect.units
        self.sample = dialect.sample
        self.choices = choices
        self.header_line = dialect.header_line
        self.remarks = []
        self.read = [read_name(text, beside) for text, beside in zip(self.names, self.beside, strict=True)]

    def plan(self):
        times = self._find_times()
        device = self._find_device(times)
        taken = {*times, device}
        long = self._find_long(taken)
        if long is not None:
            return self._long_plan(times, device, long)
        mapped = {m: self._named(m) for m in MEASUREMENTS if m in self.choices.columns}
        for measurement in _ELECTRICAL:
            self._complete_inputs(measurement, mapped)
        taken |= {column for columns in mapped.values() for column in columns}
        port = self._find_port(taken)
        groups, layout, notes = self._find_groups(mapped, taken, device)
        missing = tuple(m for m in MEASUREMENTS if any(m not in group.columns for group in groups))
        units = self._units(groups)
        return Plan(
            times, device, port, groups, units, None, missing,
            words_zone(self.names[times[0]]) or words_zone(self.names[times[-1]]),
            layout, self.remarks, self._ask_for(missing, notes) if missing else "",
        )  # fmt: skip

    # Columns by name

    def _named(self, what):
        """Columns that --map names for something."""
        return tuple(self._column(text) for text in self.choices.columns[what])

    def _column(self, text):
        found = [number for number, each in enumerate(self.names) if each == text]
        if not found and "+" in text:  # Idc1+Idc2
            raise PvfaultError(
                f"{self.name} has no column {text!r}. To take several together, repeat --map for each of them. "
                f"It has {self._all()}."
            )
        if not found:
            raise PvfaultError(f"{self.name} has no column {text}. It has {self._all()}.")
        if len(found) > 1:
            raise PvfaultError(
                f"{self.name} has the column {text!r} twice. Rename one, so that it is clear which is meant."
            )
        return found[0]

    def _all(self):
        return ", ".join(self.names)

    def _cells(self, column):
        """What stands in a column of the first rows, without placeholders."""
        cells = (row[column] for row in self.sample if column < len(row))
        return [cell.strip() for cell in cells if not is_placeholder(cell)]

    # Times

    def _find_times(self):
        if TIMESTAMP in self.choices.columns:
            mapped = self._named(TIMESTAMP)
            if len(mapped) > 2:
                raise PvfaultError(f"--map names {len(mapped)} columns for {TIMESTAMP}; expected one, or date and time.")
            return mapped if len(mapped) == 2 else self._with_clock(mapped[0], told=True)
        if self.names.count(TIMESTAMP) == 1:
            return self._with_clock(self.names.index(TIMESTAMP))
        named = [n for n, text in enumerate(self.names) if words.is_time_name(text) or words.is_date_name(text)]
        whole = [column for column in named if self._is_of_instants(column)]
        if not named:
            whole = [n for n in range(len(self.names)) if self._cells(n) and all(map(_is_instant, self._cells(n)))]
        if len(whole) > 1:
            universal = [column for column in whole if words_zone(self.names[column]) == "UTC"]
            whole = universal if len(universal) == 1 else whole
        if len(whole) > 1:
            raise PvfaultError(self._which(TIMESTAMP, whole))
        if whole:
            return self._with_clock(whole[0])
        dates = [column for column in named if words.is_date_name(self.names[column]) or self._is_of_dates(column)]
        if len(dates) == 1:
            return self._with_clock(dates[0])
        if len(named) == 1:
            return (named[0],)
        what = f"Of {', '.join(self.names[n] for n in named)} none is clearly it." if named else ""
        raise PvfaultError(
            f"{self.name} has no column {TIMESTAMP}. It has {self._all()}. {what}".strip()
            + " Say which column is meant: --map timestamp=COLUMN"
        )

    def _with_clock(self, column, *, told=False):
        """A column of times, and that of times of day if it holds dates alone."""
        if not self._is_of_dates(column):
            return (column,)
        clocks = [n for n in range(len(self.names)) if n != column and self._cells(n) and self._is_of_clocks(n)]
        named = [n for n in clocks if words.is_clock_name(self.names[n]) or words.is_time_name(self.names[n])] or clocks
        if len(named) > 1:
            raise PvfaultError(self._which(TIMESTAMP, named))
        if not named:
            return (column,)
        pair = f"{self.names[column]!r} and {self.names[named[0]]!r}"
        self.remarks.append(f"{self.name}: date and time of day were put together, from {pair}.")
        return (column, named[0])

    def _is_of_dates(self, column):
        cells = self._cells(column)
        return bool(cells) and all(
            re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\.?([T ]0?0:00(:00)?(\.0+)?)?|(19|20)\d{6}", cell) for cell in cells
        ) or (bool(cells) and words.is_date_name(self.names[column]) and all(re.fullmatch(r"\d{5}(\.0)?", cell) for cell in cells))  # fmt: skip

    def _is_of_clocks(self, column):
        cells = self._cells(column)
        named = words.is_clock_name(self.names[column])
        return all(
            re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?", cell)
            or (named and re.fullmatch(r"[01]?(\.\d+)?|0\.\d+([eE]-\d+)?|\d{4}|\d{6}", cell))
            for cell in cells
        )

    def _is_of_instants(self, column):
        cells = self._cells(column)
        return bool(cells) and all(map(_is_instant, cells)) and not self._is_of_dates(column)

    # Devices and inputs

    def _find_device(self, times):
        if self.choices.device is not None:
            if DEVICE_ID in self.names:
                raise PvfaultError(
                    f"{self.name} has a column {DEVICE_ID} of its own. Leave --device away, or remove the column."
                )
            return None
        if DEVICE_ID in self.choices.columns:
            return self._named(DEVICE_ID)[0]
        if self.names.count(DEVICE_ID) == 1:
            return self.names.index(DEVICE_ID)
        found = [
            n for n, text in enumerate(self.names)
            if n not in times and words.is_device_name(text) and self._cells(n) and not self._counts_rows(n)
        ]  # fmt: skip
        if len(found) > 1:
            found = self._one_of_equals(found)
        if len(found) > 1:
            raise PvfaultError(self._which(DEVICE_ID, found))
        return found[0] if found else None

    def _counts_rows(self, column):
        """Whether a column numbers the rows, and no devices."""
        cells = self._cells(column)
        numbers = [int(cell) for cell in cells if cell.isdigit()]
        return len(numbers) == len(cells) > 2 and all(b - a == 1 for a, b in zip(numbers, numbers[1:], strict=False))

    def _one_of_equals(self, found):
        """Of columns that tell the same devices apart, the one that people read."""
        pairs = {tuple(row[n] for n in found if n < len(row)) for row in self.sample}
        if all(len({pair[place] for pair in pairs}) == len(pairs) for place in range(len(found))):
            best = min(found, key=lambda n: ("name" not in self.names[n].lower(), n))
            self.remarks.append(
                f"{self.name}: devices were told apart by {self.names[best]!r}; "
                f"{', '.join(repr(self.names[n]) for n in found if n != best)} tells the same."
            )
            return [best]
        return found

    def _find_port(self, taken):
        found = [
            n for n, text in enumerate(self.names)
            if n not in taken and words.is_port_name(text) and not self.read[n].measurement and self._cells(n)
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None

    # Long format

    def _find_long(self, taken):
        """Columns of a file that has one value in a row, or None."""
        if any(m in self.choices.columns for m in MEASUREMENTS):
            return None
        if {"voltage", "current"} & {each.measurement for each in self.read}:
            return None
        found = []
        for what in range(len(self.names)):
            texts = set(self._cells(what))
            kinds = {read_name(text).measurement for text in texts} - {""}
            if what not in taken and len(kinds) >= 2 and len(texts) < len(self._cells(what)):
                found.append(what)
        values = [
            n for n in range(len(self.names))
            if n not in taken and n not in found and self._cells(n) and all(map(is_number, self._cells(n)))
        ]  # fmt: skip
        if len(values) > 1:
            named = [n for n in values if re.search("(?i)val|wert|valeur|reading|measure|mess", self.names[n])]
            values = named if len(named) == 1 else values
        if len(found) != 1 or len(values) != 1:
            return None
        units = [n for n, text in enumerate(self.names) if re.fullmatch("(?i)units?|einheit|unite|unidad|uom", text)]
        return Long(found[0], values[0], units[0] if len(units) == 1 else None)

    def _long_plan(self, times, device, long):
        self.remarks.append(
            f"{self.name}: each row was taken for one value, that of {self.names[long.what]!r} in {self.names[long.value]!r}."
        )
        return Plan(
            times, device, None, (), {}, long, (), words_zone(self.names[times[0]]), "one row a value", self.remarks
        )

    # Measurements

    def _find_groups(self, mapped, taken, device):
        """Groups of columns, what a row is, and notes on columns that could be meant."""
        free = {m: self._candidates(m, taken) for m in MEASUREMENTS if m not in mapped}
        electrical = [n for m in _ELECTRICAL for n in free.get(m, ())]
        owners = {self._owner(n) for n in electrical}
        owners = [owner for owner in dict.fromkeys(self._owner(n) for n in electrical) if owner or len(owners) == 1]
        if len(owners) > 1 and not any(m in mapped for m in _ELECTRICAL) and self._are_devices(owners, device):
            return self._device_groups(owners, free, mapped)
        if len(owners) > 1 and any(m in mapped for m in _ELECTRICAL):
            owners = owners[:1]
        shared = {m: mapped[m] if m in mapped else self._weather(m, free[m], None) for m in ("temperature", "irradiance")}
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
        found = [n for n in found if self._cells(n) or not self.sample] or found
        best = max((self.read[n].rank for n in found), default=0)
        return [n for n in found if self.read[n].rank == best]

    def _owner(self, column):
        return self.read[column].owner

    def _are_devices(self, owners, device):
        """Whether several owners of columns are devices; if they are inputs, they are summed."""
        if self.choices.inputs is not None:
            return self.choices.inputs == "devices"
        if device is None and self.choices.device is None and all(_OF_DEVICES.search(owner) for owner in owners):
            return True
        if device is None and self.choices.device is None:
            raise PvfaultError(
                f"{self.name} has columns of {', '.join(owners)}: are they devices of their own, or inputs of one device? "
                "Say so: --inputs devices, or --inputs sum with --device NAME."
            )
        return False

    def _device_groups(self, owners, free, mapped):
        """One column a device."""
        groups = []
        for owner in owners:
            own = {m: self._inputs_of(m, [n for n in free[m] if self._owner(n) == owner]) for m in _ELECTRICAL}
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
        own = [n for n in columns if owner and self._owner(n) == owner]
        rest = own or [n for n in columns if not owner or not _OF_DEVICES.search(self._owner(n))] or columns
        if len(rest) > 1:
            raise PvfaultError(self._which(measurement, rest))
        return tuple(rest)

    def _inputs_of(self, measurement, columns):
        """Columns of voltage or current: one, or one of each input."""
        if len(columns) < 2:
            return tuple(columns)
        whole = [n for n in columns if not self.read[n].input]
        if len(whole) == 1:
            return tuple(whole)  # the total, beside its parts
        inputs = [(self._owner(n), self.read[n].input) for n in columns]
        if whole and len({owner for owner, _ in inputs}) < len(columns) or len(set(inputs)) < len(columns):
            raise PvfaultError(self._which(measurement, columns))
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
                f"({self._list(voltages + currents)}). Expected one voltage, or one beside each current. Say which are "
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
            f"{self.name}: current is the sum of {self._list(currents)}"
            + (f", voltage the mean of {self._list(voltages)} weighted by current" if len(voltages) > 1 else "")
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
            if n != column and own.input and each.input and self._cells(n)
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
            f"{self.name} has the columns {self._list(inputs)} (named in line {self.header_line}): is {self.names[column]!r} "
            "one input of several that make up the device? Then say --inputs sum. If that input is to be judged alone, "
            "say --inputs devices."
        )

    def _label(self, column, place):
        return self._owner(column) or self.read[column].input or str(place)

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
                f"{self.name}: column {self.names[column]!r} is in {unit.text}, but was mapped to {measurement}, which is "
                f"in {UNITS[measurement]}. Name another column, or the unit with --unit {measurement}={UNITS[measurement]}."
            )
        if not unit.is_the_readings_own:
            self.remarks.append(
                f"{self.name}: {measurement} was converted from {unit.text} to {UNITS[measurement]}, as column "
                f"{self.names[column]!r} says."
            )
        return unit

    # What is said

    def _tell_taken(self, together, mapped):
        taken = [
            f"{measurement} from {self._list(columns)}"
            for measurement, columns in together.items()
            if measurement not in mapped and self._list(columns) != repr(measurement) and len(columns) == 1
        ]
        if taken:
            self.remarks.append(f"{self.name}: taken by their names: {', '.join(taken)}.")

    def _list(self, columns):
        return ", ".join(repr(self.names[n]) for n in columns)

    def _which(self, what, columns):
        options = " or ".join(f"--map {shlex.quote(f'{what}={self.names[n]}')}" for n in columns[:6])
        return (
            f"{self.name} has {len(columns)} columns that could be {what}: {self._list(columns)}. "
            f"Say which one is meant: {options}"
        )

    def _ask_for(self, missing, notes):
        """What is said of measurements for which there is no column."""
        near = [
            f"{self._list(notes[m])} may be of another place than the array; if it is not: "
            + " ".join(f"--map {shlex.quote(f'{m}={self.names[n]}')}" for n in notes[m][:1])
            for m in missing
            if notes.get(m)
        ]
        asked = [f"--map {m}=COLUMN" for m in missing if not notes.get(m)]
        return (
            f"{self.name} has no column {', '.join(missing)}. It has {self._all()}. "
            + " ".join([*near, *(["Say which column is meant: " + " ".join(asked)] if asked else [])])
        )  # fmt: skip


def words_zone(text: str) -> str | None:
    """Zone that a column's name gives."""
    from pvfault_files.zones import zone_in_name

    return zone_in_name(text)


def _is_instant(cell):
    """Whether a cell is a date with a time of day, or a number that could be one."""
    if re.fullmatch(r"\d{5}(\.\d+)?|\d{10}(\.\d+)?|\d{12,14}|\d{16}|\d{19}", cell):
        return True
    return is_time(cell) and re.search(r"\d[T ,_-]+\d{1,2}[:.h]\d{2}", cell) is not None


def names_in(texts: list[str]) -> dict[str, list[Name]]:
    """What texts of a long file are, by measurement; of the highest rank of each."""
    found = defaultdict(list)
    for text in texts:
        name = read_name(text)
        if name.measurement:
            found[name.measurement].append(name)
    best = {m: max(each.rank for each in names) for m, names in found.items()}
    return {m: [each for each in names if each.rank == best[m]] for m, names in found.items()}
