"""Rows of `PREDICTION_SCHEMA` from rows of `SCALOGRAMS`.

What a window is called is decided in `pvfault/verdicts.py`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.calibration import calibrate
from pvfault.faults import FAULTS, NONE
from pvfault.open_strings import weigh_in
from pvfault.readings import DEVICE_ID
from pvfault.rows.candidates import candidates_column
from pvfault.rows.images import as_images
from pvfault.tables import (
    BELOW_COLUMNS,
    CANDIDATES_TYPE,
    PREDICTION_SCHEMA,
    PROBABILITIES_TYPE,
    UNSURE,
    WINDOW_START,
)
from pvfault.verdicts import name_windows


def prediction_rows(scalograms: pa.Table, classifier) -> pa.Table:
    """What each window is taken for, by the network and where open strings show by that as well.

    Parameters
    ----------
    scalograms : pa.Table
        Rows of `SCALOGRAMS`.
    classifier : pvfault.lenet.Classifier
        Or whatever has a `version`, `sets` and a `predict` from images, uint8 (n, 64, 64, 4), to probabilities, (n, 6).

    Returns
    -------
    pa.Table
        Rows of `PREDICTION_SCHEMA`, in the same order; fault, confidence and probabilities are null where there is no
        scalogram. The probabilities are the network's, combined with what `open_strings` shows, and where ratings are
        estimated, what these are worth (`calibration.py`); also where they are not believed. There are candidates where
        the network has sets and the hour is not unsure.

    Raises
    ------
    ValueError
        If a scalogram is not of `scalogram.BYTES` bytes.
    """
    unjudged = ~np.asarray(scalograms["scalogram"].is_valid())
    probabilities = np.zeros((len(scalograms), len(FAULTS)), np.float32)
    answers = classifier.predict(as_images(scalograms["scalogram"]))
    # Null in rows that are older than this column.
    shown = pc.fill_null(scalograms["open_strings"], False).to_numpy()[~unjudged]
    probabilities[~unjudged] = weigh_in(answers, shown)
    hidden = scalograms["hidden_fault"]
    is_estimated = ~unjudged & np.asarray(hidden.is_valid())
    below = np.column_stack([pc.fill_null(scalograms[name], 0.0).to_numpy() for name in BELOW_COLUMNS])
    probabilities[is_estimated] = calibrate(probabilities[is_estimated], below[is_estimated])
    named, confidence = name_windows(probabilities)
    fault = np.array(FAULTS, dtype=object)[named]
    unsure = ~unjudged & np.asarray(scalograms["unsure_because"].is_valid()) & (~is_estimated | (fault == NONE))
    # A fault that was there all the time looks healthy in every hour, and to the network as well.
    confidence = np.where(fault == NONE, confidence * (1 - pc.fill_null(hidden, 0.0).to_numpy()), confidence)
    fault[unsure] = UNSURE
    because = pc.if_else(pa.array(unsure), scalograms["unsure_because"], pa.scalar(None, pa.string()))
    by_fault = [pa.array(probability) for probability in probabilities.T]
    return pa.table(
        [
            scalograms[DEVICE_ID],
            scalograms[WINDOW_START],
            scalograms["quality"],
            pa.array(fault, pa.string(), mask=unjudged),
            pa.array(confidence, pa.float32(), mask=unjudged | unsure),
            # The six stay numbers under a null: they are not nullable, and Parquet looks.
            pa.StructArray.from_arrays(by_fault, fields=list(PROBABILITIES_TYPE), mask=pa.array(unjudged)),
            pa.repeat(pa.scalar(classifier.version, pa.string()), len(scalograms)),
            because,
            _candidates(classifier.sets, probabilities, named, ~unjudged & ~unsure),
        ],
        schema=PREDICTION_SCHEMA,
    )


def _candidates(sets, probabilities, named, known):
    """The candidates of each window, null where there are none."""
    if sets is None:
        return pa.nulls(len(named), CANDIDATES_TYPE)
    return candidates_column(sets.of_windows(probabilities, named), probabilities, named, known)
