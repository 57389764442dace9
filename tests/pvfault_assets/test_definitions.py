"""What Dagster is told: assets, their lineage, checks, days and schedule, pinned."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context  # there is no public clock

from pvfault import tables as pvfault_tables
from pvfault.registry import REGISTRY_SCHEMA
from pvfault.versions import code_version
from pvfault_assets.assembly import build_definitions
from pvfault_assets.partitions import daily
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from tests.conftest import PROJECT

GRAPH = {
    # asset: (group, kinds, made from)
    "readings_topic": ("raw", {"kafka"}, set()),
    "device_registry": ("raw", {"csv"}, set()),
    "training_windows": ("model", {"python", "numpy"}, set()),
    "lenet_model": ("model", {"tensorflow"}, {"training_windows"}),
    "readings": ("raw", {"kafka", "iceberg"}, {"readings_topic"}),
    "scalograms": ("silver", {"spark", "iceberg"}, {"readings", "device_registry"}),
    "predictions": ("gold", {"spark", "tensorflow", "iceberg"}, {"scalograms", "lenet_model"}),
    "device_days": ("gold", {"spark", "iceberg"}, {"predictions", "scalograms", "device_registry", "lenet_model"}),
    "table_upkeep": ("upkeep", {"spark", "iceberg"}, set()),
}
TABLES = {"readings", "scalograms", "predictions", "device_days"}
CHECKS = {
    # (asset, check): whether it is an error
    ("device_registry", "registry_is_there"): False,
    ("device_registry", "registry_is_up_to_date"): False,
    ("lenet_model", "network_is_up_to_date"): False,
    ("lenet_model", "network_is_not_worse_than_before"): False,
    ("readings", "date_is_made"): True,
    ("readings", "every_record_has_one_end"): True,
    ("readings", "fleet_is_heard"): True,
    ("readings", "not_fewer_readings_than_before"): True,
    ("readings", "every_reading_is_there_once"): True,
    ("readings", "every_record_is_a_reading"): False,
    ("readings", "devices_are_complete"): False,
    ("readings", "no_reading_came_twice"): False,
    ("readings", "values_are_plausible"): False,
    ("readings", "no_device_is_missing"): False,
    ("readings", "every_device_is_registered"): False,
    ("readings", "no_reading_came_too_late"): False,
    ("readings", "no_late_reading_waits"): False,
    ("scalograms", "date_is_made"): True,
    ("scalograms", "every_device_has_24_windows"): True,
    ("scalograms", "scalograms_are_whole_and_finite"): True,
    ("scalograms", "lit_windows_can_be_judged"): False,
    ("scalograms", "readings_tell_of_the_array"): False,
    ("scalograms", "clocks_go_right"): False,
    ("scalograms", "history_is_there"): False,
    ("predictions", "date_is_made"): True,
    ("predictions", "every_ok_window_has_a_prediction"): True,
    ("predictions", "probabilities_are_probabilities"): True,
    ("predictions", "no_fault_is_everywhere"): False,
    ("device_days", "date_is_made"): True,
    ("device_days", "one_verdict_for_each_device"): True,
    ("device_days", "most_devices_are_healthy"): False,
    ("device_days", "every_device_has_a_verdict"): False,
    ("device_days", "verdicts_are_of_what_is_there"): False,
    ("device_days", "verdicts_are_of_the_network"): False,
    ("device_days", "verdicts_are_like_those_before"): False,
    ("device_days", "verdicts_stay"): False,
}
# Of all dates together, beside those of each date.
OF_ALL_DATES = {("device_days", "every_date_is_good"): False}


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def definitions(settings):
    return build_definitions(settings)


def test_lineage_reaches_from_verdicts_to_topic_registry_and_model(definitions):
    graph = definitions.resolve_asset_graph()
    found = {
        key.to_user_string(): (
            graph.get(key).group_name,
            {tag.removeprefix("dagster/kind/") for tag in graph.get(key).tags if tag.startswith("dagster/kind/")},
            {parent.to_user_string() for parent in graph.get(key).parent_keys},
        )
        for key in graph.get_all_asset_keys()
    }
    assert found == GRAPH


def test_tables_are_cut_into_the_same_days_and_backfilled_in_runs_of_a_month(definitions, settings):
    """A run per day would start a Java virtual machine per day."""
    graph = definitions.resolve_asset_graph()
    cut = {key.to_user_string(): graph.get(key).partitions_def for key in graph.get_all_asset_keys()}
    days = daily(settings.first_date)
    assert cut == {name: days if name in TABLES else None for name in GRAPH}
    assert {graph.get(dg.AssetKey(name)).backfill_policy for name in TABLES} == {dg.BackfillPolicy.multi_run(31)}


def test_every_table_is_made_and_maintained_in_the_pool_that_limits_jobs(definitions):
    graph = definitions.resolve_asset_graph()
    assert {frozenset(graph.get(dg.AssetKey(name)).pools) for name in {*TABLES, "table_upkeep"}} == {
        frozenset({"spark"})
    }


def test_every_check_is_one_of_its_asset_and_stops_no_other_date(definitions):
    graph = definitions.resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name): graph.get(key) for key in graph.asset_check_keys}
    assert {name: "An error:" in check.description for name, check in checks.items()} == CHECKS | OF_ALL_DATES
    assert not any(check.blocking for check in checks.values())


def test_what_jobs_audit_are_checks_of_their_tables():
    """What a job refuses a date for has its place in the page."""
    for name, job in {
        "readings": ingest_readings,
        "scalograms": compute_scalograms,
        "predictions": classify_faults,
        "device_days": summarise_device_days,
    }.items():
        assert {(name, audit.name): audit.blocking for audit in job.AUDITS}.items() <= CHECKS.items()


def test_every_asset_and_check_is_described_for_the_operator(definitions):
    graph = definitions.resolve_asset_graph()
    assert all(graph.get(key).description for key in graph.get_all_asset_keys())
    assert all(graph.get(key).description for key in graph.asset_check_keys)


def test_every_column_of_every_table_says_what_it_means(definitions):
    """With its unit, as the contract has it; the topic and the registry have columns too."""
    graph = definitions.resolve_asset_graph()
    shown = {name: graph.get(dg.AssetKey(name)).metadata.get("dagster/column_schema") for name in GRAPH}
    assert {name for name, schema in shown.items() if schema} == TABLES | {"readings_topic", "device_registry"}
    described = {
        name: {column.name: column.description for column in schema.columns} for name, schema in shown.items() if schema
    }
    for table in pvfault_tables.TABLES:
        if table.name in TABLES:
            assert described[table.name] == dict(table.descriptions)
    assert list(described["device_registry"]) == REGISTRY_SCHEMA.names
    assert all(text for columns in described.values() for text in columns.values())


def test_a_column_s_sources_are_of_the_assets_that_its_table_is_made_of(definitions):
    graph = definitions.resolve_asset_graph()
    for name in TABLES:
        node = graph.get(dg.AssetKey(name))
        lineage = node.metadata["dagster/column_lineage"].deps_by_column
        assert {dep.asset_key for deps in lineage.values() for dep in deps} <= node.parent_keys
        shown = {
            column.name: {
                (tag.removeprefix("from "), source)
                for tag, sources in column.tags.items()
                for source in sources.split(", ")
            }
            for column in node.metadata["dagster/column_schema"].columns
        }
        assert {name: sources for name, sources in shown.items() if sources} == {
            name: {(dep.asset_key.to_user_string(), dep.column_name) for dep in deps} for name, deps in lineage.items()
        }


def test_every_table_names_the_code_that_makes_it_and_where_its_files_are(definitions, settings):
    graph = definitions.resolve_asset_graph()
    for name in TABLES:
        node = graph.get(dg.AssetKey(name))
        assert node.code_version == code_version()
        (reference,) = node.metadata["dagster/code_references"].code_references
        lines = Path(reference.file_path).read_text().splitlines()
        assert lines[reference.line_number - 1].startswith("def run(")
        assert reference.label == node.metadata["job"]
        assert node.metadata["dagster/uri"] == (settings.home / "warehouse" / "pvfault" / name).as_uri()


def test_the_page_shows_where_everything_is(definitions, settings, make_settings, tmp_path):
    on_aws = make_settings(
        tmp_path,
        PVFAULT_ENV="aws",
        PVFAULT_BUCKETS="plant-1",
        PVFAULT_MSK_CLUSTER_ARN="arn:aws:kafka:eu-central-1:123456789012:cluster/c/1",
        PVFAULT_RELEASE="s3://plant-1-bootstrap/releases/r1",
        PVFAULT_EMR_APPLICATION_ID="00abc",
        PVFAULT_EMR_JOB_ROLE_ARN="arn:aws:iam::123456789012:role/jobs",
    )
    for where, shown in ((settings, definitions), (on_aws, build_definitions(on_aws))):
        values = shown.resources["plant"].model_dump()
        assert values["broker"] == (where.broker or where.msk_cluster_arn)
        assert values["registry"] == str(where.registry)
        assert all(type(value) is str and value for value in values.values())
    assert build_definitions(on_aws).resources["plant"].warehouse == "plant-1-raw, plant-1-silver, plant-1-gold"


def test_a_day_is_offered_once_it_is_over():
    days = daily(date(2024, 6, 1))
    assert days.get_first_partition_key() == "2024-06-01"
    for now, last in (
        (datetime(2024, 6, 8, 23, 59, 59, tzinfo=UTC), "2024-06-07"),
        (datetime(2024, 6, 9, tzinfo=UTC), "2024-06-08"),
    ):
        with partition_loading_context(effective_dt=now):
            assert days.get_last_partition_key() == last


def test_where_readings_have_ended_no_later_day_is_offered_and_none_is_made(settings):
    """The page's dialogs open on the last days that are offered."""
    ended = build_definitions(replace(settings, last_date=date(2024, 6, 3)))
    days = ended.resolve_asset_graph().get(dg.AssetKey("device_days")).partitions_def
    assert days.get_last_partition_key() == "2024-06-03"
    with dg.DagsterInstance.ephemeral() as instance:
        for day, requests in ((4, 1), (5, 0)):
            context = dg.build_schedule_context(
                instance,
                scheduled_execution_time=datetime(2024, 6, day, 2, tzinfo=UTC),
                repository_def=ended.get_repository_def(),
            )
            tick = ended.resolve_schedule_def("every_day").evaluate_tick(context)
            assert len(tick.run_requests) == requests
    assert tick.skip_message == "2024-06-04 is behind PVFAULT_LAST_DATE, which is 2024-06-03."


