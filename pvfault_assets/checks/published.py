"""The checks as Dagster has them: on their own, of what is published, a step for each asset.

They run without a job and without Spark. In a run that makes a date, the job has asked most of them before it published
(`audits.py` records that); here only the others are asked. Alone, from the page, they are of the newest date that the
table has, or of the run's own (tag `dagster/partition`). PyIceberg is imported where it is needed: definitions are
loaded far more often than checks are asked.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from pvfault.checks.assets import CHECKS, NETWORK, REGISTRY
from pvfault.checks.check import MADE, CheckResult
from pvfault.errors import PvfaultError, TransientError
from pvfault.settings import Settings
from pvfault.tables import table_named
from pvfault_assets.checks.audits import evaluation_of
from pvfault_assets.checks.network import accepted_scores
from pvfault_assets.checks.specs import check_specs
from pvfault_assets.failures import raised_for_dagster
from pvfault_assets.partitions import dates_of_run
from pvfault_assets.recording import checked_in_run, pass_on_checks

if TYPE_CHECKING:
    from pvfault_api.published_dates import PublishedDates

# What is wrong with a registry or a network is said before anything is made with it, while Spark starts.
_BEFORE_THE_TABLES = {"dagster/priority": "1"}


def published_checks(
    settings: Settings, days: dg.DailyPartitionsDefinition, retries: dg.RetryPolicy
) -> list[dg.AssetChecksDefinition]:
    """All checks, a step for each asset; a step is tried again as the policy says."""
    sources = {REGISTRY: _look_at_registry, NETWORK: _look_at_network}
    return [
        *(_checks_of_source(asset, partial(look, settings), retries) for asset, look in sources.items()),
        *(_checks_of_table(settings, table, days, retries) for table in CHECKS if table not in sources),
    ]


def _checks_of_table(
    settings: Settings, table: str, days: dg.DailyPartitionsDefinition, retries: dg.RetryPolicy
) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=f"check_{table}", specs=check_specs(table, CHECKS[table], days), can_subset=True)
    def check(context: dg.AssetCheckExecutionContext):
        names = {key.name for key in context.selected_asset_check_keys}
        with raised_for_dagster(context.op_execution_context, retries):
            checked = checked_in_run(context, table)
            days = dates_of_run(context.run) or _newest(settings, table)
            dates = _open(settings, days)
            for day in days:
                asked = names - checked[str(day)]
                for result in _check(dates, day, table, asked) if asked else ():
                    context.op_execution_context.log_event(evaluation_of(dg.AssetKey(table), result, day))
        yield from pass_on_checks(context)

    return check


def _open(settings: Settings, days: Sequence[date]) -> "PublishedDates":
    from pvfault_api.published_dates import PublishedDates

    return PublishedDates(settings, days)


def _check(dates: "PublishedDates", day: date, table: str, asked: Collection[str]) -> list[CheckResult]:
    """What checks say of a date; what cannot be evaluated is no reason to end a run that has made other dates."""
    from pvfault_api.checking import check_table

    try:
        return list(check_table(dates.of(day), table, asked))
    except TransientError:
        raise
    except PvfaultError as error:
        return [MADE.judge(False, f"`{table}` of {day} cannot be checked: {error}")]


def _newest(settings: Settings, table: str) -> list[date]:
    from pvfault_api.published import newest_date

    newest = newest_date(settings, table_named(table))
    if newest is None:
        raise PvfaultError(f"`{table}` has no date yet, so there is nothing to check; materialise one first")
    return [newest]


def _checks_of_source(
    asset: str, look: Callable[[dg.DagsterInstance], Iterable[CheckResult]], retries: dg.RetryPolicy
) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"check_{asset}", specs=check_specs(asset, CHECKS[asset]), can_subset=True, op_tags=_BEFORE_THE_TABLES
    )
    def check(context: dg.AssetCheckExecutionContext):
        with raised_for_dagster(context.op_execution_context, retries):
            for result in look(context.instance):
                context.op_execution_context.log_event(evaluation_of(dg.AssetKey(asset), result))
        yield from pass_on_checks(context)

    return check


def _look_at_registry(settings: Settings, _instance: dg.DagsterInstance) -> Iterable[CheckResult]:
    from pvfault_api.checking_sources import check_registry

    return check_registry(settings)


def _look_at_network(settings: Settings, instance: dg.DagsterInstance) -> Iterable[CheckResult]:
    from pvfault_api.checking_sources import check_network

    return check_network(settings, accepted_scores(instance))
