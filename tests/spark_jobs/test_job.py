"""Jobs from outside: the same file by `spark-submit`, by plain Python and over Dagster Pipes."""

import json
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from pvfault.checks.check import Check
from pvfault.errors import PvfaultError, TransientError
from pvfault.settings import Settings
from spark_jobs import job
from spark_jobs.job import DateReport, JobConfig, JobReport
from spark_jobs.messages import from_message, to_message
from tests.spark_jobs.helpers import DEVICES, make_readings, send_readings

JOB_FILE = Path(job.__file__).with_name("ingest_readings.py")
DAY = date(2024, 7, 1)

A_REPORT = JobReport(
    "job",
    (
        DateReport(DAY, 5, 7_000_000_000_000_000_001, published=True, seconds=1.5, figures={"bytes": 3}),
        DateReport(DAY, 0, None, published=False, audits=(Check("a", "b", "c", blocking=True).judge(False, "c", n=1),)),
    ),
)


def test_a_report_survives_its_way_as_text():
    assert JobReport.from_json(A_REPORT.to_json()) == A_REPORT


@pytest.mark.parametrize("said", [*A_REPORT.days, PvfaultError("mend it"), TransientError("wait")], ids=repr)
def test_what_a_job_says_survives_its_way_as_a_message(said):
    """Whether a mistake may pass by itself is known to the job alone."""
    heard = from_message(json.loads(json.dumps(to_message(said))))
    assert (type(heard), str(heard)) == (type(said), str(said))
    assert heard == said or isinstance(said, Exception)


@pytest.mark.parametrize(
    "value",
    [
        np.int64(3),
        np.float64(0.5),
        np.bool_(True),
        np.str_("a"),
        float("nan"),
        DAY,
        (1, 2),
        {1: 2},
        [np.int32(1)],
        b"a",
    ],
    ids=repr,
)
def test_a_figure_that_json_would_not_give_back_is_refused_before_its_date_is_published(value):
    """NumPy's integers come of counting; Dagster refused them when the date was published already."""
    with pytest.raises(TypeError, match=r"late, count: .*expected"):
        Check("late", "", "").judge(True, "", count=value)
    with pytest.raises(TypeError, match=f"{DAY}.*expected"):
        DateReport(DAY, 1, 1, published=False, figures={"found": value})


def test_each_date_is_reported_before_the_next_one_is_made():
    """What ends a range early must leave nothing untold."""
    happened = []

    def make(day):
        happened.append(f"made {day}")
        if day == DAY + timedelta(2):
            raise ZeroDivisionError
        return DateReport(day, 1, 1, published=True)

    config = JobConfig(tuple(DAY + timedelta(n) for n in range(3)), "", "", 2.0, "", "")
    with pytest.raises(ZeroDivisionError):
        job.run_dates("job", config, make, lambda report: happened.append(f"reported {report.day}"))
    assert happened == [
        "made 2024-07-01", "reported 2024-07-01", "made 2024-07-02", "reported 2024-07-02", "made 2024-07-03",
    ]  # fmt: skip


def test_a_date_that_cannot_be_made_is_reported_and_the_others_go_on():
    def make(day):
        if day == DAY:
            raise PvfaultError("a file is damaged; make it again")
        return DateReport(day, 1, 1, published=True)

    config = JobConfig((DAY, DAY + timedelta(1)), "", "", 2.0, "", "")
    report = job.run_dates("job", config, make)
    assert [day.stopped_by for day in report.days] == ["a file is damaged; make it again", ""]


def test_what_may_pass_by_itself_ends_the_range():
    """It would stop the next date too, and whoever runs the job tries again later."""

    def make(_day):
        raise TransientError("the broker is silent; wait")

    with pytest.raises(TransientError):
        job.run_dates("job", JobConfig((DAY, DAY), "", "", 2.0, "", ""), make)


def test_only_failed_blocking_audits_are_refusals():
    audits = (
        Check("a", "", "", blocking=True).judge(True, ""),
        Check("b", "", "", blocking=True).judge(False, ""),
        Check("c", "", "").judge(False, ""),
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


def test_a_range_that_is_written_backwards_is_refused_with_what_to_do(tmp_path, capsys):
    with pytest.raises(SystemExit):
        job.parse_arguments("job", Settings.from_environment({}, tmp_path), ["--dates", "2024-07-02..2024-07-01"])
    assert "ends before it begins; write the earlier date first" in capsys.readouterr().err


def test_the_remedy_is_told_only_when_it_is_needed():
    audit = Check("a", "", "mend it")
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
    day, next_day = date(2024, 7, 2), date(2024, 7, 3)
    send_readings(lake_settings, topic, make_readings(day, DEVICES[:1]))
    send_readings(lake_settings, topic, make_readings(next_day, DEVICES[:1]))

    @dg.op
    def run_by_pipes(context: dg.OpExecutionContext, pipes: dg.PipesSubprocessClient):
        command = [sys.executable, str(JOB_FILE), "--dates", f"{day}..{next_day}", "--topic", topic]
        return pipes.run(command=command, context=context, env=environment).get_custom_messages()

    @dg.job(resource_defs={"pipes": dg.PipesSubprocessClient()})
    def pipes_job():
        run_by_pipes()

    messages = pipes_job.execute_in_process().output_for_node("run_by_pipes")
    reports = [from_message(message) for message in messages]
    assert [(report.day, report.rows, report.published) for report in reports] == [
        (day, 4320, True),
        (next_day, 4320, True),
    ]


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
