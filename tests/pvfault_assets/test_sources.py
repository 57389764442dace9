"""The registry and the network as assets: what is checked, and what the operator is told."""

from dataclasses import replace
from datetime import date

import dagster as dg
import pytest

from pvfault import lenet
from pvfault.faults import FAULTS
from pvfault.scores import read_scores, write_scores
from pvfault_assets.assembly import build_definitions
from pvfault_assets.partitions import tags_of
from tests.standins.spark import SparkStandIn

HEADER = "deviceID,rated_voltage,rated_current,site\n"


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def make(settings):
    """Materialise one of the two."""

    def materialise(asset, config=None, **changes):
        job = build_definitions(replace(settings, **changes)).resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey(asset)], raise_on_error=False,
                run_config={"ops": {asset: {"config": config}}} if config else None,
            )  # fmt: skip

    return materialise


def metadata_of(result):
    (event,) = result.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}


def version_of(result):
    (event,) = result.get_asset_materialization_events()
    return event.materialization.tags["dagster/data_version"]


def failure_of(result):
    """What the operator is told."""
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    return event.step_failure_data.user_failure_data.description


def test_a_registry_is_counted_sampled_and_versioned_by_its_content(make, settings):
    settings.registry.write_text(HEADER + "".join(f"INV000000{n},500,1{n},north\n" for n in range(7)))
    first = make("device_registry")
    metadata = metadata_of(first)
    assert metadata["dagster/row_count"] == 7
    assert [record.data["rated_current"] for record in first.get_asset_materialization_events()[0]
            .materialization.metadata["sample"].records] == [10, 11, 12, 13, 14]  # fmt: skip
    assert [check.passed for check in first.get_asset_check_evaluations()] == [True, True]
    assert version_of(make("device_registry")) == version_of(first)
    settings.registry.write_text(HEADER + "INV0000000,501,10,north\n")
    assert version_of(make("device_registry")) != version_of(first)


def test_a_registry_without_devices_is_one(make, settings):
    settings.registry.write_text(HEADER)
    assert metadata_of(make("device_registry"))["dagster/row_count"] == 0


def test_no_registry_is_a_warning_since_devices_are_scored_all_the_same(make, settings):
    result = make("device_registry")
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"{settings.registry} does not exist" in check.description
    assert "PVFAULT_REGISTRY" in check.description
    assert metadata_of(result)["dagster/row_count"] == 0


def test_a_wrong_registry_fails_with_its_rows(make, settings):
    settings.registry.write_text(HEADER + "INV0000001,500,10,north\nINV0000002,-1,10,north\n")
    message = failure_of(make("device_registry"))
    assert "rated_voltage" in message
    assert "INV0000002" in message


def test_a_missing_model_fails_before_a_day_is_classified(make, tmp_path):
    message = failure_of(make("lenet_model", model=tmp_path / "none.h5"))
    assert "no such file" in message
    assert "pvfault train" in message


def test_a_broken_model_fails_with_what_it_is(make, tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"no HDF5")
    assert "no readable HDF5 file" in failure_of(make("lenet_model", model=tmp_path / "broken.h5"))


@pytest.mark.timeout(3600)  # on a slow machine, simulating and training take more than ten minutes
def test_a_network_is_trained_on_the_windows_and_tells_its_scores(make, settings, tmp_path):
    """What a prediction is made by can be followed to the very windows, and a poor network is a warning."""
    windows = make("training_windows", {"simulate": True, "devices": 48, "workers": 1})
    assert version_of(make("training_windows")) == version_of(windows)  # looked at, and not simulated again
    counted = metadata_of(windows)
    assert counted["dagster/row_count"] == sum(row[fault] for row in counted["windows"] for fault in FAULTS)
    weights = tmp_path / "new" / "lenet5.h5"
    trained = make("lenet_model", {"train": True, "epochs": 1}, model=weights)
    assert read_scores(weights)["training_windows"] == version_of(windows) == metadata_of(trained)["training_windows"]
    assert version_of(trained) == metadata_of(trained)["version"]
    assert "# Model card" in metadata_of(trained)["card"]
    scores = read_scores(weights)
    assert metadata_of(trained)["grouped_macro_f1_windows"] == pytest.approx(scores["grouped_macro_f1_windows"])
    assert {check.check_name: check.passed for check in trained.get_asset_check_evaluations()} == {
        "network_is_up_to_date": True, "network_is_not_worse_than_before": True,
    }  # fmt: skip
    again = make("lenet_model", model=weights)
    assert version_of(again) == version_of(trained)


def test_training_without_windows_says_what_to_do(make):
    message = failure_of(make("lenet_model", {"train": True}))
    assert "materialise training_windows first, with `simulate: true`" in message


def test_whoever_materialises_all_assets_waits_for_no_simulation(make):
    assert metadata_of(make("training_windows"))["windows"].startswith("none of this version; launch with")


def test_a_network_that_tells_no_scores_is_not_taken_for_a_good_one(make, tmp_path):
    weights = tmp_path / "lenet5.h5"
    lenet.save_network(lenet.build_network(), weights)
    checks = {check.check_name: check for check in make("lenet_model", model=weights).get_asset_check_evaluations()}
    assert not checks["network_is_not_worse_than_before"].passed
    assert "tells no scores" in checks["network_is_not_worse_than_before"].description


def test_a_network_that_is_worse_than_the_last_accepted_one_is_told_as_long_as_it_is_there(settings, tmp_path):
    """Also after it was looked at once: what counts is the last one that passed."""
    weights = tmp_path / "lenet5.h5"
    lenet.save_network(lenet.build_network(), weights)
    job = build_definitions(replace(settings, model=weights)).resolve_implicit_global_asset_job_def()
    told = []
    with dg.DagsterInstance.ephemeral() as instance:
        for f1 in (0.9, 0.85, 0.85, 0.895, 0.97):
            scores = ("faulty_f1_windows", "grouped_macro_f1_windows", "grouped_macro_f1_days")
            write_scores(weights, dict.fromkeys(scores, f1))
            result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("lenet_model")])
            checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
            told.append(checks["network_is_not_worse_than_before"].passed)
    assert told == [True, False, False, True, True]


def test_registry_and_network_are_judged_before_anything_is_made_with_them(settings, tmp_path):
    """They are looked at while Spark starts, so that no job waits for it."""
    weights, day = tmp_path / "lenet5.h5", date(2024, 6, 1)
    lenet.save_network(lenet.build_network(), weights)
    job = build_definitions(replace(settings, model=weights), spark=SparkStandIn()).resolve_job_def("materialise_day")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=tags_of(day, day), raise_on_error=False)
    steps = [event.step_key for event in result.all_events if event.is_step_start]
    assert set(steps[:4]) == {"device_registry", "lenet_model", "check_device_registry", "check_lenet_model"}
    assert steps[4] == "readings"
