"""Settings: defaults, their names, and what a wrong value is answered with."""

from datetime import date
from pathlib import Path

import pytest

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from tests.conftest import PROJECT


def read(project, **environment):
    return Settings.from_environment(environment, project)


def test_without_any_variable_everything_is_below_the_project(tmp_path):
    settings = read(tmp_path)
    assert settings.home == tmp_path / ".pvfault"
    assert settings.jars == tmp_path / "build" / "jars"
    assert settings.registry == tmp_path / ".pvfault" / "devices.csv"
    assert settings.model == tmp_path / "models" / "lenet5.h5"
    assert settings.broker == "localhost:9092"
    assert settings.topic == "pv-readings"
    assert settings.lateness_hours == 2


def test_defaults_do_not_hang_on_the_folder_that_a_command_is_called_in(tmp_path, monkeypatch):
    """A second state folder, and no network, for whoever has changed into another folder."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings.home == PROJECT / ".pvfault"
    assert settings.model == PROJECT / "models" / "lenet5.h5"
    assert settings.model.is_file()


def test_tables_catalog_and_registry_follow_the_state_folder(tmp_path):
    settings = read(tmp_path / "project", PVFAULT_HOME=str(tmp_path / "state"))
    for path in (settings.warehouse, settings.catalog, settings.registry):
        assert path.parent == tmp_path / "state"
    assert settings.model == tmp_path / "project" / "models" / "lenet5.h5"


def test_each_variable_is_read(tmp_path):
    settings = read(
        tmp_path,
        PVFAULT_JARS="/opt/jars",
        PVFAULT_BROKER="b-1.example:9098,b-2.example:9098",
        PVFAULT_TOPIC="plant",
        PVFAULT_REGISTRY="/etc/devices.csv",
        PVFAULT_MODEL="/models/new.h5",
        PVFAULT_FIRST_DATE="2024-02-29",
        PVFAULT_LAST_DATE="2024-03-01",
        PVFAULT_LATENESS_HOURS="0.5",
        UNRELATED="1",
    )
    assert settings.jars == Path("/opt/jars")
    assert settings.broker == "b-1.example:9098,b-2.example:9098"
    assert settings.topic == "plant"
    assert settings.registry == Path("/etc/devices.csv")
    assert settings.model == Path("/models/new.h5")
    assert (settings.first_date, settings.last_date) == (date(2024, 2, 29), date(2024, 3, 1))
    assert settings.lateness_hours == 0.5


def test_a_variable_that_is_set_but_empty_counts_as_unset(tmp_path):
    names = ("ENV", "HOME", "JARS", "BROKER", "BROKER_IAM_REGION", "TOPIC", "REGISTRY", "MODEL", "FIRST_DATE",
             "LATENESS_HOURS", "BUCKETS", "MSK_CLUSTER_ARN", "RELEASE", "EMR_APPLICATION_ID", "EMR_JOB_ROLE_ARN",
             "SNS_TOPIC_ARN", "TARIFF", "CURRENCY", "ALARMS_DATABASE")  # fmt: skip
    assert read(tmp_path, **{f"PVFAULT_{name}": "" for name in names}) == read(tmp_path)


def test_a_relative_path_and_a_home_folder_become_absolute(tmp_path, monkeypatch):
    """Spark workers and Dagster's processes stand in other folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    settings = read(tmp_path, PVFAULT_HOME="state", PVFAULT_MODEL="~/new.h5")
    assert settings.home == tmp_path / "state"
    assert settings.registry == tmp_path / "state" / "devices.csv"
    assert settings.model == tmp_path / "me" / "new.h5"


ON_AWS = {
    "PVFAULT_ENV": "aws",
    "PVFAULT_BUCKETS": "plant",
    "PVFAULT_MSK_CLUSTER_ARN": "arn:aws:kafka:eu-central-1:123456789012:cluster/plant/0a1b-1",
    "PVFAULT_RELEASE": "s3://plant-bootstrap/releases/1.2.0",
    "PVFAULT_EMR_APPLICATION_ID": "00f1abcd",
    "PVFAULT_EMR_JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/pvfault-job",
    "PVFAULT_SNS_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:pvfault",
}


def test_on_aws_registry_and_model_come_from_the_buckets(tmp_path):
    settings = read(tmp_path, **ON_AWS)
    assert settings.registry == "s3://plant-bootstrap/devices.csv"
    assert settings.model == "s3://plant-bootstrap/releases/1.2.0/lenet5.h5"
    assert settings.bucket("silver") == "plant-silver"
    assert settings.broker == "", "the brokers are asked of the cluster"


def test_on_aws_registry_model_and_broker_can_be_others(tmp_path):
    own = {"PVFAULT_REGISTRY": "s3://mine/a/b.csv", "PVFAULT_MODEL": "/opt/net.h5", "PVFAULT_BROKER": "b:9092"}
    settings = read(tmp_path, **ON_AWS, **own)
    assert (settings.registry, settings.model, settings.broker) == ("s3://mine/a/b.csv", Path("/opt/net.h5"), "b:9092")


def test_a_job_on_another_machine_finds_the_same_tables(tmp_path):
    settings = read(tmp_path, **ON_AWS)
    again = read(tmp_path, **settings.environment_of_jobs())
    for name in ("environment", "buckets", "broker", "msk_cluster_arn"):
        assert getattr(again, name) == getattr(settings, name)


