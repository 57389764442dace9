"""Everything that Dagster is told, assembled from settings. What Dagster loads is `definitions.py`."""

import warnings
from datetime import timedelta

import dagster as dg

from pvfault.settings import AWS, Settings
from pvfault_assets.assets.daily_tables import table_assets
from pvfault_assets.assets.sources import source_assets
from pvfault_assets.assets.topic import topic_asset, topic_sensor
from pvfault_assets.assets.training import training_assets
from pvfault_assets.assets.upkeep import upkeep_assets
from pvfault_assets.automation import automation, judge_again
from pvfault_assets.checks.every_date import every_date_check, looking_at_dates
from pvfault_assets.checks.published import published_checks
from pvfault_assets.failures import RETRIES
from pvfault_assets.notifications import notifications
from pvfault_assets.partitions import daily
from pvfault_assets.resources.plant import Plant
from pvfault_assets.resources.spark_runner import LocalSparkRunner, SparkRunner
from pvfault_assets.schedules import every_day, every_week, maintain_tables, materialise_day


def build_definitions(settings: Settings, *, retries: dg.RetryPolicy = RETRIES, **resources: object) -> dg.Definitions:
    """Assemble the definitions.

    Parameters
    ----------
    settings : Settings
    retries : RetryPolicy, optional
        How often, and after how long, what may pass by itself is tried again.
    **resources
        What to put in the place of a default resource; `spark` is the one there is.

    Returns
    -------
    dg.Definitions
    """
    days = daily(settings.first_date, settings.last_date)
    with warnings.catch_warnings():
        # Backfill policies (beta) and partitioned checks (preview) may change with Dagster, which is pinned.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.Definitions(
            assets=[
                topic_asset(settings),
                *training_assets(settings),
                *source_assets(settings, retries),
                *table_assets(settings, days, retries),
                *upkeep_assets(retries),
            ],
            asset_checks=[
                *published_checks(settings, days, retries),
                every_date_check(settings),
            ],
            jobs=[materialise_day, judge_again, maintain_tables],
            schedules=[every_day(timedelta(hours=settings.lateness_hours), settings.last_date), every_week],
            sensors=[
                *notifications(settings),
                *automation(settings),
                looking_at_dates(settings),
                topic_sensor(settings),
            ],
            resources={"spark": _runner(settings), "plant": Plant.from_settings(settings)} | resources,
            # One process, so one Java virtual machine, for all steps of a run.
            executor=dg.in_process_executor,
        )


def _runner(settings: Settings) -> SparkRunner:
    """Who runs the jobs: the one thing in which environments differ."""
    if settings.environment == AWS:
        from pvfault_assets.resources.emr_serverless_runner import EmrServerlessRunner

        return EmrServerlessRunner(settings)
    return LocalSparkRunner(settings)
