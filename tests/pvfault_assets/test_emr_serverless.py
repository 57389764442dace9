"""The runner of AWS against a service that answers as EMR Serverless does: what happens when things go wrong.

Jobs are small Python programs, started by a real `spark-submit`: what is tried here is the way to the job and back. The
jobs themselves run in `test_materialise_on_aws.py`.
"""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import boto3
import dagster as dg
import pytest
from botocore.exceptions import ClientError

from pvfault_assets.assembly import build_definitions
from pvfault_assets.resources.amazon import Patience
from pvfault_assets.resources.emr_serverless_runner import EmrServerlessRunner
from tests.conftest import OF_JAVA, PROJECT
from tests.pvfault_assets.on_aws import settings_on_aws, upload_release
from tests.standins.emr_serverless import ApiError, EmrServerless, serving

pytestmark = pytest.mark.spark

HURRY = Patience(retry_first_s=0.02, retry_most_s=0.1, poll_first_s=0.05, poll_most_s=0.2, logs_s=1.0, grace_s=15)

# What a job's program begins with: its dates, and how it reports them. A date has as many rows as its day of the month.
PREAMBLE = """\
import os, sys, time
from pathlib import Path
from pvfault.settings import Settings
from pvfault.checks.check import Check
from spark_jobs.job import DateReport, parse_arguments
from spark_jobs.messages import connected_to_dagster

config = parse_arguments("job", Settings.from_environment(os.environ, Path.cwd()), sys.argv[1:])

def report(send, days=config.dates, **changes):
    for day in days:
        send(DateReport(day, day.day, 70, **{"published": True} | changes))

"""
REPORTS = "with connected_to_dagster() as send:\n    report(send)\n"
WAITS = "with connected_to_dagster() as send:\n    print('at work', flush=True)\n    time.sleep(120)\n"
RECORDED = dg.DagsterEventType.ASSET_MATERIALIZATION
EMPTY_JAR = b"PK\5\6" + bytes(18)


@pytest.fixture
def emr(aws, monkeypatch):
    """The stand-in of EMR Serverless, whose jobs find the test's S3 and Glue."""
    service = EmrServerless(aws.environment)
    with serving(service) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", url)
        yield service


@pytest.fixture
def settings(aws, emr, tmp_path):
    return settings_on_aws(tmp_path, aws, emr.application)


@pytest.fixture
def program(aws):
    """Make the program of the `readings` job."""

    def write(text, **files):
        content = PREAMBLE + textwrap.dedent(text)
        upload_release(aws, {"jobs/ingest_readings.py": content.encode(), "jars/none.jar": EMPTY_JAR})

    return write


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(settings, instance):
    """Materialise a day, or a range, of `readings`."""

    def materialise(first="2024-06-01", last=None, patience=HURRY, spark=None, raise_on_error=False, retries=0):
        which = {"partition_key": first}
        if last:
            days = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
            which = {"tags": days}
        definitions = build_definitions(
            settings, spark=spark or EmrServerlessRunner(settings, patience), retries=dg.RetryPolicy(retries)
        )
        return definitions.resolve_job_def("materialise_day").execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("readings")], raise_on_error=raise_on_error, **which
        )

    return materialise


def metadata_of(instance, result, kind):
    """What is recorded of each date, a later record over an earlier one."""
    found = {}
    for entry in instance.all_logs(result.run_id, of_type=kind):
        data = entry.dagster_event.event_specific_data
        event = data.materialization if kind == RECORDED else data.asset_observation
        found.setdefault(event.partition, {}).update({key: value.value for key, value in event.metadata.items()})
    return found


def materialisations(instance, result):
    return metadata_of(instance, result, RECORDED)


def costs(instance, result):
    return metadata_of(instance, result, dg.DagsterEventType.ASSET_OBSERVATION)


