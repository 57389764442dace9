"""What stands under the last row is skipped and told; a row that was torn is not."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS, READING_SCHEMA
from tests.pvfault_files.test_ways_of_writing import read, rows_of
from tests.pvfault_files.writing import Way, plant, same_readings, write_rows

PLANT = plant(("INV0000001", "INV0000002"))
MANY = plant(rows=3000, step=20)
FOOTERS = [
    "Total",
    "Total{d}6000{d}84{d}{d}",
    "{d}{d}{d}{d}{d}",
    "-----\n48 rows",
    "Summary\nmax voltage{d}598.1\nmin voltage{d}500",
    "\n\nEnd of report\n",
    "Gesamt: 12,5 kWh\nErstellt am 11.06.2024 06:00",
]


@given(st.sampled_from(FOOTERS), st.sampled_from(",;\t"), st.sampled_from(["utf-8", "utf-16", "cp1252"]),
       st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_footer_changes_no_reading_and_is_told_with_its_lines(footer, mark, encoding, newline, ends, large):
    """Also where the file is longer than what is looked at first."""
    table, way = MANY if large else PLANT, Way(mark)
    text = write_rows(READING_SCHEMA.names, rows_of(table, way), way).decode() + footer.format(d=mark)
    text = (text + "\n" if ends else text).replace("\n", newline)
    found = read(text.encode(encoding))
    assert same_readings(found.table, table)
    first = len(table) + 2 + footer.startswith("\n\n") * 2
    assert any(f"line {first} was skipped" in each or f"lines {first} to " in each for each in found.remarks)


def test_a_footer_of_a_packed_file_is_skipped():
    way = Way()
    content = write_rows(READING_SCHEMA.names, rows_of(MANY, way), way) + b"Total\n"
    assert same_readings(read(gzip.compress(content), name="plant.csv.gz").table, MANY)


@pytest.mark.parametrize(
    "rest",
    ["INV0000001,2024-06-10 1", "INV00", "5", ".3,800.2", "00:00,500,7,40,800", "INV0000001,2024-06-10 12:00:00"],
)
def test_a_torn_last_row_is_no_footer(rest):
    content = write_rows(READING_SCHEMA.names, rows_of(PLANT, Way()), Way()) + rest.encode()
    with pytest.raises(PvfaultError, match=r"line 50: has \d cells, expected 6.*torn"):
        read(content)


@pytest.mark.parametrize("footer", ["Total", "Total,6000,84,,", ",,"])
def test_what_stands_in_the_middle_stays_refused(footer):
    lines = write_rows(READING_SCHEMA.names, rows_of(PLANT, Way()), Way()).decode().splitlines()
    with pytest.raises(PvfaultError, match=r"line 26: has \d cells, expected 6.*torn"):
        read("\n".join([*lines[:25], footer, *lines[25:]]).encode())


def test_a_last_row_with_a_wrong_value_is_no_footer():
    rows = rows_of(PLANT, Way())
    rows[-1][2] = "Err 5"
    with pytest.raises(PvfaultError, match="line 49 has 'Err 5'"):
        read(write_rows(["deviceID", "timestamp", *MEASUREMENTS], rows, Way()))
