"""What is kept between questions never answers for what is there now."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo

from pvfault.data_files import FileError
from pvfault.locations import uri_of
from pvfault.tables import DEVICE_DAYS, PREDICTIONS
from pvfault_api import kept_rows
from pvfault_api.current import Kept
from pvfault_api.published import read_dates
from pvfault_api.snapshots import open_snapshot
from tests.pvfault_api.helpers import day_of, make_table

DAYS = [date(2024, 6, 1), date(2024, 6, 2)]
NAMES = [f"INV{n:07d}" for n in range(40)]


def hours(day, names=NAMES):
    """Rows of predictions: a device's hours stand together."""
    rows = [
        {"deviceID": name, "window_start": datetime(2024, 6, day, hour, tzinfo=UTC), "quality": "ok", "fault": "none",
         "confidence": (hour + 1) / 32, "probabilities": None, "model_version": f"{day}"}
        for name in names for hour in range(24)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, PREDICTIONS.schema)


@pytest.fixture
def catalog(settings):
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=uri_of(settings.warehouse)) as catalog:
        yield catalog


@pytest.fixture
def settings(make_settings, tmp_path):
    settings = make_settings(tmp_path / "a home")
    make_table(settings, [day_of("INV0000001", 1, "none")], [day_of("INV0000001", 2, "none")])
    return settings


@pytest.fixture
def predictions(settings, catalog):
    """A table of files as given, in row groups of so many rows."""
    table = catalog.create_table("pvfault.predictions", PREDICTIONS.schema)

    def add(rows, rows_in_group=100):
        path = settings.warehouse / f"{table.metadata.last_sequence_number}.parquet"
        pq.write_table(rows, path, row_group_size=rows_in_group)
        table.add_files([uri_of(path)])
        return path

    return add


@pytest.mark.parametrize("rows_in_group", [7, 24, 100, 10_000])
@pytest.mark.parametrize("order", ["by device", "by hour", "shuffled"])
def test_a_devices_rows_are_those_of_a_plain_scan_however_they_lie(settings, predictions, rows_in_group, order):
    for day in (1, 2):
        rows = hours(day)
        if order == "by hour":
            rows = rows.sort_by("window_start")
        if order == "shuffled":
            rows = rows.take(np.random.default_rng(day).permutation(len(rows)))
        predictions(rows, rows_in_group)
    every = read_dates(settings, PREDICTIONS, DAYS)
    for days in (DAYS, DAYS[:1], DAYS[1:]):
        of_days = every.filter(pc.is_in(every["window_start"].cast(pa.date32()), pa.array(days)))
        snapshot = open_snapshot(settings, PREDICTIONS)
        assert snapshot.rows(days).equals(of_days)
        for name in (NAMES[0], NAMES[17], NAMES[-1]):
            for _ in range(2):  # read, and kept
                assert snapshot.rows(days, device=name).equals(of_days.filter(pc.equal(of_days["deviceID"], name)))
        assert not len(snapshot.rows(days, device="INV0000001\0"))
        assert not len(snapshot.rows(days, device="INV00000010"))


def test_rows_that_lie_anyhow_are_found_without_noting_where_each_is(settings, predictions, monkeypatch):
    monkeypatch.setattr(kept_rows, "_MOST_RUNS", 10)
    predictions(hours(1).sort_by("window_start"), 10_000)
    found = open_snapshot(settings, PREDICTIONS).rows(DAYS, ["window_start", "confidence"], device=NAMES[3])
    assert found["confidence"].to_pylist() == [(hour + 1) / 32 for hour in range(24)]


def test_a_file_of_several_dates_gives_those_that_are_asked_for(settings, catalog, predictions):
    """Another tool may have written it: an ordinary file is of one date."""
    predictions(pa.concat_tables([hours(day, NAMES[:3]) for day in (1, 2, 3)]))
    snapshot = open_snapshot(settings, PREDICTIONS)
    assert snapshot.dates() == [DAYS[0] + timedelta(days=n) for n in range(3)]
    for device in (None, NAMES[1]):
        found = snapshot.rows([date(2024, 6, 2)], ["model_version"], device=device)
        assert pc.unique(found["model_version"]).to_pylist() == ["2"]
        assert len(found) == (24 if device else 72)
    verdicts = catalog.load_table("pvfault.device_days")
    verdicts.overwrite(
        pa.Table.from_pylist([day_of(name, day) for name in NAMES for day in (1, 2, 3)], DEVICE_DAYS.schema)
    )
    for _ in range(2):
        assert pc.unique(open_snapshot(settings, DEVICE_DAYS).rows(DAYS[1:])["date"]).to_pylist() == DAYS[1:]