def failure_of(run, *dates, **options) -> dg.Failure:
    """What Dagster is told by a run that fails."""
    with pytest.raises(dg.Failure) as failure:
        run(*dates, **options, raise_on_error=True)
    return failure.value


def log_of(instance, result):
    return "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))


def once(condition, act):
    """Do something in a thread as soon as a condition holds."""

    def wait():
        until(condition)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def dates_of_job(job_run):
    return job_run.request["jobDriver"]["sparkSubmit"]["entryPointArguments"][1]


def is_at_work(emr):
    """The first job's program has begun."""
    return any(job_run.has_said("at work") for job_run in emr.runs[:1])


# --- the way there and back


def test_a_day_is_reported_with_what_its_job_run_took_and_costs(run, program, emr, instance):
    program(REPORTS)
    result = run()
    assert result.success
    ((day, metadata),) = materialisations(instance, result).items()
    taken = costs(instance, result)[day]
    (job_run,) = emr.runs
    assert job_run.history == ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS"]
    assert (day, metadata["dagster/partition_row_count"], metadata["job_run"]) == ("2024-06-01", 1, job_run.job_run_id)
    # By hand: 8 vCPU and 32 GB for the minute that is billed at least.
    assert taken["job_run_vcpu_hours"] == pytest.approx(8 / 60, abs=1e-4)
    assert taken["job_run_dollars"] == pytest.approx((8 * 0.052624 + 32 * 0.0057785) / 60, abs=1e-4)
    assert "emr/applications/" in metadata["console"]
    # The dashboard's address carries a token: whoever reads the log would be signed in.
    assert "GetDashboardForJobRun" not in emr.calls
    assert "oken=" not in log_of(instance, result)


def test_a_job_without_dates_of_its_own_is_a_job_run_too(aws, settings, emr, instance):
    """Upkeep is of all dates at once, and is told with what it costs like any other job."""
    counts = '{"readings": {"snapshots": 3}}'
    program = f"with connected_to_dagster() as send:\n    report(send, published=False, figures={counts})\n"
    upload_release(aws, {"jobs/maintain_tables.py": (PREAMBLE + program).encode(), "jars/none.jar": EMPTY_JAR})
    definitions = build_definitions(settings, spark=EmrServerlessRunner(settings, HURRY))
    result = definitions.resolve_job_def("maintain_tables").execute_in_process(instance=instance)
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert [row.data for row in metadata["tables"].records] == [{"table": "readings", "snapshots": 3}]
    assert metadata["job_run_dollars"].value > 0
    (job_run,) = emr.runs
    assert job_run.request["jobDriver"]["sparkSubmit"]["entryPoint"].endswith("/jobs/maintain_tables.py")


def test_a_range_is_one_job_run_and_each_date_has_its_own_figures(run, program, emr, instance):
    program(REPORTS)
    made = materialisations(instance, result := run("2024-06-29", "2024-07-02"))
    assert {day: metadata["dagster/partition_row_count"] for day, metadata in made.items()} == {
        "2024-06-29": 29, "2024-06-30": 30, "2024-07-01": 1, "2024-07-02": 2,
    }  # fmt: skip
    assert {day: taken["job_run_dates"] for day, taken in costs(instance, result).items()} == dict.fromkeys(made, 4)
    assert len(emr.runs) == 1


def test_runs_of_one_runner_do_not_read_each_others_messages(run, program, emr, settings, instance):
    """With one reader for all, a second run would take up counting where the first one stopped, and hear nothing."""
    program(REPORTS)
    runner = EmrServerlessRunner(settings, HURRY)
    for day in (3, 4):
        made = materialisations(instance, run(f"2024-06-0{day}", spark=runner))
        assert made[f"2024-06-0{day}"]["dagster/partition_row_count"] == day


def test_the_drivers_log_is_shown_while_the_job_runs(run, program, tmp_path, monkeypatch):
    """The job ends only after its first line was shown: a log that came afterwards would never let it end."""
    shown = tmp_path / "shown"

    class Watch(io.StringIO):
        def write(self, text):
            if "half way" in text:
                shown.touch()
            return super().write(text)

    program(f"""
        with connected_to_dagster() as send:
            print("half way", flush=True)
            for _ in range(600):
                if Path({str(shown)!r}).exists():
                    break
                time.sleep(0.1)
            else:
                sys.exit("nobody saw it")
            print("all the way", flush=True)
            report(send)
        """)
    monkeypatch.setattr(sys, "stdout", watch := Watch())
    assert run().success
    assert "half way\nall the way\n" in watch.getvalue()


def test_nothing_is_asked_before_the_first_job(settings, monkeypatch, run):
    """Definitions are loaded every few seconds, and where there is neither region nor network."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    runner = build_definitions(settings).resources["spark"]
    assert isinstance(runner, EmrServerlessRunner)
    assert "no region is set" in failure_of(run, spark=runner).description


# --- jobs that fail


def test_a_spark_error_is_told_with_its_cause_and_where_the_log_is(run, program, emr):
    program("""
        from pyspark.sql import SparkSession

        with connected_to_dagster() as send:
            spark = SparkSession.builder.getOrCreate()
            spark.range(10).selectExpr("raise_error('disk of the plant is full')").collect()
        """)
    failure = failure_of(run, retries=2)
    assert "disk of the plant is full" in failure.description
    assert "disk of the plant is full" in failure.metadata["driver_log"].value
    assert "Traceback" in failure.metadata["driver_log"].value
    assert emr.runs[0].job_run_id in failure.metadata["console"].value
    assert failure.metadata["job_run_vcpu_hours"].value > 0
    assert len(emr.runs) == 1, "an error of the program's own would come again"


def test_a_job_killed_in_the_middle_is_a_failure_and_nothing_is_made(run, program, emr):
    program(WAITS)
    killing = once(lambda: is_at_work(emr), lambda: emr.kill(emr.runs[0]))
    failure = failure_of(run)
    killing.join()
    assert "failed on EMR Serverless" in failure.description
    assert emr.runs[0].history[-2:] == ["RUNNING", "FAILED"]


def test_a_lost_job_is_tried_again_for_the_dates_that_it_has_not_made(run, program, emr, instance, tmp_path):
    """What it had published is recorded, and not made twice."""
    first_time = tmp_path / "first"
    program(f"""
        first_time = Path({str(first_time)!r})
        with connected_to_dagster() as send:
            if first_time.exists():
                report(send)
            else:
                first_time.touch()
                report(send, days=config.dates[:2])
                print("at work", flush=True)
                time.sleep(120)
        """)
    killing = once(lambda: is_at_work(emr), lambda: emr.kill(emr.runs[0]))
    result = run("2024-06-01", "2024-06-04", retries=2)
    killing.join()
    assert result.success
    assert [dates_of_job(job_run) for job_run in emr.runs] == ["2024-06-01..2024-06-04", "2024-06-03..2024-06-04"]
    made = {day: metadata["job_run"] for day, metadata in materialisations(instance, result).items()}
    lost, again = (job_run.job_run_id for job_run in emr.runs)
    assert made == {"2024-06-01": lost, "2024-06-02": lost, "2024-06-03": again, "2024-06-04": again}


def test_a_date_is_recorded_while_the_job_is_at_work(run, program, instance, tmp_path):
    """The job goes on only after its first date was recorded."""
    program(f"""
        with connected_to_dagster() as send:
            report(send, days=config.dates[:1])
            until = time.monotonic() + 100
            while not Path({str(tmp_path / "go")!r}).exists() and time.monotonic() < until:
                time.sleep(0.1)
            report(send, days=config.dates[1:])
        """)

    def is_recorded():
        (started,) = instance.get_runs() or [None]
        return started and "2024-06-01" in materialisations(instance, started)

    waiting = once(is_recorded, (tmp_path / "go").touch)
    result = run("2024-06-01", "2024-06-02")
    waiting.join()
    assert result.success
    assert (tmp_path / "go").exists()


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(run, program, emr, instance, tmp_path):
    """Whether a mistake may pass is known to the job alone."""
    program(f"""
        import spark_jobs.ingest_readings, spark_jobs.job, spark_jobs.session
        from pvfault.errors import PvfaultError, TransientError

        def run(spark, config, on_date):
            first_time = Path({str(tmp_path / "first")!r})
            if first_time.exists():
                raise PvfaultError("the topic is empty; fill it")
            first_time.touch()
            raise TransientError("the broker is silent; wait")

        spark_jobs.ingest_readings.run = run
        spark_jobs.session.start_session = lambda settings: None
        spark_jobs.job.main("ingest_readings")
        """)
    failure = failure_of(run, retries=4)
    assert failure.description.startswith("the topic is empty; fill it (job run ")
    assert len(emr.runs) == 2


def test_the_report_of_a_failed_job_is_used(run, program, emr):
    """A refused date ends the job with an error code; which date it was and why stands in its report."""
    program("""
        whole = Check("days_are_whole", "", "send the rest", blocking=True)
        with connected_to_dagster() as send:
            report(send, published=False, audits=(whole.judge(False, "3 hours"),))
        sys.exit(1)
        """)
    failure = failure_of(run, retries=2)
    assert "2024-06-01: readings, days_are_whole: 3 hours; send the rest" in failure.description
    assert len(emr.runs) == 1


@pytest.mark.parametrize(
    "text",
    [
        "print('I know nothing of Dagster')",
        "with connected_to_dagster() as send:\n    pass",
    ],
    ids=["it never opens Pipes", "it never reports"],
)
def test_a_job_that_succeeds_without_a_report_has_made_nothing(run, program, text, emr, instance):
    """Success of a process says nothing of tables: the wrong program succeeds too."""
    program(text)
    result = run("2024-06-01", "2024-06-02", retries=2)
    assert not materialisations(instance, result)
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    assert "without a report of 2024-06-01, 2024-06-02" in event.step_failure_data.user_failure_data.description
    assert len(emr.runs) == 1


def test_a_job_that_succeeds_with_a_report_of_some_dates_has_made_these_alone(run, program, instance):
    program("with connected_to_dagster() as send:\n    report(send, days=config.dates[:1])")
    result = run("2024-06-01", "2024-06-02")
    assert list(materialisations(instance, result)) == ["2024-06-01"]
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    assert "without a report of 2024-06-02, so" in event.step_failure_data.user_failure_data.description


def test_a_file_of_the_release_that_is_missing_is_not_tried_again(run, program, aws, emr):
    program(REPORTS)
    aws.client("s3").delete_object(Bucket=aws.bucket("bootstrap"), Key="releases/test/jars/none.jar")
    failure = failure_of(run, retries=2)
    assert "failed on EMR Serverless" in failure.description
    assert [job_run.state for job_run in emr.runs] == ["FAILED"]


def test_a_release_that_is_missing_is_named_before_anything_is_started(run, emr, settings):
    failure = failure_of(run)
    assert f"there is no release at {settings.release}" in failure.description
    assert not emr.runs


# --- a service that does not answer


def test_a_poll_that_gets_no_answer_does_not_orphan_the_job(run, program, emr, instance):
    """The job goes on whether or not its state can be seen: after more failures than one question is tried, too."""
    program(REPORTS)
    emr.fail("GetJobRun", *["lost"] * 9, *[ApiError(500, "InternalServerException", "")] * 9)
    result = run()
    assert result.success
    assert [job_run.state for job_run in emr.runs] == ["SUCCESS"]
    assert "is unknown for now" in log_of(instance, result)


def test_throttling_is_waited_out(run, program, emr):
    program(REPORTS)
    for operation in ("ListJobRuns", "StartJobRun", "GetJobRun"):
        emr.throttle(operation, 6)
    assert run().success
    assert (emr.calls.count("StartJobRun"), len(emr.runs)) == (7, 1)


def test_a_start_whose_answer_is_lost_starts_nothing_twice(run, program, emr):
    program(REPORTS)
    emr.fail("StartJobRun", "answer lost", "answer lost")
    assert run().success
    assert (emr.calls.count("StartJobRun"), len(emr.runs)) == (3, 1)


def test_a_job_that_was_started_without_an_answer_is_found_and_cancelled(run, program, emr):
    """The service took it at the first attempt and nobody ever heard of it: it would run, and cost, for hours."""
    program(WAITS)
    emr.fail("StartJobRun", *["answer lost"] * 7)
    assert not run().success
    until(lambda: emr.runs[0].state == "CANCELLED")


@pytest.mark.parametrize(
    "error",
    [
        ApiError(403, "AccessDeniedException", "User is not authorized"),
        ApiError(400, "ValidationException", "not a role"),
        ApiError(404, "ResourceNotFoundException", "no such application"),
    ],
    ids=lambda error: error.name,
)
def test_an_error_that_stays_is_asked_once_and_told(run, program, emr, error):
    program(REPORTS)
    emr.fail("StartJobRun", error)
    failure = failure_of(run, retries=2)
    assert emr.calls.count("StartJobRun") == 1
    assert error.name in failure.description


def test_a_service_that_stays_away_is_asked_again_by_the_next_attempt_of_the_step(run, program, emr):
    program(REPORTS)
    emr.throttle("StartJobRun", 7 + 3)
    assert run(retries=1).success
    assert emr.calls.count("StartJobRun") == 7 + 4


# --- runs that end early


def test_a_run_that_ends_by_an_error_cancels_its_job(run, program, emr):
    program(WAITS)
    # The 30th look: the job is at work by then, or on its way.
    emr.throttle("GetJobRun", 3)
    emr.fail("GetJobRun", *[None] * 27, ApiError(403, "AccessDeniedException", "not any more"))
    assert "AccessDeniedException" in failure_of(run).description
    until(lambda: emr.runs[0].state == "CANCELLED")


def test_a_job_that_gets_no_workers_is_cancelled_after_the_queue_timeout(run, program, emr):
    program(REPORTS)
    emr.hold = "SCHEDULED"
    failure = failure_of(run, patience=Patience(**vars(HURRY) | {"queue_s": 0.5}))
    assert "got no workers" in failure.description
    until(lambda: emr.runs[0].history[-2:] == ["CANCELLING", "CANCELLED"])


def test_a_job_that_runs_too_long_is_ended_by_the_service_and_told(run, program, emr, instance):
    """What it has published until then is recorded."""
    program(WAITS.replace("print(", "report(send, days=config.dates[:1]); print("))
    emr.minute_s = 60.0  # in which a slow machine starts a job that reports its first date
    result = run("2024-06-01", "2024-06-03", patience=Patience(**vars(HURRY) | {"execution_minutes": 1}), retries=2)
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    assert "exceeded its execution timeout" in failure.description
    assert "longer than 1 min" in failure.description
    assert list(materialisations(instance, result)) == ["2024-06-01"]
    assert ("CancelJobRun" in emr.calls, len(emr.runs)) == (False, 1)


def test_a_cancellation_that_fails_says_how_to_do_it_by_hand(run, program, emr, instance):
    program(REPORTS)
    emr.hold = "SCHEDULED"
    emr.fail("CancelJobRun", ApiError(403, "AccessDeniedException", "may not"))
    result = run(patience=Patience(**vars(HURRY) | {"queue_s": 0.2}))
    assert "aws emr-serverless cancel-job-run --application-id" in log_of(instance, result)


# --- processes that are lost

_A_RUN_OF_ITS_OWN = """
import json, os, sys
from pathlib import Path
import dagster as dg
from pvfault.settings import Settings
from pvfault_assets.assembly import build_definitions
from pvfault_assets.resources.amazon import Patience
from pvfault_assets.resources.emr_serverless_runner import EmrServerlessRunner

