"""Errors as Dagster has them: what becomes a `dg.Failure`, and what is tried again.

What may pass by itself is tried again. A user's mistake is not: the same input gives the same mistake. An error of our
own keeps its traceback, and is not tried again either. So no asset has a retry policy of Dagster's, which would take
every error, and a run that somebody ends, for something to try again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import dagster as dg

from pvfault.errors import PvfaultError, TransientError

# 10, 30, 70, ... 630 s, each spread at random: 20 minutes in all, for a broker that is started anew, a service that is
# busy, or workers that are short.
RETRIES = dg.RetryPolicy(max_retries=6, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def raised_for_dagster(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, retries: dg.RetryPolicy
) -> Iterator[None]:
    """Turn what a user can mend into a failure that says only how, and have tried again what may pass by itself.

    Parameters
    ----------
    context : AssetExecutionContext or OpExecutionContext
        Of the step that the block is in.
    retries : RetryPolicy
        How often and after how long; a `dg.Failure` of the block is one of these too if it allows retries.
    """
    try:
        yield
    except PvfaultError as error:
        failure = dg.Failure(str(error), allow_retries=isinstance(error, TransientError))
        _raise(failure, error, context.retry_number, retries)
    except dg.Failure as failure:
        _raise(failure, failure.__cause__, context.retry_number, retries)


def _raise(failure: dg.Failure, cause: BaseException | None, tried: int, retries: dg.RetryPolicy) -> None:
    if failure.allow_retries and tried < retries.max_retries:
        failure.__cause__ = cause
        raise dg.RetryRequested(retries.max_retries, retries.calculate_delay(tried + 1)) from failure
    raise failure from cause


def refused_dates(dates: int, reasons: Mapping[date, str]) -> dg.Failure:
    """The failure of a run of which some dates were refused: they failed a blocking audit, or could not be made.

    Parameters
    ----------
    dates : int
        Of the run.
    reasons : mapping of date to str
        Why each of them was refused, and what to do.
    """
    by_day = {str(day): reasons[day] for day in sorted(reasons)}
    lines = [
        f"{len(by_day)} of {dates} dates were refused, and the tables have them as they had them before.",
        *(f"{day}: {reason}" for day, reason in by_day.items()),
        "Mend what is said there and materialise these dates again, from the table that is named on; `pvfault status` "
        "has the line to type for each." + (" The other dates are made." if len(by_day) < dates else ""),
    ]
    return dg.Failure("\n".join(lines), metadata={"refused": dg.MetadataValue.json(by_day)}, allow_retries=False)
