"""Sets of candidates as a column of a table. What is in them is in `pvfault/candidates.py`."""

import numpy as np
import pyarrow as pa

from pvfault.faults import FAULTS


def candidates_column(inside, probabilities, fault, known):
    """Sets as a column of lists of names: what it is called first, then the others, the more probable ones first.

    Parameters
    ----------
    inside : ndarray of bool, shape (n, 6)
    probabilities : ndarray, shape (n, 6)
    fault : ndarray of int, shape (n,)
        Position in `FAULTS`.
    known : ndarray of bool, shape (n,)
        Whether there is a set; null where not.

    Returns
    -------
    pa.Array
        Of `pvfault.tables.CANDIDATES_TYPE`.
    """
    inside = inside & known[:, None]
    is_name = np.arange(len(FAULTS)) == fault[:, None]
    order = np.lexsort((-np.nan_to_num(probabilities), ~is_name), axis=1)
    names = np.array(FAULTS, dtype=object)[order[np.take_along_axis(inside, order, axis=1)]]
    offsets = np.concatenate([[0], np.cumsum(inside.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(names, pa.string()), mask=pa.array(~known))
