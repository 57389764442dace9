"""Which files have rows of a date: the list of a snapshot's files, read once.

A snapshot never changes, nor does a manifest, so a new snapshot costs the manifests that are new in it. Not here: rows
(`kept_rows.py`); tables from which single rows were deleted by another tool, whose plan PyIceberg has to make.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from uuid import UUID

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFileContent, ManifestFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable

from pvfault.date_ranges import days_between
from pvfault.tables import Table
from pvfault_api.published import dates_of_file

_MANIFESTS = 4096  # 64 kB each, some 150 files


@dataclass(frozen=True)
class PlannedFile:
    """A file of rows.

    Attributes
    ----------
    location : str
    first, last : date
        Dates that it has rows of.
    """

    location: str
    first: date
    last: date


@dataclass(frozen=True)
class Plan:
    """The files of a snapshot.

    Attributes
    ----------
    by_date : dict of date to list of PlannedFile
    fields : dict of str to int
        The number by which Iceberg knows each column of the table.
    """

    by_date: dict[date, list[PlannedFile]]
    fields: dict[str, int]

    def files(self, dates: list[date]) -> list[PlannedFile]:
        """Files with rows of some dates, each once."""
        return list(dict.fromkeys(file for day in dates for file in self.by_date.get(day, ())))


@dataclass(frozen=True)
class _Asked:
    """What decides a plan, and what it is read with."""

    uuid: UUID
    snapshot_id: int
    table: Table = field(compare=False)  # which the UUID is of, and which is slow to compare
    iceberg: IcebergTable = field(compare=False)


def plan_of(iceberg: IcebergTable, table: Table, snapshot_id: int) -> Plan | None:
    """The files of a snapshot; None if single rows of it are deleted.

    Raises
    ------
    PvfaultError, OSError
        If a manifest cannot be read.
    """
    return _plan(_Asked(iceberg.metadata.table_uuid, snapshot_id, table, iceberg))


@lru_cache(maxsize=64)
def _plan(asked: _Asked) -> Plan | None:
    iceberg = asked.iceberg
    schema = iceberg.schema()
    by_date = defaultdict(list)
    for manifest in iceberg.snapshot_by_id(asked.snapshot_id).manifests(iceberg.io):
        files = _files_of(_Manifest(manifest.manifest_path, asked.table, manifest, schema, iceberg.io))
        if files is None:
            return None
        for file in files:
            for day in days_between(file.first, file.last):
                by_date[day].append(file)
    fields = {each.name: each.field_id for each in schema.fields}
    return Plan(dict(by_date), fields)


@dataclass(frozen=True)
class _Manifest:
    location: str
    table: Table = field(compare=False)
    listed: ManifestFile = field(compare=False)
    schema: Schema = field(compare=False)
    io: FileIO = field(compare=False)


@lru_cache(maxsize=_MANIFESTS)
def _files_of(manifest: _Manifest) -> tuple[PlannedFile, ...] | None:
    found = [entry.data_file for entry in manifest.listed.fetch_manifest_entry(manifest.io)]
    if any(file.content != DataFileContent.DATA for file in found):
        return None
    return tuple(PlannedFile(file.file_path, *dates_of_file(manifest.table, manifest.schema, file)) for file in found)
