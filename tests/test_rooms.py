"""The rooms of the project keep apart: what each of them may import."""

import ast
import sys
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent

# What a room may import beside the standard library and itself. A package that a listed one brings along and that its
# interface speaks (pandas of pvlib, py4j of pyspark) is listed with it.
ROOMS = {
    "pvfault": {
        "numpy", "pyarrow", "pywt", "tensorflow", "h5py", "pandas", "scipy", "threadpoolctl",
    },
    "pvfault_workshop": {
        "numpy", "pyarrow", "tensorflow", "h5py", "pvlib", "pandas", "scipy", "sklearn", "matplotlib", "jinja2",
        "pvfault",
    },
    "pvfault_files": {
        "numpy", "pyarrow", "pandas", "dateutil", "charset_normalizer", "clevercsv", "python_calamine", "tomlkit",
        "pvfault",
    },
    # Beside these it has uPlot's files from the fleet page: text, no import.
    "pvfault_report": {"jinja2", "numpy", "pyarrow", "pvfault"},
    "pvfault_gateway": {
        "confluent_kafka", "boto3", "botocore", "aws_msk_iam_sasl_signer", "psutil", "numpy", "pyarrow", "pvfault",
        "pvfault_files", "pvfault_workshop",
    },
    "spark_jobs": {"pyspark", "py4j", "numpy", "pyarrow", "pvfault", "dagster_pipes"},
    "pvfault_assets": {
        "dagster", "dagster_pyspark", "sqlalchemy", "boto3", "botocore", "psutil", "pyarrow", "tenacity", "spark_jobs",
        "pvfault_api", "pvfault_gateway", "pvfault_messages", "pvfault_workshop", "pvfault",
    },
    "pvfault_messages": {"boto3", "botocore", "pvfault"},
    "pvfault_api": {"pyiceberg", "numpy", "pyarrow", "pvfault"},
    "pvfault_alarms": {"sqlalchemy", "alembic", "pyarrow", "pvfault", "pvfault_api", "pvfault_messages"},
    "pvfault_server": {
        "anyio", "fastapi", "starlette", "pydantic", "uvicorn", "orjson", "matplotlib", "numpy", "pyarrow",
        "mangum", "boto3", "botocore", "pvfault_alarms", "pvfault_api", "pvfault",
    },
    "pvfault_bench": {
        "pyspark", "confluent_kafka", "fastavro", "psutil", "numpy", "pandas", "pyarrow", "pywt", "matplotlib",
        "pyiceberg", "dagster", "pvfault", "pvfault_api", "pvfault_assets", "pvfault_gateway", "pvfault_workshop",
        "spark_jobs",
    },
    "pvfault_deploy": {"boto3", "botocore", "yaml", "cfnlint", "pvfault"},
    "pvfault_cli": {
        "typer", "rich", "pyarrow", "pvfault", "pvfault_gateway", "spark_jobs", "pvfault_alarms", "pvfault_assets",
        "pvfault_api", "pvfault_bench", "pvfault_deploy", "pvfault_files", "pvfault_report", "pvfault_server",
        "pvfault_workshop",
    },
}  # fmt: skip
# Which extras of pyproject.toml a room needs, beside what is always installed. `pvfault deploy` does without cfn-lint
# where it is not there.
EXTRAS = {
    "pvfault": (),
    "pvfault_workshop": ("workshop",),
    "pvfault_files": (),
    "pvfault_report": (),
    "pvfault_gateway": ("gateway", "workshop"),
    "spark_jobs": ("spark",),
    "pvfault_assets": ("dagster", "spark", "gateway", "workshop", "aws"),
    "pvfault_api": ("dagster",),
    "pvfault_messages": ("aws",),
    # What speaks with SNS is of an extra for AWS; a webhook needs nothing.
    "pvfault_alarms": ("server", "lambda"),
    "pvfault_server": ("server", "lambda"),
    "pvfault_bench": ("bench", "dagster", "spark", "gateway", "workshop"),
    "pvfault_deploy": ("aws", "dev"),
    "pvfault_cli": ("dagster", "spark", "gateway", "workshop", "bench", "server", "lambda", "aws", "dev"),
}
BELONGS = {
    "dagster": "pvfault_assets/",
    "dagster_pyspark": "pvfault_assets/",
    "boto3": "pvfault_assets/resources/, pvfault_messages/, pvfault_gateway/msk.py or pvfault_server/lambda_handler.py",
    "pyspark": "spark_jobs/",
    "confluent_kafka": "pvfault_gateway/",
    "charset_normalizer": "pvfault_files/",
    "python_calamine": "pvfault_files/",
    "fastapi": "pvfault_server/",
    "sqlalchemy": "pvfault_alarms/, or pvfault_assets/event_log.py for Dagster's own storage",
    "alembic": "pvfault_alarms/",
    "pyiceberg": "pvfault_api/",
    "jinja2": "pvfault_report/ or pvfault_workshop/evaluation/",
    "typer": "pvfault_cli/",
    "rich": "pvfault_cli/",
    "pvlib": "pvfault_workshop/",
    "sklearn": "pvfault_workshop/",
    "matplotlib": "pvfault_workshop/, pvfault_bench/ or pvfault_server/pictures.py",
    "pvfault_workshop": "pvfault_workshop/: a job on a cluster carries no simulator",
}
# Keras gives warnings that only TensorFlow's own variables silence, and they must be set before it is imported.
MAY_TOUCH_THE_ENVIRONMENT = {"pvfault/tensorflow_start.py"}


