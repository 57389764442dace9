"""What the operator is told of runs: real runs in Dagster's storage, real messages of an SNS topic in a queue."""

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from pvfault.errors import PvfaultError
from pvfault_api.fleet import FaultyDevice, Fleet, read_fleet
from pvfault_assets import notifications as module
from pvfault_assets.assembly import build_definitions
from pvfault_assets.instance import prepare_dagster_home
from pvfault_assets.notifications import REFUSED, TAG, UNKNOWN, UNSENT, Outcome, compose, notifications
from pvfault_messages.channels import channel_of
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from spark_jobs.job import DateReport
from tests.conftest import PROJECT
from tests.pvfault_api.helpers import day_of, make_table

DAYS = [date(2024, 6, 1) + timedelta(n) for n in range(3)]
TABLES = [dg.AssetKey(name) for name in ("readings", "scalograms", "predictions", "device_days")]
AUDITS = {job.NAME: job.AUDITS for job in (ingest_readings, compute_scalograms, classify_faults, summarise_device_days)}


class Reports:
    """Runs no job: reports what it is told to, and stands where EMR or Spark does."""

    def __init__(self, refuse=(), broken=None):
        self.refuse, self.broken = refuse, broken

    def run(self, job, dates, _context, on_date, **_options):
        if self.broken and job in ("compute_scalograms", "maintain_tables"):
            raise self.broken
        for day in dates:
            on_date(self._date(job, day))
        return {}

    def _date(self, job, day):
        refused = day in self.refuse and job == "ingest_readings"
        audits = tuple(
            audit.judge(not (audit.blocking and refused) and audit.name != "no_device_is_missing", "3 of 4 found")
            for audit in AUDITS.get(job, ())
        )
        return DateReport(day, 4, 1, published=not refused, audits=audits)


@pytest.fixture
def settings(inbox, make_settings, tmp_path):
    """Settings with an SNS topic, and verdicts on three days in the tables."""
    settings = make_settings(tmp_path, PVFAULT_SNS_TOPIC_ARN=inbox.arn, PVFAULT_FIRST_DATE="2024-06-01")
    rows = [
        *(day_of("INV0000001", 1 + n, "open_circuit", hour=7, hours=10, confidence=0.97, lost=9.5) for n in range(3)),
        *(day_of("INV0000002", 1 + n, "none") for n in range(3)),
        day_of("INV0000003", 1, "arc_fault", hour=9, hours=3, lost=1.25),
        day_of("INV0000004", 1),
    ]
    make_table(settings, rows)
    return settings


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def make_run(settings, instance, first, last=None, *, tags=None, assets=TABLES, **reports):
    """A run of one date, or of a range; gives its id."""
    job = build_definitions(settings, spark=Reports(**reports)).resolve_job_def("materialise_day")
    span = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    which = {"tags": span | (tags or {})} if last else {"partition_key": str(first), "tags": tags}
    return job.execute_in_process(
        instance=instance, asset_selection=assets, raise_on_error=False, **which
    ).run_id  # fmt: skip


@pytest.fixture
def run(settings, instance):
    return partial(make_run, settings, instance)


BEGINNING = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


def tick(settings, instance, cursor=BEGINNING):
    """One evaluation of the sensor; gives its next cursor."""
    (sensor,) = notifications(settings)
    return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor)).cursor


def test_a_made_date_is_told_with_its_faults_and_the_devices_that_lose_the_most(settings, instance, run, inbox):
    run_id = run(DAYS[0])
    tick(settings, instance)
    ((subject, text),) = inbox()
    assert subject == "pvfault: 2024-06-01 made, 2 of 4 devices faulty, 10.8 kWh lost"
    assert "open_circuit           1         9.5" in text
    assert "INV0000001 open_circuit     since 2024-06-01 07:00 UTC, 10 h, 9.5 kWh lost, 97% sure" in text
    assert text.index("INV0000001") < text.index("INV0000003")
    assert "Without a verdict, because of missing or unusable readings: 1 devices" in text
    assert "2024-06-01: readings, no_device_is_missing: 3 of 4 found" in text
    assert run_id in text


def test_a_failed_date_is_told_with_the_step_its_cause_and_what_is_there(settings, instance, run, inbox):
    run(DAYS[0], broken=PvfaultError("the driver has no memory; give it more"))
    tick(settings, instance)
    ((subject, text),) = inbox()
    assert subject == "pvfault: 2024-06-01 FAILED at scalograms"
    assert "scalograms: the driver has no memory; give it more" in text
    assert "2024-06-01  made: readings" in text


def test_a_mistake_of_our_own_is_told_too(settings, instance, run, inbox):
    run(DAYS[0], broken=ZeroDivisionError("division by zero"))
    tick(settings, instance)
    ((_, text),) = inbox()
    assert "division by zero" in text


def test_a_failed_upkeep_is_told_and_one_that_went_well_is_not(settings, instance, inbox):
    for broken in (PvfaultError("no room on the disk; free some"), None):
        upkeep = build_definitions(settings, spark=Reports(broken=broken)).resolve_job_def("maintain_tables")
        upkeep.execute_in_process(instance=instance, raise_on_error=False)
    tick(settings, instance)
    ((subject, text),) = inbox()
    assert subject == "pvfault: maintain_tables FAILED at table_upkeep"
    assert "table_upkeep: no room on the disk; free some" in text
    assert "Dates" not in text


