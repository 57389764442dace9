"""Files that were damaged: readings of what is whole, or one clear refusal; never readings that nobody wrote.

A few hundred damages in each run; `PVFAULT_MUTATIONS=10000` makes as many.
"""

import os
import random
import re

import pytest

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS, READING_SCHEMA
from pvfault_files.choices import Choices
from pvfault_files.reader import read_files
from tests.pvfault_files.writing import Way, number, plant, write_rows

COUNT = int(os.environ.get("PVFAULT_MUTATIONS", "400"))
TABLE = plant(("INV0000001", "INV0000002"), 12)


def lines_of(way, header, time="%Y-%m-%d %H:%M:%S"):
    rows = [
        [row["deviceID"], f"{row['timestamp']:{time}}", *(number(row[name], way) for name in MEASUREMENTS)]
        for row in TABLE.to_pylist()
    ]
    return write_rows(header, rows, way, ["", "", "V", "A", "°C", "W/m²"])


FILES = [
    lines_of(Way(), READING_SCHEMA.names),
    lines_of(Way(";", ",", units="below", titles=("sep=;", "Export 1")), ["Device", "Zeit", "Udc", "Idc", "Tmod",
    "G"], "%d.%m.%Y %H:%M"),
    lines_of(Way("\t", quoted=True, encoding="cp1252", newline="\r\n"), ["Inverter", "ts", "V_DC", "I_DC",
    "Tmod [°C]", "POA"]),
    lines_of(Way("|", encoding="utf-16"), READING_SCHEMA.names, "%Y-%m-%dT%H:%M:%SZ"),
]  # fmt: skip


def damage(content, chance):
    """One damage that a disk, a line or an editor does, and whether it can change values."""
    place = chance.randrange(len(content))
    lines = content.splitlines(keepends=True)
    row = chance.randrange(len(lines))
    cut = chance.randrange(len(lines[row]))
    whole = {
        "cut off within the last line": lambda: content[: -chance.randrange(1, 30)],
        "line left out": lambda: b"".join(lines[:row] + lines[row + 1 :]),
        "line twice": lambda: b"".join(lines[: row + 1] + lines[row:]),
        "lines swapped": lambda: b"".join(lines[:row][::-1] + lines[row:]),
        "line torn": lambda: b"".join([*lines[:row], lines[row][:cut] + b"\n", *lines[row + 1 :]]),
        "line break put in": lambda: content[:place] + b"\n" + content[place:],
        "bytes of zero": lambda: content[:place] + b"\0" * 3 + content[place + 3 :],
        "byte changed": lambda: content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :],
        "byte left out": lambda: content[:place] + content[place + 1 :],
        "byte put in": lambda: content[:place] + bytes([chance.choice(b',;"\t|\r\n .-/0aZ\xff')]) + content[place:],
        "bytes twice": lambda: content[:place] + content[max(place - 9, 0) : place] + content[place:],
        "quote put in": lambda: content[:place] + b'"' + content[place:],
        "header twice": lambda: content + lines[0],
        "text at the end": lambda: content + b"Total 123\n",
        "empty lines": lambda: content[:place] + b"\n\n\n" + content[place:],
    }
    kind = chance.choice(sorted(whole))
    return kind, whole[kind]()


def values_of(table):
    return {
        (row["deviceID"], row["timestamp"]): tuple(f"{row[name]:.3f}" for name in MEASUREMENTS)
        for row in table.to_pylist()
    }


TRUE = values_of(TABLE)
# What a changed, lost or added byte can make of a value, a name or a time cannot be told from what was written; that is
# of one row, or of all rows if it stands in the header.
CHANGE_A_ROW = {
    "byte changed", "byte left out", "byte put in", "bytes twice", "bytes of zero", "line torn", "line break put in",
    "cut off within the last line", "quote put in", "empty lines",
}  # fmt: skip


@pytest.mark.timeout(3600)
def test_a_damaged_file_gives_its_readings_or_one_clear_refusal(tmp_path):
    chance = random.Random(20240610)  # noqa: S311 - the same damages each time
    path = tmp_path / "plant.csv"
    told, count_read = [], 0
    for trial in range(COUNT):
        content = FILES[trial % len(FILES)]
        kind, damaged = damage(content, chance)
        path.write_bytes(damaged)
        where = f"trial {trial}, {kind}: {damaged[:60]!r}"
        try:
            found = read_files([path], Choices())
        except PvfaultError as error:
            told.append((where, str(error)))
            continue
        except Exception as error:
            raise AssertionError(where) from error
        count_read += 1
        assert len(found.table) + found.rows_without_time >= len(TRUE) - 2, where
        read = values_of(found.table)
        wrong = [key for key, values in read.items() if TRUE.get(key) != values]
        if kind not in CHANGE_A_ROW:
            assert not wrong, f"{where}: {wrong[:3]}"
        elif len(wrong) > 1:
            # One damage is in one row; only in the header can it be in all, and then a column or a unit is another.
            header = content.split(b"\n")[:4]
            assert damaged.split(b"\n")[:4] != header, (
                f"{where}: {[(key, read[key], TRUE.get(key)) for key in wrong[:3]]}"
            )
            assert not len(wrong) < len(read) - 1, f"{where}: {[(key, read[key], TRUE.get(key)) for key in wrong[:3]]}"
    assert count_read > COUNT / 10 < len(told)
    unclear = [
        each
        for each in told
        if len(each[1].splitlines()) != 1 or not ({path.name, "device"} & {*re.findall(r"plant\.csv|device", each[1])})
    ]
    assert not unclear, unclear[:3]
