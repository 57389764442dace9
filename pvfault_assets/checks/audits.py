"""A Spark job's audits as asset checks, one result for each date.

What is audited, and how, is in the jobs (`spark_jobs`). Checks are partitioned like their assets, so that a date's page
shows that date's results, and a good date does not hide a bad one of the same run.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from pvfault.checks.check import Check
from spark_jobs.job import DateReport


def audit_checks(asset: str, audits: Sequence[Check], days: dg.PartitionsDefinition) -> list[dg.AssetCheckSpec]:
    """The checks that a job's audits are."""
    return [
        dg.AssetCheckSpec(
            audit.name, asset=asset, description=audit.description, blocking=audit.blocking, partitions_def=days
        )
        for audit in audits
    ]


def audit_results(asset: dg.AssetKey, day: DateReport) -> Iterator[dg.AssetCheckEvaluation]:
    """What a date's audits found.

    These are the events themselves: an `AssetCheckResult` of a run over several dates would have no date.
    """
    for audit in day.audits:
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=audit.name,
            passed=audit.passed,
            blocking=audit.blocking,
            severity=dg.AssetCheckSeverity.ERROR if audit.blocking else dg.AssetCheckSeverity.WARN,
            description=audit.summary,
            metadata={"found": audit.summary, **audit.figures},
            partition=str(day.day),
        )
