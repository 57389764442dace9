"""Rules by which days are judged."""

import numpy as np

from pvfault_workshop.evaluation.day_rules import judge_by_count


def test_a_day_is_named_after_most_of_its_faulty_hours():
    days = np.full((3, 24, 6), np.nan)
    days[:, 8:16] = np.eye(6)[0]
    days[1, 12:14] = np.eye(6)[3]
    days[2, 10:12], days[2, 12:16] = np.eye(6)[3], np.eye(6)[1]
    assert judge_by_count(days, 2).tolist() == [0, 3, 1]
    assert judge_by_count(days, 3).tolist() == [0, 0, 1]
