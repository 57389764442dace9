"""Files that have one value in a row: what it is, when, of which device, and the value.

Each row becomes a row of readings with one measurement; rows of one device and time complete each other (`rows.py`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS
from pvfault_files.bodies import Body
from pvfault_files.cells import is_placeholder
from pvfault_files.choices import Choices
from pvfault_files.columns import read_name
from pvfault_files.energies import seconds_gathered, tell_gathered
from pvfault_files.layouts import Plan, names_in
from pvfault_files.rows import Rows
from pvfault_files.units import unit_of
from pvfault_files.values import read_numbers, to_float32, to_measurement


def read_long(body: Body, plan: Plan, table: dict, devices, names, instants, choices: Choices):
    """Rows of a file with one value in a row, and no ranges of columns.

    Raises
    ------
    PvfaultError
        If a measurement is not there, or several texts could be one.
    """
    what = _texts(table[str(plan.long.what)])
    units = _texts(table[str(plan.long.unit)]) if plan.long.unit is not None else None
    numbers = read_numbers(body, table, [plan.long.value], choices)[plan.long.value]
    meant = _meanings(body, plan, what, choices)
    values = [np.full(len(instants), np.nan, np.float32) for _ in MEASUREMENTS]
    owners = {"": 0}
    owner_of, input_of = np.zeros(len(instants), np.int32), np.full(len(instants), -1, np.int32)
    used = np.zeros(len(instants), bool)
    for text, name in meant.items():
        for beside in dict.fromkeys(np.asarray(units)) if units is not None else [""]:
            which = np.asarray(pc.fill_null(pc.equal(what, text), False))
            if units is not None:
                which &= np.asarray(units) == beside
            unit = _unit(name, text, beside or "", choices)
            gathered = None
            if unit is not None and unit.is_energy:
                where = f"{body.name}: {text!r}"
                gathered = seconds_gathered(where, unit.text, names, devices[which], instants[which], numbers[which])
                plan.remarks.append(tell_gathered(body.name, unit.text, gathered))
            converted = to_measurement(numbers[which], unit, choices.scale.get(name.measurement, 1.0), gathered)
            values[MEASUREMENTS.index(name.measurement)][which] = to_float32(converted)
            owner_of[which] = owners.setdefault(name.owner if _has_owners(meant) else "", len(owners))
            if name.input and name.measurement in MEASUREMENTS[:2]:
                input_of[which] = int(name.input) if name.input.isdigit() else ord(name.input[0])
            used |= which
    rows = Rows(names, devices, instants, values, input_of if (input_of >= 0).any() else None)
    if len(owners) > 1:
        pairs, codes = np.unique(np.stack([devices, owner_of]), axis=1, return_inverse=True)
        texts = list(owners)
        rows.names = [" ".join(filter(None, (names[device], texts[owner]))) for device, owner in pairs.T]
        rows.devices = codes.astype(np.int32).ravel()
    rows.take(np.flatnonzero(used))
    return rows, {}


def _texts(values):
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, pa.string())
    return pc.utf8_trim_whitespace(pc.cast(values, pa.string())).combine_chunks()


def _has_owners(meant):
    """Whether voltages stand there of several devices."""
    return len({name.owner for name in meant.values() if name.measurement == "voltage"}) > 1


def _meanings(body, plan, what, choices):
    """What each text of the column means, of those that mean a measurement."""
    texts = [text for text in pc.unique(what).to_pylist() if text and not is_placeholder(text)]
    found, meant = names_in(texts), {}
    for measurement in MEASUREMENTS:
        if measurement in choices.columns:
            wanted = choices.columns[measurement]
            lacking = [text for text in wanted if text not in texts]
            if lacking:
                raise PvfaultError(
                    f"{body.name} has no {lacking[0]!r} in column {body.dialect.names[plan.long.what]!r}. It has "
                    f"{', '.join(texts)}."
                )
            meant.update({text: _as(read_name(text), measurement) for text in wanted})
            continue
        names = [name for name in found.get(measurement, []) if name.rank > 0]
        if not names:
            raise PvfaultError(
                f"{body.name} has no {measurement} in column {body.dialect.names[plan.long.what]!r}. It has "
                f"{', '.join(texts)}. "
                f"Say which is meant: --map {measurement}=TEXT"
            )
        if len({(name.owner, name.input) for name in names}) < len(names) or (
            measurement in MEASUREMENTS[2:] and len(names) > 1 and len({name.owner for name in names}) < len(names)
        ):
            options = " or ".join(f"--map {measurement}={name.text!r}" for name in names[:4])
            raise PvfaultError(
                f"{body.name} has {len(names)} texts in column {body.dialect.names[plan.long.what]!r} that could be "
                f"{measurement}. Say which one is meant: {options}"
            )
        meant.update({name.text: name for name in names})
    return meant


def _as(name, measurement):
    from dataclasses import replace

    return replace(name, measurement=measurement)


def _unit(name, text, beside, choices):
    if name.measurement in choices.units:
        return unit_of(name.measurement, choices.units[name.measurement])
    unit = read_name(text, beside).unit
    return unit if unit is not None and unit.measurement == name.measurement else None
