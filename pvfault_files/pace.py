"""Readings that come too seldom to be judged, such as hourly means, and what is said of them.

Not here: single hours that have too few readings (`pvfault/windows.py`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.windows import LONGEST_INTERVAL_S
from pvfault_files.forms import ReadFiles


def why_too_slow(files: ReadFiles) -> str:
    """Why none of the devices can be judged, if each sends less often than an hour takes; else empty.

    Parameters
    ----------
    files : ReadFiles

    Returns
    -------
    str
        A sentence that says what was found, what is expected, and what to do.
    """
    # The first device of each file is known already. Millions of readings are sorted only if all of these are slow.
    if any(form.sampling_s is None or form.sampling_s <= LONGEST_INTERVAL_S for form in files.forms):
        return ""
    quickest = _quickest_interval(files.table)
    if quickest <= LONGEST_INTERVAL_S:
        return ""
    return (
        f"The readings come every {quickest / 60:.3g} min; expected one every {LONGEST_INTERVAL_S // 60} min or more "
        "often. A device is judged by the course that voltage and current take within an hour (its scalogram), and "
        "that takes several readings in the hour: in one mean of it, a fault, a cloud and a shadow look alike. Export "
        "the readings themselves or means of 15 min at most, 5 min or less where arc faults count."
    )


def _quickest_interval(readings: pa.Table) -> float:
    """The shortest among the devices' median steps, in seconds; infinite where no device has two readings."""
    device = pc.dictionary_encode(readings[DEVICE_ID]).combine_chunks().indices.to_numpy()
    time = readings[TIMESTAMP].cast(pa.int64()).to_numpy()
    order = np.lexsort((time, device))
    step, of = np.diff(time[order]) / 1e6, device[order]
    own = of[1:] == of[:-1]
    by_device = np.split(step[own], np.flatnonzero(np.diff(of[1:][own])) + 1)
    return min((float(np.median(steps)) for steps in by_device if len(steps)), default=np.inf)
