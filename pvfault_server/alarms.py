"""Questions about alarms, and what people do with them: the only thing here that writes, into a database of its own."""

import logging
import threading
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal

import pyarrow as pa
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from starlette.background import BackgroundTask
from starlette.responses import Response

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID
from pvfault.registry import NAME
from pvfault.settings import Settings
from pvfault_alarms.book import Book, Money, NoAlarmError, Wanted
from pvfault_alarms.life import (
    ACKNOWLEDGE,
    CAUSES,
    CLOSE,
    COMMENT,
    MUTE,
    OTHER,
    REOPEN,
    STATES,
    Action,
    WrongStateError,
)
from pvfault_alarms.store import Store, StoreError
from pvfault_alarms.subjects import KINDS
from pvfault_alarms.telling import tell
from pvfault_alarms.update import update
from pvfault_api.files_of_now import Registered, read_registered
from pvfault_api.published import NoTableError
from pvfault_server import examples
from pvfault_server.answers import JSON, Rows, answer, written
from pvfault_server.asked import Asked, Moment, Where
from pvfault_server.problems import ProblemError

LONGEST_NAME, LONGEST_COMMENT = 100, 2000
LONGEST_MUTING = timedelta(days=366)
# Of a request for alarms: the rest is read by the next ones, or by `pvfault alarms update`.
DATES_AT_ONCE = 7
WAITING = "Pvfault-Dates-Waiting"
"""Header: how many dates the alarms do not know yet; `unknown` if the tables cannot be read."""

_WORD, _NUMBER = pa.string(), pa.float64()
_MOMENT = pa.timestamp("us", tz="UTC")
ALARM = pa.schema(
    [
        ("id", pa.int64()), (DEVICE_ID, _WORD), (NAME, _WORD), ("site", _WORD), ("kind", _WORD), ("fault", _WORD),
        ("runner_up", _WORD), ("confidence", _NUMBER), ("onset", _MOMENT), ("first_seen", pa.date32()),
        ("last_seen", pa.date32()), ("days", pa.int64()), ("lost_kwh", _NUMBER), ("lost_kwh_a_day", _NUMBER),
        ("money", _NUMBER), ("money_a_day", _NUMBER), ("currency", _WORD), ("state", _WORD),
        ("muted_until", _MOMENT), ("cause", _WORD), ("found_fault", _WORD), ("over", pa.bool_()),
        ("withdrawn", pa.bool_()),
    ]
)  # fmt: skip

_log = logging.getLogger("pvfault.server")
router = APIRouter(tags=["alarms"])


