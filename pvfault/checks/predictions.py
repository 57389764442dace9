"""Checks of a date's `predictions`: each window that can be judged has sound probabilities, and faults are few."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.checks.check import REPORT_IT, Check, CheckResult
from pvfault.faults import FAULTS, NONE
from pvfault.tables import OK

# More than this share of the judged windows of a whole plant with one and the same fault tells of a wrong registry, a
# shaded irradiance sensor or a wrong model sooner than of the plant.
COMMON_FAULT = 0.3
SUM_TOLERANCE = 1e-3

ALL_JUDGED = Check(
    "every_ok_window_has_a_prediction",
    "Each window has a row, and exactly the windows that can be judged have a fault.",
    REPORT_IT,
    blocking=True,
)
PROBABILITIES = Check(
    "probabilities_are_probabilities",
    "The six probabilities of a window lie in 0 to 1 and sum to 1.",
    "the weights are damaged: write them anew with `pvfault train`, or point PVFAULT_MODEL at others",
    blocking=True,
)
BALANCED = Check(
    "no_fault_is_everywhere",
    f"No one fault is found in more than {COMMON_FAULT:.0%} of the windows of the plant.",
    "look at the ratings in the registry and at the irradiance sensor first",
)
AUDITED = (ALL_JUDGED, PROBABILITIES, BALANCED)


def count_verdicts(predictions: pa.Table) -> dict[str, int]:
    """What is judged of some predictions.

    Returns
    -------
    dict
        `judged`, windows that are `ok`; `mismatched`, windows with a fault where none can be told or without where one
        can; `unsound`, judged windows whose probabilities are none; and by the name of each fault, its windows.
    """
    is_ok = np.asarray(pc.equal(predictions["quality"], OK))
    has_fault = np.asarray(predictions["fault"].is_valid())
    each = np.column_stack([pc.struct_field(predictions["probabilities"], fault).to_numpy() for fault in FAULTS])
    # NaN, which stands for no value too, compares false.
    is_sound = ((each >= 0) & (each <= 1)).all(axis=1) & (np.abs(each.sum(axis=1) - 1) <= SUM_TOLERANCE)
    by_fault = {pair["values"]: pair["counts"] for pair in predictions["fault"].drop_null().value_counts().to_pylist()}
    return {
        "judged": int(np.count_nonzero(is_ok)),
        "mismatched": int(np.count_nonzero(is_ok != has_fault)),
        "unsound": int(np.count_nonzero(is_ok & ~is_sound)),
        **by_fault,
    }


def judge_predictions(rows: int, found: Mapping[str, int], windows: int) -> tuple[CheckResult, ...]:
    """What a date's predictions are to be.

    Parameters
    ----------
    rows : int
    found : mapping of str to int
        As `count_verdicts` has it; what is not in it is 0.
    windows : int
        Rows of the date's `scalograms`.
    """
    judged, mismatched, unsound = (found.get(name, 0) for name in ("judged", "mismatched", "unsound"))
    shares = {fault: round(found.get(fault, 0) / judged, 4) if judged else 0.0 for fault in FAULTS}
    common = [fault for fault in FAULTS if fault != NONE and shares[fault] > COMMON_FAULT]
    return (
        ALL_JUDGED.judge(
            rows == windows and mismatched == 0,
            f"{rows} predictions for {windows} windows, {mismatched} with a fault where none can be "
            "told, or without where one can",
            windows=windows,
            mismatched=mismatched,
        ),
        PROBABILITIES.judge(unsound == 0, f"{unsound} of {judged} windows have no sound probabilities", judged=judged),
        BALANCED.judge(
            not common,
            f"{', '.join(common) or 'no fault'} in more than {COMMON_FAULT:.0%} of {judged} judged windows",
            **shares,
        ),
    )
