"""The ingest ledger: what was read of the topic for which date, and what became of it.

Its rows are read here as the next ingest needs them; offsets are looked up in the topic by `offsets.py`. What the rows
say without Spark is in `pvfault/ledger.py`.

The ledger is written behind the readings that it tells of. So a run that dies in between leaves a ledger that knows
less than the table, and what it does not know is read once more: nothing is lost by that.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

import pyarrow as pa
from pyspark.sql import SparkSession

from pvfault.ledger import Makings
from pvfault.tables import LEDGER
from spark_jobs import catalog, publishing, scans
from spark_jobs.topic import OffsetRange


class Ledger:
    """What the ledger says of one topic.

    Parameters
    ----------
    rows : iterable of dict
        Rows of `LEDGER` of one topic id.
    """

    def __init__(self, rows: Iterable[Mapping]):
        self._noted: dict[tuple[date, int], list[OffsetRange]] = defaultdict(list)
        self._makings = Makings()
        for row in sorted(rows, key=lambda row: row["made_at"]):
            self._take(row)

    @classmethod
    def read(cls, spark: SparkSession, topic_id: str) -> "Ledger":
        """Read the ledger of a topic."""
        scans.require_whole(spark, LEDGER)
        if catalog.load(spark, LEDGER).currentSnapshot() is None:
            return cls([])  # the first query of a session takes a second
        rows = spark.table(catalog.name_of(LEDGER)).where(f"topic_id = '{topic_id}'")
        return cls(rows.toArrow().to_pylist())

    def add(self, spark: SparkSession, day: date, rows: list[dict]) -> None:
        """Write what was read for a date, and know it from now on."""
        publishing.append(spark, LEDGER, day, pa.Table.from_pylist(rows, LEDGER.schema))
        for row in rows:
            self._take(row)

    def claims(self, partition: int) -> dict[date, OffsetRange]:
        """The part of each date that was made, in one partition."""
        return {
            day: OffsetRange(partition, by_partition[partition]["first_offset"], by_partition[partition]["end_offset"])
            for day, by_partition in self._makings.last.items()
            if partition in by_partition
        }

    def noted(self, day: date, partition: int) -> list[OffsetRange]:
        """Where readings of a date stand in the parts of other dates."""
        return self._noted[day, partition]

    def scanned(self, first: date, last: date) -> dict[date, dict[int, list[tuple[int, int]]]]:
        """What was read for each date of a span that was made, by partition."""
        return {
            day: {
                partition: [(one["first_offset"], one["end_offset"]) for one in row["scanned"]]
                for partition, row in by_partition.items()
            }
            for day, by_partition in self._makings.last.items()
            if first <= day <= last
        }

    def dates_to_make_again(self) -> dict[date, int]:
        """As `pvfault.ledger.Makings` has them."""
        return self._makings.dates_to_make_again()

    def _take(self, row: Mapping) -> None:
        self._makings.take(row)
        for one in row["elsewhere"] or ():
            if one["unread"]:
                noted = OffsetRange(row["partition"], one["first_offset"], one["end_offset"])
                self._noted[one["date"], row["partition"]].append(noted)
