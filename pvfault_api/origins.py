"""Where a verdict comes from: the network, the registry and the part of the topic, by columns of its own row."""

from collections.abc import Mapping

from pvfault_api.snapshots import Snapshot

_OF_PARTITION = ("topic", "topic_id", "partition", "first_offset", "end_offset", "scanned")


def trace(verdict: Mapping, ledger: Snapshot, *, registry_version: str, model_version: str) -> dict:
    """The origin of a verdict.

    Parameters
    ----------
    verdict : mapping
        A row of `DEVICE_DAYS`.
    ledger : Snapshot
        Of `LEDGER`.
    registry_version, model_version : str
        Of the files that are there now.

    Returns
    -------
    dict
        Whether registry and network are still those that the verdict is of is None where the row is older than the
        column. There is no partition if the ledger does not know the making.
    """
    making = verdict["readings_making"]
    rows = [row for row in ledger.rows([verdict["date"]]).to_pylist() if making and row["making"] == making]
    return {
        "deviceID": verdict["deviceID"],
        "date": verdict["date"],
        "fault": verdict["fault"],
        "model": _version(verdict["model_version"], model_version),
        "registry": _version(verdict["registry_version"], registry_version),
        "code_version": verdict["code_version"],
        "readings": {
            "making": making,
            "made_at": max((row["made_at"] for row in rows), default=None),
            "partitions": [{name: row[name] for name in _OF_PARTITION} for row in rows],
        },
    }


def _version(of_verdict: str | None, now: str) -> dict:
    return {"version": of_verdict, "is_current": None if of_verdict is None else of_verdict == now}
