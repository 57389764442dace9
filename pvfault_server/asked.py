"""What a request may ask: its parameters and their bounds, and how a cursor is read."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, get_origin

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from pvfault.date_ranges import days_between
from pvfault.faults import FAULTS
from pvfault.settings import Settings
from pvfault.tables import UNSURE
from pvfault_api.fleet import UNKNOWN
from pvfault_api.snapshots import Snapshot
from pvfault_api.verdicts import CURRENT
from pvfault_server.problems import ProblemError

DEFAULT_DATES = 7

# Far enough for any plant, and no date beside them is beyond what Python can hold.
_FIRST, _LAST = date(2000, 1, 1), date(2200, 1, 1)
_MIDNIGHTS = [datetime(day.year, 1, 1, tzinfo=UTC) for day in (_FIRST, _LAST)]

Verdict = Literal[*FAULTS, UNSURE, UNKNOWN]
Order = Literal[*CURRENT, *(f"-{name}" for name in CURRENT)]
Day = Annotated[date, Field(ge=_FIRST, le=_LAST)]
Moment = Annotated[AwareDatetime, Field(ge=_MIDNIGHTS[0], le=_MIDNIGHTS[1])]
WindowStart = Annotated[Moment, Path(description="When the hour begins, with its zone: 2024-06-01T11:00:00Z.")]
Device = Annotated[str, Path(max_length=64, description="The device: ten letters and digits.")]


def _settings_of(request: Request) -> Settings:
    return request.app.state.settings


Where = Annotated[Settings, Depends(_settings_of)]


class Asked(BaseModel, extra="forbid"):
    """Parameters of a request; others are refused, so that none is misspelt and left unheard."""


def refuse_unclear(request: Request) -> None:
    """Refuse a parameter of one value that is there twice, and any where none is taken: what was meant is not known.

    Raises
    ------
    ProblemError
        422.
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    route = request.scope["route"]
    models = [parameter.field_info.annotation for parameter in route.dependant.query_params]
    # What the page's address says is for the page.
    if given and not models and route.include_in_schema:
        errors = [{"parameter": name[:64], "reason": "there is no such parameter"} for name in given]
        raise ProblemError(422, "wrong_parameters", "nothing can be said with this question", errors=errors)
    of_one_value = {
        field.alias or name
        for model in models
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is not list
    }
    repeated = sorted(name for name in of_one_value if given[name] > 1)
    if repeated:
        raise ProblemError(422, "repeated_parameter", f"{repeated[0]} is there {given[repeated[0]]} times; say it once")


class Dates(Asked):
    """Some dates."""

    first: Day | None = Field(None, description="The first date (UTC); by default the seventh newest.")
    last: Day | None = Field(None, description="The last date (UTC), included; by default the newest that is made.")


class OneDate(Asked):
    """A date."""

    date: Day | None = Field(None, description="The date (UTC); by default the newest that is made.")


class Summary(Dates):
    """How a fleet is summed up."""

    by: Literal["date", "site"] = Field("date", description="A row for each date, or for each date and site.")


class OfDevice(Dates):
    """A device and some dates."""

    device: str = Field(alias="deviceID", max_length=64, description="The device: ten letters and digits.")


class Picture(Asked):
    """A stretch of readings, and how wide it is drawn."""

    start: Moment = Field(description="Where the picture begins, with its zone: 2024-06-01T00:00:00Z.")
    end: Moment = Field(description="Where it ends; this moment is not included.")
    pixels: int = Field(500, ge=1, le=4000, description="Equal parts of that time, each of them a row.")


