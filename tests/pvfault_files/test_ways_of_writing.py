"""One table in many dialects, forms of time and layouts gives the same readings, or a question; never others."""

import bz2
import gzip
import lzma
import tempfile
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvfault.device_names import device_id_of
from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS, READING_SCHEMA
from pvfault_files.choices import Choices
from pvfault_files.reader import read_files
from tests.pvfault_files.writing import Way, number, plant, same_readings, write_rows

PLANT = plant(("INV0000001", "INV0000002"))
ONE = plant()
SHORT = ("Udc", "Idc", "Tmod", "Einstrahlung")
UNITS = {"voltage": "V", "current": "A", "temperature": "°C", "irradiance": "W/m²"}


def read(content, *, name="plant.csv", **choices):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_files([path], Choices(**choices))


def rows_of(table, way, time=lambda t: f"{t:%Y-%m-%d %H:%M:%S}"):
    return [
        [row["deviceID"], time(row["timestamp"]), *(number(row[name], way) for name in MEASUREMENTS)]
        for row in table.to_pylist()
    ]


ways = st.builds(
    Way,
    delimiter=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    thousands=st.sampled_from(["", "", " ", "'", "\u00a0"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    titles=st.sampled_from(
        [(), ("sep={}",), ("Plant Süd", ""), ("Export 1.2|a b", "Serial: 12,5", ""), ("# made by x",)]
    ),
    units=st.sampled_from(["", "above", "below", "names"]),
    placeholder=st.sampled_from(["", "-", "n/a", "N/A", "NaN", "null", "#N/A", "---", "unavailable", "NULL"]),
    quoted=st.booleans(),
)


@given(ways)
@settings(max_examples=120, deadline=None)
def test_a_dialect_changes_no_reading(way):
    way = Way(**{**vars(way), "titles": tuple(title.format(way.delimiter) for title in way.titles)})
    header = [
        "Device",
        "Zeit",
        *(f"{n} [{unit}]" if way.units == "names" else n for n, unit in zip(SHORT, UNITS.values(), strict=True)),
    ]
    units = ["", "", *UNITS.values()]
    content = write_rows(header, rows_of(PLANT, way), way, units)
    assert same_readings(read(content).table, PLANT)


FORMS = {
    "%Y-%m-%d %H:%M:%S": {},
    "%Y-%m-%dT%H:%M:%S": {},
    "%Y-%m-%dT%H:%M:%SZ": {},
    "%Y-%m-%d %H:%M:%S UTC": {},
    "%Y-%m-%d %H:%M:%S+00:00": {},
    "%Y-%m-%d %H:%M:%S +0000": {},
    "%Y-%m-%dT%H:%M:%S.000Z": {},
    "%Y-%m-%d %H:%M:%S.0000000": {},
    "%Y-%m-%dT%H:%M:%S.000000000": {},
    "%Y-%m-%d %H:%M": {},
    "%Y/%m/%d %H:%M:%S": {},
    "%Y%m%d%H%M%S": {},
    "%Y%m%d%H%M": {},
    "%Y%m%dT%H%M%SZ": {},
    "%Y%m%d %H:%M:%S": {},
    "%d.%m.%Y %H:%M:%S": {},
    "%d.%m.%Y %H:%M": {},
    "%d.%m.%y %H:%M": {},
    "%d-%b-%Y %H:%M:%S": {},
    "%b %d, %Y %I:%M:%S %p": {},
    "%d %B %Y %H:%M:%S": {},
    "%a, %d %b %Y %H:%M:%S GMT": {},
    "%Y-%m-%d %I:%M:%S %p": {},
    "%d/%m/%Y %H:%M:%S": {"day_first": True},
    "%d-%m-%Y %H:%M": {"day_first": True},
    "%m/%d/%Y %I:%M:%S %p": {"day_first": False},
    "%m/%d/%Y %H:%M": {"day_first": False},
    "%d/%m/%y %H:%M": {"day_first": True},
    "%y%m%d %H:%M": {"time_format": "%y%m%d %H:%M"},
    "%Y-%m-%dT%H:%M:%S GMT+0": {},
    "'%Y-%m-%d %H:%M:%S": {},
    "%Y-%m-%d, %H:%M:%S": {},
    "%Y-%m-%d_%H:%M:%S": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_time_changes_no_reading(form):
    content = write_rows(READING_SCHEMA.names, rows_of(PLANT, Way(";"), lambda t: t.strftime(form)), Way(";"))
    assert same_readings(read(content, **FORMS[form]).table, PLANT)


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("as_float", [False, True])
def test_epochs_of_each_unit_are_told_by_their_size(factor, as_float):
    def epoch(time):
        return f"{time.timestamp() * factor:.1f}" if as_float else str(int(time.timestamp()) * factor)

    content = write_rows(READING_SCHEMA.names, rows_of(PLANT, Way(), epoch), Way())
    assert same_readings(read(content).table, PLANT)
    micros = pc.cast(PLANT["timestamp"], pa.int64()).to_numpy()
    whole = micros // (10**6 // factor) if factor <= 10**6 else micros * 1000
    numbers = pa.array(whole.astype(float) if as_float else whole)
    table = PLANT.set_column(1, "timestamp", numbers)
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder) / "plant.parquet")
        assert same_readings(read_files([Path(folder) / "plant.parquet"], Choices()).table, PLANT)


@pytest.mark.parametrize("decimal", [".", ","])
def test_serials_of_spreadsheets_are_days_since_the_end_of_1899(decimal):
    def serial(time):
        return f"{(time - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1):.9f}".replace(".", decimal)

    way = Way(";", decimal)
    assert same_readings(read(write_rows(READING_SCHEMA.names, rows_of(PLANT, way, serial), way)).table, PLANT)


@pytest.mark.parametrize("offset", ["+02:00", "+0200", "+02", " UTC+2", " GMT+02:00", " CEST", " (UTC+02:00)"])
def test_offsets_of_each_form_are_minded(offset):
    local = rows_of(PLANT, Way(), lambda t: f"{t + timedelta(hours=2):%Y-%m-%d %H:%M:%S}{offset}")
    assert same_readings(read(write_rows(READING_SCHEMA.names, local, Way()), timezone="Asia/Tokyo").table, PLANT)


@pytest.mark.parametrize("name", ["Zeit [UTC+2]", "timestamp (Europe/Rome)", "Zeit (MESZ)", "time_cest"])
def test_a_zone_in_the_header_is_minded_and_told(name):
    local = rows_of(PLANT, Way(), lambda t: f"{t + timedelta(hours=2):%Y-%m-%d %H:%M:%S}")
    result = read(write_rows(["deviceID", name, *MEASUREMENTS], local, Way()))
    assert same_readings(result.table, PLANT)
    assert any("as their column says" in remark for remark in result.remarks)


def test_times_without_a_zone_are_counted_and_the_zone_is_told():
    remarks = read(write_rows(READING_SCHEMA.names, rows_of(PLANT, Way()), Way())).remarks
    assert remarks == ("The times of 48 rows have no zone and were taken for UTC; --timezone names another.",)


def test_a_day_that_ends_at_24_00_ends_at_midnight():
    table = plant(rows=12, start=datetime(2024, 6, 10, 23, 5, tzinfo=UTC))
    lines = rows_of(table, Way(), lambda t: f"{t:%d.%m.%Y %H:%M}".replace("11.06.2024 00:00", "10.06.2024 24:00"))
    assert lines[-1][1] == "10.06.2024 24:00"
    assert same_readings(read(write_rows(READING_SCHEMA.names, lines, Way())).table, table)


@pytest.mark.parametrize(("day", "clock"), [("%Y-%m-%d", "%H:%M:%S"), ("%d.%m.%Y", "%H:%M"), ("%Y%m%d", "%I:%M %p")])
def test_date_and_time_of_day_in_two_columns_are_put_together(day, clock):
    lines = [[row[0], f"{t:{day}}", f"{t:{clock}}", *row[2:]]
             for row, t in zip(rows_of(PLANT, Way()), PLANT["timestamp"].to_pylist(), strict=True)]  # fmt: skip
    for names in (["Datum", "Uhrzeit"], ["date", "time"], ["Date", "Time of day"]):
        assert same_readings(read(write_rows(["deviceID", *names, *MEASUREMENTS], lines, Way())).table, PLANT)
    mapped = read(write_rows(["deviceID", "d", "c", *MEASUREMENTS], lines, Way()), columns={"timestamp": ("d", "c")})
    assert same_readings(mapped.table, PLANT)


def test_dates_that_two_orders_allow_are_asked_about_and_those_that_one_allows_are_not():
    """The 10th of June is the 6th of October elsewhere."""
    lines = rows_of(PLANT, Way(), lambda t: f"{t:%d/%m/%Y %H:%M}")
    with pytest.raises(PvfaultError, match=r"2024-06-10 .*--day-first; 2024-10-06 .*--month-first"):
        read(write_rows(READING_SCHEMA.names, lines, Way()))
    late = plant(start=datetime(2024, 6, 20, 10, tzinfo=UTC))
    for form in ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M"):
        lines = rows_of(late, Way(), lambda t, form=form: t.strftime(form))
        assert same_readings(read(write_rows(READING_SCHEMA.names, lines, Way())).table, late)
    days = plant(rows=5, step=86_400, start=datetime(2024, 6, 3, tzinfo=UTC))
    lines = rows_of(days, Way(), lambda t: f"{t:%d/%m/%Y %H:%M}")
    assert same_readings(read(write_rows(READING_SCHEMA.names, lines, Way())).table, days)


@pytest.mark.parametrize("content", ["1,234;5,678", "1.234;998"])
def test_numbers_that_two_signs_allow_are_asked_about(content):
    text = (
        f"deviceID;timestamp;voltage;current;temperature;irradiance\nINV0000001;2024-06-01 12:00:00;{content};40;500\n"
    )
    with pytest.raises(PvfaultError, match=r"two ways.*--decimal"):
        read(text.encode())
    assert read(text.encode(), decimal=",").table["voltage"][0].as_py() == pytest.approx(
        1.234 if "," in content else 1234
    )


@pytest.mark.parametrize(("names", "factors"), [
    (["Udc [mV]", "Idc (mA)", "Tmod [°F]", "Irradiance (kW/m2)"], [1e3, 1e3, None, 1e-3]),
    (["U [kV]", "I [kA]", "Cell temp (K)", "POA mW/cm²"], [1e-3, 1e-3, None, 0.1]),
])  # fmt: skip
@pytest.mark.parametrize("mapped", [False, True])
def test_units_that_a_header_names_are_converted_and_told(names, factors, mapped):
    values = {name: np.asarray(PLANT[name], float) for name in MEASUREMENTS}
    values["temperature"] = values["temperature"] + 273.15 if "K" in names[2] else values["temperature"] * 9 / 5 + 32
    columns = [values[name] * (factor or 1) for name, factor in zip(MEASUREMENTS, factors, strict=True)]
    lines = [[*row[:2], *(number(value, Way(), 9) for value in numbers)]
             for row, numbers in zip(rows_of(PLANT, Way()), zip(*columns, strict=True), strict=True)]  # fmt: skip
    choices = {"columns": {m: (n,) for m, n in zip(MEASUREMENTS, names, strict=True)}} if mapped else {}
    result = read(write_rows(["deviceID", "timestamp", *names], lines, Way()), **choices)
    for name in MEASUREMENTS:
        np.testing.assert_allclose(result.table[name], PLANT[name], rtol=2e-6, atol=2e-5)
    assert sum("was converted from" in remark for remark in result.remarks) == 4


def test_units_that_stand_in_each_cell_are_minded():
    lines = [[*row[:2], f"{row[2]} V", f"{row[3]} A", row[4] and f"{row[4]} °C", f"{float(row[5]) / 1000:.6f} kW/m²"]
             for row in rows_of(ONE, Way())]  # fmt: skip
    table = read(write_rows(READING_SCHEMA.names, lines, Way())).table
    for name in MEASUREMENTS:
        np.testing.assert_allclose(table[name], ONE[name], rtol=1e-6)


def test_units_and_factors_of_the_user_go_first():
    lines = rows_of(ONE, Way())
    header = ["deviceID", "timestamp", "voltage", "current", "temperature", "Irradiance (W/m2)"]
    result = read(write_rows(header, lines, Way()), units={"irradiance": "kW/m²"}, scale={"current": 0.1})
    np.testing.assert_allclose(result.table["irradiance"], np.asarray(ONE["irradiance"]) * 1000, rtol=1e-6)
    np.testing.assert_allclose(result.table["current"], np.asarray(ONE["current"]) * 0.1, rtol=1e-6)


def test_power_energy_and_alternating_current_are_never_taken():
    lines = [[*row, "3500", "6.1", "230", "12.5", "50"] for row in rows_of(ONE, Way())]
    header = [
        "deviceID",
        "timestamp",
        "V_DC",
        "Current (W)",
        "Temp_Module",
        "POA",
        "P_AC",
        "I_AC",
        "Voltage L1",
        "Energy (kWh)",
        "Hz",
    ]
    with pytest.raises(PvfaultError, match=r"has no column current\."):
        read(write_rows(header, lines, Way()))
    header[3] = "I_DC"
    assert same_readings(read(write_rows(header, lines, Way())).table, ONE)


@pytest.mark.parametrize("name", ["Tamb", "Ambient temperature", "Inverter temperature"])
def test_a_temperature_of_another_place_is_not_taken_unasked(name):
    content = write_rows(
        ["deviceID", "timestamp", "voltage", "current", name, "irradiance"], rows_of(ONE, Way()), Way()
    )
    with pytest.raises(PvfaultError, match=rf"another place than the array.*--map '?temperature={name}"):
        read(content)
    assert same_readings(read(content, columns={"temperature": (name,)}).table, ONE)


# Layouts


def inputs(table, count=2):
    """Voltages and currents of inputs that make up the table's."""
    shares = np.linspace(1, 2, count) / np.linspace(1, 2, count).sum()
    for row in table.to_pylist():
        yield row, [(row["voltage"], row["current"] * share) for share in shares]


@pytest.mark.parametrize(
    "names",
    [
        ("Udc{}", "Idc{}"),
        ("PV{} Voltage (V)", "PV{} Current (A)"),
        ("mppt{}_voltage", "mppt{}_current"),
        ("U_DC_{}", "I_DC_{}"),
    ],
)
def test_inputs_side_by_side_are_summed_or_devices_of_their_own(names):
    header = ["deviceID", "timestamp", *(name.format(n) for n in (1, 2) for name in names), "temperature", "irradiance"]
    lines = [
        [row["deviceID"], row["timestamp"].isoformat(), *(number(v, Way(), 6) for pair in pairs for v in pair),
         number(row["temperature"], Way()), number(row["irradiance"], Way())]
        for row, pairs in inputs(ONE)
    ]  # fmt: skip
    content = write_rows(header, lines, Way())
    summed = read(content)
    np.testing.assert_allclose(summed.table["current"], ONE["current"], rtol=1e-5)
    np.testing.assert_allclose(summed.table["voltage"], ONE["voltage"], rtol=1e-5)
    assert any("current is the sum of" in remark for remark in summed.remarks)
    apart = read(content, inputs="devices")
    assert sorted(apart.names.values()) == ["INV0000001 1", "INV0000001 2"]
    assert apart.table.num_rows == 2 * ONE.num_rows
    with pytest.raises(PvfaultError, match=r"one input of several.*--inputs sum"):
        read(content, columns={"current": (names[1].format(1),)})
    whole = read(content, columns={"current": (names[1].format(1),)}, inputs="sum")
    np.testing.assert_allclose(whole.table["current"], ONE["current"], rtol=1e-5)


def test_a_row_an_input_is_summed_and_a_missing_input_leaves_no_part_for_the_whole():
    lines = [
        [row["deviceID"], row["timestamp"].isoformat(), place, *(number(v, Way(), 6) for v in pair),
         number(row["temperature"], Way()), number(row["irradiance"], Way())]
        for row, pairs in inputs(ONE) for place, pair in enumerate(pairs, 1)
    ]  # fmt: skip
    header = ["deviceID", "timestamp", "mppt", *MEASUREMENTS]
    summed = read(write_rows(header, lines, Way())).table
    np.testing.assert_allclose(summed["current"], ONE["current"], rtol=1e-5)
    lost = read(write_rows(header, lines[:-1], Way())).table
    assert np.isnan(lost["current"][-1].as_py())
    apart = read(write_rows(header, lines, Way()), inputs="devices")
    assert (apart.table.num_rows, len(apart.names)) == (2 * ONE.num_rows, 2)


def long_rows(table, names, device=True):
    for row in table.to_pylist():
        for name, text in names.items():
            yield [*([row["deviceID"]] if device else []), row["timestamp"].isoformat(), text, number(row[name], Way())]


@pytest.mark.parametrize("texts", [MEASUREMENTS, ("DC Voltage", "DC Current", "Module Temperature", "POA [W/m2]")])
def test_one_row_a_value_gives_the_same_readings(texts):
    lines = list(long_rows(PLANT, dict(zip(MEASUREMENTS, texts, strict=True))))
    lines += [[row[0], row[1], "AC Power", "3500"] for row in lines[::4]]
    result = read(write_rows(["Device", "Time", "Parameter", "Value"], lines, Way()))
    assert same_readings(result.table, PLANT)


def test_one_column_a_device_gives_the_same_readings():
    by_time = {}
    for row in PLANT.to_pylist():
        by_time.setdefault(row["timestamp"], []).append(row)
    # What two devices share stands once.
    first = {time: rows[0] for time, rows in by_time.items()}
    lines = [
        [t.isoformat(), *(number(row[n], Way()) for row in rows for n in ("voltage", "current")),
         *(number(first[t][n], Way()) for n in ("temperature", "irradiance"))]
        for t, rows in by_time.items()
    ]  # fmt: skip
    header = ["Timestamp", "INV1 Udc", "INV1 Idc", "INV2 Udc", "INV2 Idc", "Tmod", "Irradiance"]
    shared = pa.Table.from_pylist(
        [{**row, "deviceID": device_id_of(f"INV{row['deviceID'][-1]}"),
          **{n: first[row["timestamp"]][n] for n in ("temperature", "irradiance")}} for row in PLANT.to_pylist()],
        READING_SCHEMA,
    ).sort_by([("timestamp", "ascending"), ("deviceID", "ascending")])  # fmt: skip
    assert same_readings(read(write_rows(header, lines, Way())).table, shared)
    two_lines = Way(titles=(";Inverter 1;;Inverter 2;;;",), delimiter=";")
    result = read(write_rows(["Timestamp", "Udc", "Idc", "Udc", "Idc", "Tmod", "Irradiance"], lines, two_lines))
    assert sorted(result.names.values()) == ["Inverter 1", "Inverter 2"]
    assert result.table.num_rows == PLANT.num_rows


@pytest.mark.parametrize("seconds", [0, 1, 20, -7])
def test_electrical_and_weather_rows_some_seconds_apart_are_brought_together(seconds):
    lines = rows_of(ONE, Way())
    both = [[*row[:4], "", ""] for row in lines]
    later = rows_of(ONE, Way(), lambda t: f"{t + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}")
    both += [[*row[:2], "", "", *row[4:]] for row in later]
    assert same_readings(read(write_rows(READING_SCHEMA.names, both, Way())).table, ONE)


def test_weather_in_a_file_of_its_own_is_of_all_devices(tmp_path):
    lines = rows_of(PLANT, Way())
    (tmp_path / "a.csv").write_bytes(write_rows(READING_SCHEMA.names[:4], [row[:4] for row in lines], Way()))
    weather = [[row[1], *row[4:]] for row in rows_of(ONE, Way())]
    (tmp_path / "b.csv").write_bytes(write_rows(["time", "Tmod", "GTI"], weather, Way()))
    table = read_files([tmp_path], Choices()).table
    for device in ("INV0000001", "INV0000002"):
        own = table.filter(pc.equal(table["deviceID"], device))
        for name in ("temperature", "irradiance"):
            np.testing.assert_array_equal(own[name], ONE[name])
    with pytest.raises(PvfaultError, match="has no column temperature, irradiance"):
        read_files([tmp_path / "a.csv"], Choices())


# Files


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_unpacked(pack):
    content = write_rows(READING_SCHEMA.names, rows_of(PLANT, Way()), Way())
    assert same_readings(read(pack(content)).table, PLANT)


def test_files_of_a_day_each_are_one_series_as_names_a_folder_a_pattern_and_an_archive(tmp_path):
    days = [plant(start=datetime(2024, 6, day, 10, tzinfo=UTC), seed=day) for day in (1, 2, 3)]
    folder = tmp_path / "days"
    folder.mkdir()
    for number_of_day, day in enumerate(days, 1):
        (folder / f"{number_of_day}.csv").write_bytes(write_rows(READING_SCHEMA.names, rows_of(day, Way()), Way()))
    with zipfile.ZipFile(tmp_path / "days.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"export/{file.name}")
    whole = pa.concat_tables(days)
    for paths in (sorted(folder.iterdir()), [folder], [folder / "*.csv"], [tmp_path / "days.zip"]):
        assert same_readings(read_files(paths, Choices()).table, whole)
    twice = read_files([folder, tmp_path / "days.zip"], Choices())
    assert same_readings(twice.table, whole)
    assert twice.duplicates == whole.num_rows


def test_workbooks_are_read_with_their_titles_and_dates(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Plant Süd", None, None])
    sheet.append([])
    sheet.append(["Inverter", "Date", "Udc [V]", "Idc [A]", "Tmod", "Irradiance"])
    for row in PLANT.to_pylist():
        values = [None if row[name] != row[name] else round(row[name], 3) for name in MEASUREMENTS]
        sheet.append([row["deviceID"], row["timestamp"].replace(tzinfo=None), *values])
    book.save(tmp_path / "plant.xlsx")
    assert same_readings(read_files([tmp_path / "plant.xlsx"], Choices()).table, PLANT)
    book.create_sheet("copy")
    for row in sheet.values:
        book["copy"].append(row)
    book.save(tmp_path / "plant.xlsx")
    with pytest.raises(PvfaultError, match=r"one of several sheets: Sheet, copy.*--sheet"):
        read_files([tmp_path / "plant.xlsx"], Choices())
    assert same_readings(read_files([tmp_path / "plant.xlsx"], Choices(sheet="copy")).table, PLANT)


@pytest.mark.parametrize("digits", [7, 9])
def test_texts_of_many_decimals_are_read_from_parquet_as_from_csv(tmp_path, digits):
    texts = pc.strftime(PLANT["timestamp"].cast(pa.timestamp("s", tz="UTC")), "%Y-%m-%d %H:%M:%S." + "0" * digits)
    pq.write_table(PLANT.set_column(1, "timestamp", texts), tmp_path / "plant.parquet")
    assert same_readings(read_files([tmp_path / "plant.parquet"], Choices()).table, PLANT)


def test_a_parquet_file_with_dates_and_times_of_day_is_read(tmp_path):
    stamps = [t.replace(tzinfo=None) for t in PLANT["timestamp"].to_pylist()]
    table = PLANT.drop_columns(["timestamp"]).append_column("date", pa.array([t.date() for t in stamps]))
    table = table.append_column("time", pa.array([t.time() for t in stamps], pa.time64("us")))
    pq.write_table(table, tmp_path / "plant.parquet")
    assert same_readings(read_files([tmp_path / "plant.parquet"], Choices()).table, PLANT)
    assert isinstance(table["date"][0].as_py(), date)


# Devices and repeated rows


def test_any_name_of_a_device_is_taken_and_shown():
    lines = [["WR 1 (Süd)", *row[1:]] for row in rows_of(ONE, Way())]
    result = read(write_rows(READING_SCHEMA.names, lines, Way()))
    (device_id,) = result.names
    assert result.names == {device_id: "WR 1 (Süd)"}
    assert result.table["deviceID"].unique().to_pylist() == [device_id] == [device_id_of("WR 1 (Süd)")]
    known = read(write_rows(READING_SCHEMA.names, lines, Way()), device_ids={"WR 1 (Süd)": "INV0000001"})
    assert same_readings(known.table, ONE)


def test_identical_rows_are_dropped_and_counted_and_others_told_apart_or_refused():
    lines = rows_of(ONE, Way())
    result = read(write_rows(READING_SCHEMA.names, lines + lines[:5], Way()))
    assert same_readings(result.table, ONE)
    assert result.duplicates == 5
    other = [[*row[:2], "1", *row[3:]] for row in lines[:5]]
    with pytest.raises(PvfaultError, match=r"5 times of one device have rows with other values.*Expected one row"):
        read(write_rows(READING_SCHEMA.names, lines + other, Way()))
    named = [[*row, "A"] for row in lines] + [[*row, "B"] for row in other]
    with pytest.raises(PvfaultError, match=r"column 'feeder' \(A, B\) tells them apart: --map deviceID=feeder"):
        read(write_rows([*READING_SCHEMA.names, "feeder"], named, Way()))


def test_the_hour_that_a_clock_shows_twice_is_told_of_if_no_zone_is_named():
    times = [f"2024-10-27 {clock}" for clock in ("01:50", "02:00", "02:10", "02:00", "02:10", "03:00")]
    content = write_rows(READING_SCHEMA.names, [["INV0000001", t, str(n), 1, 2, 3] for n, t in enumerate(times)], Way())
    with pytest.raises(PvfaultError, match=r"show twice\. Name the zone"):
        read(content)
    assert read(content, timezone="Europe/Berlin").table["voltage"].to_pylist() == [0, 1, 2, 3, 4, 5]
