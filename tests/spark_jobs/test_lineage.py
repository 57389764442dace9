"""From a verdict back to the records of the topic, the registry, the network and the code that it comes from."""

import hashlib
from datetime import date
from pathlib import Path

import pytest

from pvfault.tables import DEVICE_DAYS, LEDGER, PREDICTIONS, SCALOGRAMS
from pvfault.versions import code_version
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from tests.spark_jobs.helpers import DEVICES, avro, config_of, midnight, rows_of, send

pytestmark = [pytest.mark.broker, pytest.mark.spark]

DAY = date(2024, 11, 4)
JOBS = (ingest_readings, compute_scalograms, classify_faults, summarise_device_days)


def sha256_of(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def origin_audit(report):
    return next(audit for audit in report.days[0].audits if audit.name == "verdicts_are_of_what_is_there")


@pytest.fixture
def made(spark, lake_settings, topic, registry_of):
    """A date with its verdicts, made twice; where its records stand in the topic, and what it was made by."""
    noon = [midnight(DAY).replace(hour=12, minute=minute) for minute in range(0, 60, 5)]
    places = send(lake_settings, topic, [(DEVICES[0].encode(), avro(DEVICES[0], time), time) for time in noon])
    config = config_of(lake_settings, [DAY], topic=topic, registry=str(registry_of(DEVICES[:2])))
    for _ in range(2):
        reports = [job.run(spark, config) for job in JOBS]
        assert all(report.days[0].published for report in reports)
    return places, config, reports[-1]


def test_a_verdict_leads_to_the_offsets_registry_network_and_code_that_it_comes_from(made, lake_settings):
    places, config, report = made
    verdicts = rows_of(lake_settings, DEVICE_DAYS, DAY).to_pylist()
    assert [row["deviceID"] for row in verdicts] == list(DEVICES[:2])  # the second one is silent
    (making,) = {row["readings_making"] for row in verdicts}
    ledger = rows_of(lake_settings, LEDGER, DAY).to_pylist()
    assert len({row["making"] for row in ledger}) == 2
    read = {row["partition"]: (row["first_offset"], row["end_offset"]) for row in ledger if row["making"] == making}
    assert all(read[partition][0] <= offset < read[partition][1] for partition, offset in places)
    assert sum(row["readings"] for row in ledger if row["making"] == making) == len(places)
    assert max(ledger, key=lambda row: row["made_at"])["making"] == making
    (versions,) = {(row["model_version"], row["registry_version"], row["code_version"]) for row in verdicts}
    assert versions == (sha256_of(config.model), sha256_of(config.registry), code_version())
    assert origin_audit(report).passed


def test_verdicts_beside_scalograms_that_they_are_not_of_are_named(spark, made, lake_settings, registry_of):
    _, config, _ = made
    old = sha256_of(config.registry)
    config = config_of(lake_settings, [DAY], topic=config.topic, registry=str(registry_of(DEVICES[:3])))
    audit = origin_audit(summarise_device_days.run(spark, config))
    assert not audit.passed
    assert f"registry {old}, and it is {sha256_of(config.registry)} now" in audit.summary

    compute_scalograms.run(spark, config)
    audit = origin_audit(summarise_device_days.run(spark, config))
    assert not audit.passed
    assert "predictions are of other scalograms than the date has now" in audit.summary

    classify_faults.run(spark, config)
    assert origin_audit(summarise_device_days.run(spark, config)).passed
    for table in (SCALOGRAMS, PREDICTIONS, DEVICE_DAYS):
        (version,) = set(rows_of(lake_settings, table, DAY)["registry_version"].to_pylist())
        assert version == sha256_of(config.registry)
