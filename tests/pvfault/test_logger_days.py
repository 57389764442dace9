"""Device-days in many variants of how loggers and people get them wrong: none is silently wrong."""

from collections import Counter

import pytest

from pvfault.lenet import load_classifier
from tests.conftest import PROJECT
from tests.pvfault.judging import MISNAMED, OPEN, REFUSED, RIGHT, SURE, WRONG, judge
from tests.pvfault.logger_days import cases

# Of every so many days, every so many; `python -m tests.pvfault.judging` judges all.
THIN = 5
OF_THE_NETWORK = "string opens, registered"


@pytest.fixture(scope="module")
def judged():
    some, of_kind = [], Counter()
    for case in cases(THIN):
        of_kind[case.kind] += 1
        some.append(case)
    assert len(of_kind) > 20
    return judge(some, load_classifier(PROJECT / "models" / "lenet5.h5"))


def test_no_day_is_silently_wrong(judged):
    """Beside ratings, whether a string of many is seen is the network's to tell, and `evaluate` counts it."""
    wrong = [each for each in judged if each[1] == WRONG and each[0].kind != OF_THE_NETWORK]
    assert [(case.kind, case.label, told) for case, _, told in wrong] == []


def test_a_mistake_in_file_or_registry_is_refused_or_marked_or_costs_nothing(judged):
    found = Counter(found for case, found, _ in judged if case.mistake)
    assert set(found) <= {REFUSED, OPEN, RIGHT}
    assert found[REFUSED] >= 0.4 * found.total()


def test_what_loggers_and_inverters_do_leaves_a_day_right(judged):
    found = Counter(found for case, found, _ in judged if not case.mistake and "string opens" not in case.kind)
    assert found[RIGHT] > 0.95 * found.total()


def test_without_a_registry_nobody_is_sure_of_a_name_that_an_open_string_does_not_have(judged):
    """The network alone was sure to 0.99 that it is a shadow."""
    of_kind = [each for each in judged if each[0].kind == "string opens, not registered"]
    assert len(of_kind) > 5
    for case, found, told in of_kind:
        if found == MISNAMED:
            sure = [float(word.strip("',}")) for word in told.split() if word.startswith("0.")]
            assert max(sure) < SURE, (case.label, told)
