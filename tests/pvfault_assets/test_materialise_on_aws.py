"""Days of a small fleet through Dagster as on AWS: jobs on the stand-in of EMR Serverless, tables in Glue and S3."""

from datetime import date, timedelta
from pathlib import Path

import boto3
import dagster as dg
import pytest

from pvfault.faults import FAULTS
from pvfault.registry import write_registry
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, READINGS, SCALOGRAMS, TABLES
from pvfault_api.published import read_dates
from pvfault_assets.assembly import build_definitions
from pvfault_assets.resources.amazon import Patience
from pvfault_assets.resources.emr_serverless_runner import EmrServerlessRunner
from pvfault_deploy.account import Account
from pvfault_deploy.release import pack, upload
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import ensure_topic
from pvfault_workshop.simulation import simulate_fleet
from tests.conftest import JARS, PROJECT
from tests.pvfault_assets.on_aws import settings_on_aws
from tests.pvfault_assets.test_materialise import evaluations
from tests.standins import amazon
from tests.standins.amazon import ACCOUNT_ID
from tests.standins.emr_serverless import EmrServerless, serving

# Five job runs, one after the other, stand behind the first test: on a slow machine they take more than ten minutes.
pytestmark = [pytest.mark.broker, pytest.mark.spark, pytest.mark.timeout(3600)]

DAYS = [date(2023, 6, 10) + timedelta(n) for n in range(3)]
DEVICES = 3
PATIENCE = Patience(poll_first_s=1.0, poll_most_s=2.0)


@pytest.fixture(scope="module")
def fleet():
    return simulate_fleet(DEVICES, DAYS, seed=5)


@pytest.fixture(scope="module")
def account(aws_server, tmp_path_factory, fleet):
    """An account with a release and a registry, and the environment that leads to it."""
    with pytest.MonkeyPatch.context() as patch:
        account = amazon.enter(aws_server, patch)
        registry = tmp_path_factory.mktemp("registry") / "devices.csv"
        write_registry(fleet.registry, registry)
        account.client("s3").upload_file(str(registry), account.bucket("bootstrap"), "devices.csv")
        release = pack(PROJECT, "test", Path(JARS), PROJECT / "models" / "lenet5.h5")
        bucket = account.bucket("bootstrap")
        upload(release, Account(boto3.Session(), ACCOUNT_ID), bucket, lambda _name: None)
        service = EmrServerless(account.environment)
        with serving(service) as url:
            patch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", url)
            yield account, service, f"s3://{bucket}/releases/{release.name}"


@pytest.fixture(scope="module")
def settings(account, broker, tmp_path_factory, fleet):
    """Settings of the deployment, whose topic has the fleet's three days."""
    account, service, release = account
    home = tmp_path_factory.mktemp("aws")
    settings = settings_on_aws(
        home,
        account,
        service.application,
        broker=broker.broker,
        PVFAULT_RELEASE=release,
        PVFAULT_TOPIC="materialise-on-aws",
    )
    ensure_topic(settings)
    with ReadingProducer(settings) as producer:
        for day in DAYS:
            producer.send(fleet.readings(day))
        producer.finish()
    return settings


@pytest.fixture(scope="module")
def made(settings):
    """Readings of the first day by itself, and everything of the other two as a range."""
    job = build_definitions(settings, spark=EmrServerlessRunner(settings, PATIENCE)).resolve_job_def("materialise_day")
    days = {"dagster/asset_partition_range_start": str(DAYS[1]), "dagster/asset_partition_range_end": str(DAYS[2])}
    first = {"partition_key": str(DAYS[0]), "asset_selection": [dg.AssetKey("readings")]}
    with dg.DagsterInstance.ephemeral() as instance:
        return [
            job.execute_in_process(instance=instance, raise_on_error=False, **which)
            for which in (first, {"tags": days})
        ]


