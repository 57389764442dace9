"""What a worker of Spark does before its task."""

import importlib
import sys
import zipfile
from importlib.util import find_spec

from spark_jobs.session import read_archives_once


def test_a_worker_does_not_read_an_archive_again_for_each_task(tmp_path, monkeypatch):
    """Spark's core, 5,000 names, is on each worker's path, and Spark has Python forget them before each task."""
    archive = tmp_path / "archive.zip"
    monkeypatch.syspath_prepend(str(archive))

    def is_seen(module: str) -> bool:
        with zipfile.ZipFile(archive, "a") as packed:
            packed.writestr(f"{module}.py", "")
        importlib.invalidate_caches()
        return find_spec(module) is not None

    assert is_seen("first_of_the_archive")
    assert is_seen("second_of_the_archive")
    read_archives_once()
    assert not is_seen("third_of_the_archive")
    del sys.path_importer_cache[str(archive)]
