"""Errors as the operator sees them."""

from datetime import date

import dagster as dg
import pytest

from pvfault.errors import PvfaultError
from pvfault_assets.failures import refused_dates, shown_to_the_operator
from spark_jobs.job import Audit, DateReport

WHOLE = Audit("days_are_whole", "Every day is whole.", "send the rest", blocking=True)


def test_a_users_mistake_is_told_and_not_retried():
    """A retry of the same input only delays the message."""
    with pytest.raises(dg.Failure) as failure, shown_to_the_operator():
        raise PvfaultError("the broker is down; start it")
    assert (failure.value.description, failure.value.allow_retries) == ("the broker is down; start it", False)


def test_a_mistake_of_our_own_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), shown_to_the_operator():
        1 / 0  # noqa: B018


def test_a_refusal_names_the_dates_why_and_what_to_do():
    days = [
        DateReport(date(2024, 6, 1), 10, 1, published=True, audits=(WHOLE.judge(True, "24 hours"),)),
        DateReport(date(2024, 6, 2), 10, 2, published=False, audits=(WHOLE.judge(False, "3 hours"),)),
    ]
    failure = refused_dates(days, days[1:])
    assert "1 of 2 dates were refused" in failure.description
    assert "2024-06-02: days_are_whole: 3 hours; send the rest" in failure.description
    assert "2024-06-01" not in failure.description
    assert "materialise" in failure.description
    assert failure.allow_retries is False