settings = Settings.from_environment(os.environ, Path.cwd())
spark = EmrServerlessRunner(settings, Patience(poll_first_s=0.1, poll_most_s=0.2, grace_s=15))
job = build_definitions(settings, spark=spark).resolve_job_def("materialise_day")
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    job.execute_in_process(
        instance=instance, run_id=sys.argv[2], tags=json.loads(sys.argv[3]), asset_selection=[dg.AssetKey("readings")]
    )
"""
RANGE = {"dagster/asset_partition_range_start": "2024-06-01", "dagster/asset_partition_range_end": "2024-06-02"}
RUN_ID = "6f3c1d52-5b0e-4a52-9d1e-3d0c5a1b2c3d"


@pytest.fixture
def home(tmp_path):
    """A folder in which Dagster keeps its runs."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return folder


@pytest.fixture
def another_process(settings, home, tmp_path):
    """Start a run in a process of its own."""
    started = []

    def start():
        environment = {"PATH": os.environ["PATH"]} | OF_JAVA
        environment |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        environment |= settings.environment_of_jobs() | {
            "PYTHONPATH": str(PROJECT), "PVFAULT_HOME": str(tmp_path), "PVFAULT_RELEASE": settings.release,
            "PVFAULT_EMR_APPLICATION_ID": settings.emr_application_id, "PVFAULT_FIRST_DATE": "2023-01-01",
            "PVFAULT_EMR_JOB_ROLE_ARN": settings.emr_job_role_arn,
        }  # fmt: skip
        with (tmp_path / "run.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _A_RUN_OF_ITS_OWN, str(home), RUN_ID, json.dumps(RANGE)],
                env=environment,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_a_run_that_is_ended_cancels_its_job_with_a_grace_period(another_process, program, emr, number):
    program("""
        import signal

        def end(*_):
            print("cleaning up", flush=True)
            sys.exit(0)

        signal.signal(signal.SIGTERM, end)
        with connected_to_dagster() as send:
            print("at work", flush=True)
            time.sleep(120)
        """)
    process = another_process()
    until(lambda: is_at_work(emr))
    process.send_signal(number)
    assert process.wait(60) != 0
    until(lambda: emr.runs[0].state == "CANCELLED")
    assert emr.runs[0].grace_s == 15


@pytest.mark.parametrize("goes_on", [False, True], ids=["anew", "where it was"])
def test_a_run_that_is_started_again_takes_up_the_job_of_the_lost_process(
    another_process, program, emr, settings, home, goes_on
):
    """Dagster's run monitoring finds that a process has died, and starts its run again: two jobs would cost twice."""
    program(f"""
        with connected_to_dagster() as send:
            report(send, days=config.dates[:1])
            while not Path({str(home / "go")!r}).exists():
                time.sleep(0.1)
            report(send, days=config.dates[1:])
        """)
    process = another_process()

    with dg.DagsterInstance.from_config(str(home)) as instance:
        until(lambda: instance.get_run_by_id(RUN_ID) and materialisations(instance, instance.get_run_by_id(RUN_ID)))
        process.kill()
        process.wait()
        assert emr.runs[0].state == "RUNNING"
        instance.report_run_failed(instance.get_run_by_id(RUN_ID))

        once(lambda: emr.calls.count("ListJobRuns") == 2, (home / "go").touch)
        job = build_definitions(settings, spark=EmrServerlessRunner(settings, HURRY)).resolve_job_def("materialise_day")
        tags = {"dagster/root_run_id": RUN_ID, "dagster/parent_run_id": RUN_ID}
        again = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("readings")],
            tags=tags | RANGE | ({"dagster/is_resume_retry": "true"} if goes_on else {}),
        )  # fmt: skip
        assert again.success
        made = materialisations(instance, again)
    assert list(made) == (["2024-06-02"] if goes_on else ["2024-06-01", "2024-06-02"])
    assert {metadata["job_run"] for metadata in made.values()} == {emr.runs[0].job_run_id}
    assert (len(emr.runs), emr.calls.count("StartJobRun")) == (1, 1)