def test_a_range_is_one_message_with_a_line_for_each_date(settings, instance, run, inbox):
    """A backfill of a hundred dates would be a hundred mails."""
    run(DAYS[0], DAYS[2])
    run(DAYS[0], DAYS[2], refuse=[DAYS[1]])
    tick(settings, instance)
    (subject, text), (refused_subject, refused_text) = inbox()
    assert subject == "pvfault: 2024-06-01 to 2024-06-03 made, 2 of 4 devices faulty, 29.8 kWh lost"
    assert "INV0000001 open_circuit     since 2024-06-01 07:00 UTC, 30 h, 28.5 kWh lost" in text
    assert [line for line in text.splitlines() if "made:" in line] == [
        f"  {day}  made: readings, scalograms, predictions, device_days" for day in DAYS
    ]
    assert refused_subject == "pvfault: 2024-06-01 to 2024-06-03 FAILED at device_days"
    assert "2024-06-02  made: nothing  REFUSED" in refused_text
    assert "2024-06-03  made: readings, scalograms, predictions, device_days" in refused_text
    assert "not_fewer_readings_than_before: 3 of 4 found" in refused_text


def test_nothing_is_told_twice_whatever_the_cursor(settings, instance, run, inbox):
    """A process that dies after sending leaves the cursor as it was."""
    run(DAYS[0])
    cursor = tick(settings, instance)
    assert len(inbox()) == 1
    for again in (cursor, BEGINNING, BEGINNING):
        tick(settings, instance, again)
    assert inbox() == []
    run(DAYS[0])  # somebody makes the date again: that is news
    tick(settings, instance, cursor)
    assert len(inbox()) == 1


def test_a_run_that_will_be_retried_is_told_by_its_last_attempt(settings, instance, run, inbox):
    run(DAYS[0], broken=PvfaultError("busy"), tags={"dagster/will_retry": "true"})
    tick(settings, instance)
    assert inbox() == []
    run(DAYS[0])
    tick(settings, instance)
    assert len(inbox()) == 1


def test_runs_of_before_the_first_tick_and_runs_without_dates_are_not_told(settings, instance, run, inbox):
    run(DAYS[0])
    cursor = tick(settings, instance, cursor=None)
    assert datetime.fromisoformat(cursor) <= datetime.now(UTC)
    job = build_definitions(settings).resolve_job_def("materialise_day")
    job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("device_registry")])
    tick(settings, instance, cursor)
    assert inbox() == []
    run(DAYS[1])
    tick(settings, instance, cursor)
    assert [subject.split()[1] for subject, _ in inbox()] == [str(DAYS[1])]


def test_a_message_that_sns_refuses_is_sent_with_the_next_tick(settings, instance, run, inbox):
    run_id = run(DAYS[0])
    gone = replace(settings, sns_topic_arn=f"{settings.sns_topic_arn}-gone")
    with pytest.raises(PvfaultError, match=r"-gone does not take the message.*sns:Publish"):
        tick(gone, instance)
    assert inbox() == []
    tick(settings, instance)
    assert len(inbox()) == 1
    assert instance.get_run_by_id(run_id).tags[TAG].count("-") == 4  # the message's id


@contextmanager
def on_the_way_to(url, *, refuse=None, kill=()):
    """A way to SNS on which messages with a word are refused, or their sender is killed once SNS has one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if refuse and refuse.encode() in body:
                self.answer(400, WRONG)
                return
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            request = urllib.request.Request(url, body, headers)  # noqa: S310
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                content = answer.read()
            for process in kill:
                os.kill(process, signal.SIGKILL)
            self.answer(200, content)

        def answer(self, status, content):
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


WRONG = b"""<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>
<Code>InvalidParameter</Code><Message>Invalid parameter: Message</Message></Error></ErrorResponse>"""


def test_a_message_that_sns_finds_wrong_is_given_up_once_sns_takes_another(
    settings, instance, run, inbox, aws, monkeypatch
):
    """Alone it may be the topic's name that is wrong. It would be refused for ever, and hold up all behind it."""
    wrong = run(DAYS[0])
    with on_the_way_to(aws.environment["AWS_ENDPOINT_URL"], refuse=str(DAYS[0])) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", url)
        with pytest.raises(PvfaultError, match=rf"does not take the message on the run {wrong}: .*InvalidParameter"):
            tick(settings, instance)
        assert instance.get_run_by_id(wrong).tags[TAG] == UNSENT
        run(DAYS[1])
        tick(settings, instance)
        run(DAYS[2])
        tick(settings, instance)
    assert [subject.split()[1] for subject, _ in inbox()] == [str(day) for day in DAYS[1:]]
    assert instance.get_run_by_id(wrong).tags[TAG] == REFUSED


TICK = """
import os, sys
from pathlib import Path
import dagster as dg
from pvfault.settings import Settings
from pvfault_assets.notifications import notifications
(sensor,) = notifications(Settings.from_environment(os.environ, Path.cwd()))
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=sys.argv[2]))
"""


