"""What the rows of the ledger say, for whoever has read them: a job with Spark, and whoever asks without it.

Here: which making of a date is its last, how its files name it, and which dates have readings that nobody has read. Not
here: the offsets that the next ingest is to read (`spark_jobs/ledger.py`).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

# A data file's name begins with the making that it is of (`spark_jobs/files.py`).
_MADE = re.compile(r"/([0-9a-f]{32})-[0-9a-f-]{36}\.parquet$")


def making_of_file(location: str) -> str | None:
    """The making of the date that a file is of; None if its name says none: another tool has written it."""
    found = _MADE.search(location)
    return found[1] if found else None


class Makings:
    """The last making of each date, of one topic.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of `LEDGER` of one topic id.

    Attributes
    ----------
    last : dict of date to dict of int to mapping
        The rows of a date's last making, by partition.
    """

    def __init__(self, rows: Iterable[Mapping] = ()):
        self.last: dict[date, dict[int, Mapping]] = {}
        self._made_at: dict = {}
        for row in sorted(rows, key=lambda row: row["made_at"]):
            self.take(row)

    @classmethod
    def of_newest_topic(cls, rows: Collection[Mapping]) -> "Makings":
        """Those of the topic that was read last; one that was deleted and created anew has another id.

        Parameters
        ----------
        rows : collection of mapping
            Rows of `LEDGER` of any topics.
        """
        newest = max(rows, key=lambda row: row["made_at"], default=None)
        return cls(row for row in rows if row["topic_id"] == newest["topic_id"])

    def take(self, row: Mapping) -> None:
        """Know one row more, none older than those that are known."""
        day = row["date"]
        if self._made_at.get(day) != row["made_at"]:
            self._made_at[day] = row["made_at"]
            self.last[day] = {}
        self.last[day][row["partition"]] = row

    def dates_to_make_again(self) -> dict[date, int]:
        """Dates that were made and have readings which stand where nobody has read for them, with how many these are.

        Making each of them once more reads them all; then it is not in the answer any more.
        """
        waiting: dict[date, int] = defaultdict(int)
        for by_partition in self.last.values():
            for partition, row in by_partition.items():
                for one in row["elsewhere"] or ():
                    if one["unread"] and not self._has_read(one, partition):
                        waiting[one["date"]] += one["unread"]
        return dict(sorted(waiting.items()))

    def _has_read(self, one: Mapping, partition: int) -> bool:
        """Whether the date has read these offsets, or was not made at all, so that it will."""
        row = self.last.get(one["date"], {}).get(partition)
        made = one["date"] in self.last
        return not made or any(
            each["first_offset"] <= one["first_offset"] and one["end_offset"] <= each["end_offset"]
            for each in (row["scanned"] if row else ())
        )
