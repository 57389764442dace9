"""Errors as the operator sees them, and which of them are tried again."""

from datetime import date
from types import SimpleNamespace

import dagster as dg
import pytest

from pvfault.errors import PvfaultError, TransientError
from pvfault_assets.failures import RETRIES, raised_for_dagster, refused_dates


@pytest.fixture
def context():
    """All that is asked of a step: how often it was tried before."""
    return SimpleNamespace(retry_number=0)


def test_a_users_mistake_is_told_and_not_retried(context):
    """A retry of the same input only delays the message."""
    with pytest.raises(dg.Failure) as failure, raised_for_dagster(context, RETRIES):
        raise PvfaultError("there is no such topic; create it")
    assert (failure.value.description, failure.value.allow_retries) == ("there is no such topic; create it", False)


def test_what_may_pass_by_itself_is_tried_again_later(context):
    with pytest.raises(dg.RetryRequested) as retry, raised_for_dagster(context, RETRIES):
        raise TransientError("the broker is silent; start it")
    assert retry.value.max_retries == 6
    assert retry.value.seconds_to_wait > 0
    assert "the broker is silent" in str(retry.value.__cause__.description)


def test_a_mistake_of_our_own_keeps_its_traceback(context):
    with pytest.raises(ZeroDivisionError), raised_for_dagster(context, RETRIES):
        1 / 0  # noqa: B018


def test_a_refusal_names_the_dates_why_and_what_to_do():
    failure = refused_dates(2, {date(2024, 6, 2): "readings, days_are_whole: 3 hours; send the rest"})
    assert "1 of 2 dates were refused" in failure.description
    assert "2024-06-02: readings, days_are_whole: 3 hours; send the rest" in failure.description
    assert "materialise" in failure.description
    assert failure.metadata["refused"].value == {"2024-06-02": "readings, days_are_whole: 3 hours; send the rest"}
    assert failure.allow_retries is False
