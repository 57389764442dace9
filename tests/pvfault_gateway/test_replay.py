"""Replay: several files are one series in time order, and Kafka finds its dates."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from pvfault.errors import PvfaultError
from pvfault_gateway.replay import read_files, replay
from pvfault_gateway.topics import PARTITIONS, connect, count_records
from tests.pvfault_gateway.helpers import NOON, make_readings, read_topic


def write_device_file(folder, device, times):
    """A file of one device, which does not name it."""
    path = folder / f"{device}.parquet"
    pq.write_table(make_readings(times, devices=[device]), path)
    return path


@pytest.fixture
def files(tmp_path):
    """Two devices in a file each, over the same three days, with a reading each hour."""
    hours = [datetime(2024, 6, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(72)]
    return [write_device_file(tmp_path, device, hours) for device in ("INV0000002", "INV0000001")]


def test_several_files_are_one_series_in_time_order(files):
    series = read_files(files)
    rows = [(row["timestamp"], row["deviceID"]) for row in series.readings.to_pylist()]
    assert rows == sorted(rows)
    assert (len(rows), series.devices, series.rows_without_time) == (144, 2, 0)
    assert (series.first, series.last) == (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 3, 23, tzinfo=UTC))
    assert series.dates == [date(2024, 6, 1), date(2024, 6, 2), date(2024, 6, 3)]


@pytest.mark.broker
def test_a_replay_is_in_time_order_in_each_partition_and_its_dates_are_found(broker, topic, files):
    settings = replace(broker, topic=topic)
    progress = []
    assert replay(settings, read_files(files).readings, on_progress=progress.append) == 144
    assert sum(progress) == 144
    times = {}
    for partition, _, timestamp, _ in read_topic(broker, topic, 144):
        times.setdefault(partition, []).append(timestamp)
    assert all(partition == sorted(partition) for partition in times.values())

    midnight = OffsetSpec.for_timestamp(int(datetime(2024, 6, 2, tzinfo=UTC).timestamp() * 1000))
    client = connect(broker)  # its answers come only as long as it is held
    asked = client.list_offsets({TopicPartition(topic, p): midnight for p in range(PARTITIONS)})
    found = {partition.partition: answer.result().offset for partition, answer in asked.items()}
    for partition, timestamps in times.items():
        assert timestamps[found[partition]] == datetime(2024, 6, 2, tzinfo=UTC).timestamp() * 1000


@pytest.mark.broker
def test_older_readings_are_refused_and_the_same_ones_are_sent_again_when_asked(broker, topic):
    settings = replace(broker, topic=topic)
    first_half = make_readings([NOON + timedelta(minutes=minute) for minute in range(10)])
    whole = pa.concat_tables([first_half, make_readings([NOON + timedelta(minutes=10)])])
    replay(settings, first_half)  # it broke off here
    with pytest.raises(PvfaultError, match=r"already holds readings.*--topic NAME.*--again"):
        replay(settings, whole)
    assert count_records(connect(broker))[topic] == 10  # nothing was sent
    replay(settings, whole, again=True)
    assert count_records(connect(broker))[topic] == 21
    replay(settings, make_readings([NOON + timedelta(hours=1)]))  # later ones may always follow
