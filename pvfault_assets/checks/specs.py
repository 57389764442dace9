"""Checks as Dagster declares them."""

from collections.abc import Sequence

import dagster as dg

from pvfault.checks.check import Check


def check_specs(
    asset: str, checks: Sequence[Check], days: dg.PartitionsDefinition | None = None
) -> list[dg.AssetCheckSpec]:
    """Some checks of an asset, of each date if it is cut into days.

    None of them is blocking to Dagster, which would stop all dates of a run: a job does not publish a date that fails
    an error, and what is made of it leaves it alone.
    """
    return [
        dg.AssetCheckSpec(check.name, asset=asset, description=_describe(check), partitions_def=days)
        for check in checks
    ]


def _describe(check: Check) -> str:
    return f"{check.description} An error: such a date is not published." if check.blocking else check.description
