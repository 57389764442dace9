"""Versions are told from contents alone, wherever these are."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

from pvfault.versions import code_version, version_of
from tests.conftest import PROJECT


def code_version_in(place) -> str:
    """The version that a process of its own tells, with the code from a folder or an archive alone."""
    program = "from pvfault import versions; print(versions.code_version(), versions.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, cwd="/"
    )
    version, file = done.stdout.split()
    assert file.startswith(str(place))
    return version


def test_a_files_version_is_the_beginning_of_its_sha256():
    assert version_of(b"deviceID") == hashlib.sha256(b"deviceID").hexdigest()[:12]


def test_the_same_code_has_the_same_version_in_an_archive_and_other_code_another_one(tmp_path):
    folder, archive = tmp_path / "code", tmp_path / "pvfault.zip"
    for package in ("pvfault", "spark_jobs"):
        shutil.copytree(PROJECT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(folder.rglob("*.py")):
            packed.write(file, file.relative_to(folder))
    assert code_version_in(folder) == code_version_in(archive) == code_version()
    with (folder / "spark_jobs" / "job.py").open("a") as file:
        file.write("# changed\n")
    assert code_version_in(folder) != code_version()