class Desk:
    """The alarms of an application.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._updating = threading.Lock()

    @cached_property
    def _store(self) -> Store:
        return Store(self._settings)

    @cached_property
    def book(self) -> Book:
        """Where they stand."""
        return Book(self._store, Money(self._settings.tariff_per_kwh, self._settings.currency))

    def bring_up_to_date(self) -> str:
        """Read what is new, up to `DATES_AT_ONCE` dates; gives what `WAITING` says.

        If that fails the alarms that there are can still be looked at.
        """
        # Who comes while somebody else does it is answered by what there is.
        if not self._updating.acquire(blocking=False):
            return "unknown"
        try:
            done = update(self._settings, self._store, at_most=DATES_AT_ONCE)
        except NoTableError:
            return "0"
        except (PvfaultError, OSError) as error:
            _log.error("The alarms are not brought up to date: %s", error)
            return "unknown"
        finally:
            self._updating.release()
        return str(done.waiting)

    def tell(self) -> None:
        """Tell whom the settings name of what was not told yet."""
        try:
            tell(self._settings, self._store)
        except StoreError as error:
            _log.error("Nobody is told of alarms: %s", error)


def _desk_of(request: Request) -> Desk:
    return request.app.state.desk


At = Annotated[Desk, Depends(_desk_of)]
Number = Annotated[int, Path(ge=1, lt=2**31, description="The alarm's number.")]


def _printable(text: str) -> str:
    # Control characters, and halves of surrogate pairs, which are no text in UTF-8.
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\r\n\t" for letter in text):
        raise ValueError("control characters are not taken")
    return text


_Text = AfterValidator(_printable)
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME), _Text]
_Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_COMMENT), _Text]
_Fault = Literal[*FAULTS[1:]]


class Alarms(Asked):
    """Which alarms; all that is left out lets all pass."""

    state: list[Literal[*STATES]] = Field([], description="In these states only.")
    kind: list[Literal[*KINDS]] = Field([], description="Of these kinds only.")
    site: list[str] = Field([], max_length=100, description="Of these sites only.")
    fault: list[_Fault] = Field([], description="Of these faults only.")
    device: list[str] = Field([], max_length=100, description="Of these devices only.")
    over: bool | None = Field(None, description="Whether what they are of is no longer seen.")
    limit: int = Field(100, ge=1, le=1000, description="Rows of a page.")
    cursor: int | None = Field(None, ge=0, lt=2**31, description="Where to go on: from `next` of the page before.")


class Deed(Asked):
    """Who does something with an alarm, and why. Text is kept as it is, also if it looks like HTML."""

    by: _Name = Field(description="Who does it.")
    comment: _Comment = Field("", description="Why, or what was found.")


class Muting(Deed):
    """Until when an alarm is not to be heard."""

    until: Moment = Field(description="When it opens again by itself, with its zone; within a year.")

    @model_validator(mode="after")
    def _lies_ahead(self):
        ahead = self.until - datetime.now(UTC)
        if not timedelta() < ahead <= LONGEST_MUTING:
            raise ValueError("until has to lie ahead, by a year at most")
        return self


class Closing(Deed):
    """What an alarm was of."""

    cause: Literal[*CAUSES] = Field(description="What it was.")
    fault: _Fault | None = Field(None, description=f"With {OTHER}: which fault it was, if it is one of these.")

    @model_validator(mode="after")
    def _names_another_fault(self):
        if self.fault and self.cause != OTHER:
            raise ValueError(f"a fault is named with {OTHER} alone")
        return self


class Remark(Deed):
    """Something to be kept in the log."""

    comment: Annotated[_Comment, Field(min_length=1)] = Field(description="What is to be kept.")


@router.get("/alarms", responses=examples.rows(examples.ALARM, pages=True))
def alarms(request: Request, settings: Where, desk: At, asked: Annotated[Alarms, Query()]):
    """Alarms, the newest first: what verdicts have become for the crew. New verdicts are taken in before."""
    waiting = desk.bring_up_to_date()
    registered = read_registered(settings)

    def page() -> Rows:
        wanted = Wanted(asked.state, asked.kind, asked.fault, asked.device, asked.site, asked.over)
        found = desk.book.find(wanted, registered.sites, limit=asked.limit + 1, before=asked.cursor)
        rows = [_named(each, registered) for each in found[: asked.limit]]
        following = None
        if len(found) > len(rows):
            url = request.url.include_query_params(cursor=rows[-1]["id"])
            following = f"{url.path}?{url.query}"
        return Rows(pa.Table.from_pylist(rows, ALARM), is_page=True, following=following)

    answered = answer(request, [desk.book.version(), registered.version], page)
    answered.headers[WAITING] = waiting
    answered.background = BackgroundTask(desk.tell)  # nobody waits for the message
    return answered


@router.get("/alarms/{number}", responses=examples.one(examples.ALARM_WITH_LOG))
def alarm(request: Request, settings: Where, desk: At, number: Number):
    """An alarm and its log: what was done with it, by whom, and when."""
    registered = read_registered(settings)

    def found() -> dict:
        try:
            return _named(desk.book.get(number, registered.sites), registered)
        except NoAlarmError as error:
            raise _NO_ALARM from error

    return answer(request, [desk.book.version(), registered.version], found, forms=[JSON])


@router.post("/alarms/{number}/acknowledge", responses=examples.done(examples.ALARM_WITH_LOG))
def acknowledge(settings: Where, desk: At, number: Number, deed: Deed):
    """Say that somebody looks after it."""
    return _do(settings, desk, number, Action(ACKNOWLEDGE, deed.by, deed.comment))


@router.post("/alarms/{number}/mute", responses=examples.done(examples.ALARM_WITH_LOG))
def mute(settings: Where, desk: At, number: Number, deed: Muting):
    """Hear nothing of it for some time."""
    until = deed.until.astimezone(UTC).replace(tzinfo=None)
    return _do(settings, desk, number, Action(MUTE, deed.by, deed.comment, until=until))


@router.post("/alarms/{number}/close", responses=examples.done(examples.ALARM_WITH_LOG))
def close(settings: Where, desk: At, number: Number, deed: Closing):
    """Say what it was of. If the same is seen on a later date, that is a new alarm."""
    return _do(settings, desk, number, Action(CLOSE, deed.by, deed.comment, cause=deed.cause, fault=deed.fault))


@router.post("/alarms/{number}/reopen", responses=examples.done(examples.ALARM_WITH_LOG))
def reopen(settings: Where, desk: At, number: Number, deed: Deed):
    """Take back that it is closed or muted."""
    return _do(settings, desk, number, Action(REOPEN, deed.by, deed.comment))


@router.post("/alarms/{number}/comment", responses=examples.done(examples.ALARM_WITH_LOG))
def comment(settings: Where, desk: At, number: Number, deed: Remark):
    """Keep something in its log."""
    return _do(settings, desk, number, Action(COMMENT, deed.by, deed.comment))


def _named(alarm: dict, registered: Registered) -> dict:
    """An alarm with what the user calls its device, beside the deviceID."""
    before, device, *others = alarm.items()
    return dict([before, device, (NAME, registered.names.get(alarm[DEVICE_ID], alarm[DEVICE_ID])), *others])


def _do(settings: Settings, desk: Desk, number: int, action: Action) -> Response:
    try:
        registered = read_registered(settings)
        return written(_named(desk.book.act(number, action, registered.sites), registered))
    except NoAlarmError as error:
        raise _NO_ALARM from error
    except WrongStateError as error:
        raise ProblemError(409, "wrong_state", str(error)) from error


_NO_ALARM = ProblemError(404, "unknown_alarm", "there is no alarm of that number; /alarms lists those that there are")
