"""Replay: several files are one series in time order, and Kafka finds its dates."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from pvfault.errors import PvfaultError
from pvfault_files.choices import Choices
from pvfault_gateway.acceptance import AHEAD_OF_CLOCK, SENT_BEFORE, TOO_EARLY
from pvfault_gateway.producer import Delivery
from pvfault_gateway.replay import read_series, replay
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
    series = read_series(files, Choices())
    rows = [(row["timestamp"], row["deviceID"]) for row in series.readings.to_pylist()]
    assert rows == sorted(rows)
    assert (len(rows), series.devices, series.files.rows_without_time, series.kept_out) == (144, 2, 0, {})
    assert (series.first, series.last) == (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 3, 23, tzinfo=UTC))
    assert series.dates == [date(2024, 6, 1), date(2024, 6, 2), date(2024, 6, 3)]


def test_rows_of_clocks_that_are_wrong_are_no_part_of_a_series(tmp_path):
    """A row of January 1970 in a file of last year would make a date of 1970, and be far behind any topic."""
    times = [datetime(1970, 1, 20, tzinfo=UTC), NOON, NOON + timedelta(hours=1), NOON + timedelta(days=9999)]
    series = read_series([write_device_file(tmp_path, "INV0000001", times)], Choices())
    assert (series.first, series.last) == (NOON, NOON + timedelta(hours=1))
    assert series.dates == [date(2024, 6, 1)]
    assert series.kept_out == {TOO_EARLY: {"INV0000001": 1}, AHEAD_OF_CLOCK: {"INV0000001": 1}}
    with pytest.raises(PvfaultError, match=r"of 1970-01-20T00:00:00 to .* none of them can be sent"):
        read_series([write_device_file(tmp_path, "INV0000002", times[::3])], Choices())


def test_milliseconds_that_were_taken_for_seconds_are_told_as_the_times_that_they_are(tmp_path):
    """Python's own datetime ends with the year 9999."""
    readings = make_readings([NOON])
    in_seconds = pa.array([int(NOON.timestamp() * 1000)]).cast(pa.timestamp("s", tz="UTC"))
    path = tmp_path / "plant.parquet"
    pq.write_table(readings.set_column(1, "timestamp", in_seconds.cast(pa.timestamp("us", tz="UTC"))), path)
    with pytest.raises(PvfaultError, match=r"of 56387-04-10.* none of them can be sent"):
        read_series([path], Choices())


@pytest.mark.broker
def test_a_replay_is_in_time_order_in_each_partition_and_its_dates_are_found(broker, topic, files):
    settings = replace(broker, topic=topic)
    progress = []
    delivery = replay(settings, read_series(files, Choices()).readings, on_progress=progress.append)
    assert delivery == Delivery(144, {})
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
def test_late_readings_follow_newer_ones_under_their_own_time(broker, topic):
    """A plant that had no network for two days sends what it has kept."""
    settings = replace(broker, topic=topic)
    replay(settings, make_readings([NOON + timedelta(hours=hour) for hour in range(48)]))
    late = make_readings([NOON + timedelta(hours=hour) for hour in range(-24, 24)], seed=1)
    assert replay(settings, late) == Delivery(48, {})
    times = [time_ms / 1000 - NOON.timestamp() for _, _, time_ms, _ in read_topic(broker, topic, 96)]
    assert times == [3600 * hour for hour in [*range(48), *range(-24, 24)]]


@pytest.mark.broker
def test_a_history_behind_newer_readings_is_refused_and_a_run_that_broke_off_goes_on_when_asked(broker, topic):
    settings = replace(broker, topic=topic)
    whole = make_readings([NOON + timedelta(days=day) for day in range(100)])
    replay(settings, whole.slice(0, 61))  # it broke off here
    with pytest.raises(PvfaultError, match=r"already holds readings.*--topic NAME.*--again"):
        replay(settings, whole)
    assert count_records(connect(broker))[topic] == 61  # nothing was sent
    assert replay(settings, whole, again=True) == Delivery(70, {SENT_BEFORE: {"INV0000001": 30}})
    assert count_records(connect(broker))[topic] == 131
    values = {value for _, _, _, value in read_topic(broker, topic, 131)}
    assert len(values) == 100
