"""Runs that a command starts: of which dates, how far they are, and what came of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_cli.steps import Steps


def require_over(settings: Settings, first: date, last: date) -> None:
    """Refuse dates that no run could make.

    Raises
    ------
    PvfaultError
        If the last one is not over, or they are not all within the first and the last one of the settings.
    """
    today = datetime.now(UTC).date()
    if last >= today:
        raise PvfaultError(f"{last} is not over yet: it is {today} (UTC), and a date is made once it has ended.")
    if first < settings.first_date:
        raise PvfaultError(
            f"{first} is before PVFAULT_FIRST_DATE, which is {settings.first_date}; set that to the first date of your "
            "readings, here and for `make ui`."
        )
    if settings.last_date and last > settings.last_date:
        raise PvfaultError(
            f"{last} is behind PVFAULT_LAST_DATE, which is {settings.last_date}; set that to the last date of your "
            "readings or unset it, here and for `make ui`."
        )


class Watch:
    """Shows how far a run is, and keeps what became of its dates.

    Parameters
    ----------
    steps : Steps
    n_dates : int
        Of the run.
    prefix : str
        Before the names of steps.

    Attributes
    ----------
    made : dict of str to set of date
        By table.
    refused : dict of date to tuple of str
        The table, and why.
    """

    def __init__(self, steps: Steps, n_dates: int, prefix: str = ""):
        self._steps, self._n_dates, self._prefix = steps, n_dates, prefix
        self._waits = False
        self.made: dict[str, set[date]] = {}
        self.refused: dict[date, tuple[str, str]] = {}

    def __call__(self, message: dict) -> None:
        """Take a message, as `pvfault_assets.requests.Tell` has it."""
        if "waiting" in message:
            self._wait(message["waiting"])
        elif "step" in message:
            self._step(message["step"], message["is"])
        elif "made" in message:
            days = self.made.setdefault(message["table"], set())
            days.add(date.fromisoformat(message["made"]))
            if self._n_dates > 1:
                self._steps.tell(f"{len(days)} of {self._n_dates} dates")
        elif "refused" in message:
            self.refused[date.fromisoformat(message["refused"])] = (message["table"], message["why"])

    def _wait(self, others: Sequence[str]) -> None:
        if not self._waits:
            self._steps.end()
            self._steps.begin(f"Waiting for {', '.join(others)} to end")
            self._waits = True

    def _step(self, name: str, state: str) -> None:
        self._steps.end(failed=state == "failed")
        if state == "begun":
            self._steps.begin(f"{self._prefix}{name}")
