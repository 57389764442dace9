"""Textbook days: what their sensors read, and how answers are counted."""

from collections import Counter

import numpy as np
import pvlib
import pytest

from pvfault.faults import FAULTS
from pvfault.forward import read_classifier
from pvfault_workshop.evaluation import textbook
from pvfault_workshop.evaluation.textbook import (
    AT_V_OC,
    CLIPPED,
    COLLAPSED,
    CURTAILED,
    DIRT,
    HEALTHY,
    OPEN,
    SHORT,
    VARIANTS,
    WHOLE,
    Variant,
    cases,
    dates_before,
    ratings_of,
    read_day,
    truth_of,
)
from pvfault_workshop.evaluation.textbook_scores import judge_textbook
from tests.conftest import PROJECT

QUIET = Variant(counts=True, history=True, cadence=60, noise=0.0)


def noon(case, variant=QUIET):
    """Voltage, current, temperature and irradiance at 12:00."""
    second, read = read_day(case, variant)
    return read[np.searchsorted(second, 12 * 3600)].astype(float)


def one(kind, how=None):
    return next(case for case in cases() if case.kind == kind and how in (None, case.how))


def test_there_are_all_cases_in_all_variants():
    kinds = Counter(case.kind for case in cases())
    assert sum(kinds.values()) >= 60
    assert len(set(cases())) == len(cases())
    assert {case.strings for case in cases() if case.kind == OPEN} == set(range(2, 13))
    assert {case.lost for case in cases() if case.kind == SHORT} == set(range(1, 7))
    assert all(case.lost < case.strings for case in cases() if case.kind == OPEN)
    assert len(set(VARIANTS)) == 2 * 2 * 4 * 2


@pytest.mark.parametrize("case", [each for each in cases() if each.kind in (OPEN, SHORT)][::7], ids=str)
def test_a_fault_takes_its_share_of_current_or_voltage_and_nothing_else(case):
    sheet = pvlib.pvsystem.retrieve_sam("CECMod")[textbook.MODULE]
    voltage, current, heat, light = noon(case)
    # From the data sheet alone, by its temperature coefficients of power and current: another way to the same point.
    per_kelvin = sheet["gamma_r"] / 100 - sheet["alpha_sc"] / sheet["I_sc_ref"]
    healthy = (
        case.modules * sheet["V_mp_ref"] * (1 + per_kelvin * (heat - 25)),
        case.strings * sheet["I_mp_ref"] * light / 1000,
    )
    left = np.array([1 - case.lost / case.modules, 1.0] if case.kind == SHORT else [1.0, 1 - case.lost / case.strings])
    np.testing.assert_allclose([voltage, current], left * healthy, rtol=0.02)


def test_open_arrays_and_inverters_at_their_limit_stand_where_they_should():
    case = one(HEALTHY, CURTAILED)
    rated = np.prod(ratings_of(case))
    assert noon(case)[:2].prod() == pytest.approx(0.5 * rated, rel=0.03)
    assert noon(one(HEALTHY, CLIPPED))[:2].prod() == pytest.approx(0.7 * rated, rel=0.03)
    clear = noon(one(HEALTHY))
    assert noon(case)[0] > 1.1 * clear[0]
    assert noon(one(WHOLE, COLLAPSED))[:2].tolist() == [0, 0]
    voltage, current = noon(one(WHOLE, AT_V_OC))[:2]
    assert current == 0
    assert 1.15 < voltage / clear[0] < 1.3
    assert noon(one(HEALTHY, DIRT))[1] == pytest.approx(0.95 * clear[1], rel=0.005)


def test_the_dates_before_are_healthy_and_the_onset_is_at_ten():
    case = one(OPEN)
    assert truth_of(case).tolist() == [0] * 10 + [FAULTS.index("open_circuit")] * 14
    _, means = next(dates_before(case))
    voltage, current, _, light = means[12]
    assert current / light == pytest.approx(2 * noon(case)[1] / noon(case)[3], rel=0.02)
    assert voltage == pytest.approx(noon(case)[0], rel=0.02)


def test_the_network_calls_nothing_healthy_faulty_and_what_anybody_sees_by_its_name():
    """One of four open strings was called healthy or shaded where the data sheet alone told what to expect."""
    seen = [
        case for case in cases() if (case.kind, case.strings, case.lost) in {(OPEN, 2, 1), (OPEN, 3, 1), (OPEN, 4, 1)}
    ]
    healthy = [case for case in cases() if case.kind == HEALTHY and case.strings == 3]
    classifier = read_classifier(PROJECT / "models" / "lenet5.h5")
    found = judge_textbook(classifier, of=[*seen, *healthy], variants=[QUIET, Variant(True, False, 300, 0.01)])
    whole = found.tally()
    assert whole.healthy > 100
    assert whole.false_alarms == 0
    assert whole.faulty == 6 * 8
    assert whole.right / whole.faulty > 0.8
    assert set(found.by_factor()["open of strings"]) == {"1 of 2", "1 of 3", "1 of 4"}
    # The healthy devices have no size of a fault, and every device is in each factor of reading.
    assert sum(tally.days for tally in found.by_factor()["dates before"].values()) == whole.days == 16


class Shorted:
    """Calls every hour a ground fault, and an open circuit if not that."""

    version = "x"
    sets = None

    def predict(self, images):
        return np.tile(np.float32([0.0, 0.3, 0.4, 0.2, 0.1, 0.0]), (len(images), 1))


def test_shorts_count_as_one_and_the_second_is_another_class():
    both = judge_textbook(Shorted(), of=[one(SHORT), one(WHOLE)], variants=[QUIET])
    short, array = (both.tally(which) for which in ([True, False], [False, True]))
    assert short.right == short.among_two == short.faulty > 0
    assert array.right == 0
    assert array.among_two == array.faulty > 0
    assert short.healthy == short.false_alarms > 0
    assert short.days_right == 1
    assert array.days_right == 0
