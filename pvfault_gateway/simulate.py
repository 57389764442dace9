"""Send the readings of a simulated fleet to Kafka, with the registry and the labels that belong to it.

One day after the other is sent; the simulation itself is in `pvfault_workshop.simulation`.
"""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from pvfault.dates import midnight
from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID
from pvfault.settings import Settings
from pvfault_gateway.acceptance import EARLIEST, nothing_possible, prepare_topic
from pvfault_gateway.producer import Delivery, ReadingProducer
from pvfault_workshop.simulation import Fleet


def labels_file(settings: Settings) -> Path:
    """Tell where the truth about a simulated fleet is written: beside its registry."""
    return settings.registry.with_name("labels.csv")


def simulate(
    settings: Settings,
    fleet: Fleet,
    dates: list[date],
    *,
    again: bool = False,
    on_progress: Callable[[int], None] = lambda _sent: None,
) -> Delivery:
    """Write a fleet's registry and labels, and send its readings day by day.

    Parameters
    ----------
    settings : Settings
        `broker`, `topic` and `registry`.
    fleet : Fleet
    dates : list of date
        Days (UTC) in ascending order.
    again : bool
        Whether these are the readings of a run that broke off: what must have arrived is left out.
    on_progress : function of int
        Called with the number of readings just dealt with.

    Returns
    -------
    Delivery

    Raises
    ------
    PvfaultError
        If there is another registry already, the dates are to come, no broker answers, the topic would lose these
        readings or ingest not take them, or they could not be delivered.
    """
    if not isinstance(settings.registry, Path):
        raise PvfaultError(
            f"The registry is {settings.registry}, and a simulated one is written to this machine: "
            "point PVFAULT_REGISTRY at a file, and upload it yourself if it is to be used on AWS."
        )
    _check_registry(settings, _to_csv(fleet.registry))
    first, end = midnight(dates[0]), midnight(dates[-1] + timedelta(days=1))
    if end <= EARLIEST or first > datetime.now(UTC):
        raise nothing_possible(np.datetime64(dates[0]), np.datetime64(dates[-1]))
    first_times = dict.fromkeys(fleet.registry[DEVICE_ID].to_pylist(), max(first, EARLIEST))
    gate = prepare_topic(settings, first_times, again=again)
    write_fleet(settings, fleet)
    with ReadingProducer(settings, gate) as producer:
        for day in dates:
            readings = fleet.readings(day)
            producer.send(readings)
            on_progress(len(readings))
        producer.finish()
        return producer.delivery


def write_fleet(settings: Settings, fleet: Fleet) -> None:
    """Write a fleet's registry and labels.

    Raises
    ------
    PvfaultError
        If there is another registry already.
    """
    registry = _to_csv(fleet.registry)
    _check_registry(settings, registry)
    settings.registry.parent.mkdir(parents=True, exist_ok=True)
    settings.registry.write_bytes(registry)
    labels_file(settings).write_bytes(_to_csv(fleet.labels))


def _check_registry(settings, registry):
    """Refuse to overwrite another registry: it may be the user's own, or that of readings sent earlier."""
    if settings.registry.exists() and settings.registry.read_bytes() != registry:
        raise PvfaultError(
            f"There is already another registry at {settings.registry}, and it is not overwritten. Move it away, or "
            "let PVFAULT_REGISTRY name another file, here and for what reads these readings."
        )


def _to_csv(table: pa.Table) -> bytes:
    """Give a table as CSV."""
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()
