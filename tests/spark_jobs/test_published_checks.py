"""A date's checks say the same before it is published, by the job, and afterwards, of what is there.

And they say it all the while the date is made again.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from pvfault.tables import DEVICE_DAYS, PREDICTIONS, READINGS, SCALOGRAMS, TABLES
from pvfault_api.checking import check_dates
from pvfault_api.fleet import read_fleet
from pvfault_api.lake import read_lake
from pvfault_api.published import read_dates
from pvfault_gateway.topics import ensure_topic
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
BAD = [(b"key", b"no reading", midnight(DAY).replace(hour=9))] * 5


@pytest.fixture(scope="module")
def settings(lake_settings, tmp_path_factory):
    """A topic with all kinds of records, and a registry that does not fit to them."""
    registry = tmp_path_factory.mktemp("registry") / "devices.csv"
    registry.write_text(f"deviceID,rated_voltage,rated_current\n{DEVICES[0]},500,10\n{DEVICES[3]},500,10\n")
    settings = replace(lake_settings, topic="published-checks", registry=registry)
    ensure_topic(settings)
    readings = make_readings(DAY, DEVICES[:3], period_s=60)
    send_readings(settings, settings.topic, readings.slice(0, 3000))
    send_readings(settings, settings.topic, readings.slice(0, 30))  # again
    send(settings, settings.topic, BAD)
    return settings


@pytest.fixture(scope="module")
def made(spark, settings):
    """What the jobs have said of the date."""
    return make(spark, settings)


def make(spark, settings):
    reports = {name: job.run(spark, config_of(settings, [DAY])).days[0] for name, job in JOBS.items()}
    assert all(report.published for report in reports.values()), reports
    return reports


def test_what_is_published_is_judged_as_its_job_has_judged_it(settings, made):
    audited = {name: report.audits for name, report in made.items()}
    published = {(one.asset, one.result.name): one.result for one in check_dates(settings, [DAY], list(JOBS))}
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


def test_a_date_is_read_and_checked_all_the_while_it_is_made_again(spark, settings, made):
    """Each table has its old rows or its new ones, and none is called wrong for not being of one making with others."""
    old = Look(settings)
    send_readings(settings, settings.topic, make_readings(DAY, ["INV0000009"], period_s=60))
    send(settings, settings.topic, BAD)
    done = threading.Event()
    with ThreadPoolExecutor(1) as reader:
        looks = reader.submit(lambda: [Look(settings) for _ in iter(done.is_set, True)])
        try:
            make(spark, settings)
        finally:
            done.set()
        looks, new = looks.result(), Look(settings)
    assert {name for name in new.rows if not new.rows[name].equals(old.rows[name])} == {table.name for table in TABLES}
    for name in new.rows:
        is_new = [look.rows[name].equals(new.rows[name]) for look in looks]
        assert is_new == sorted(is_new), name
        assert all(after or look.rows[name].equals(old.rows[name]) for after, look in zip(is_new, looks, strict=True))
    assert not set().union(*(look.errors for look in looks))
    between = set().union(*(look.warnings for look in looks)) - old.warnings - new.warnings
    assert between == {"verdicts_are_of_what_is_there"}


class Look:
    """What readers and checks see.

    Attributes
    ----------
    rows : dict of str to pa.Table
    errors, warnings : set of str
        The checks that fail.
    """

    def __init__(self, settings):
        self.rows = {table.name: read_dates(settings, table, [DAY]) for table in TABLES}
        failed = [one.result for one in check_dates(settings, [DAY], list(JOBS)) if not one.result.passed]
        self.errors = {one.name for one in failed if one.blocking}
        self.warnings = {one.name for one in failed} - self.errors
        assert read_fleet(settings, [DAY]).devices in (4, 5)
        assert DAY in read_lake(settings).dates
