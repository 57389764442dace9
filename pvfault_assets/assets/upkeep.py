"""The upkeep of the tables as an asset: it takes its turn among the jobs that make them, and is seen beside them.

What is done, and what is never touched, is in `spark_jobs/maintain_tables.py`.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from pvfault_assets.assets.daily_tables import POOL
from pvfault_assets.failures import raised_for_dagster
from pvfault_assets.resources.spark_runner import SparkRunner

if TYPE_CHECKING:
    from spark_jobs.job import DateReport

UPKEEP = dg.AssetKey("table_upkeep")
_JOB = "maintain_tables"


def upkeep_assets(retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The upkeep of all tables; a step is tried again as the policy says."""

    @dg.asset(
        key=UPKEEP,
        group_name="upkeep",
        kinds={"spark", "iceberg"},
        pool=POOL,
        metadata={"job": f"spark_jobs/{_JOB}.py"},
    )
    def table_upkeep(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per table in its metadata: snapshots that were expired, files deleted, small files brought together.

        A date can be had back as it was in the last 5 days, and a refused date looked at for as long. Files that no
        table knows are deleted after 3 days. No row is changed, and nothing of a running job is touched.
        """
        done: list[DateReport] = []
        with raised_for_dagster(context, retries):
            costs = spark.run(_JOB, [datetime.now(UTC).date()], context, done.append)
            (report,) = done
            if report.stopped_by:
                raise dg.Failure(report.stopped_by, allow_retries=False)
        tables = {name: figures for name, figures in report.figures.items() if isinstance(figures, dict)}
        return dg.MaterializeResult(
            metadata={"seconds": report.seconds, "tables": _table(tables), **costs},
        )

    return [table_upkeep]


def _table(tables: dict[str, dict[str, int]]) -> dg.TableMetadataValue:
    columns = {"table": "string"} | {name: "int" for figures in tables.values() for name in figures}
    return dg.MetadataValue.table(
        [dg.TableRecord({"table": name, **figures}) for name, figures in tables.items()],
        dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()]),
    )