@pytest.mark.parametrize(
    ("lateness_hours", "cron", "now", "day"),
    [
        (2.0, "0 2 * * *", datetime(2024, 6, 9, 2, tzinfo=UTC), "2024-06-08"),
        (0.5, "30 0 * * *", datetime(2024, 6, 9, 0, 30, tzinfo=UTC), "2024-06-08"),
        (30.0, "0 6 * * *", datetime(2024, 6, 9, 6, tzinfo=UTC), "2024-06-07"),
    ],
)
def test_the_schedule_makes_a_day_once_its_late_readings_have_had_their_time(settings, lateness_hours, cron, now, day):
    """A day that is made too early lacks its last readings until somebody makes it again."""
    definitions = build_definitions(replace(settings, lateness_hours=lateness_hours))
    schedule = definitions.resolve_schedule_def("every_day")
    assert schedule.cron_schedule == cron
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance, scheduled_execution_time=now, repository_def=definitions.get_repository_def()
        )
        (request,) = schedule.evaluate_tick(context).run_requests
    assert (request.run_key, request.partition_key) == (day, day)


def test_the_daily_job_makes_everything_but_what_the_network_is_trained_on(definitions):
    """Simulating and training take as long as `make model`; a day must not wait for it."""
    job = definitions.resolve_job_def("materialise_day")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set(GRAPH) - {
        "readings_topic",
        "training_windows",
        "table_upkeep",
    }