def modules_of(room):
    return sorted((PROJECT / room).rglob("*.py"))


def imports_of(path):
    """Top-level packages that a module imports anywhere in it, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_belongs_to_it(room):
    """A platform stays testable and portable as long as the science knows no engine and the engines no orchestrator."""
    allowed = ROOMS[room] | {room} | sys.stdlib_module_names
    wrong = [
        f"{path.relative_to(PROJECT)} imports {name}: "
        + (f"such code belongs in {BELONGS[name]}" if name in BELONGS else f"{room}/ may import {sorted(ROOMS[room])}")
        for path in modules_of(room)
        for name in sorted(set(imports_of(path)) - allowed)
    ]
    assert not wrong, "\n".join(wrong)


def names_of(requirements):
    """Distributions that are required, as they compare."""
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def brought_along(distribution):
    """What a distribution itself requires, without extras."""
    lines = metadata.requires(distribution) or []
    return names_of(line for line in lines if "extra ==" not in line)


def needed_by(room):
    """Packages that a room imports, and the rooms that it imports, as distributions."""
    packages = {name for path in modules_of(room) for name in imports_of(path)} - sys.stdlib_module_names - {room}
    rooms = packages & ROOMS.keys()
    own = {canonicalize_name(found) for name in packages - rooms for found in DISTRIBUTIONS[name]}
    return own.union(*map(needed_by, rooms))


DISTRIBUTIONS = metadata.packages_distributions()


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports_is_installed_with_the_extras_that_it_names(room):
    """All extras are installed here, so that a package that somebody else's extra brings would never be missed."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][extra] for extra in EXTRAS[room]]
    listed = names_of([*project["dependencies"], *chain(*extras)])
    offered = listed.union(*map(brought_along, listed))
    missing = needed_by(room) - offered
    assert not missing, f"{room}/ or a room that it imports needs {sorted(missing)}, offered by none of {EXTRAS[room]}"


def test_the_science_does_not_read_the_environment():
    """A result that depends on a variable of somebody's shell cannot be made again."""
    wrong = [
        f"{path.relative_to(PROJECT)}:{node.lineno} uses os.{node.attr}: whoever starts the process passes settings in"
        for path in modules_of("pvfault")
        if str(path.relative_to(PROJECT)) not in MAY_TOUCH_THE_ENVIRONMENT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb", "putenv")
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_says_what_belongs_in_it():
    """Each module opens with what is here and what is not, so that code finds its place."""
    silent = [
        str(path.relative_to(PROJECT))
        for room in ROOMS
        for path in modules_of(room)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent
