"""Why a day was not judged is said with its figures."""

import numpy as np
import pytest

from pvfault_report.reasons import why_not_judged

GOOD = [500.0, 8.0, 40.0, 700.0]
NIGHT = ["missing"] * 6


def say(qualities, second, *changes):
    measurements = np.tile(GOOD, (len(second), 1))
    for column, value, share in changes:
        measurements[: round(share * len(second)), column] = value
    return why_not_judged(qualities, np.asarray(second, float), measurements)


def hours(quality):
    return [*NIGHT, *[quality] * 12, *NIGHT]


def every(step):
    return np.arange(6 * 3600, 18 * 3600, step)


@pytest.mark.parametrize(
    ("qualities", "second", "changes", "said"),
    [
        (hours("sparse"), every(1800), (), "a reading every 30 min; an hour takes one every 16 min or more often"),
        (hours("sparse"), [40_000], (), "only 1 usable reading in the light; an hour takes one every 16 min"),
        (["dark"] * 24, every(60), [(3, 31.0, 1)], "irradiance was at most 31 W/m², and no hour's mean reached"),
        (hours("invalid"), every(60), [(2, np.nan, 1)], "100% of the readings have no temperature"),
        (hours("invalid"), every(60), [(1, 6553.5e2, 0.5)], "50% of the readings have a current that cannot have been"),
        (hours("invalid"), every(60), (), "its readings stand still while the light moves"),
        (hours("curtailed"), every(60), (), "curtailed in 12 of 12 hours of light"),
        (["missing"] * 24, [], (), "no reading came"),
    ],
)
def test_the_reason_tells_what_was_found_and_where_the_limit_is(qualities, second, changes, said):
    assert say(qualities, second, *changes).startswith(said)


def test_gaps_among_quick_readings_are_told_by_the_light_that_they_take():
    """From 9 to 15 o'clock half an hour of each hour is missing: 6 × 31 min of the 719 min from first to last."""
    minutes = [minute for minute in range(6 * 60, 18 * 60) if not (9 * 60 <= minute < 15 * 60 and minute % 60 >= 30)]
    said = say(hours("sparse"), np.array(minutes) * 60.0)
    assert said.startswith("gaps of up to 31 min between readings every 1 min take 26% of the light")