def recorded(made, asset):
    """Metadata of an asset's days, or of the asset if it has none, from all runs."""
    return {
        event.partition: {key: value.value for key, value in event.materialization.metadata.items()}
        for result in made
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


def costs(made, asset):
    """What is known of an asset's days since the job runs that made them have ended."""
    observed = [event for result in made for event in result.get_asset_observation_events()]
    return {
        event.partition: {
            key: value.value for key, value in event.asset_observation_data.asset_observation.metadata.items()
        }
        for event in observed
        if event.asset_key == dg.AssetKey(asset)
    }


def test_every_day_reaches_its_verdicts_in_glue_and_s3(made, settings, fleet):
    assert [result.success for result in made] == [True, True]
    expected = {READINGS: {day: len(fleet.readings(day)) for day in DAYS}} | {
        table: dict.fromkeys(DAYS[1:], rows)
        for table, rows in ((SCALOGRAMS, 24 * DEVICES), (PREDICTIONS, 24 * DEVICES), (DEVICE_DAYS, DEVICES))
    }
    for table, rows in expected.items():
        assert {day: read_dates(settings, table, [day]).num_rows for day in rows} == rows
        metadata = recorded(made, table.name)
        assert {day: metadata[str(day)]["dagster/partition_row_count"] for day in rows} == rows
    assert set(read_dates(settings, DEVICE_DAYS, DAYS)["fault"].to_pylist()) <= {*FAULTS, None}


def test_the_tables_of_a_layer_are_in_its_bucket(made, account):
    """Access and lifecycle are the bucket's: an image in the bucket of readings would be kept and seen as they are."""
    account, *_ = account
    for layer in ("raw", "silver", "gold"):
        folders = {key.split("/")[0] for key in account.objects(layer)}
        assert folders == {table.name for table in TABLES if table.layer == layer}
    assert {key.split("/")[0] for key in account.objects("log")} == {"emr", "messages"}


def test_each_table_of_a_run_is_one_job_run_with_its_cost(made, account):
    _, service, _ = account
    assert [run.state for run in service.runs] == ["SUCCESS"] * 5
    for table, job_runs in ((READINGS, 2), (SCALOGRAMS, 1), (PREDICTIONS, 1), (DEVICE_DAYS, 1)):
        made_days, paid_days = recorded(made, table.name), costs(made, table.name)
        assert made_days.keys() == paid_days.keys()
        assert all(day["published"] for day in made_days.values())
        assert all(day["job_run_dollars"] > 0 for day in paid_days.values())
        assert {day["job_run"] for day in made_days.values()} == {day["job_run"] for day in paid_days.values()}
        assert len({day["job_run"] for day in made_days.values()}) == job_runs


def test_registry_and_network_are_versioned_from_s3(made, settings):
    assert recorded(made, "device_registry")[None]["path"] == settings.registry
    assert recorded(made, "lenet_model")[None]["path"] == settings.model


def test_every_check_has_a_result_for_every_day(made):
    checks = evaluations(made, "predictions")
    assert {day for _, day in checks} == set(DAYS[1:])
    assert all(check.passed for check in checks.values() if check.blocking)


def test_upkeep_runs_as_a_job_over_glue_and_s3_and_changes_no_row(made, settings, account):
    account, *_ = account
    before = {table: read_dates(settings, table, DAYS) for table in (READINGS, DEVICE_DAYS)}
    left = f"{READINGS.name}/data/young.parquet"
    account.client("s3").put_object(Bucket=account.bucket("raw"), Key=left, Body=b"of a job that runs")
    job = build_definitions(settings, spark=EmrServerlessRunner(settings, PATIENCE)).resolve_job_def("maintain_tables")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    (event,) = result.get_asset_materialization_events()
    rows = {row.data["table"]: row.data for row in event.materialization.metadata["tables"].records}
    assert rows.keys() == {table.name for table in TABLES}
    assert {row["orphans"] for row in rows.values()} == {0}
    assert left in account.objects("raw")
    assert {table: read_dates(settings, table, DAYS) for table in before} == before
