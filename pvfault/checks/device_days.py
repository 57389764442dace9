"""Checks of a date's `device_days`: each device has a verdict, of what is there, and like those of other dates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from pvfault.checks.check import REPORT_IT, SAMPLE, Check, CheckResult, named
from pvfault.faults import FAULTS, NONE
from pvfault.tables import UNSURE

FAULTY_SHARE = 0.5
# Verdicts of a date are held against those of so many dates before.
WEEKS_DAYS = 28
# A class that is so much more or less frequent than it was, and more than chance makes it.
MOST_DRIFT = 0.05
CHANCE = 1e-4
# Verdicts of the last dates, this one included, among which a device's changes are counted.
LOOKED_AT_DAYS = 7
MOST_CHANGES = 2
UNSTEADY_SHARE = 0.01

ONE_EACH = Check("one_verdict_for_each_device", "Each device with predictions has one row.", REPORT_IT, blocking=True)
FEW_FAULTY = Check(
    "most_devices_are_healthy",
    f"At most {FAULTY_SHARE:.0%} of the devices have a fault on one date: more tells of a wrong model or registry.",
    "look at the ratings in the registry and at the irradiance sensor first",
)
KNOWN = Check(
    "every_device_has_a_verdict",
    "Every device had at least one window that could be judged, and ratings that it could be held against.",
    "look at their communication and sensors, and register those that are not registered",
)
ONE_ORIGIN = Check(
    "verdicts_are_of_what_is_there",
    "The verdicts are of the predictions that the date has now, and so on down to its readings and the registry.",
    "materialise `scalograms`, `predictions` and `device_days` of the date again",
)
ONE_NETWORK = Check(
    "verdicts_are_of_the_network",
    "The verdicts are of the network that PVFAULT_MODEL names now.",
    "materialise `predictions` and `device_days` of the date again",
)
NO_DRIFT = Check(
    "verdicts_are_like_those_before",
    f"No class has {MOST_DRIFT:.0%} of the devices more or less than on the {WEEKS_DAYS} dates before, beyond chance.",
    "if no weather explains it, look at what has changed: registry, irradiance sensor, network, gateway",
)
STEADY = Check(
    "verdicts_stay",
    f"At most {UNSTEADY_SHARE:.0%} of the devices had more than {MOST_CHANGES} changes of verdict in "
    f"{LOOKED_AT_DAYS} dates: a fault does not come and go.",
    "do not send anybody for these devices yet; look at their readings, and at what casts a shadow",
)
AUDITED = (ONE_EACH, FEW_FAULTY, KNOWN, ONE_ORIGIN)


def judge_verdicts(*, rows: int, devices: int, predicted: int, verdicts: Mapping[str, int]) -> tuple[CheckResult, ...]:
    """Whether each device has one verdict, and most of them are healthy.

    Parameters
    ----------
    rows, devices : int
        Of the date's `device_days`.
    predicted : int
        Devices in its `predictions`.
    verdicts : mapping of str to int
        Devices by fault.
    """
    known = sum(verdicts.get(fault, 0) for fault in FAULTS)
    unsure, faulty = verdicts.get(UNSURE, 0), known - verdicts.get(NONE, 0)
    unknown = rows - known - unsure
    return (
        ONE_EACH.judge(
            rows == devices == predicted,
            f"{rows} rows of {devices} devices, for {predicted} devices with predictions",
            rows=rows,
            devices=predicted,
        ),
        FEW_FAULTY.judge(
            faulty <= FAULTY_SHARE * known,
            f"{faulty} of {known} judged devices have a fault",
            faulty=faulty,
            judged=known,
        ),
        KNOWN.judge(
            unknown == 0 and unsure == 0,
            f"{unknown} of {rows} devices have no window that could be judged, and of {unsure} the readings do not "
            "tell what they give when nothing is wrong",
            unknown=unknown,
            unsure=unsure,
        ),
    )


def judge_origin(*, apart: Sequence[tuple[str, str]], registries: Sequence[str], registry: str) -> CheckResult:
    """Whether tables are of what is beside them, and of the registry as it is.

    Parameters
    ----------
    apart : sequence of tuple of str
        Tables some of whose rows name another making of `readings` or another registry than those rows do that they are
        made of, each with the table of these.
    registries : sequence of str
        Versions that scalograms are held against.
    registry : str
        Version of the registry as it is.
    """
    others = sorted(set(registries) - {registry})
    found = [f"{table} are of other {source} than the date has now" for table, source in apart]
    if others:
        found.append(f"they were judged beside the registry {', '.join(others)}, and it is {registry} now")
    return ONE_ORIGIN.judge(
        not found, "; ".join(found) or "predictions, scalograms and registry belong together", registries=others
    )


def judge_network(versions: Sequence[str], network: str) -> CheckResult:
    """Whether verdicts are of the network as it is; `versions` are those that the rows name."""
    others = sorted(set(versions) - {network})
    found = f"the verdicts are of the network {', '.join(others) or network}"
    now = network or "none"
    return ONE_NETWORK.judge(not others, found + (f", and it is {now} now" if others else ""), networks=others)


def judge_drift(verdicts: Mapping[str, int], before: Mapping[str, int], dates: int) -> CheckResult:
    """Whether classes are as frequent as they were.

    Chance is that of a binomial test of the date's count beside the share before, after Bonferroni for the classes.

    Parameters
    ----------
    verdicts, before : mapping of str to int
        Devices by fault, of the date, and of the dates before all together.
    dates : int
        How many these are.
    """
    known, known_before = sum(verdicts.values()), sum(before.values())
    if not known or not known_before:
        return NO_DRIFT.judge(True, f"nothing to compare with: {dates} dates before have verdicts", dates=dates)
    moved = {}
    for fault in FAULTS:
        # One more of each outcome: what was never seen before is rare, not impossible.
        share = (before.get(fault, 0) + 1) / (known_before + 2)
        now = verdicts.get(fault, 0)
        if abs(now / known - share) > MOST_DRIFT and _chance(now, known, share) * len(FAULTS) < CHANCE:
            moved[fault] = f"{fault} {now / known:.1%} instead of {share:.1%}"
    shares = {fault: round(verdicts.get(fault, 0) / known, 4) for fault in FAULTS}
    return NO_DRIFT.judge(
        not moved,
        f"{known} verdicts beside {known_before} of {dates} dates before: "
        + ("; ".join(moved.values()) or "as frequent as they were"),
        dates=dates, moved=list(moved), shares=shares,
    )  # fmt: skip


def _chance(successes: int, trials: int, share: float) -> float:
    """How probable it is that a binomial count is as far out as this one, on either side."""
    # SciPy takes as long to import as everything else here, and checks are listed more often than this one is asked.
    from scipy.special import bdtr, bdtrc

    as_many = 1.0 if successes == 0 else bdtrc(successes - 1, trials, share)
    return min(1.0, 2 * min(bdtr(successes, trials, share), as_many))


def judge_changes(verdicts: Mapping[str, Sequence[str]]) -> CheckResult:
    """Whether verdicts stay.

    Parameters
    ----------
    verdicts : mapping of str to sequence of str
        Of each device, in the order of the dates.
    """
    changes = {device: sum(now != before for before, now in pairwise(each)) for device, each in verdicts.items()}
    unsteady = sorted((d for d in changes if changes[d] > MOST_CHANGES), key=lambda d: (-changes[d], d))
    seen = Counter(changes[device] for device in unsteady)
    return STEADY.judge(
        len(unsteady) <= UNSTEADY_SHARE * len(verdicts),
        f"{len(unsteady)} of {len(verdicts)} devices changed their verdict more than {MOST_CHANGES} times"
        + named([f"{device} {changes[device]} times" for device in unsteady]),
        devices=len(unsteady), changes={str(n): seen[n] for n in sorted(seen)},
        sample={device: changes[device] for device in unsteady[:SAMPLE]},
    )  # fmt: skip