def test_each_commit_is_seen_by_the_next_question_and_by_none_before(settings, catalog):
    table = catalog.load_table("pvfault.device_days")
    for confidence in (0.25, 0.5, 0.75, 1.0):
        before = open_snapshot(settings, DEVICE_DAYS)
        was = before.rows(DAYS[1:]).to_pylist()
        again = pa.Table.from_pylist([day_of("INV0000001", 2, "none", confidence=confidence)], DEVICE_DAYS.schema)
        table.overwrite(again, EqualTo("date", "2024-06-02"))
        assert open_snapshot(settings, DEVICE_DAYS).rows(DAYS[1:])["confidence"].to_pylist() == [confidence]
        assert before.rows(DAYS[1:]).to_pylist() == was


def test_a_column_that_is_younger_than_a_file_is_null(settings, catalog):
    """The tables of a plant get new columns, and keep their old files."""
    table = catalog.load_table("pvfault.device_days")
    with table.update_schema() as update:
        update.delete_column("code_version")
    table.append(pa.Table.from_pylist([day_of("INV0000002", 2)], DEVICE_DAYS.schema).drop_columns("code_version"))
    with table.update_schema() as update:
        update.add_column("code_version", table.schema().find_type("model_version"))
    for device in (None, "INV0000002"):
        found = open_snapshot(settings, DEVICE_DAYS).rows(DAYS, device=device)
        assert found.schema.equals(DEVICE_DAYS.schema)
        assert found["code_version"].null_count == len(found) > 0


def test_rows_that_another_tool_has_deleted_are_not_seen(settings, catalog, predictions):
    """Deletes beside files, which pvfault never writes, are PyIceberg's to apply, or to refuse."""
    predictions(hours(1))
    catalog.load_table("pvfault.predictions").delete(EqualTo("deviceID", NAMES[3]))
    snapshot = open_snapshot(settings, PREDICTIONS)
    assert not len(snapshot.rows(DAYS, device=NAMES[3]))
    assert len(snapshot.rows(DAYS)) == 39 * 24


def test_a_file_that_is_damaged_after_it_was_read_is_told(settings, predictions):
    path = predictions(hours(1))
    snapshot = open_snapshot(settings, PREDICTIONS)
    assert len(snapshot.rows(DAYS, device=NAMES[3])) == 24
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * (len(content) // 2) + content[4 + len(content) // 2 :])
    with pytest.raises(FileError, match="damaged"):
        snapshot.rows(DAYS, device=NAMES[3])
    path.unlink()
    with pytest.raises(FileError, match="not there"):
        snapshot.rows(DAYS, device=NAMES[3])


def test_a_file_that_is_written_twice_within_a_tick_is_read_twice(tmp_path):
    """A registry that somebody corrects a moment later may have the same size and the same time."""
    path = tmp_path / "devices.csv"
    kept = Kept(lambda location: location.read_text())
    for n in range(200):
        path.write_text(f"{n % 10}")
        assert kept.of(path) == f"{n % 10}"


def test_what_is_kept_of_verdicts_has_bounds(settings, catalog, monkeypatch):
    kept = kept_rows._KeptTables(4 * 10_000)
    monkeypatch.setattr(kept_rows, "_KEPT", kept)
    table = catalog.load_table("pvfault.device_days")
    for day in range(3, 20):
        table.append(pa.Table.from_pylist([day_of(name, day, "none") for name in NAMES], DEVICE_DAYS.schema))
    snapshot = open_snapshot(settings, DEVICE_DAYS)
    assert len(snapshot.rows([date(2024, 6, day) for day in range(3, 20)])) == 17 * 40
    assert 0 < kept._used <= 40_000
    assert kept._used == sum(rows.nbytes for rows in kept._tables.values())
    assert snapshot.rows([date(2024, 6, 3)])["date"].to_pylist() == [date(2024, 6, 3)] * 40


def test_a_table_from_before_a_column_answers_without_it_and_with_it_from_then_on(make_settings, tmp_path):
    """Who serves a lake of before an update must not fail until the first job has added the columns."""
    settings = make_settings(tmp_path / "an old home")
    place = DEVICE_DAYS.schema.get_field_index("candidates")
    make_table(settings, [day_of("INV0000001", 1, "none")], schema=DEVICE_DAYS.schema.remove(place))
    rows = open_snapshot(settings, DEVICE_DAYS).rows(DAYS)
    assert rows.schema == DEVICE_DAYS.schema
    assert rows.select(["fault", "candidates"]).to_pylist() == [{"fault": "none", "candidates": None}]
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=uri_of(settings.warehouse)) as catalog:
        table = catalog.load_table("pvfault.device_days")
        with table.update_schema() as update:
            update.union_by_name(DEVICE_DAYS.schema)
        new = day_of("INV0000001", 2, "line_line") | {"candidates": ["line_line", "line_ground"]}
        table.append(pa.Table.from_pylist([new], schema=DEVICE_DAYS.schema).select(table.schema().as_arrow().names))
    for read in (read_dates(settings, DEVICE_DAYS, DAYS), open_snapshot(settings, DEVICE_DAYS).rows(DAYS)):
        assert read["candidates"].to_pylist() == [None, ["line_line", "line_ground"]]
