"""What a row comes from, as its columns say it: how rows are marked, and whether those of several tables agree.

Which columns these are is in `pvfault.tables.LINEAGE`.
"""

from collections.abc import Mapping

import pyarrow as pa

from pvfault.tables import LINEAGE
from pvfault.versions import code_version

# Of the table that rows are made of; the code's version is of each table's own making.
INHERITED = tuple(field.name for field in LINEAGE if field.name != "code_version")


def marked(rows: pa.Table, lineage: Mapping[str, str | None]) -> pa.Table:
    """Rows with columns behind their own that say what they come from, the same for all of them.

    Parameters
    ----------
    rows : pa.Table
    lineage : mapping of str to str or None
        By column. The version of the code is added.
    """
    for name, value in {**lineage, "code_version": code_version()}.items():
        rows = rows.append_column(pa.field(name, pa.string()), pa.repeat(pa.scalar(value, pa.string()), len(rows)))
    return rows


def lineage_of(rows: pa.Table | pa.RecordBatch, *columns: str) -> dict[str, str | None]:
    """What the first row of some, which are of one date, comes from."""
    return {name: rows.column(name)[0].as_py() for name in columns}
