"""Rows of `PREDICTION_SCHEMA` from rows of `SCALOGRAMS`.

What a window is called is decided in `pvfault/verdicts.py`.
"""

import numpy as np
import pyarrow as pa

from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID
from pvfault.rows.images import as_images
from pvfault.tables import PREDICTION_SCHEMA, PROBABILITIES_TYPE, WINDOW_START
from pvfault.verdicts import name_windows


def prediction_rows(scalograms: pa.Table, classifier) -> pa.Table:
    """What the network takes each window for.

    Parameters
    ----------
    scalograms : pa.Table
        Rows of `SCALOGRAMS`.
    classifier : pvfault.lenet.Classifier
        Or whatever has a `version` and a `predict` from images, uint8 (n, 64, 64, 4), to probabilities, (n, 6).

    Returns
    -------
    pa.Table
        Rows of `PREDICTION_SCHEMA`, in the same order; fault, confidence and probabilities are null where there is no
        scalogram.

    Raises
    ------
    ValueError
        If a scalogram is not of `scalogram.BYTES` bytes.
    """
    unjudged = ~np.asarray(scalograms["scalogram"].is_valid())
    probabilities = np.zeros((len(scalograms), len(FAULTS)), np.float32)
    probabilities[~unjudged] = classifier.predict(as_images(scalograms["scalogram"]))
    fault, confidence = name_windows(probabilities)
    by_fault = [pa.array(probability) for probability in probabilities.T]
    return pa.table(
        [
            scalograms[DEVICE_ID],
            scalograms[WINDOW_START],
            scalograms["quality"],
            pa.array(np.array(FAULTS, dtype=object)[fault], pa.string(), mask=unjudged),
            pa.array(confidence, mask=unjudged),
            # The six stay numbers under a null: they are not nullable, and Parquet looks.
            pa.StructArray.from_arrays(by_fault, fields=list(PROBABILITIES_TYPE), mask=pa.array(unjudged)),
            pa.repeat(pa.scalar(classifier.version, pa.string()), len(scalograms)),
        ],
        schema=PREDICTION_SCHEMA,
    )
