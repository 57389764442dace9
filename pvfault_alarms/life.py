"""What may be done with an alarm, and what becomes of it. Pure; what is kept of it is in `store.py`."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from pvfault.errors import PvfaultError

OPEN, ACKNOWLEDGED, MUTED, CLOSED = "open", "acknowledged", "muted", "closed"
STATES = (OPEN, ACKNOWLEDGED, MUTED, CLOSED)

CONFIRMED, OTHER, FALSE_ALARM, MAINTENANCE = "confirmed_fault", "other_fault", "false_alarm", "maintenance"
CAUSES = (CONFIRMED, OTHER, FALSE_ALARM, MAINTENANCE)

ACKNOWLEDGE, MUTE, CLOSE, REOPEN, COMMENT = "acknowledge", "mute", "close", "reopen", "comment"
_FROM = {
    ACKNOWLEDGE: (OPEN, MUTED),
    MUTE: (OPEN, ACKNOWLEDGED, MUTED),
    CLOSE: (OPEN, ACKNOWLEDGED, MUTED),
    REOPEN: (MUTED, CLOSED),
    COMMENT: STATES,
}
ACTIONS = tuple(_FROM)


class WrongStateError(PvfaultError):
    """What is asked does not fit the state of the alarm."""


@dataclass(frozen=True)
class Standing:
    """How an alarm stands with the crew.

    Attributes
    ----------
    state : str
        One of `STATES`.
    muted_until : datetime or None
        When a muted one opens by itself (UTC).
    cause : str or None
        One of `CAUSES`, of a closed one.
    found_fault : str or None
        Which other fault it was, if it is one of the classes.
    closed_through : date or None
        The last date whose verdict a closed one takes in.
    """

    state: str = OPEN
    muted_until: datetime | None = None
    cause: str | None = None
    found_fault: str | None = None
    closed_through: date | None = None

    def at(self, now: datetime) -> "Standing":
        """How it stands at a time: who is muted until then is open."""
        is_heard = self.state == MUTED and self.muted_until <= now
        return Standing() if is_heard else self


@dataclass(frozen=True)
class Action:
    """What somebody does with an alarm.

    Attributes
    ----------
    name : str
        One of `ACTIONS`.
    by : str
        Who does it, by the own word.
    comment : str
        Empty for none.
    until : datetime or None
        How long it is to be muted (UTC).
    cause, fault : str or None
        As of `Standing`, of one that is closed.
    """

    name: str
    by: str
    comment: str = ""
    until: datetime | None = None
    cause: str | None = None
    fault: str | None = None


def act(standing: Standing, action: Action, *, now: datetime, closes_through: date) -> Standing:
    """What an action makes of an alarm.

    Parameters
    ----------
    standing : Standing
    action : Action
    now : datetime
    closes_through : date
        The last date that it takes in if it is closed by this.

    Raises
    ------
    WrongStateError
        If the action does not fit.

    Examples
    --------
    >>> now = datetime(2024, 6, 3)
    >>> act(Standing(), Action("acknowledge", "night shift"), now=now, closes_through=now.date()).state
    'acknowledged'
    """
    standing = standing.at(now)
    if standing.state not in _FROM[action.name]:
        raise WrongStateError(
            f"the alarm is {standing.state}, and `{action.name}` is for one that is {' or '.join(_FROM[action.name])}; "
            "look at its log, somebody may have been quicker"
        )
    if action.name == ACKNOWLEDGE:
        return Standing(ACKNOWLEDGED)
    if action.name == MUTE:
        return Standing(MUTED, muted_until=action.until)
    if action.name == CLOSE:
        return Standing(CLOSED, cause=action.cause, found_fault=action.fault, closed_through=closes_through)
    return Standing() if action.name == REOPEN else replace(standing)