def test_a_run_that_is_taken_up_hears_the_report_of_a_job_that_has_ended_meanwhile(
    another_process, program, emr, settings
):
    program(REPORTS)
    process = another_process()
    emr.fail("GetJobRun", *["lost"] * 1000)  # the first process never sees the end
    until(lambda: emr.runs and emr.runs[0].state == "SUCCESS")
    process.kill()
    process.wait()
    emr.recover()
    job = build_definitions(settings, spark=EmrServerlessRunner(settings, HURRY)).resolve_job_def("materialise_day")
    with dg.DagsterInstance.ephemeral() as instance:
        again = job.execute_in_process(
            instance=instance, run_id=RUN_ID, tags=RANGE, asset_selection=[dg.AssetKey("readings")]
        )
    assert again.success
    assert len(emr.runs) == 1


# --- how many at once


def test_a_job_waits_for_its_place_in_the_pool(settings, program, emr, home):
    """An account's vCPUs are few and a backfill's days are many: Dagster starts no more jobs than it may."""
    program(REPORTS)
    job = build_definitions(settings, spark=EmrServerlessRunner(settings, HURRY)).resolve_job_def("materialise_day")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("spark", 1)
        storage.claim_concurrency_slot("spark", "another-run", "readings")
        seen = []

        def free():
            seen.extend(emr.runs)
            storage.free_concurrency_slots_for_run("another-run")

        once(lambda: storage.get_concurrency_info("spark").pending_step_count == 1, free)
        result = job.execute_in_process(
            instance=instance, partition_key="2024-06-01", asset_selection=[dg.AssetKey("readings")]
        )
    assert result.success
    assert (seen, len(emr.runs)) == ([], 1)


