"""Files by path and by s3:// URI: both ways give the same bytes, and what is absent is told the same way."""

from pathlib import Path

import pytest

from pvfault.errors import TransientError
from pvfault.locations import LocationError, is_there, local_file
from pvfault.registry import RegistryError, read_registry

REGISTRY = "deviceID,rated_voltage,rated_current\nINV0000001,500,10\n"


def test_a_path_is_used_as_it_is(tmp_path):
    file = tmp_path / "a.csv"
    assert not is_there(file)
    file.write_text("x")
    assert is_there(str(file))
    with local_file(file) as found:
        assert found == file
    assert file.exists()


def test_an_object_is_a_file_as_long_as_it_is_used(aws):
    aws.client("s3").put_object(Bucket=aws.bucket("bootstrap"), Key="some/devices.csv", Body=REGISTRY.encode())
    uri = f"s3://{aws.bucket('bootstrap')}/some/devices.csv"
    assert is_there(uri)
    with local_file(uri) as found:
        assert (found.name, found.read_text()) == ("devices.csv", REGISTRY)
    assert not found.exists()
    assert read_registry(uri).devices == ("INV0000001",)


def test_an_object_that_is_not_there_is_named(aws):
    uri = f"s3://{aws.bucket('bootstrap')}/none.csv"
    assert not is_there(uri)
    with pytest.raises(LocationError, match=rf"{uri}: no such file"), local_file(uri):
        pass
    with pytest.raises(RegistryError, match=rf"{uri}: no such file"):
        read_registry(uri)


def test_storage_that_does_not_answer_is_an_error_and_not_an_absent_file(closed_port, aws, monkeypatch):
    """An absent registry is only a warning: without this, a broken network would estimate every device's ratings."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    with pytest.raises(TransientError, match=r"s3://b/devices.csv: cannot be read now .*try again later"):
        is_there("s3://b/devices.csv")


def test_an_answer_of_s3_that_stays_the_same_is_not_tried_again(aws):
    """A wrong name of a bucket would otherwise be asked for again and again."""
    with pytest.raises(LocationError), local_file("s3://no-such-bucket-of-ours/devices.csv"):
        pass


def test_a_location_keeps_its_path(tmp_path):
    with local_file(tmp_path / "none") as found:
        assert found == Path(tmp_path / "none")
