"""Columns of measurements as numbers in the reading's units.

Here: texts to numbers, with the signs that all columns of a file share; units and factors; several columns to one.
Not here: which columns these are (`layouts.py`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault_files.bodies import Body
from pvfault_files.cells import Marks, clean_texts, find_marks, parse_numbers, unit_in_cells
from pvfault_files.choices import Choices
from pvfault_files.sources import first_line
from pvfault_files.units import Unit


def is_text(kind: pa.DataType) -> bool:
    """Whether a column is of texts, also of a dictionary of them."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def read_numbers(body: Body, table: dict, columns: list[int], choices: Choices) -> dict[int, np.ndarray]:
    """Columns as numbers, NaN where there is none.

    Parameters
    ----------
    body : Body
    table : dict of str to array
        With a column for each number of `columns`, which are taken out: a year of a plant is not held twice.
    columns : list of int
    choices : Choices

    Raises
    ------
    PvfaultError
        If a text is no number, or numbers could be read in two ways.
    """
    texts = {n: _encoded(table.pop(str(n))) for n in columns if is_text(table[str(n)].type)}
    clean = {n: _without_unit(clean_texts(encoded.chunk(0).dictionary)) for n, encoded in texts.items()}
    marks = _marks(body, clean, choices) if clean else Marks(".")
    numbers = {}
    for n in columns:
        if n in clean:
            numbers[n] = _as_array(_parsed(body, n, texts.pop(n), clean[n], marks))
        else:
            numbers[n] = _as_array(_as_number(body, n, table.pop(str(n))))
        # What was read of the column is copied by now; Arrow would keep the memory for later.
        pa.default_memory_pool().release_unused()
    return numbers


def _without_unit(texts):
    """Numbers without the unit that stands behind each of them, which `layouts.py` minds."""
    unit = unit_in_cells([text for text in texts.to_pylist() if text])
    return pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(texts, 0, -len(unit))) if unit else texts


def _encoded(values):
    """Texts as one dictionary."""
    if not pa.types.is_dictionary(values.type):
        values = pc.dictionary_encode(pc.cast(values, pa.string()))
    return values.unify_dictionaries()


def _marks(body, clean, choices):
    """The signs of a file's numbers."""
    if choices.decimal:
        return Marks(choices.decimal, "." if choices.decimal == "," else ",")
    marks = find_marks(text for texts in clean.values() for text in pc.drop_null(texts).to_pylist())
    if marks is None:
        return body.dialect.marks  # the text that does not fit is told
    if marks.open and body.dialect.marks.decimal:
        return body.dialect.marks
    if marks.open:
        whole, comma = marks.open.replace(",", "").replace(".", ""), marks.open.replace(",", ".")
        sign = "," if "," in marks.open else "."
        other = "." if sign == "," else ","
        raise PvfaultError(
            f"{body.name}: numbers such as {marks.open} can be read in two ways. Say which: {comma} with "
            f"--decimal {sign!r}, or {whole} with --decimal {other!r}."
        )
    return marks


def _parsed(body, column, encoded, clean, marks):
    """Numbers of a column of texts."""
    numbers, wrong = parse_numbers(clean, marks)
    if wrong is not None:
        _refuse_text(body, column, encoded, wrong)
    if not pa.types.is_float64(numbers.type):
        numbers = pc.cast(numbers, pa.float64())
    return pa.chunked_array([numbers.take(chunk.indices) for chunk in encoded.chunks], pa.float64())


def _refuse_text(body, column, encoded, wrong):
    start = 0
    for chunk in encoded.chunks:
        found = pc.index(chunk.indices, pa.scalar(wrong, chunk.indices.type)).as_py()
        if found >= 0:
            break
        start += len(chunk)
    text = encoded.chunk(0).dictionary[wrong].as_py()
    raise PvfaultError(
        f"{body.name}: column {body.dialect.names[column]!r}, {body.line_of(start + max(found, 0))} has {text!r}; "
        f"expected "
        "numbers as those beside it, or nothing where there is no measurement. Correct the file, or name another "
        "column "
        "with --map."
    )


def _as_number(body, column, values):
    """Numbers of a typed column."""
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if pa.types.is_floating(values.type):
        return values
    try:
        if pa.types.is_boolean(values.type) or pa.types.is_temporal(values.type):
            raise pa.ArrowInvalid(f"it is {values.type}")
        return pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PvfaultError(
            f"{body.name}: column {body.dialect.names[column]!r} is not numeric ({first_line(error)}). "
            "Expected numbers; correct the file or name another column with --map."
        ) from error


def to_measurement(
    numbers: np.ndarray, unit: Unit | None, scale: float, seconds: np.ndarray | None = None
) -> np.ndarray:
    """Numbers in the reading's unit; `seconds` is how long each was gathered, if they are energies."""
    plain = unit is None or unit.is_the_readings_own
    if plain and scale == 1:
        return numbers
    values = numbers.astype(np.float64)
    if not plain:
        values = values * unit.factor + unit.offset
        if unit.is_energy:
            values /= seconds
    return values * scale


def _as_array(numbers):
    """Numbers as an array, NaN where there is none; of float32 as long as nothing is computed."""
    if numbers.null_count:
        numbers = pc.fill_null(numbers, pa.scalar(float("nan"), numbers.type))
    return numbers.to_numpy()


def to_float32(values: np.ndarray) -> np.ndarray:
    """As float32; infinite beyond its range."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def take_together(measurement: str, columns: list[np.ndarray], currents: list[np.ndarray]) -> np.ndarray:
    """One measurement of several inputs or sensors.

    Currents are summed. Voltages are weighted by the currents beside them, so that power stays what it is; without
    current, and temperatures and irradiances, they are averaged. What lacks one value has none: a part is no sum.

    Parameters
    ----------
    measurement : str
    columns : list of ndarray, shape (n,)
    currents : list of ndarray, shape (n,)
        One for each voltage; of others not looked at.
    """
    if len(columns) == 1:
        return columns[0]
    stacked = np.stack([column.astype(np.float64) for column in columns])
    if measurement == "current":
        return stacked.sum(axis=0)
    mean = stacked.mean(axis=0)
    if measurement != "voltage" or len(currents) != len(columns):
        return mean
    weights = np.clip(np.nan_to_num(np.stack([each.astype(np.float64) for each in currents]), posinf=0.0), 0, None)
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted = (stacked * weights).sum(axis=0) / total
    return np.where(total > 0, weighted, mean)