def test_a_process_that_is_killed_while_it_sends_leads_to_no_second_message(settings, inbox, aws):
    home = str(prepare_dagster_home(settings))
    with dg.DagsterInstance.from_config(home) as instance:
        run_id = make_run(settings, instance, DAYS[0])
        victim = []
        with on_the_way_to(aws.environment["AWS_ENDPOINT_URL"], kill=victim) as url:
            environment = {
                **aws.environment, "AWS_ENDPOINT_URL_SNS": url, "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT),
                "PVFAULT_HOME": str(settings.home), "PVFAULT_SNS_TOPIC_ARN": settings.sns_topic_arn,
            }  # fmt: skip
            process = subprocess.Popen([sys.executable, "-c", TICK, home, BEGINNING], env=environment)
            victim.append(process.pid)
            assert process.wait(60) == -signal.SIGKILL
        assert len(inbox()) == 1
        for _ in range(2):
            tick(settings, instance)
        assert inbox() == []
        assert instance.get_run_by_id(run_id).tags[TAG] == UNKNOWN


def test_faults_that_cannot_be_read_hold_up_no_message(settings, instance, run, inbox):
    """A file of verdicts that is damaged stays so: the message would be tried for ever, and the one behind it too."""
    run(DAYS[0])
    run(DAYS[1])
    (file,) = settings.warehouse.rglob("*.parquet")
    file.write_bytes(b"\0" * file.stat().st_size)
    tick(settings, instance)
    messages = inbox()
    assert [subject for subject, _ in messages] == [f"pvfault: {day} made" for day in DAYS[:2]]
    assert all("The faults could not be read: " in text and f"{file.name} is damaged" in text for _, text in messages)
    tick(settings, instance)
    assert inbox() == []


DIE_OVER_FAULTS = (
    """
import os, signal
import pvfault_assets.notifications as module
module.read_fleet = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
    + TICK
)


def test_a_process_that_is_killed_over_the_faults_of_a_run_leads_to_a_message_without_them(settings, inbox, aws):
    """A system that is out of memory kills the process, whenever it comes to this run."""
    home = str(prepare_dagster_home(settings))
    with dg.DagsterInstance.from_config(home) as instance:
        make_run(settings, instance, DAYS[0])
        make_run(settings, instance, DAYS[1])
        environment = {
            **aws.environment, "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT),
            "PVFAULT_HOME": str(settings.home), "PVFAULT_SNS_TOPIC_ARN": settings.sns_topic_arn,
        }  # fmt: skip
        killed = subprocess.run(
            [sys.executable, "-c", DIE_OVER_FAULTS, home, BEGINNING], env=environment, timeout=60, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        assert inbox() == []
        tick(settings, instance)
        (subject, text), (next_subject, _) = inbox()
    assert subject == "pvfault: 2024-06-01 made"
    assert "The faults could not be read: the process that read them was ended" in text
    assert next_subject == "pvfault: 2024-06-02 made, 1 of 2 devices faulty, 9.5 kWh lost"


def test_a_tick_that_takes_so_long_that_the_next_one_begins_sends_no_second_message(
    settings, instance, run, inbox, monkeypatch
):
    """Dagster gives up a tick after a minute and does not end it."""
    run(DAYS[0])

    def read_slowly(*arguments):
        tick(settings, instance)
        return read_fleet(*arguments)

    monkeypatch.setattr(module, "read_fleet", read_slowly)
    tick(settings, instance)
    assert len(inbox()) == 1


def test_without_a_topic_there_is_no_sensor(settings):
    silent = replace(settings, sns_topic_arn=None)
    assert notifications(silent) == []
    assert "tell_operator" not in [sensor.name for sensor in build_definitions(silent).sensors]
    sensor = build_definitions(settings).resolve_sensor_def("tell_operator")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_the_largest_message_is_one_that_sns_takes(settings):
    """SNS takes 256 KB of text, and as a subject one line of 100 ASCII characters."""
    days = tuple(date(2020, 1, 1) + timedelta(n) for n in range(2000))
    long = "Größe \x1b[31m\n" * 100_000
    outcome = Outcome(
        run_id="0" * 36, job="materialise_day", dates=days, succeeded=False, seconds=1e6,
        made=dict.fromkeys(days, ["readings"] * 9), failures={f"step_{n}_{'x' * 50}": long for n in range(9)},
        refused=dict.fromkeys(days, long), warnings=[long] * 5000,
    )  # fmt: skip
    onset = datetime(2024, 6, 1, 9, tzinfo=UTC)
    faulty = [FaultyDevice(f"INV{n:07d}", "arc_fault", onset, 3, 0.9, 1.0) for n in range(10_000)]
    subject, text = compose(outcome, Fleet(10_000, 0, faulty))
    assert "The 10 that lose the most" in text
    assert len(compose(outcome, long)[1].encode()) < 256 * 1024
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()
    assert len(text.encode()) < 256 * 1024
    assert "\x1b" not in text
    assert channel_of(settings).send(subject, text)