class Verdicts(OneDate):
    """Which verdicts of a date, and in which order."""

    site: list[str] = Field([], max_length=100, description="Of these sites only.")
    fault: list[Verdict] = Field([], description=f"With these verdicts only; `{UNKNOWN}` where no hour was judged.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="At least as sure, 0 to 1.")
    min_lost_kwh: float | None = Field(None, ge=0, allow_inf_nan=False, description="At least so much lost. [kWh]")
    since: Moment | None = Field(None, description="Whose fault began then or later, with its zone.")
    sort: Order = Field("deviceID", description="A column; with - before it the greatest first. No value comes last.")
    limit: int = Field(100, ge=1, le=1000, description="Rows of a page.")
    cursor: str | None = Field(None, max_length=500, description="Where to go on: from `next` of the page before.")

    def digest_input(self) -> str:
        """All that decides which rows there are in which order."""
        return self.model_dump_json(exclude={"cursor", "limit"})


OneDateAsked = Annotated[OneDate, Query()]
DatesAsked = Annotated[Dates, Query()]
SummaryAsked = Annotated[Summary, Query()]
OfDeviceAsked = Annotated[OfDevice, Query()]
PictureAsked = Annotated[Picture, Query()]
VerdictsAsked = Annotated[Verdicts, Query()]


def days_asked(asked: Dates, made: Sequence[date], *, longest: int) -> list[date]:
    """The dates that are asked for.

    Parameters
    ----------
    asked : Dates
    made : sequence of date
        Those that there are, in order.
    longest : int
        How many may be asked for at once.

    Raises
    ------
    ProblemError
        422 if the range is reversed or too wide, 404 if none of its dates is made.
    """
    if asked.first and asked.last:
        first, last = asked.first, asked.last
    else:
        require_made(made, made)
        last = asked.last or max(made[-1], asked.first or made[-1])
        first = asked.first or last - timedelta(days=DEFAULT_DATES - 1)
    require_range(first, last, longest=longest)
    days = days_between(first, last)
    require_made(days, made)
    return days


def day_asked(asked: date | None, made: Sequence[date]) -> date:
    """The date that is asked for, or the newest.

    Raises
    ------
    ProblemError
        404 if it is not made, or none is.
    """
    require_made([asked] if asked else made, made)
    return asked or made[-1]


def require_made(days: Iterable[date], made: Sequence[date]) -> None:
    """Refuse dates of which none is made.

    Raises
    ------
    ProblemError
    """
    if set(days).isdisjoint(made):
        there = f"the dates that are made begin at {made[0]} and end at {made[-1]}" if made else "no date is made yet"
        raise ProblemError(404, "not_made", f"no date that is asked for is made; {there}")


def require_range(first: date, last: date, *, longest: int) -> None:
    """Refuse dates that are reversed or too many.

    Raises
    ------
    ProblemError
    """
    if last < first:
        raise ProblemError(422, "range_reversed", "the range ends before it begins; exchange its ends")
    if (last - first).days >= longest:
        raise ProblemError(422, "range_too_wide", f"at most {longest} dates can be asked for at once; ask for parts")


@dataclass(frozen=True)
class Cursor:
    """Where a page begins.

    Attributes
    ----------
    snapshot_id : int
        Of which all pages are, whatever is published meanwhile.
    digest : str
        Of what was asked and of the registry: a cursor goes on with nothing else.
    position : int
        Rows before it.
    """

    snapshot_id: int
    digest: str
    position: int

    def text(self) -> str:
        """As a client gets it."""
        return base64.urlsafe_b64encode(json.dumps([self.snapshot_id, self.digest, self.position]).encode()).decode()

    @classmethod
    def of_text(cls, text: str) -> "Cursor":
        """As a client gives it back.

        Raises
        ------
        ProblemError
        """
        try:
            snapshot_id, digest, position = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, TypeError) as error:
            raise _NO_CURSOR from error
        if not (isinstance(snapshot_id, int) and isinstance(digest, str) and isinstance(position, int)):
            raise _NO_CURSOR
        if not 0 <= position < 2**31:
            raise _NO_CURSOR
        return cls(snapshot_id, digest, position)

    def table(self, snapshot: Snapshot, digest: str) -> Snapshot:
        """The table that it goes on in.

        Raises
        ------
        ProblemError
            If it is of another question.
        SnapshotGoneError
        """
        if digest != self.digest:
            raise ProblemError(
                410, "cursor_gone", "this cursor is of another question or an older registry; ask without it"
            )
        return snapshot.at(self.snapshot_id)


_NO_CURSOR = ProblemError(422, "no_cursor", "the cursor is none of this server; take it from `next` of a page")
