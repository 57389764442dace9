"""The checks as Dagster has them: on their own, of what is published, a step for each asset.

They run without a job and without Spark. In a run that makes a date, the job has asked most of them before it published
(`audits.py` records that); here only the others are asked. Alone, from the page, they are of the newest date that the
table has, or of the run's own (tag `dagster/partition`). PyIceberg is imported where it is needed: definitions are
loaded far more often than checks are asked.
"""

from collections.abc import Collection
from datetime import date

import dagster as dg

from pvfault.checks.assets import CHECKS, NETWORK, REGISTRY
from pvfault.checks.check import MADE, CheckResult
from pvfault.errors import PvfaultError, TransientError
from pvfault.settings import Settings
from pvfault.tables import TABLES
from pvfault_assets.checks.audits import evaluation_of
from pvfault_assets.checks.network import accepted_scores
from pvfault_assets.checks.specs import check_specs
from pvfault_assets.failures import raised_for_dagster
from pvfault_assets.partitions import dates_of_run
from pvfault_assets.recording import checked_in_run, pass_on_checks


def published_checks(
    settings: Settings, days: dg.DailyPartitionsDefinition, retries: dg.RetryPolicy
) -> list[dg.AssetChecksDefinition]:
    """All checks, a step for each asset; a step is tried again as the policy says."""
    tables = [_checks_of_table(settings, table, days, retries) for table in CHECKS if table not in (REGISTRY, NETWORK)]
    return [_checks_of_registry(settings, retries), _checks_of_network(settings, retries), *tables]


def _checks_of_table(
    settings: Settings, table: str, days: dg.DailyPartitionsDefinition, retries: dg.RetryPolicy
) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=f"check_{table}", specs=check_specs(table, CHECKS[table], days), can_subset=True)
    def check(context: dg.AssetCheckExecutionContext):
        names = {key.name for key in context.selected_asset_check_keys}
        with raised_for_dagster(context.op_execution_context, retries):
            for day in dates_of_run(context.run) or _newest(settings, table):
                asked = names - checked_in_run(context, table, day)
                for result in _check(settings, day, table, asked) if asked else ():
                    context.op_execution_context.log_event(evaluation_of(dg.AssetKey(table), result, day))
        yield from pass_on_checks(context)

    return check


def _check(settings: Settings, day: date, table: str, asked: Collection[str]) -> list[CheckResult]:
    """What checks say of a date; what cannot be evaluated is no reason to end a run that has made other dates."""
    from pvfault_api.checking import PublishedDate, check_table

    try:
        return list(check_table(PublishedDate(settings, day), table, asked))
    except TransientError:
        raise
    except PvfaultError as error:
        return [MADE.judge(False, f"`{table}` of {day} cannot be checked: {error}")]


def _newest(settings: Settings, table: str) -> list[date]:
    from pvfault_api.published import newest_date

    (known,) = (one for one in TABLES if one.name == table)
    newest = newest_date(settings, known)
    if newest is None:
        raise PvfaultError(f"`{table}` has no date yet, so there is nothing to check; materialise one first")
    return [newest]


def _checks_of_registry(settings: Settings, retries: dg.RetryPolicy) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=f"check_{REGISTRY}", specs=check_specs(REGISTRY, CHECKS[REGISTRY]), can_subset=True)
    def check(context: dg.AssetCheckExecutionContext):
        from pvfault_api.checking import check_registry

        with raised_for_dagster(context.op_execution_context, retries):
            for result in check_registry(settings):
                context.op_execution_context.log_event(evaluation_of(dg.AssetKey(REGISTRY), result))
        yield from pass_on_checks(context)

    return check


def _checks_of_network(settings: Settings, retries: dg.RetryPolicy) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=f"check_{NETWORK}", specs=check_specs(NETWORK, CHECKS[NETWORK]), can_subset=True)
    def check(context: dg.AssetCheckExecutionContext):
        from pvfault_api.checking import check_network

        with raised_for_dagster(context.op_execution_context, retries):
            for result in check_network(settings, accepted_scores(context.instance)):
                context.op_execution_context.log_event(evaluation_of(dg.AssetKey(NETWORK), result))
        yield from pass_on_checks(context)

    return check
