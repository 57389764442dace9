"""Errors as the operator sees them."""

from datetime import date
from types import SimpleNamespace

import dagster as dg
import pytest

from pvfault.errors import PvfaultError, TransientError
from pvfault_assets.failures import raised_for_dagster, refused_dates

NEVER, ONCE = dg.RetryPolicy(0), dg.RetryPolicy(1, delay=7)
# All that is asked of a step is how often it was tried; Dagster's context for tests does not know. Real steps, with
# Dagster's own context, are tried again in `test_ranges.py`.
STEP = SimpleNamespace(retry_number=0)


def test_a_users_mistake_is_told_and_not_retried():
    """A retry of the same input only delays the message."""
    with pytest.raises(dg.Failure) as failure, raised_for_dagster(STEP, ONCE):
        raise PvfaultError("the broker is down; start it")
    assert failure.value.description == "the broker is down; start it"


def test_what_may_pass_is_retried_and_told_in_the_end():
    with pytest.raises(dg.RetryRequested) as retry, raised_for_dagster(STEP, ONCE):
        raise TransientError("the broker is silent; wait")
    assert (retry.value.max_retries, retry.value.seconds_to_wait) == (1, 7)
    with pytest.raises(dg.Failure) as failure, raised_for_dagster(STEP, NEVER):
        raise TransientError("the broker is silent; wait")
    assert failure.value.description == "the broker is silent; wait"


def test_a_mistake_of_our_own_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), raised_for_dagster(STEP, ONCE):
        1 / 0  # noqa: B018


def test_a_refusal_names_the_dates_why_and_what_to_do():
    failure = refused_dates(2, {date(2024, 6, 2): "readings, days_are_whole: 3 hours; send the rest"})
    assert "1 of 2 dates were refused" in failure.description
    assert "2024-06-02: readings, days_are_whole: 3 hours; send the rest" in failure.description
    assert "2024-06-01" not in failure.description
    assert "materialise" in failure.description
    assert failure.metadata["refused"].value == {"2024-06-02": "readings, days_are_whole: 3 hours; send the rest"}
    assert failure.allow_retries is False
