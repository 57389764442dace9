"""The network beside the last one that was accepted, as Dagster's storage knows it."""

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from pvfault.checks.assets import NETWORK
from pvfault.checks.sources import NO_WORSE, SCORES

# Checks in a row that may have failed since.
_LOOKED_AT = 100


def accepted_scores(instance: dg.DagsterInstance) -> dict[str, float]:
    """The scores of the last network that was not found worse than the one before it; empty if there is none."""
    key = dg.AssetCheckKey(dg.AssetKey(NETWORK), NO_WORSE.name)
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=_LOOKED_AT):
        if record.status == AssetCheckExecutionRecordStatus.SUCCEEDED:
            return {name: value.value for name, value in record.evaluation.metadata.items() if name in SCORES}
    return {}
