"""What a run in a process of its own is asked for, and what it tells meanwhile; both as JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pvfault.date_ranges import written

Tell = Callable[[dict[str, Any]], None]
"""Called with what has happened: `waiting` (for which runs), `run` (that has begun), `step` (that is begun, done or
failed), `made` or `refused` (a date of a table, and why), and last of all `failed` (why) if the run did."""


@dataclass(frozen=True)
class Request:
    """What a run is to make.

    Attributes
    ----------
    first, last : date
        All days from the first to the last.
    table : str
        The table to begin with: it and all that is made of it. Empty for all, and the checks of registry and network.
    allow_fewer : bool
        Take `readings` even where they are fewer than before, or none.
    """

    first: date
    last: date
    table: str = ""
    allow_fewer: bool = False

    def __str__(self):
        return written(self.first, self.last) + (f" from {self.table} on" if self.table else "")

    def to_json(self) -> str:
        """The request as text."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Request":
        """The request of which `to_json` has made this."""
        values = json.loads(text)
        return cls(**values | {name: date.fromisoformat(values[name]) for name in ("first", "last")})
