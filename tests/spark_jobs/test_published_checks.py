"""A date's checks say the same before it is published, by the job, and afterwards, of what is there."""

from dataclasses import replace
from datetime import date

import pytest

from pvfault.tables import DEVICE_DAYS, PREDICTIONS, READINGS, SCALOGRAMS
from pvfault_api.checking import check_date
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from tests.spark_jobs.helpers import DEVICES, config_of, make_readings, midnight, send, send_readings

pytestmark = [pytest.mark.broker, pytest.mark.spark]

DAY = date(2024, 11, 21)
JOBS = {
    READINGS.name: ingest_readings,
    SCALOGRAMS.name: compute_scalograms,
    PREDICTIONS.name: classify_faults,
    DEVICE_DAYS.name: summarise_device_days,
}


@pytest.fixture
def config(lake_settings, topic, registry_of):
    """A topic with all kinds of records, and a registry that does not fit to them."""
    readings = make_readings(DAY, DEVICES[:3], period_s=60)
    send_readings(lake_settings, topic, readings.slice(0, 3000))
    send_readings(lake_settings, topic, readings.slice(0, 30))  # again
    send(lake_settings, topic, [(b"key", b"no reading", midnight(DAY).replace(hour=9))] * 5)
    return config_of(lake_settings, [DAY], topic=topic, registry=str(registry_of((DEVICES[0], DEVICES[3]))))


def test_what_is_published_is_judged_as_its_job_has_judged_it(spark, lake_settings, config):
    audited = {name: job.run(spark, config).days[0].audits for name, job in JOBS.items()}
    settings = replace(lake_settings, topic=config.topic, registry=config.registry)
    published = {(one.asset, one.result.name): one.result for one in check_date(settings, DAY, list(JOBS))}
    compared = 0
    for table, audits in audited.items():
        for audit in audits:
            if audit.name != "not_fewer_readings_than_before":  # only a run can ask it
                found = published[table, audit.name]
                assert (found.passed, found.blocking) == (audit.passed, audit.blocking), found.summary
                figures = {name: value for name, value in audit.figures.items() if name != "sample"}
                assert figures.items() <= found.figures.items(), audit.name
                compared += 1
    assert compared == 21
    failed = {name for (_, name), result in published.items() if not result.passed}
    assert failed >= {
        "every_record_is_a_reading", "devices_are_complete", "no_reading_came_twice", "no_device_is_missing",
        "every_device_is_registered", "every_device_has_a_verdict",
    }  # fmt: skip
    assert not {result.name for result in published.values() if result.blocking and not result.passed}
