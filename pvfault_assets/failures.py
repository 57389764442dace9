"""Errors as Dagster shows them.

Here: what becomes a `dg.Failure`. A user's mistake is not retried: the same input gives the same mistake. Everything
else keeps its traceback.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from pvfault.errors import PvfaultError, TransientError
from spark_jobs.job import DateReport


@contextmanager
def shown_to_the_operator() -> Iterator[None]:
    """Turn an error that a user can mend, or that may pass by itself, into a failure that says only what to do."""
    try:
        yield
    except PvfaultError as error:
        raise dg.Failure(description=str(error), allow_retries=isinstance(error, TransientError)) from error


def refused_dates(days: Sequence[DateReport], refused: Sequence[DateReport]) -> dg.Failure:
    """The failure of a run of which some dates failed a blocking audit."""
    reasons = {str(day.day): "; ".join(f"{audit.name}: {audit.summary}" for audit in day.refusals) for day in refused}
    lines = [
        f"{len(refused)} of {len(days)} dates were refused, and the table has them as it had them before.",
        *(f"{day}: {reason}" for day, reason in reasons.items()),
        "Mend what is said there and materialise these dates again.",
    ]
    if len(refused) < len(days):
        lines.append("The other dates are published; what is made of them was not made, so materialise it for them.")
    return dg.Failure(
        description="\n".join(lines), metadata={"refused": dg.MetadataValue.json(reasons)}, allow_retries=False
    )
