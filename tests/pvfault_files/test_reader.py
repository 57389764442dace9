"""Files of readings: what becomes of a file's rows, and what is said about a file that is none."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pvfault.errors import PvfaultError
from pvfault.readings import READING_SCHEMA
from pvfault_files.choices import Choices
from pvfault_files.reader import read_files

HEADER = "deviceID,timestamp,voltage,current,temperature,irradiance"
ROW = "INV0000001,2024-06-01 12:00:00,500,7,40,800"
MAP = {"voltage": "V_DC", "current": "I_DC", "temperature": "temp", "irradiance": "IRR", "timestamp": "ts"}


@pytest.fixture
def write(tmp_path):
    """Write lines to a file and give its path."""

    def write_lines(*lines, name="readings.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write_lines


def read(*paths, columns=None, **options):
    columns = {name: (column,) for name, column in (columns or {}).items()}
    return read_files(paths, Choices(columns=columns, **options))


def times_of(path, **options):
    return read(path, **options).table["timestamp"].to_pylist()


def at(hour, minute=0, *, month=6, day=1, year=2024):
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_a_csv_with_the_readings_own_names_becomes_a_table_in_time_order(write):
    path = write(HEADER, "INV0000002,2024-06-01 12:00:20,501,7.5,41,810", "INV0000002,2024-06-01 12:00:00,1,2,3,4", ROW)
    result = read(path)
    assert result.table.schema == READING_SCHEMA
    assert result.rows_without_time == 0
    assert result.table["deviceID"].to_pylist() == ["INV0000001", "INV0000002", "INV0000002"]
    assert result.table["timestamp"].to_pylist() == [at(12), at(12), at(12).replace(second=20)]
    assert result.table["voltage"].to_pylist() == [500, 1, 501]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_byte_order_marks_and_windows_line_ends_are_read(tmp_path, delimiter):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n".replace(",", delimiter).encode())
    assert read(path).table["irradiance"].to_pylist() == [800]


def test_csv_and_parquet_with_the_same_rows_give_the_same_table(write, tmp_path):
    rows = {
        "ts": [datetime(2019, 10, 4, 5, 21), datetime(2019, 10, 4, 5, 22)],
        "V_DC": [461.7, 440.0],
        "I_DC": [0.09, None],
        "IRR": [6, 7],
        "temp": [21.19, 21.25],
        "other": ["a", "b"],
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    lines = (",".join("" if value is None else str(value) for value in row) for row in zip(*rows.values(), strict=True))
    from_csv = read(write(",".join(rows), *lines), columns=MAP, device="UFMS000001")
    from_parquet = read(tmp_path / "rows.parquet", columns=MAP, device="UFMS000001")
    np.testing.assert_array_equal(from_csv.table["current"], np.float32([0.09, np.nan]))
    for name in READING_SCHEMA.names:
        np.testing.assert_array_equal(from_csv.table[name], from_parquet.table[name])
    assert set(from_csv.table["deviceID"].to_pylist()) == {"UFMS000001"}


def test_missing_measurements_become_nan_and_absurd_ones_infinite_but_their_rows_stay(write):
    """Real currents reach 5e58; a row that vanished here would be missing from every count after it."""
    device = "INV0000001,2024-06-01 12:00"
    path = write(HEADER, f"{device}:00,,5e58,nan,NULL", f"{device}:20,inf,-5e58,-127,1e400", f"{device}:40,1,2,3,4")
    table = read(path).table
    np.testing.assert_array_equal(table["voltage"], [np.nan, np.inf, 1])
    np.testing.assert_array_equal(table["current"], [np.inf, -np.inf, 2])
    np.testing.assert_array_equal(table["temperature"], [np.nan, -127, 3])
    np.testing.assert_array_equal(table["irradiance"], [np.nan, np.inf, 4])


def test_rows_without_a_time_are_counted(write):
    result = read(write(HEADER, ROW, "INV0000001,,500,7,40,800", "INV0000001,,500,7,40,800"))
    assert (len(result.table), result.rows_without_time) == (1, 2)


def test_device_ids_of_digits_keep_their_zeros(write):
    path = write(HEADER, ROW.replace("INV0000001", "0000000001"))
    assert read(path).table["deviceID"].to_pylist() == ["0000000001"]


def test_times_are_cut_to_what_kafka_carries(write):
    """Else a window from a file could differ from the same window from the lake."""
    path = write(HEADER, ROW.replace("12:00:00", "12:00:00.123987"))
    assert times_of(path) == [datetime(2024, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [("UTC", at(12)), ("Europe/Berlin", at(10)), ("America/Campo_Grande", at(16)), ("+05:30", at(6, 30))],
)
def test_times_without_an_offset_are_in_the_zone_that_was_named(write, timezone, expected):
    assert times_of(write(HEADER, ROW), timezone=timezone) == [expected]


@pytest.mark.parametrize("time", ["2024-06-01T12:00:00+02:00", "2024-06-01T10:00:00Z", "2024-06-01 15:30:00+0530"])
def test_times_with_an_offset_ignore_the_zone(write, time):
    path = write(HEADER, ROW.replace("2024-06-01 12:00:00", time))
    assert times_of(path, timezone="Asia/Tokyo") == [at(10)]


def test_a_parquet_file_with_a_zone_is_taken_at_its_word(tmp_path):
    times = pa.array([datetime(2024, 6, 1, 10)], pa.timestamp("ns", tz="Europe/Berlin"))
    values = {name: [1.0] for name in ("voltage", "current", "temperature", "irradiance")}
    pq.write_table(pa.table({"deviceID": ["INV0000001"], "timestamp": times, **values}), tmp_path / "r.parquet")
    assert times_of(tmp_path / "r.parquet", timezone="Asia/Tokyo") == [at(10)]


def test_the_hour_that_occurs_twice_is_told_apart_by_the_step_back(write):
    """In Berlin, 02:00 to 03:00 of 2024-10-27 was first UTC+2 and then UTC+1; nothing may fall on one another."""
    clock = ["01:40", "02:20", "02:40", "02:10", "02:30", "02:50", "03:10"]
    rows = [f"{device},2024-10-27 {time}:00,1,2,3,4" for time in clock for device in ("INV0000001", "INV0000002")]
    hours_utc = [(23, 40, 26), (0, 20, 27), (0, 40, 27), (1, 10, 27), (1, 30, 27), (1, 50, 27), (2, 10, 27)]
    expected = [at(hour, minute, month=10, day=day) for hour, minute, day in hours_utc for _ in range(2)]
    assert times_of(write(HEADER, *rows), timezone="Europe/Berlin") == expected


def test_an_hour_that_occurs_twice_but_is_passed_once_is_the_first(write):
    rows = [f"INV0000001,2024-10-27 {time}:00,1,2,3,4" for time in ("02:20", "02:40")]
    expected = [at(0, 20, month=10, day=27), at(0, 40, month=10, day=27)]
    assert times_of(write(HEADER, *rows), timezone="Europe/Berlin") == expected


def test_times_that_do_not_exist_in_the_zone_show_that_it_is_the_wrong_one(write):
    """Such a clock has no summer time, so that half a year of readings would be moved by an hour."""
    path = write(HEADER, ROW.replace("2024-06-01 12:00", "2024-03-31 02:30"))
    with pytest.raises(PvfaultError, match=r"1 rows? .* not exist in Europe/Berlin.*2024-03-31 02:30:00.*--timezone="):
        read(path, timezone="Europe/Berlin")


def test_several_files_become_one_table_in_time_order(write):
    files = [
        write(HEADER, *(f"{device},2024-06-01 12:0{minute}:00,1,2,3,4" for minute in minutes), name=f"{device}.csv")
        for device, minutes in (("INV0000002", (0, 2, 4)), ("INV0000001", (1, 2, 3)))
    ]
    merged = read(*files).table
    order = [(row["timestamp"].minute, row["deviceID"][-1]) for row in merged.to_pylist()]
    assert order == [(0, "2"), (1, "1"), (2, "1"), (2, "2"), (3, "1"), (4, "2")]


def test_what_could_be_meant_is_taken_if_it_is_one_column_and_asked_about_if_it_is_two(write):
    path = write("Inverter,ts,V_DC,I_DC,temp,IRR,irr", "INV0000001,2024-06-01 12:00:00,1,2,3,4,5")
    with pytest.raises(
        PvfaultError, match=r"2 columns that could be irradiance: 'IRR', 'irr'.*--map irradiance=IRR or"
    ):
        read(path)
    result = read(path, columns={"irradiance": "irr"})
    row = result.table.to_pylist()[0]
    assert [row[name] for name in READING_SCHEMA.names] == ["INV0000001", at(12), 1, 2, 3, 5]
    assert "voltage from 'V_DC', current from 'I_DC', temperature from 'temp'" in result.remarks[0]


def test_a_file_without_devices_is_told_about_device(write):
    path = write("timestamp,voltage,current,temperature,irradiance", "2024-06-01 12:00:00,1,2,3,4")
    with pytest.raises(PvfaultError, match=r"has no column deviceID.*--device ID"):
        read(path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER], "no rows"),
        ([HEADER, "INV0000001,,1,2,3,4"], "all 1 rows lack a time"),
        ([HEADER, ROW, ROW.replace("500", "n/k")], "'voltage', line 3 has 'n/k'"),
        ([HEADER, ROW.replace("500", "1.2.3")], "'voltage', line 2 has '1.2.3'"),
        ([HEADER, ROW, "INV0000001,2024-06-01"], "line 3: has 2 cells, expected 6.*torn"),
        ([HEADER, ROW, ROW.replace("INV0000001", "")], "1 of 2 rows have no device .*line 3"),
        ([HEADER, ROW.replace("2024-06-01 12:00:00", "01/06/2024 12:00")], "--day-first.*--month-first"),
        ([HEADER, ROW.replace("2024-06-01 12:00:00", "13/13/2024 12:00")], "no order of day, month and year"),
        ([HEADER, ROW.replace("2024-06-01 12:00:00", "12345")], "12345 is no time after 2001"),
        ([HEADER, ROW, ROW.replace("12:00:00", "12:00:20Z")], "all with an offset or all without"),
        ([HEADER, ROW, ROW.replace("2024-06-01 12:00:00", "2024-02-30 12:00:00")], "line 3: '2024-02-30 12:00:00'"),
        ([f"{HEADER},voltage", f"{ROW},1"], "'voltage' twice"),
        ([HEADER, ROW, ROW.replace("500", "501")], "with voltage 50[01] and 50[01]"),
        (["just a text"], "has no column timestamp"),
    ],
)
def test_a_file_that_is_no_table_of_readings_is_refused(write, lines, words):
    with pytest.raises(PvfaultError, match=words):
        read(write(*lines))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not text and not Parquet"),
        ("text.parquet", HEADER.encode(), "not a readable Parquet file"),
        ("cut.parquet", b"PAR1\x15\x04\x15\x10", "not a readable Parquet file"),
        ("bad.csv.gz", b"\x1f\x8b but no gzip", "not a readable file"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PvfaultError, match=words):
        read(path)


def test_a_parquet_file_of_other_types_is_refused(tmp_path):
    good = {"deviceID": ["INV0000001"], "timestamp": [datetime(2024, 6, 1)]}
    values = {"voltage": [1.0], "current": [2.0], "temperature": [3.0]}
    for irradiance, words in (["much"], "'irradiance', row 1 has 'much'"), ([[1.0]], "'irradiance' is not numeric"):
        pq.write_table(pa.table({**good, **values, "irradiance": irradiance}), tmp_path / "r.parquet")
        with pytest.raises(PvfaultError, match=words):
            read(tmp_path / "r.parquet")


def test_no_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(PvfaultError, match="There is no file"):
        read(tmp_path / "no.csv")
    with pytest.raises(PvfaultError, match="has no file of readings"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": {"volts": "V_DC"}}, "A reading has no 'volts'.*voltage"),
        ({"columns": {"voltage": "V_DC"}}, "has no column V_DC"),
        ({"columns": {"deviceID": "inverter"}, "device": "INV0000001"}, "Both --device"),
        ({"device": "INV0000002"}, "a column deviceID of its own"),
        ({"device": " "}, "--device is empty"),
        ({"timezone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
    ],
)
def test_options_that_do_not_fit_are_refused(write, options, words):
    with pytest.raises(PvfaultError, match=words):
        read(write(HEADER, ROW), **options)
