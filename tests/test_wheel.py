"""The wheel, in an environment of its own with what it requires and nothing else, judges a file from any folder."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pvfault.lenet import read_version
from tests.conftest import PROJECT

# In an interpreter of the new environment, first of all: packages that the wheel does not require are not there.
_HIDE = """
import sys

class Hidden:
    names = frozenset({names!r})

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def required():
    """Distributions that pyproject.toml requires without any extra, and what these require."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found, open_ = set(), list(map(Requirement, project["dependencies"]))
    while open_:
        wanted = open_.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        open_ += map(Requirement, metadata.requires(name) or [])
    return found


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Python of a new environment with the wheel and the packages that it requires."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for package in [*PROJECT.glob("pvfault*/__init__.py"), PROJECT / "spark_jobs" / "__init__.py"]:
        shutil.copytree(package.parent, sources / package.parent.name, ignore=left_out)
    (sources / "models").mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "models/lenet5.h5"):
        shutil.copy(PROJECT / name, sources / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    code, _, said = run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, sources)
    assert code == 0, said
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    code, _, said = run(*pip, f"--python={python}", "install", "--no-deps", "--no-index", wheel)
    assert code == 0, said
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    ours = {name for name in metadata.packages_distributions() if name.startswith("pvfault") or name == "spark_jobs"}
    required_here = required()
    hidden = [
        name
        for name, distributions in metadata.packages_distributions().items()
        if name not in ours and required_here.isdisjoint(map(canonicalize_name, distributions))
    ]
    (site / "hide.py").write_text(_HIDE.format(names=sorted(hidden)))
    # Lines of a .pth file are run or added in order: what is not required is hidden before it could be found.
    (site / "others.pth").write_text(f"import hide\n{metadata.distribution('pyarrow').locate_file('')}\n")
    return python


@pytest.fixture
def plant(tmp_path):
    """A folder with a file of readings, one every 5 min, and nothing of pvfault."""
    rows = ["deviceID,timestamp,voltage,current,temperature,irradiance"]
    for step in range(288):
        light = max(0.0, 900 - abs(step - 144) * 9.0)
        rows.append(f"Dach 1,2024-06-10 {step // 12:02}:{step % 12 * 5:02}:00,580,{light * 0.05:.2f},40,{light:.1f}")
    (tmp_path / "plant.csv").write_text("\n".join(rows))
    return tmp_path


def test_the_installed_wheel_judges_a_file_from_any_folder(python, plant):
    environment = {"PATH": os.environ["PATH"], "HOME": str(plant / "home")}
    pvfault = python.with_name("pvfault")
    code, told, said = run(pvfault, "classify", "plant.csv", "--json", "--html", "r.html", "-o", "o.parquet",
                           cwd=plant, env=environment)  # fmt: skip
    assert code == 0, said
    document = json.loads(told)
    assert document["model_version"] == read_version(PROJECT / "models" / "lenet5.h5")
    assert [day["name"] for day in document["device_days"]] == ["Dach 1"]
    assert (plant / "r.html").read_text().startswith("<!doctype html>")
    assert len(pq.read_table(plant / "o.parquet")) == 24
    assert {path.name for path in plant.iterdir()} == {"plant.csv", "r.html", "o.parquet"}, "nothing else is left"


def test_what_a_wheel_keeps_is_in_the_users_folder(python, plant):
    code = "from pvfault.settings import Settings; s = Settings.from_environment({}); print(s.home, s.model, sep='\\n')"
    environment = {"PATH": os.environ["PATH"], "HOME": str(plant / "home")}
    _, told, said = run(python, "-c", code, cwd=plant, env=environment)
    home, model = map(Path, told.splitlines())
    assert (home, said) == (plant / "home" / ".pvfault", "")
    assert model.is_relative_to(python.parent.parent)


def test_without_the_extras_a_command_says_what_it_lacks(python, plant):
    environment = {"PATH": os.environ["PATH"], "HOME": str(plant / "home")}
    pvfault = python.with_name("pvfault")
    code, _, said = run(pvfault, "registry", "guess", "plant.csv", "--module", "x", cwd=plant, env=environment)
    assert (code, "pip install 'pvfault[workshop]'" in said) == (2, True), said
