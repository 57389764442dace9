"""The registry and the network as assets: what is checked, and what the operator is told."""

from dataclasses import replace

import dagster as dg
import pytest

from pvfault_assets.definitions import build_definitions

HEADER = "deviceID,rated_voltage,rated_current,site\n"


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def make(settings):
    """Materialise one of the two."""

    def materialise(asset, **changes):
        job = build_definitions(replace(settings, **changes)).resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(asset)], raise_on_error=False)

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
    assert all(check.passed for check in first.get_asset_check_evaluations())
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
