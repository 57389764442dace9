"""Jobs from outside: the same file by `spark-submit`, by plain Python and over Dagster Pipes."""

import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from pvfault.settings import Settings
from spark_jobs import job
from spark_jobs.job import Audit, DateReport, JobConfig, JobReport
from tests.spark_jobs.helpers import DEVICES, make_readings, send_readings

JOB_FILE = Path(job.__file__).with_name("ingest_readings.py")
DAY = date(2024, 7, 1)

A_REPORT = JobReport(
    "job",
    (
        DateReport(DAY, 5, 7_000_000_000_000_000_001, published=True, seconds=1.5, figures={"bytes": 3}),
        DateReport(DAY, 0, None, published=False, audits=(Audit("a", "b", "c", blocking=True).judge(False, "c", n=1),)),
    ),
)


def test_a_report_survives_its_way_as_text():
    assert JobReport.from_json(A_REPORT.to_json()) == A_REPORT


@pytest.mark.parametrize("figure", [np.int64(3), np.float32(0.5), datetime(2024, 7, 1, tzinfo=UTC), {1, 2}])
def test_a_report_refuses_what_would_only_look_like_a_number(figure):
    """A count that becomes text on its way is no count any more where it arrives."""
    report = JobReport("job", (DateReport(DAY, 5, 1, published=True, figures={"n": figure}),))
    with pytest.raises(TypeError, match="a report cannot hold"):
        report.to_json()


def test_only_failed_blocking_audits_are_refusals():
    audits = (
        Audit("a", "", "", blocking=True).judge(True, ""),
        Audit("b", "", "", blocking=True).judge(False, ""),
        Audit("c", "", "").judge(False, ""),
    )
    assert [result.name for result in DateReport(DAY, 1, 1, published=False, audits=audits).refusals] == ["b"]


def test_the_command_line_takes_its_defaults_from_the_settings(tmp_path):
    settings = Settings.from_environment({"PVFAULT_TOPIC": "mine", "PVFAULT_LATENESS_HOURS": "3.5"}, tmp_path)
    config = job.parse_arguments("job", settings, ["--dates", "2024-07-01", "2024-07-02", "--broker", "b:1"])
    assert config.dates == (DAY, date(2024, 7, 2))
    assert (config.topic, config.broker, config.lateness_hours) == ("mine", "b:1", 3.5)
    assert config.allow_fewer is False


def test_a_configuration_survives_its_way_as_arguments(tmp_path):
    """A runner on another machine hands it over this way; thousands of dates must not make thousands of arguments."""
    days = [date(2024, 1, 1) + timedelta(n) for n in range(2000) if n != 700]
    settings = Settings.from_environment({"PVFAULT_TOPIC": "mine", "PVFAULT_LATENESS_HOURS": "3.5"}, tmp_path)
    config = JobConfig.from_settings(settings, days, allow_fewer=True)
    arguments = job.to_arguments(config)
    assert len(arguments) < 20
    other = Settings.from_environment({}, tmp_path / "elsewhere")
    assert job.parse_arguments("job", other, arguments) == config


@pytest.mark.parametrize("dates", ["2024-07-02..2024-07-01", "2024-07-01..", "July", "..2024-07-01"])
def test_dates_that_are_none_are_refused(tmp_path, dates, capsys):
    with pytest.raises(SystemExit):
        job.parse_arguments("job", Settings.from_environment({}, tmp_path), ["--dates", dates])
    assert dates in capsys.readouterr().err


def test_the_remedy_is_told_only_when_it_is_needed():
    audit = Audit("a", "", "mend it")
    assert audit.judge(True, "0 found").summary == "0 found"
    assert audit.judge(False, "3 found").summary == "3 found; mend it"


def submit(command, environment, *arguments):
    return subprocess.run(
        [*command, str(JOB_FILE), *arguments], env=environment, capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.broker
@pytest.mark.spark
def test_a_job_runs_by_spark_submit_and_prints_its_report(lake_settings, topic, environment):
    send_readings(lake_settings, topic, make_readings(DAY, DEVICES[:1]))
    spark_submit = shutil.which("spark-submit", path=Path(sys.executable).parent)
    jars = str(lake_settings.jars / "spark" / "*")
    done = submit([spark_submit, "--driver-class-path", jars], environment, "--dates", str(DAY), "--topic", topic)
    assert done.returncode == 0, done.stderr[-3000:]
    report = JobReport.from_json(done.stdout.strip().splitlines()[-1])
    assert (report.job, report.days[0].rows, report.days[0].published) == ("ingest_readings", 4320, True)


@pytest.mark.broker
@pytest.mark.spark
# Dagster's own Pipes client calls a part of itself that is still called a preview.
@pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.PreviewWarning")
def test_a_job_reports_over_dagster_pipes(lake_settings, topic, environment):
    day = date(2024, 7, 2)
    send_readings(lake_settings, topic, make_readings(day, DEVICES[:1]))

    @dg.op
    def run_by_pipes(context: dg.OpExecutionContext, pipes: dg.PipesSubprocessClient):
        command = [sys.executable, str(JOB_FILE), "--dates", str(day), "--topic", topic]
        return pipes.run(command=command, context=context, env=environment).get_custom_messages()[0]

    @dg.job(resource_defs={"pipes": dg.PipesSubprocessClient()})
    def pipes_job():
        run_by_pipes()

    message = pipes_job.execute_in_process().output_for_node("run_by_pipes")
    assert (message["job"], message["days"][0]["rows"], message["days"][0]["published"]) == (
        "ingest_readings",
        4320,
        True,
    )


@pytest.mark.spark
def test_a_users_mistake_is_one_message_and_exit_code_2(environment, closed_port):
    done = submit([sys.executable], environment, "--dates", str(DAY), "--broker", f"localhost:{closed_port}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"error: no Kafka broker answered at localhost:{closed_port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_of_the_wrong_form_is_one_message_and_exit_code_2(environment):
    done = submit([sys.executable], environment | {"PVFAULT_LATENESS_HOURS": "soon"}, "--dates", str(DAY))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "PVFAULT_LATENESS_HOURS is 'soon', expected a number of hours" in done.stderr
