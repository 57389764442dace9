"""A topic as a job reads it: where a time is found, on Amazon MSK (what clients really sign), of a broker that dies."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pvfault.broker_access import BrokerAccess
from pvfault.errors import TransientError
from pvfault_gateway.broker import free_port, start, stop
from pvfault_gateway.topics import ensure_topic
from spark_jobs.job import JobReport
from spark_jobs.topic import OffsetRange, Topic
from spark_jobs.transient import raised_as_transient
from tests.conftest import AWS_KEYS, OF_JAVA, PROJECT
from tests.spark_jobs.helpers import DEVICES, avro, make_readings, midnight, send, send_readings
from tests.standins.msk import TRUSTSTORE_PASSWORD

pytestmark = [pytest.mark.broker, pytest.mark.spark]

DAY = date(2024, 7, 1)
# The job as its own file starts it, but with more patience: on a slow machine the first sign-in, for which Java loads
# some thousand classes, takes longer than a broker is waited for.
JOB = """
from spark_jobs import job, topic

topic._ANSWER_WITHIN_MS = 300_000
job.main("ingest_readings")
"""


@pytest.fixture
def submit(msk, make_settings, tmp_path):
    """Run ingest by `spark-submit`, with the JVM packages given as a release gives them, against the cluster."""
    settings = make_settings(tmp_path, PVFAULT_BROKER=msk.plain_servers, PVFAULT_TOPIC=f"test-{tmp_path.name}")
    jars = [*(settings.jars / "spark").glob("*.jar"), *(settings.jars / "aws").glob("aws-msk-iam-auth-*.jar")]
    (job_file := tmp_path / "job.py").write_text(JOB)
    ensure_topic(settings)
    send_readings(settings, settings.topic, make_readings(DAY, DEVICES[:1]))

    def run():
        ((access_key, secret),) = AWS_KEYS.items()
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "PVFAULT_HOME": str(settings.home),
            "PVFAULT_JARS": str(settings.jars),
            "PVFAULT_TOPIC": settings.topic,
            "PVFAULT_BROKER": msk.servers,
            "PVFAULT_BROKER_IAM_REGION": msk.region,
            **OF_JAVA,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
            # The signer takes the region from a broker's name, which here is none of Amazon's.
            "AWS_REGION": msk.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={msk.truststore} "
            f"-Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}",
        }
        spark_submit = shutil.which("spark-submit", path=Path(sys.executable).parent)
        command = [spark_submit, "--jars", ",".join(map(str, jars)), job_file, "--dates", str(DAY)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_job_reads_a_date_from_a_cluster_that_knows_it_by_iam(submit, msk):
    done = submit()
    # `spark-submit` sends what Python writes to stderr to stdout.
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    report = JobReport.from_json(done.stdout.strip().splitlines()[-1])
    assert (report.days[0].rows, report.days[0].published) == (4320, True)
    # A client of an earlier test may still try to sign in, by the mechanism that Python's clients use.
    signed_in = [each.access_key for each in msk.gate.accepted if each.mechanism == "AWS_MSK_IAM"]
    assert set(signed_in) == set(AWS_KEYS)
    # The check before Spark's source, and the source itself: one alone would leave the other without a test.
    assert len(signed_in) >= 3
    assert "AWS_MSK_IAM" not in {mechanism for mechanism, _ in msk.gate.refused}


class Impatient(BrokerAccess):
    """The same, for clients that wait for 3 s where others wait for a minute or two."""

    def java_options(self):
        return super().java_options() | {"default.api.timeout.ms": "3000", "request.timeout.ms": "2000"}


@pytest.fixture
def impatient_tasks(spark):
    """Tasks that wait for 3 s where others wait for two minutes; Spark reads this when it plans them."""
    conf = spark.sparkContext._jvm.org.apache.spark.SparkEnv.get().conf()
    conf.set("spark.network.timeout", "3s")
    yield
    conf.remove("spark.network.timeout")


@pytest.mark.usefixtures("impatient_tasks")
@pytest.mark.parametrize("planned_before", [False, True])
def test_a_broker_that_falls_silent_while_it_is_read_may_answer_again(spark, tmp_path, make_settings, planned_before):
    """It was asked whether it is there, and dies behind that: one kill of a broker is no mistake of a user."""
    settings = make_settings(tmp_path, PVFAULT_BROKER=f"localhost:{(port := free_port())}")
    start(settings, port=port, java_home=os.environ.get("JAVA_HOME"))
    try:
        ensure_topic(settings, partitions=1)
        send_readings(settings, settings.topic, make_readings(DAY, DEVICES[:1]))
        topic = Topic(spark, Impatient(settings.broker), settings.topic)
        records = topic.read([OffsetRange(0, topic.begins[0], topic.ends[0])])
        if planned_before:
            records._jdf.queryExecution().executedPlan()
    finally:
        stop(settings)
    with pytest.raises(TransientError, match="broker has stopped answering") as told, raised_as_transient():
        records.collect()
    asked_by = "waiting for a node" if not planned_before else "position for partition"  # the plan, or the task
    assert asked_by in str(told.value)


@pytest.fixture
def look_up(spark, lake_settings, topic):
    """Where a time is found in the one partition that was sent to."""

    def look_up(at, *, partition):
        return Topic(spark, lake_settings.broker_access, topic).first_offsets(at)[partition]

    return look_up


def minutely(first, n):
    times = [first + timedelta(minutes=minute) for minute in range(n)]
    return [(b"k", avro(DEVICES[0], at), at) for at in times]


def test_a_time_before_the_topic_or_in_a_gap_is_found_without_reading_all_behind_it(
    lake_settings, topic, look_up, monkeypatch
):
    """A topic of a week has some 300 million records, and each date of a backfill may ask."""
    resumed = DAY + timedelta(days=5)
    sent = send(lake_settings, topic, [*minutely(midnight(DAY), 300), *minutely(midnight(resumed), 300)])
    monkeypatch.setattr(Topic, "read", lambda *_: pytest.fail("records were read to look up a time"))
    ((partition, first), *_), (_, after_gap) = sent, sent[300]
    assert look_up(datetime(2000, 1, 1, tzinfo=UTC), partition=partition) == first
    assert look_up(midnight(DAY) - timedelta(days=3), partition=partition) == first
    assert look_up(midnight(DAY) + timedelta(days=2), partition=partition) == after_gap
    assert look_up(datetime.now(UTC) + timedelta(days=1), partition=partition) == first + len(sent)


def test_a_gateway_whose_clock_is_days_ahead_for_a_while_does_not_move_later_dates(lake_settings, topic, look_up):
    """What it sends at once is more than is looked at first."""
    day = DAY + timedelta(days=30)
    ahead = minutely(midnight(day) + timedelta(days=4), 200)
    sent = send(lake_settings, topic, [*minutely(midnight(day), 60), *ahead, *minutely(midnight(day), 3000)])
    partition, _ = sent[0]
    _, second_day = sent[60 + 200 + 1440]
    assert look_up(midnight(day + timedelta(days=1)), partition=partition) == second_day
