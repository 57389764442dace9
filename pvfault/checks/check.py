"""What a check is, and what it says of a date."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

SAMPLE = 5  # devices that a check names

# The remedy of a check that only a mistake of our own can fail.
REPORT_IT = "this is a mistake of pvfault: report it with the run's log"


@dataclass(frozen=True)
class Check:
    """A sentence about a date that can be false.

    Attributes
    ----------
    name : str
        The sentence, as an identifier.
    description : str
        What it means for the operator.
    remedy : str
        What to do if it is false.
    blocking : bool
        Whether a date that fails it is an error: a job does not publish it.
    """

    name: str
    description: str
    remedy: str
    blocking: bool = False

    def judge(self, passed: bool, found: str, **figures) -> "CheckResult":
        """The result for one date: what was found and, if that is wrong, what to do."""
        return CheckResult(
            self.name, bool(passed), self.blocking, found if passed else f"{found}; {self.remedy}", figures
        )


@dataclass(frozen=True)
class CheckResult:
    """Whether a date passed a check.

    Attributes
    ----------
    name : str
    passed, blocking : bool
    summary : str
        What was found and, if it did not pass, what to do.
    figures : dict
        Counts and a capped sample; values that JSON can hold.

    Raises
    ------
    TypeError
        If a figure is anything else, such as an integer of NumPy: before its date is published.
    """

    name: str
    passed: bool
    blocking: bool
    summary: str
    figures: dict = field(default_factory=dict)

    def __post_init__(self):
        require_plain(self.figures, f"the check {self.name}")


MADE = Check(
    "date_is_made",
    "The table has the date.",
    "materialise it for this date",
    blocking=True,
)


def require_plain(value: object, where: str) -> None:
    """Refuse what JSON would not give back as it was; a mistake of ours, found before anything is published.

    Raises
    ------
    TypeError
    """
    if type(value) is dict:
        for name, inner in value.items():
            if type(name) is not str:
                raise TypeError(f"{where}: the name {name!r} is a {type(name).__name__}, expected text")
            require_plain(inner, f"{where}, {name}")
    elif type(value) is list:
        for inner in value:
            require_plain(inner, where)
    elif not (value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))):
        raise TypeError(
            f"{where}: {value!r} is a {type(value).__module__}.{type(value).__name__}, expected what JSON can hold; "
            "make a plain number or text of it where it is counted"
        )


def named(devices: Sequence[str]) -> str:
    """The first of some devices, to stand behind their number.

    Examples
    --------
    >>> named(["B", "A"]), named([])
    (': B, A', '')
    """
    return f": {', '.join(devices[:SAMPLE])}{' …' if len(devices) > SAMPLE else ''}" if devices else ""