def test_upkeep_is_a_job_of_its_own_every_week_that_is_off_until_started(definitions):
    job = definitions.resolve_job_def("maintain_tables")
    assert [key.to_user_string() for key in job.asset_layer.executable_asset_keys] == ["table_upkeep"]
    schedule = definitions.resolve_schedule_def("every_week")
    assert (schedule.job_name, schedule.cron_schedule) == ("maintain_tables", "0 12 * * 0")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_the_runner_of_jobs_can_be_replaced(settings):
    class OtherRunner:
        pass

    runner = OtherRunner()
    assert build_definitions(settings, spark=runner).resources["spark"] is runner


def test_importing_the_definitions_needs_nothing_and_does_nothing(tmp_path):
    """Dagster imports them every few seconds: no file, no variable of the environment, nothing that takes long.

    What is for the work of assets, checks and sensors is imported where they do it.
    """
    heavy = {
        "pyspark", "tensorflow", "pyiceberg.catalog", "pyiceberg.table", "sqlalchemy", "pandas", "pyarrow.dataset",
        "scipy", "matplotlib", "pvlib", "sklearn", "pywt", "h5py", "boto3", "confluent_kafka",
    }  # fmt: skip
    code = (
        "import sys, pvfault_assets.definitions\n"
        f"loaded = {heavy!r} & sys.modules.keys()\n"
        "assert not loaded, f'import these where they are used: {sorted(loaded)}'\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code],
        cwd=tmp_path, env={"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())


def test_a_wrong_setting_is_named_when_definitions_are_loaded(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import pvfault_assets.definitions"],
        cwd=tmp_path, env={"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"], "PVFAULT_FIRST_DATE": "June"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "PVFAULT_FIRST_DATE is 'June', expected a date YYYY-MM-DD" in done.stderr
