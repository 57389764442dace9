"""What checks have found, as Dagster records it: one result for each date.

Checks are partitioned like their assets, so that a date's page shows that date's results, and a good date does not hide
a bad one of the same run.
"""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from pvfault.checks.check import CheckResult

if TYPE_CHECKING:
    from spark_jobs.job import DateReport


def audit_results(asset: dg.AssetKey, day: "DateReport") -> Iterator[dg.AssetCheckEvaluation]:
    """What a job found of a date before it was to be published."""
    for audit in day.audits:
        yield evaluation_of(asset, audit, day.day)


def evaluation_of(asset: dg.AssetKey, result: CheckResult, day: date | None = None) -> dg.AssetCheckEvaluation:
    """What a check found, of a date or of what has none.

    This is the event itself: an `AssetCheckResult` of a run over several dates would have no date.
    """
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=result.name,
        passed=result.passed,
        blocking=result.blocking,
        severity=dg.AssetCheckSeverity.ERROR if result.blocking else dg.AssetCheckSeverity.WARN,
        description=result.summary,
        metadata={"found": result.summary, **result.figures},
        partition=str(day) if day else None,
    )
