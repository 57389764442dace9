"""What stands behind a verdict: a device's hours on a date, measured and expected, and why it is what it is.

Read from one snapshot of each table. Not here: the words (`explaining.py`), what is expected (`hours.py`).
"""

from collections.abc import Mapping
from datetime import date, datetime

from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID
from pvfault.tables import WINDOW_START
from pvfault_api.explaining import Compared, Device, Verdict, explain
from pvfault_api.files_of_now import Registered
from pvfault_api.hours import HOUR_COLUMNS, expect_power, learn_expectation
from pvfault_api.snapshots import Snapshot

_OF_NETWORK = ("fault", "confidence", "probabilities", "unsure_because", "candidates")


def read_evidence(
    verdict: Mapping, predictions: Snapshot, scalograms: Snapshot, registered: Registered, day: date
) -> dict:
    """The hours behind a verdict, and its explanation.

    Parameters
    ----------
    verdict : mapping
        A row of `DEVICE_DAYS`.
    predictions, scalograms : Snapshot
        Of these tables.
    registered : Registered
    day : date

    Returns
    -------
    dict
        `hours`, each with its means, what the network took it for, and whether the verdict's fault shows in it;
        `explanation` with its `text`, `observations` and `runner_up`.

    Raises
    ------
    PvfaultError
        If files are not whole.
    """
    device, registry = verdict[DEVICE_ID], registered.registry
    means = scalograms.rows([day], HOUR_COLUMNS, device=device)
    judged = {row[WINDOW_START]: row for row in predictions.rows([day], device=device).to_pylist()}
    expectation = learn_expectation(
        lambda days, columns: scalograms.rows(days, columns, device=device), registry, device, day
    )
    expected = zip(expectation.of(means), expect_power(means, registry, device), strict=True)
    hours = [
        _hour(row, judged.get(row[WINDOW_START], {}), verdict, *each)
        for row, each in zip(means.to_pylist(), expected, strict=True)
    ]
    modules, strings = (None if number != number else number for number in registry.layouts([device])[0].tolist())
    found = explain(
        Verdict(
            *(verdict[name] for name in ("fault", "confidence", "runner_up", "runner_up_probability", "unsure_because"))
        ),
        [_compared(hour) for hour in hours],
        Device(modules, strings, expectation.dates),
    )
    explanation = {"text": found.text, "observations": list(found.observations), "runner_up": found.runner_up}
    return {"hours": hours, "explanation": explanation}


def _hour(row: Mapping, judged: Mapping, verdict: Mapping, expected: tuple, power: float | None) -> dict:
    voltage, current = expected
    return {
        **{name: row[name] for name in (WINDOW_START, "quality", "readings", "mean_irradiance", "mean_temperature")},
        "voltage": {"measured": row["mean_voltage"], "expected": voltage},
        "current": {"measured": row["mean_current"], "expected": current},
        "power": {"measured": row["mean_power"], "expected": power},
        **{name: judged.get(name) for name in _OF_NETWORK},
        "in_fault": _is_in_fault(row[WINDOW_START], judged.get("probabilities"), verdict),
    }


def _is_in_fault(start: datetime, probabilities: Mapping | None, verdict: Mapping) -> bool:
    """Whether the verdict's fault shows in an hour, by the rule of `pvfault.verdicts.combine_windows`."""
    if verdict["onset"] is None or verdict["fault"] not in FAULTS[1:] or probabilities is None:
        return False
    return start >= verdict["onset"] and probabilities[NONE] < 0.5


def _compared(hour: Mapping) -> Compared:
    return Compared(
        hour[WINDOW_START],
        hour["quality"],
        hour["mean_irradiance"],
        *((hour[name]["measured"], hour[name]["expected"]) for name in ("voltage", "current", "power")),
        hour["in_fault"],
    )
