"""A release: everything that jobs on AWS run, packed once, named by its content, never changed afterwards.

What is in it, its name, how it gets into the bucket. Not here: the Python packages that jobs use, which are in the
image of the same tag (`infra/images`).
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from pvfault.errors import PvfaultError
from pvfault.versions import JOB_PACKAGES
from pvfault_deploy.account import Account

MANIFEST = "release.json"
MODEL = "lenet5.h5"
# What the images are made of beside the packages above: another content is another release, so a tag never lies.
_IN_IMAGES = (
    "pvfault_alarms", "pvfault_api", "pvfault_assets", "pvfault_cli", "pvfault_files", "pvfault_gateway",
    "pvfault_messages", "pvfault_server", "pvfault_workshop", "infra/images", "pyproject.toml", "requirements.lock",
)  # fmt: skip
_JARS = {"spark": "iceberg-spark-runtime-*.jar", "aws": "iceberg-aws-bundle-*.jar"}
_ENTRY_POINT = 'if __name__ == "__main__":'
# The oldest date that a zip archive can hold: when a file was checked out is none of its content.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Release:
    """What is deployed.

    Attributes
    ----------
    name : str
        Version and the first digits of a checksum over everything in release and images.
    files : mapping of str to Path or bytes
        Content by its name in the release's folder.
    checksums : mapping of str to str
        SHA-256 of each file, in hexadecimal.
    """

    name: str
    files: Mapping[str, Path | bytes]
    checksums: Mapping[str, str]

    @property
    def manifest(self) -> bytes:
        """The content of release.json."""
        return json.dumps({"release": self.name, "files": self.checksums}, indent=2, sort_keys=True).encode()


def pack(project: Path, version: str, jars: Path, model: Path) -> Release:
    """Pack a release; the same content gives the same release, byte for byte, on any machine.

    Parameters
    ----------
    project : Path
        The checkout.
    version : str
        Of pvfault.
    jars : Path
        JVM packages as `make setup` fetched them.
    model : Path
        Weights of the network.

    Raises
    ------
    PvfaultError
        If something that belongs into it is not there.
    """
    if not (project / "spark_jobs").is_dir() or not (project / "infra" / "images").is_dir():
        raise PvfaultError(f"{project} is no checkout of pvfault; a release is packed from one, so change into it")
    if not model.is_file():
        raise PvfaultError(f"there are no weights at {model}; run `make model`, or let PVFAULT_MODEL name them")
    files: dict[str, Path | bytes] = {"pvfault.zip": _zip_packages(project), MODEL: model}
    files |= {f"jobs/{job.name}": job for job in _entry_points(project)}
    files |= {f"jars/{jar.name}": jar for jar in _find_jars(jars)}
    checksums = {name: _sha256(content) for name, content in sorted(files.items())}
    content = hashlib.sha256(json.dumps(checksums, sort_keys=True).encode())
    for path in _sources(project, _IN_IMAGES):
        content.update(f"{path.relative_to(project)}\n{_sha256(path)}\n".encode())
    return Release(f"{version}-{content.hexdigest()[:12]}", files, checksums)


def upload(release: Release, account: Account, bucket: str, tell: Callable[[str], None]) -> int:
    """Put a release into its bucket: what is there already stays, what an earlier release has is copied inside S3.

    The manifest comes last, so a release that has one is whole.

    Parameters
    ----------
    release : Release
    account : Account
    bucket : str
        Name of the bootstrap bucket.
    tell : callable
        Told the name of each file before it is sent.

    Returns
    -------
    int
        Number of files that were sent from this machine.

    Raises
    ------
    PvfaultError
        If a file is no more what was packed.
    """
    s3 = account.client("s3")
    folder = f"releases/{release.name}/"
    if _is_whole(s3, bucket, folder, release):
        return 0
    known = dict(_known_files(s3, bucket))
    sent = 0
    for name, content in release.files.items():
        checksum = release.checksums[name]
        metadata = {"Metadata": {"sha256": checksum}}
        if _checksum_in_bucket(s3, bucket, folder + name) == checksum:
            continue
        if checksum in known:
            s3.copy({"Bucket": bucket, "Key": known[checksum]}, bucket, folder + name)
            continue
        tell(name)
        body = content if isinstance(content, bytes) else content.read_bytes()
        if _sha256(body) != checksum:
            raise PvfaultError(f"{content} has changed since release {release.name} was packed; deploy again")
        s3.upload_fileobj(io.BytesIO(body), bucket, folder + name, ExtraArgs=metadata)
        sent += 1
    s3.put_object(Bucket=bucket, Key=folder + MANIFEST, Body=release.manifest)
    return sent


def _is_whole(s3, bucket, folder, release):
    try:
        return s3.get_object(Bucket=bucket, Key=folder + MANIFEST)["Body"].read() == release.manifest
    except s3.exceptions.NoSuchKey:
        return False


def _checksum_in_bucket(s3, bucket, key):
    """The checksum that was noted with an object; None if there is no such object."""
    try:
        return s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256")
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return None
        raise


def _known_files(s3, bucket) -> Iterator[tuple[str, str]]:
    """Checksum and key of each file of the releases that are whole."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="releases/")
    for page in pages:
        for found in page.get("Contents", []):
            folder, _, name = found["Key"].rpartition("/")
            if name == MANIFEST:
                manifest = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
                yield from ((checksum, f"{folder}/{file}") for file, checksum in manifest["files"].items())


def _sources(project: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Files of these folders, and these files, in one order everywhere; what Python compiled is no source."""
    for name in names:
        path = project / name
        found = [path] if path.is_file() else path.rglob("*")
        yield from sorted(
            (file for file in found if file.is_file() and "__pycache__" not in file.parts),
            key=lambda file: file.relative_to(project).as_posix(),
        )


def _zip_packages(project: Path) -> bytes:
    """The packages that jobs import, as `spark-submit --py-files` takes them.

    Stored and not deflated: what deflating gives depends on the version of zlib.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in _sources(project, JOB_PACKAGES):
            entry = zipfile.ZipInfo(path.relative_to(project).as_posix(), date_time=_NO_DATE)
            entry.create_system = 3  # Unix, wherever it is packed
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def _entry_points(project: Path) -> list[Path]:
    """The files that `spark-submit` can be given."""
    return [path for path in sorted((project / "spark_jobs").glob("*.py")) if _ENTRY_POINT in path.read_text()]


def _find_jars(jars: Path) -> list[Path]:
    """The JVM packages that jobs on AWS are given, those of a laptop's Spark and those of AWS."""
    for folder, needed in _JARS.items():
        if not any((jars / folder).glob(needed)):
            raise PvfaultError(
                f"no {needed} in {jars / folder}; run `make setup`, or point PVFAULT_JARS at the JVM packages"
            )
    return [jar for folder in _JARS for jar in sorted((jars / folder).glob("*.jar"))]


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
