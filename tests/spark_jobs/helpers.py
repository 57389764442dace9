"""What tests of jobs share: readings with known values, raw records in Kafka, and the tables as PyIceberg sees them."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import fastavro
import numpy as np
import pyarrow as pa
from confluent_kafka import Producer
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan

from pvfault.readings import AVRO_SCHEMA, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault.tables import SCALOGRAM_SCHEMA, SCALOGRAMS
from pvfault_gateway.producer import ReadingProducer
from spark_jobs import catalog, publishing, scans
from spark_jobs.job import JobConfig

DEVICES = tuple(f"INV{number:07d}" for number in range(4))
_SCHEMA = fastavro.parse_schema(AVRO_SCHEMA)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def config_of(settings, days, **options) -> JobConfig:
    return replace(JobConfig.from_settings(settings, days), **options)


def make_readings(day: date, devices, period_s: int = 20) -> pa.Table:
    """A clear day from 6 to 18 o'clock: 500 V and 10 A at 1000 W/m²."""
    seconds = np.arange(0, 86_400, period_s)
    irradiance = np.maximum(0, 1000 * np.sin(np.pi * (seconds / 3600 - 6) / 12)).astype(np.float32)
    columns = [np.where(irradiance > 0, 500, 0), irradiance / 100, 15 + irradiance / 40, irradiance]
    times = int(midnight(day).timestamp()) * 1_000_000 + seconds * 1_000_000
    return pa.table(
        [
            pa.array(np.tile(devices, len(seconds)), pa.string()),
            pa.array(np.repeat(times, len(devices))).cast(TIMESTAMP_TYPE),
            *(pa.array(np.repeat(column, len(devices)).astype(np.float32)) for column in columns),
        ],
        schema=READING_SCHEMA,
    )


def avro(device, time, voltage=500.0, current=7.0, temperature=30.0, irradiance=700.0) -> bytes:
    """A reading as fastavro writes it."""
    buffer = io.BytesIO()
    record = {"deviceID": device, "timestamp": time, "voltage": voltage, "current": current, "temperature": temperature,
              "irradiance": irradiance}  # fmt: skip
    fastavro.schemaless_writer(buffer, _SCHEMA, record)
    return buffer.getvalue()


def send(settings, topic, records) -> list[tuple[int, int]]:
    """Send (key, value, time) records as they are; returns their partitions and offsets."""
    places = []
    producer = Producer({"bootstrap.servers": settings.broker})
    for key, value, time in records:
        producer.produce(topic, value, key, timestamp=int(time.timestamp() * 1000),
                         on_delivery=lambda _, message: places.append((message.partition(), message.offset())))  # fmt: skip # noqa: E501
    assert producer.flush(20) == 0
    return places


def send_readings(settings, topic, readings) -> None:
    """Send readings as the gateway does."""
    with ReadingProducer(replace(settings, topic=topic)) as producer:
        producer.send(readings)
        assert producer.finish() == len(readings)


def stage_rows(frame, table, day: date) -> publishing.Staged:
    """Stage rows of a Spark DataFrame, each of its tasks' in a file of its own."""
    written, _ = publishing.write(scans.Source(frame), iter, table, day)
    return publishing.stage(frame.sparkSession, table, day, written)


def stage_table(spark, rows: pa.Table, table, day: date) -> publishing.Staged:
    """Stage rows in one file, in their order."""
    source = scans.Source(spark.range(0, 1, 1, 1), lambda _: rows.to_batches())
    written, _ = publishing.write(source, iter, table, day)
    return publishing.stage(spark, table, day, written)


def load(settings, table):
    """A table as PyIceberg has it."""
    catalog = SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri())
    return catalog.load_table(f"pvfault.{table.name}")


def delete_rows(spark, table, condition: str) -> None:
    """Delete rows as another tool does: they stay in their files, and another file says that they are gone."""
    spark.sql(f"ALTER TABLE {catalog.name_of(table)} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')")
    try:
        spark.sql(f"DELETE FROM {catalog.name_of(table)} WHERE {condition}")  # noqa: S608 - a test's own words
    finally:
        spark.sql(f"ALTER TABLE {catalog.name_of(table)} UNSET TBLPROPERTIES ('write.delete.mode')")


def rows_of(settings, table, day: date) -> pa.Table:
    """A date's rows as PyIceberg, which shares no code with Spark, reads them; sorted by key."""
    if table.day_of == "date":
        of_day = EqualTo("date", day.isoformat())
    else:
        of_day = And(
            GreaterThanOrEqual(table.day_of, midnight(day).isoformat()),
            LessThan(table.day_of, midnight(day + timedelta(days=1)).isoformat()),
        )
    rows = load(settings, table).scan(row_filter=of_day).to_arrow().select(table.schema.names)
    return rows.sort_by([(column, "ascending") for column in table.key]).cast(table.schema)


def scalograms_of(settings, day: date) -> pa.Table:
    """A date's rows of `SCALOGRAMS` without what they come from: what the science gives."""
    return rows_of(settings, SCALOGRAMS, day).select(SCALOGRAM_SCHEMA.names).cast(SCALOGRAM_SCHEMA)
