"""A release: the same from the same content, whole in its bucket, sent only as far as it has to be."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from pvfault.errors import PvfaultError
from pvfault_deploy.release import pack, upload
from tests.pvfault_deploy.helpers import pack_checkout

BUCKET = "acme-pv-bootstrap"


@pytest.fixture
def bucket(account):
    """The bootstrap bucket, and its objects."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": account.region})

    def objects():
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    return objects


def send(release, account):
    names = []
    sent = upload(release, account, BUCKET, names.append)
    assert sent == len(names)
    return names


def test_the_same_content_gives_the_same_release_wherever_and_whenever_it_is_packed(checkout, tmp_path):
    """Otherwise each deployment is a new release with new images, and nobody can tell what runs."""
    first = pack_checkout(checkout)
    other = tmp_path / "elsewhere"
    shutil.copytree(checkout, other)
    for path in other.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    (other / "pvfault" / "__pycache__").mkdir()
    (other / "pvfault" / "__pycache__" / "windows.cpython-311.pyc").write_bytes(b"compiled")
    second = pack_checkout(other)
    assert second.manifest == first.manifest
    assert second.files["pvfault.zip"] == first.files["pvfault.zip"]


def test_a_release_has_what_jobs_need_and_its_checksums(checkout):
    release = pack_checkout(checkout)
    jobs = (
        "classify_faults", "compute_scalograms", "ingest_readings", "maintain_tables", "summarise_device_days",
    )  # fmt: skip
    assert {f"jobs/{job}.py" for job in jobs} <= set(release.files)
    assert "jobs/publishing.py" not in release.files
    assert {name for name in release.files if not name.startswith("jobs/")} == {
        "pvfault.zip", "lenet5.h5",
        "jars/iceberg-spark-runtime-4.0_2.13-1.10.1.jar", "jars/iceberg-aws-bundle-1.10.1.jar",
    }  # fmt: skip
    weights = (checkout / "models" / "lenet5.h5").read_bytes()
    assert json.loads(release.manifest)["files"]["lenet5.h5"] == hashlib.sha256(weights).hexdigest()
    assert release.name.startswith("0.1.0-")


def test_python_imports_the_packages_from_the_zip(checkout, tmp_path):
    packed = tmp_path / "pvfault.zip"
    packed.write_bytes(pack_checkout(checkout).files["pvfault.zip"])
    code = "import pvfault.windows, spark_jobs.job; print(pvfault.windows.__file__, spark_jobs.job.__file__)"
    environment = os.environ | {"PYTHONPATH": str(packed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"{packed}/pvfault/windows.py", f"{packed}/spark_jobs/job.py"]


def test_the_zip_has_every_source_and_nothing_else(checkout):
    with zipfile.ZipFile(io.BytesIO(pack_checkout(checkout).files["pvfault.zip"])) as archive:
        names = archive.namelist()
    expected = {
        path.relative_to(checkout).as_posix()
        for room in ("pvfault", "spark_jobs")
        for path in (checkout / room).rglob("*")
        if path.is_file()
    }
    assert set(names) == expected
    assert len(names) == len(expected)


@pytest.mark.parametrize(
    "path",
    ["pvfault/windows.py", "spark_jobs/publishing.py", "pvfault_assets/schedules.py", "infra/images/emr/Dockerfile",
     "requirements.lock"],
)  # fmt: skip
def test_what_images_or_jobs_are_made_of_makes_another_release(checkout, path):
    """A tag of an image is the release's name: were it to stay, the image in the repository would be the old one."""
    before = pack_checkout(checkout).name
    with (checkout / path).open("a") as file:
        file.write("# changed\n")
    assert pack_checkout(checkout).name != before


@pytest.mark.parametrize(
    ("path", "words"),
    [("models", "run `make model`"), ("build/jars/aws", "run `make setup`"), ("spark_jobs", "change into it")],
)
def test_what_is_missing_is_named_with_what_to_do(checkout, path, words):
    shutil.rmtree(checkout / path)
    with pytest.raises(PvfaultError, match=words):
        pack(checkout, "0.1.0", checkout / "build" / "jars", checkout / "models" / "lenet5.h5")


def test_a_release_is_whole_in_its_bucket_and_its_manifest_is_true(checkout, account, bucket):
    release = pack_checkout(checkout)
    assert set(send(release, account)) == set(release.files)
    folder = f"releases/{release.name}/"
    found = bucket()
    manifest = json.loads(found.pop(f"{folder}release.json"))
    assert manifest["release"] == release.name
    assert {
        key.removeprefix(folder): hashlib.sha256(content).hexdigest() for key, content in found.items()
    } == manifest["files"]


def test_nothing_is_sent_twice(checkout, account, bucket):
    release = pack_checkout(checkout)
    send(release, account)
    assert send(release, account) == []


def test_of_a_new_release_only_what_changed_is_sent(checkout, account, bucket):
    """The JVM packages are a hundred megabytes; over an office's line that is the whole deployment."""
    send(pack_checkout(checkout), account)
    with (checkout / "spark_jobs" / "ingest_readings.py").open("a") as file:
        file.write("# changed\n")
    release = pack_checkout(checkout)
    assert send(release, account) == ["pvfault.zip", "jobs/ingest_readings.py"]
    folder = f"releases/{release.name}/"
    found = bucket()
    assert {name: hashlib.sha256(found[folder + name]).hexdigest() for name in release.files} == release.checksums


def test_a_release_that_was_interrupted_is_completed(checkout, account, bucket):
    """Its manifest comes last, so a job never sees half a release; what had come stays."""
    release = pack_checkout(checkout)
    send(release, account)
    for name in ("release.json", "lenet5.h5"):
        account.client("s3").delete_object(Bucket=BUCKET, Key=f"releases/{release.name}/{name}")
    assert send(release, account) == ["lenet5.h5"]
    assert f"releases/{release.name}/release.json" in bucket()


@pytest.mark.parametrize("path", ["models/lenet5.h5", "spark_jobs/classify_faults.py"])
def test_what_has_changed_since_it_was_packed_is_not_sent_under_the_release_s_name(checkout, account, bucket, path):
    """Half an hour of questions lies between, in which a network may be trained or a branch be pulled."""
    release = pack_checkout(checkout)
    with (checkout / path).open("ab") as file:
        file.write(b"\n# changed")
    with pytest.raises(PvfaultError, match=f"{path} has changed since release {release.name} was packed; deploy again"):
        send(release, account)
    assert f"releases/{release.name}/release.json" not in bucket()


def test_a_file_that_was_changed_in_the_bucket_is_sent_again(checkout, account, bucket):
    release = pack_checkout(checkout)
    send(release, account)
    key = f"releases/{release.name}/jobs/ingest_readings.py"
    account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"other")
    account.client("s3").delete_object(Bucket=BUCKET, Key=f"releases/{release.name}/release.json")
    assert send(release, account) == ["jobs/ingest_readings.py"]
