"""What checks say of dates: asked of all rows of a date, which takes seconds for a large fleet.

So it is done beside the requests, one date after the other, by one thread, and what was found is kept until the tables,
the registry or the network are other ones. A request waits for it no longer than people do without noticing.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from pvfault.settings import Settings
from pvfault.tables import MADE_OF
from pvfault_api.checking import Checked, check_dates

_PATIENCE_S = 1.0
# Dates that are waited for; whoever asks for more than these asks again.
_MOST_WAITING = 4
_MOST_KEPT = 400  # a year, and some 30 results of each


class Failed(NamedTuple):
    """How many checks did not pass."""

    errors: int
    warnings: int


class Inspection:
    """Checks of dates of one home.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="checks")
        self._version = ""
        self._asked: OrderedDict[date, Future] = OrderedDict()

    def of(self, version: str, day: date) -> Sequence[Checked] | None:
        """What the checks say of a date; None as long as that is not known.

        Parameters
        ----------
        version : str
            Of all that the date is checked beside.
        day : date

        Raises
        ------
        PvfaultError
            If something that has to be read cannot be. It is read again for the next one who asks.
        """
        future = self._begun(version, day)
        if future is None:
            return None
        with suppress(TimeoutError, CancelledError):
            if future.exception(_PATIENCE_S) is None:
                return future.result()
            self._forget(day, future)
            raise future.exception()
        return None

    def known(self, version: str) -> Mapping[date, Sequence[Checked]]:
        """What is known already, by date."""
        with self._lock:
            asked = dict(self._asked) if version == self._version else {}
        return {day: each.result() for day, each in asked.items() if each.done() and each.exception() is None}

    def _begun(self, version: str, day: date) -> Future | None:
        """The check of a date, begun now if it was not; None if too many wait."""
        with self._lock:
            if version != self._version:
                for each in self._asked.values():
                    each.cancel()
                self._version, self._asked = version, OrderedDict()
            if day not in self._asked:
                if sum(not each.done() for each in self._asked.values()) >= _MOST_WAITING:
                    return None
                self._asked[day] = self._worker.submit(check_dates, self._settings, [day], list(MADE_OF))
                while len(self._asked) > _MOST_KEPT:
                    self._asked.popitem(last=False)
            return self._asked[day]

    def _forget(self, day: date, future: Future) -> None:
        with self._lock:
            if self._asked.get(day) is future:
                del self._asked[day]


def count_failed(checked: Sequence[Checked], table: str) -> Failed:
    """How many checks of a table did not pass."""
    failed = [one.result.blocking for one in checked if one.asset == table and not one.result.passed]
    return Failed(sum(failed), len(failed) - sum(failed))