@pytest.mark.parametrize(
    ("without", "named"),
    [
        ({"PVFAULT_BUCKETS"}, "PVFAULT_BUCKETS"),
        ({"PVFAULT_MSK_CLUSTER_ARN"}, "PVFAULT_MSK_CLUSTER_ARN nor PVFAULT_BROKER"),
        ({"PVFAULT_EMR_JOB_ROLE_ARN"}, "PVFAULT_EMR_JOB_ROLE_ARN is not"),
        ({"PVFAULT_RELEASE"}, "PVFAULT_RELEASE is not"),
        ({"PVFAULT_ENV"}, "PVFAULT_BUCKETS, PVFAULT_RELEASE, PVFAULT_EMR_APPLICATION_ID, PVFAULT_EMR_JOB_ROLE_ARN"),
    ],
)
def test_settings_that_do_not_go_together_are_named(tmp_path, without, named):
    """Found when a process starts, and not by the first job hours later."""
    with pytest.raises(PvfaultError, match=named):
        read(tmp_path, **{name: value for name, value in ON_AWS.items() if name not in without})


def test_a_last_date_before_the_first_one_is_refused(tmp_path):
    with pytest.raises(PvfaultError, match="PVFAULT_LAST_DATE is 2024-05-31, and PVFAULT_FIRST_DATE is 2024-06-01"):
        read(tmp_path, PVFAULT_FIRST_DATE="2024-06-01", PVFAULT_LAST_DATE="2024-05-31")


def test_a_run_is_told_of_in_one_place(tmp_path):
    with pytest.raises(PvfaultError, match="PVFAULT_SNS_TOPIC_ARN and PVFAULT_WEBHOOK_URL are both set"):
        read(tmp_path, **ON_AWS, PVFAULT_WEBHOOK_URL="https://example.org/x")
    with pytest.raises(PvfaultError, match=r"PVFAULT_WEBHOOK_URL is .* expected an address"):
        read(tmp_path, PVFAULT_WEBHOOK_URL="ftp://example.org")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PVFAULT_ENV", "prod"),
        ("PVFAULT_BUCKETS", "s3://plant"),
        ("PVFAULT_RELEASE", "/opt/release"),
        ("PVFAULT_MSK_CLUSTER_ARN", "plant"),
        ("PVFAULT_EMR_APPLICATION_ID", "my application"),
        ("PVFAULT_EMR_JOB_ROLE_ARN", "pvfault-job"),
        ("PVFAULT_SNS_TOPIC_ARN", "arn:aws:sqs:eu-central-1:123456789012:pvfault"),
    ],
)
def test_a_wrong_name_on_aws_is_named(tmp_path, name, value):
    with pytest.raises(PvfaultError, match=f"{name} is '{value}', expected .*; correct it or unset it"):
        read(tmp_path, **ON_AWS | {name: value})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PVFAULT_FIRST_DATE", "yesterday", "a date YYYY-MM-DD"),
        ("PVFAULT_FIRST_DATE", "2023-02-29", "a date YYYY-MM-DD"),
        ("PVFAULT_LAST_DATE", "today", "a date YYYY-MM-DD"),
        ("PVFAULT_LATENESS_HOURS", "two", "a number of hours, 0 or more"),
        ("PVFAULT_LATENESS_HOURS", "-1", "a number of hours, 0 or more"),
        ("PVFAULT_LATENESS_HOURS", "nan", "a number of hours, 0 or more"),
        ("PVFAULT_LATENESS_HOURS", "inf", "a number of hours, 0 or more"),
        ("PVFAULT_HOME", "~no-such-user-here/x", "a folder"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(tmp_path, name, value, expected):
    with pytest.raises(PvfaultError, match=f"{name} is '{value}', expected {expected}; correct it or unset it"):
        read(tmp_path, **{name: value})


def test_what_alarms_need_is_read(tmp_path):
    settings = read(tmp_path)
    assert (settings.tariff_per_kwh, settings.currency, settings.alarms_url) == (None, "EUR", None)
    url = "postgresql://crew:geheim@db.example:5432/alarms"
    given = read(tmp_path, PVFAULT_TARIFF="0.08", PVFAULT_CURRENCY="BRL", PVFAULT_ALARMS_DATABASE=url)
    assert (given.tariff_per_kwh, given.currency, given.alarms_url) == (0.08, "BRL", url)
    assert "geheim" not in repr(given)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TARIFF", "8 ct", "a price a kWh"),
        ("TARIFF", "-1", "a price a kWh"),
        ("TARIFF", "nan", "a price a kWh"),
        ("CURRENCY", "€", "three letters"),
        ("CURRENCY", "eur", "three letters"),
        ("ALARMS_DATABASE", "mysql://crew:geheim@db/alarms", "expected postgresql://"),
        ("ALARMS_DATABASE", "postgresql://crew:geheim@db", "expected postgresql://"),
    ],
)
def test_what_alarms_cannot_use_is_refused_and_no_password_told(tmp_path, name, value, expected):
    with pytest.raises(PvfaultError, match=expected) as told:
        read(tmp_path, **{f"PVFAULT_{name}": value})
    assert "geheim" not in str(told.value)
