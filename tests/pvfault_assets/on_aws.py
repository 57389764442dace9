"""What tests of the runner of AWS share: settings of a deployment, and releases to run in it."""

import io
import json
import zipfile

from pvfault.settings import Settings
from tests.conftest import PROJECT
from tests.standins.amazon import ACCOUNT_ID, Sandbox


def settings_on_aws(tmp_path, account: Sandbox, application: str, broker: str = "localhost:1", **variables) -> Settings:
    """Settings of a deployment in a test's account."""
    environment = {
        "PVFAULT_ENV": "aws",
        "PVFAULT_HOME": str(tmp_path),
        "PVFAULT_BUCKETS": account.prefix,
        "PVFAULT_BROKER": broker,
        "PVFAULT_RELEASE": f"s3://{account.bucket('bootstrap')}/releases/test",
        "PVFAULT_EMR_APPLICATION_ID": application,
        "PVFAULT_EMR_JOB_ROLE_ARN": f"arn:aws:iam::{ACCOUNT_ID}:role/pvfault-test-job",
        "PVFAULT_FIRST_DATE": "2023-01-01",
        **variables,
    }
    return Settings.from_environment(environment, tmp_path)


def upload_release(account: Sandbox, files: dict) -> None:
    """Put a release into the bootstrap bucket: these files, and the packages that jobs import."""
    s3, bucket = account.client("s3"), account.bucket("bootstrap")
    files = {"pvfault.zip": zip_packages(), **files}
    for name, content in files.items():
        s3.put_object(Bucket=bucket, Key=f"releases/test/{name}", Body=content)
    manifest = {"release": "test", "files": dict.fromkeys(files, "0" * 64)}
    s3.put_object(Bucket=bucket, Key="releases/test/release.json", Body=json.dumps(manifest).encode())


def zip_packages() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for package in ("pvfault", "spark_jobs"):
            for path in sorted((PROJECT / package).rglob("*.py")):
                archive.write(path, path.relative_to(PROJECT))
    return packed.getvalue()
