"""Checks of what dates are made with: the registry and the network."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pvfault.checks.check import Check, CheckResult

# A plant is rebuilt, and a network learns of new kinds of plants, more often than that. [d]
OLDEST_DAYS = 400
# How much lower a score may be: two trainings of one recipe differ by less.
MOST_WORSE = 0.01

REGISTRY_THERE = Check(
    "registry_is_there",
    "There is a registry file. Without one, ratings are estimated from each device's own readings.",
    "write it, or point PVFAULT_REGISTRY at it, and materialise again",
)
REGISTRY_YOUNG = Check(
    "registry_is_up_to_date",
    f"Somebody has written the registry within {OLDEST_DAYS} days.",
    "hold it against the plants as they are, and write it again, changed or not",
)
NETWORK_YOUNG = Check(
    "network_is_up_to_date",
    f"The weights were written within {OLDEST_DAYS} days.",
    "train one with `pvfault train`, which puts it in the place of this one unless it is worse",
)
NO_WORSE = Check(
    "network_is_not_worse_than_before",
    f"No score of the network is lower by more than {MOST_WORSE:g} than that of the last network that was accepted.",
    "point PVFAULT_MODEL at the one before, or train another one",
)
OF_REGISTRY = (REGISTRY_THERE, REGISTRY_YOUNG)
OF_NETWORK = (NETWORK_YOUNG, NO_WORSE)

# Of the scores that a weights file tells, those of which more is better.
SCORES = ("faulty_f1_windows", "grouped_macro_f1_windows", "grouped_macro_f1_days")


def judge_registry(location: str, devices: int | None, written_at: datetime | None) -> tuple[CheckResult, ...]:
    """Whether there is a registry, and how old it is; `devices` and `written_at` are None where there is none."""
    if devices is None:
        return (REGISTRY_THERE.judge(False, f"{location} does not exist"),)
    return (
        REGISTRY_THERE.judge(True, f"{devices} devices in {location}", devices=devices),
        _judge_age(REGISTRY_YOUNG, location, written_at),
    )


def judge_network(
    location: str, written_at: datetime, scores: Mapping[str, float], accepted: Mapping[str, float]
) -> tuple[CheckResult, ...]:
    """How old the network is, and whether it is worse than the last one that was accepted.

    Parameters
    ----------
    location : str
    written_at : datetime
    scores, accepted : mapping of str to float
        Of the network, and of the last one that was accepted; empty if there is none.
    """
    lower = {
        name: (scores[name], accepted[name])
        for name in SCORES
        if name in scores and name in accepted and scores[name] < accepted[name] - MOST_WORSE
    }
    unknown = "the file of weights tells no scores" if not any(name in scores for name in SCORES) else ""
    found = unknown or "; ".join(f"{name} {now:.3f} instead of {then:.3f}" for name, (now, then) in lower.items())
    known = {name: round(float(scores[name]), 4) for name in SCORES if name in scores}
    return (
        _judge_age(NETWORK_YOUNG, location, written_at),
        NO_WORSE.judge(
            not unknown and not lower,
            found or ("its scores are those of the last one or better" if accepted else "it is the first one"),
            **known,
        ),
    )


def _judge_age(check: Check, location: str, written_at: datetime) -> CheckResult:
    days = (datetime.now(UTC) - written_at).days
    return check.judge(
        days <= OLDEST_DAYS, f"{location} was written {days} days ago ({written_at:%Y-%m-%d})", days=days
    )
