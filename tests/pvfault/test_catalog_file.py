"""A laptop's catalog that does not know its tables: Iceberg would make them again, empty, and say nothing."""

import sqlite3

import pytest

from pvfault import catalog_file
from pvfault.catalog_file import prepare_catalog, require_no_table_lost
from pvfault.errors import PvfaultError, TransientError


@pytest.fixture
def settings(make_settings, tmp_path):
    """Settings of a home with one table, which was written to, as its files and its catalog say."""
    settings = make_settings(tmp_path / "a home")
    prepare_catalog(settings)
    folder = settings.warehouse / "pvfault" / "readings" / "metadata"
    folder.mkdir(parents=True)
    (folder / "snap-1.avro").touch()
    (folder / "00001-a.metadata.json").write_text('{"format-version": 2}')
    with sqlite3.connect(settings.catalog) as connection:
        location = f"file:{folder}/00001-a.metadata.json"
        connection.execute(
            "INSERT INTO iceberg_tables VALUES ('lake', 'pvfault', 'readings', ?, NULL, 'TABLE')", (location,)
        )
    connection.close()
    prepare_catalog(settings)
    return settings


def empty(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM iceberg_tables")
    connection.close()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda path: path.unlink(), "holds the tables readings, and the catalog .* is not there"),
        (lambda path: path.write_bytes(b""), "holds the tables readings, and the catalog .* knows nothing of them"),
        (empty, "holds the tables readings, and the catalog .* knows nothing of them"),
        (lambda path: path.write_bytes(b"x" * 9000), r"cannot be used \(file is not a database\)"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), r"cannot be used \(database disk image is malformed"),
    ],
)
def test_a_catalog_that_does_not_know_a_table_with_rows_is_refused_and_stays(settings, damage, found):
    damage(settings.catalog)
    before = settings.catalog.read_bytes() if settings.catalog.exists() else None
    for refuse in (prepare_catalog, require_no_table_lost):
        with pytest.raises(PvfaultError, match=rf"(?s){found}.*pvfault catalog restore"):
            refuse(settings)
    assert (settings.catalog.read_bytes() if settings.catalog.exists() else None) == before


@pytest.mark.parametrize("kept", [0, 10])
def test_a_table_whose_metadata_are_cut_off_is_refused_by_name(settings, kept):
    (metadata,) = settings.warehouse.rglob("*.metadata.json")
    metadata.write_bytes(metadata.read_bytes()[:kept])
    with pytest.raises(PvfaultError, match=rf"the table readings is as in .*00001-a.metadata.json.*has {kept} bytes"):
        prepare_catalog(settings)
    metadata.unlink()
    with pytest.raises(PvfaultError, match=r"00001-a.metadata.json, and this file is not there.*catalog restore"):
        prepare_catalog(settings)


def test_a_table_that_was_only_begun_is_none_that_is_lost(settings):
    """A first run that is killed leaves a table's first metadata, which the catalog may not know yet."""
    folder = settings.warehouse / "pvfault" / "scalograms" / "metadata"
    folder.mkdir(parents=True)
    (folder / "00000-b.metadata.json").write_text("{}")
    prepare_catalog(settings)


def test_a_catalog_that_somebody_holds_is_waited_for_and_then_named(settings, monkeypatch):
    monkeypatch.setattr(catalog_file, "BUSY_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(settings.catalog, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError, match=r"another process has held the catalog .*catalog.db for more than 0.1 s"):
        prepare_catalog(settings)
    holder.close()
    prepare_catalog(settings)
