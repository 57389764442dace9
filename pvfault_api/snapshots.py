"""A table as one moment has it: what is published while somebody reads is not seen.

Here: opening a table for more than one look at it, and going on in the snapshot of an earlier look. Not here: what the
rows say (`verdicts.py`, `curves.py`, `origins.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from uuid import UUID

import pyarrow as pa
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import ancestors_of

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID
from pvfault.settings import Settings
from pvfault.tables import Table
from pvfault_api.current import open_now
from pvfault_api.kept_rows import read_rows
from pvfault_api.plans import plan_of
from pvfault_api.published import as_table, batches_of, dates_of_table


class SnapshotGoneError(PvfaultError):
    """A snapshot is not there any more, or was never published."""


@dataclass(frozen=True)
class Snapshot:
    """What is published of a table.

    Attributes
    ----------
    table : Table
    iceberg : IcebergTable
        Not compared: its metadata may be newer than the snapshot.
    uuid : UUID
        Of the table, as no other one has it.
    id : int or None
        None of a table that nothing was written into.
    """

    table: Table
    iceberg: IcebergTable = field(compare=False)
    uuid: UUID
    id: int | None

    @property
    def version(self) -> str:
        """Names the table and the snapshot."""
        return f"{self.table.name}@{self.id}"

    @property
    def made_at(self) -> datetime | None:
        """When it was published (UTC); None if nothing was."""
        made = self.iceberg.snapshot_by_id(self.id) if self.id is not None else None
        return made and datetime.fromtimestamp(made.timestamp_ms // 1000, UTC)

    def at(self, snapshot_id: int) -> "Snapshot":
        """The table as an earlier snapshot has it.

        Raises
        ------
        SnapshotGoneError
            If readers cannot have seen it: it has expired, was rolled back, or is staged and not published.
        """
        seen = {snapshot.snapshot_id for snapshot in self._published()}
        if snapshot_id not in seen:
            raise SnapshotGoneError(f"the table {self.table.name} has no published snapshot {snapshot_id}; begin anew")
        return replace(self, id=snapshot_id)

    def dates(self) -> list[date]:
        """The dates that it has rows of, in order."""
        if self.id is None:
            return []
        plan = plan_of(self.iceberg, self.table, self.id)
        return sorted(plan.by_date) if plan else dates_of_table(self.iceberg, self.table, snapshot_id=self.id)

    def rows(
        self,
        dates: Iterable[date],
        columns: Iterable[str] = (),
        *,
        device: str | None = None,
        in_order: bool = True,
    ) -> pa.Table:
        """Rows of some dates.

        Parameters
        ----------
        dates : iterable of date
        columns : iterable of str, optional
            All by default.
        device : str, optional
            Whose rows alone are read; parts of a file without any are skipped.
        in_order : bool
            Sorted by the table's key, as far as it is among the columns.

        Raises
        ------
        PvfaultError
            If files are not whole.
        """
        dates, columns = list(dates), list(columns) or self.table.schema.names
        if self.id is None or not dates:
            return as_table((), self.table, columns)
        rows = self._read(dates, columns, device)
        key = [name for name in self.table.key if name in columns and not (name == DEVICE_ID and device is not None)]
        if not in_order or (len(key) == 1 and _ascends(rows[key[0]])):
            return rows
        return rows.sort_by([(name, "ascending") for name in key]) if key else rows

    def _read(self, dates: list[date], columns: list[str], device: str | None) -> pa.Table:
        plan = plan_of(self.iceberg, self.table, self.id)
        if plan is not None:
            return read_rows(plan, self.table, dates, columns, device=device)
        batches = batches_of(self.iceberg, self.table, dates, columns, device=device, snapshot_id=self.id)
        return as_table(batches, self.table, columns)

    def _published(self):
        current = self.iceberg.current_snapshot()
        return ancestors_of(current, self.iceberg.metadata) if current else ()


def _ascends(column: pa.ChunkedArray) -> bool:
    """Whether a column stands in order as it is, which takes a hundredth of sorting it."""
    values = column.to_numpy()
    return values.dtype.kind in "Mi" and bool((values[:-1] <= values[1:]).all())


def open_snapshot(settings: Settings, table: Table) -> Snapshot:
    """A table as it is now.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or not this one, or its list of files is not whole.
    """
    iceberg = open_now(settings, table)
    current = iceberg.current_snapshot()
    return Snapshot(table, iceberg, iceberg.metadata.table_uuid, current and current.snapshot_id)