# --- the stand-in itself


def test_the_stand_in_refuses_what_the_service_would_refuse(emr, settings):
    emr.hold = "SUBMITTED"
    client = boto3.client("emr-serverless")
    request = {
        "applicationId": emr.application,
        "clientToken": "a",
        "executionRoleArn": settings.emr_job_role_arn,
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/job.py"}},
    }
    started = client.start_job_run(**request)
    assert client.start_job_run(**request)["jobRunId"] == started["jobRunId"], "the same token starts nothing twice"
    for change, code in (
        ({"name": "other"}, "ConflictException"),
        ({"executionRoleArn": "arn:aws:iam::1:role/short"}, "ValidationException"),
        ({"clientToken": "no spaces"}, "ValidationException"),
        ({"jobDriver": {"sparkSubmit": {"entryPoint": " "}}}, "ValidationException"),
        ({"executionTimeoutMinutes": 1_000_001}, "ValidationException"),
        ({"applicationId": "other"}, "ResourceNotFoundException"),
    ):
        with pytest.raises(ClientError) as error:
            client.start_job_run(**request | change)
        assert error.value.response["Error"]["Code"] == code, change
    with pytest.raises(ClientError, match="15 to 1800"):
        client.cancel_job_run(
            applicationId=emr.application, jobRunId=started["jobRunId"], shutdownGracePeriodInSeconds=5
        )
    described = client.get_job_run(applicationId=emr.application, jobRunId=started["jobRunId"])["jobRun"]
    assert described["state"] == "SUBMITTED"
    assert [run["id"] for run in client.list_job_runs(applicationId=emr.application)["jobRuns"]] == [
        described["jobRunId"]
    ]
