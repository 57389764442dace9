"""What a topic may be sent, decided before anything is.

The times that a reading can have, and how old and how far behind newer ones it may be for a topic to keep it and for
ingest to take it. What a broker refuses all the same is noticed in `producer.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault.readings import AHEAD_OF_RECORD, BEHIND_RECORD, DEVICE_ID
from pvfault.settings import Settings
from pvfault_gateway.encoding import milliseconds, now_ms
from pvfault_gateway.topics import (
    FOR_EVER,
    TopicDescription,
    describe_topic,
    ensure_topic,
    new_topic,
    newest_by_partition,
)

# A clock that lost its battery begins again at 1970, 1980 or 2000. Seconds taken for milliseconds are of 1970 too.
EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Why a reading is kept out, as it is told.
TOO_EARLY = f"their time is before {EARLIEST:%Y}, as of a clock that was never set (set it)"
AHEAD_OF_CLOCK = "their time is ahead of this machine's clock (set the one that is wrong)"
SENT_BEFORE = f"they are more than {BEHIND_RECORD.days} days older than what the topic has of them already"

# What a topic takes hangs on the broker's clock. Clocks differ a little, and it takes a while until a reading is sent.
_MARGIN = timedelta(minutes=5)


class Gate:
    """Lets through the readings that may be sent, and counts the others by device.

    Parameters
    ----------
    earliest_ms : sequence of int
        From when on each partition takes readings, since 1970; empty if it does not matter. [ms]

    Attributes
    ----------
    kept_out : dict of str to dict of str to int
        Number of readings by the reason why they were kept out and their deviceID.
    """

    def __init__(self, earliest_ms: Sequence[int] = ()):
        self._earliest_ms = np.array(earliest_ms, np.int64)
        self.kept_out = {}

    def let_through(self, readings: pa.Table) -> pa.Table:
        """Give the readings that may be sent, in their order.

        Parameters
        ----------
        readings : pa.Table
            Of `READING_SCHEMA`.

        Returns
        -------
        pa.Table
        """
        time_ms = milliseconds(readings)
        too_early = time_ms < _to_ms(EARLIEST)
        wrong = {
            TOO_EARLY: too_early,
            AHEAD_OF_CLOCK: time_ms > now_ms() + AHEAD_OF_RECORD // _MILLISECOND,
        }
        if len(self._earliest_ms):
            earliest_ms = self._earliest_ms[_partitions_of(readings, len(self._earliest_ms))]
            wrong[SENT_BEFORE] = (time_ms < earliest_ms) & ~too_early
        for reason in wrong:
            if wrong[reason].any():
                self._count(reason, readings[DEVICE_ID].filter(pa.array(wrong[reason])))
        passes = ~np.any([*wrong.values()], axis=0)
        return readings if passes.all() else readings.filter(pa.array(passes))

    def _count(self, reason, devices):
        counts = self.kept_out.setdefault(reason, {})
        for found in pc.value_counts(devices).to_pylist():
            counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]


def prepare_topic(settings: Settings, first: Mapping[str, datetime], *, again: bool = False) -> Gate:
    """Make sure that readings can be sent, and taken where they were sent; create the topic if it is not there.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    first : mapping of str to datetime
        The earliest reading of each device that is to be sent, by deviceID.
    again : bool
        Whether these are the readings of a run that broke off. Then what must have arrived is no reason to refuse them:
        the gate keeps it out.

    Returns
    -------
    Gate

    Raises
    ------
    PvfaultError
        If no broker answers, it refuses the topic, or the topic would lose these readings or ingest not take them.
    """
    _check_kept(settings, first)
    if ensure_topic(settings):
        _check_kept(settings, first)  # the broker may have had its own mind about what nobody asked for
        return Gate()
    newest = newest_by_partition(settings)
    if not again:
        check_order(settings, newest, first)
        return Gate()
    return Gate([_to_ms(_earliest_behind(each)) for each in newest])


def _check_kept(settings, first):
    check_topic(settings, describe_topic(settings) or new_topic(settings), min(first.values()))


def nothing_possible(first: np.datetime64, last: np.datetime64) -> PvfaultError:
    """Give the error of readings none of which can have been measured by now; they reach from `first` to `last`."""
    return PvfaultError(
        f"The readings are of {first} to {last} UTC, and none of them can be sent: readings are expected from "
        f"{EARLIEST:%Y} to the present, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC by this machine's clock. "
        "Correct the times, or the clock."
    )


def check_topic(settings: Settings, topic: TopicDescription, first: datetime) -> None:
    """Refuse to send readings that the topic would not keep, or not under their own time.

    Raises
    ------
    PvfaultError
        If `first` is older than the topic keeps or takes readings, or it keeps only one of each device.
    """
    name = f"The topic {settings.topic!r}" + ("" if topic.exists else ", which is not there yet,")
    keeps = "would keep" if not topic.exists else "keeps"
    if topic.compacted:
        raise PvfaultError(
            f"{name} {keeps} only the newest record of each device (cleanup.policy=compact): all others would be lost. "
            "Set cleanup.policy=delete with Kafka's own kafka-configs, or name another topic with --topic."
        )
    limits = [
        # A record's age is counted from its own timestamp, so what a replay sends can be gone before it is read.
        (topic.retention_days, f"{keeps} a reading for {{:g}} days after its time: the broker would drop it, perhaps "
                               "before it is read"),
        (topic.takes_days, "refuses a reading that is older than {:g} days (message.timestamp.before.max.ms)"),
        (BEHIND_RECORD.days if topic.stamps_arrival else FOR_EVER,
         "stamps each record with the time at which it arrives (message.timestamp.type=LogAppendTime): a reading of "
         "more than {:g} days before would be put aside at ingest"),
    ]  # fmt: skip
    for days, what in limits:
        if days != FOR_EVER and first < datetime.now(UTC) - timedelta(days=days) + _MARGIN:
            raise PvfaultError(
                f"{name} {what.format(days)}, and the first to be sent is of {first:%Y-%m-%d %H:%M:%S} UTC. Make a "
                "topic for old readings with `pvfault topic create --topic NAME --retention-days -1`, send them with "
                "--topic NAME, and set PVFAULT_TOPIC=NAME for what reads them."
            )


def check_order(settings: Settings, newest: Sequence[datetime | None], first: Mapping[str, datetime]) -> None:
    """Refuse to send readings that are more than `BEHIND_RECORD` older than what stands in their partition.

    Ingest takes what is behind newer readings for late as far as that; older ones it puts aside.

    Parameters
    ----------
    settings : Settings
    newest : sequence of datetime or None
        Of each partition, None for an empty one.
    first : mapping of str to datetime
        The earliest reading of each device that is to be sent, by deviceID.

    Raises
    ------
    PvfaultError
        If some are older.
    """
    behind = {device: newest[topic_partition_of(device.encode(), len(newest))] for device in first}
    too_old = [device for device in first if first[device] < _earliest_behind(behind[device])]
    if too_old:
        device = min(too_old, key=first.get)
        raise PvfaultError(
            f"The topic {settings.topic!r} already holds readings up to {behind[device]:%Y-%m-%d %H:%M:%S} UTC where "
            f"those of {device} go, and the first of it to be sent is of {first[device]:%Y-%m-%d %H:%M:%S} UTC. "
            f"What is more than {BEHIND_RECORD.days} days behind newer readings is put aside at ingest. Give these "
            "readings a topic of their own: --topic NAME here, and PVFAULT_TOPIC=NAME for what reads them. If the same "
            "readings were sent before and the run broke off, --again leaves out what must have arrived and sends the "
            "rest."
        )


def topic_partition_of(device: bytes, partitions: int) -> int:
    """The partition of a device's records, as Kafka's own clients and ours choose it: by murmur2 of the key.

    Examples
    --------
    >>> [topic_partition_of(f"INV000000{n}".encode(), 8) for n in range(4)]
    [2, 7, 4, 5]
    """
    mixed = 0x9747B28C ^ len(device)
    whole = len(device) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(device[at : at + 4], "little") * _MURMUR & _32_BITS
        mixed = mixed * _MURMUR & _32_BITS ^ (word ^ word >> 24) * _MURMUR & _32_BITS
    if whole < len(device):
        mixed = (mixed ^ int.from_bytes(device[whole:], "little")) * _MURMUR & _32_BITS
    mixed = (mixed ^ mixed >> 13) * _MURMUR & _32_BITS
    return ((mixed ^ mixed >> 15) & 0x7FFFFFFF) % partitions


_MURMUR, _32_BITS = 0x5BD1E995, 0xFFFFFFFF


def _partitions_of(readings, partitions):
    """The partition of each reading."""
    devices = readings[DEVICE_ID].combine_chunks().dictionary_encode()
    of_device = np.array(
        [topic_partition_of(device.encode(), partitions) for device in devices.dictionary.to_pylist()], int
    )
    return of_device[devices.indices.to_numpy()]


def _earliest_behind(newest):
    """How old a reading may be that is sent behind the newest one of its partition."""
    # A record ahead of the clock is none of the present's, and ingest does not count it either.
    return EARLIEST if newest is None else min(newest, datetime.now(UTC)) - BEHIND_RECORD


def _to_ms(at):
    return (at - _EPOCH) // _MILLISECOND
