"""The container images, as far as they can be looked at without building them: no Docker engine is needed here."""

import ast
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent.parent
IMAGES = ("emr", "dagster", "answers")
# Rules of hadolint that a Dockerfile ignores; the line before each says why.
IGNORED = {"emr": ["DL3007", "DL3041", "DL3066"], "dagster": [], "answers": []}


def dockerfile(image):
    return PROJECT / "infra" / "images" / image / "Dockerfile"


def direct_requirements(image):
    command = [sys.executable, PROJECT / "infra" / "images" / "requirements.py", image]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return [Requirement(line) for line in done.stdout.splitlines()]


def closure(requirements):
    """Names of everything that pip installs for some requirements, by the metadata of what is installed here."""
    found, waiting = set(), [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        known = {(name, wanted) for wanted in (requirement.extras or {""})}
        for _, wanted in known - found:
            waiting += [(Requirement(line), wanted) for line in requires(name) or []]
        found |= known
    return {name for name, _ in found}


def locked():
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in lines)}


def imported_by(paths):
    """Top-level packages that modules import, and those that the modules of ours which they import do."""
    found, seen, waiting = set(), set(), list(paths)
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            found |= {name.split(".")[0] for name in names}
            ours = [PROJECT / f"{name.replace('.', '/')}{end}" for name in names for end in (".py", "/__init__.py")]
            waiting += [module for module in ours if module.is_file() and module not in seen]
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image):
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", dockerfile(image)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES)
def test_an_ignored_rule_is_one_that_we_know_of_and_has_its_reason(image):
    lines = dockerfile(image).read_text().splitlines()
    ignoring = [number for number, line in enumerate(lines) if "hadolint ignore" in line]
    assert [lines[number].split("ignore=")[1] for number in ignoring] == IGNORED[image]
    assert all(lines[number - 1].startswith("# ") and lines[number - 1].endswith(".") for number in ignoring)


@pytest.mark.parametrize("image", IMAGES)
def test_everything_that_an_image_installs_is_locked_at_the_version_that_is_tested(image):
    """Pip is given the lock as constraints, and what the lock does not name it would take from anywhere."""
    assert "-c requirements.lock" in dockerfile(image).read_text()
    pins = locked()
    installed = closure(direct_requirements(image))
    assert len(installed) > 40
    assert {name for name in installed if name not in pins} == set()
    assert {name: version(name) for name in installed} == {name: pins[name] for name in installed}


# A package and its import differ in these names.
PACKAGES = {"pywt": "pywavelets", "dateutil": "python-dateutil",
            "tensorflow": "tensorflow-cpu", "sklearn": "scikit-learn", "botocore": "boto3",
            "aws_msk_iam_sasl_signer": "aws-msk-iam-sasl-signer-python"}  # fmt: skip
# What Dagster's image is started for: the definitions, and readings sent by hand (docs/deployment.md).
OF_DAGSTER = ["pvfault_assets/**/*.py", *(f"pvfault_cli/{name}.py" for name in ("replay", "simulate", "topic"))]


def needed_by(paths, of_base=frozenset()):
    """Packages that modules of ours need from an image, also for what they import inside functions."""
    ours = {path.name for path in PROJECT.glob("pvfault*")} | {"spark_jobs"}
    needed = imported_by(paths) - sys.stdlib_module_names - ours - of_base
    return {canonicalize_name(PACKAGES.get(name, name)) for name in needed}


def test_the_jobs_image_keeps_amazon_s_spark_and_has_all_that_jobs_import():
    installed = closure(direct_requirements("emr"))
    assert "pyspark" not in installed
    jobs = sorted((PROJECT / "spark_jobs").glob("*.py"))
    assert needed_by(jobs, of_base={"pyspark", "py4j"}) <= installed


def test_dagster_s_image_has_all_that_its_code_imports():
    """Reading the scores beside the weights once needed a package that was not there, every night."""
    paths = [path for pattern in OF_DAGSTER for path in sorted(PROJECT.glob(pattern))]
    assert len(paths) > 20
    installed = closure(direct_requirements("dagster"))
    needed = needed_by(paths)
    assert needed >= {"dagster", "scikit-learn", "tensorflow-cpu", "confluent-kafka", "pvlib"}
    assert needed <= installed


def test_the_answers_image_has_all_that_they_import_and_nothing_else():
    """Each megabyte is loaded at a cold start, and TensorFlow alone is a gigabyte."""
    paths = [path for path in sorted((PROJECT / "pvfault_server").glob("*.py")) if path.name != "serve.py"]
    requirements = direct_requirements("answers")
    installed, needed = closure(requirements), needed_by(paths)
    assert needed >= {"mangum", "fastapi", "pyiceberg", "sqlalchemy", "matplotlib", "boto3"}
    assert needed <= installed
    # The command of the image, and the driver of a database's address.
    named = {"awslambdaric", "psycopg2-binary"}
    assert {canonicalize_name(requirement.name) for requirement in requirements} == needed - {"pydantic"} | named
    assert {"tensorflow-cpu", "pandas", "dagster", "pyspark", "h5py", "uvicorn"}.isdisjoint(installed)


_WITHOUT = """
import sys
absent = set(sys.argv[2].split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Absent())
for module in sys.argv[1].split(","):
    __import__(module)
"""
# What each image is started for, by the module; and the rooms that are not in it.
STARTED = {
    "dagster": (
        ["pvfault_assets.definitions", "pvfault_cli.main"],
        {"pvfault_alarms", "pvfault_bench", "pvfault_deploy", "pvfault_report", "pvfault_server"},
    ),
    "answers": (
        ["pvfault_server.on_lambda"],
        {
            "pvfault_assets",
            "pvfault_bench",
            "pvfault_cli",
            "pvfault_deploy",
            "pvfault_files",
            "pvfault_gateway",
            "pvfault_report",
            "pvfault_workshop",
        },
    ),
}


@pytest.mark.parametrize("image", STARTED)
def test_what_an_image_is_for_starts_with_nothing_but_what_is_in_it(image, tmp_path):
    """What stands at the head of a module counts even where nobody calls it."""
    modules, left_out = STARTED[image]
    installed = closure(direct_requirements(image))
    absent = {
        name
        for name, packages in packages_distributions().items()
        if not {canonicalize_name(package) for package in packages} & (installed | {"pip", "setuptools", "pvfault"})
    }
    rooms = {path.name for path in PROJECT.glob("pvfault*") if path.is_dir() and path.suffix != ".egg-info"}
    copied = set(re.findall(r"^COPY (pvfault\w*)", dockerfile(image).read_text(), re.M))
    assert {"cfnlint", "fastavro", "moto"} <= absent
    assert rooms - copied == left_out
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, ",".join(modules), ",".join(absent | (rooms - copied))],
        cwd=tmp_path, env={"PYTHONPATH": str(PROJECT), "PVFAULT_TOKEN": "0" * 16},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_jobs_are_run_by_the_python_that_has_the_packages():
    """The service's own Python is another one, with none of them."""
    from pvfault_deploy.stacks import read_templates

    (template,) = (template for template in read_templates(PROJECT) if template.concern == "spark")
    (defaults,) = template.resources["Application"]["Properties"]["RuntimeConfiguration"]
    assert set(defaults["Properties"].values()) == {"/usr/bin/python3.11"}
    assert set(defaults["Properties"]) >= {
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON",
        "spark.executorEnv.PYSPARK_PYTHON",
    }
    assert "python3.11 -m pip install" in dockerfile("emr").read_text()


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_is_there_and_not_hidden_from_docker(image):
    text = dockerfile(image).read_text().replace("\\\n", " ")
    sources = [source for line in re.findall(r"^COPY (.+)$", text, re.M) for source in line.split()[:-1]]
    shown = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sources
    for source in sources:
        assert (PROJECT / source).exists(), source
        assert any(source == path or source.startswith(f"{path}/") for path in shown), source


def test_dagster_s_image_has_every_room_that_its_code_imports():
    copied = set(re.findall(r"^COPY (pvfault\w*|spark_jobs)", dockerfile("dagster").read_text(), re.M))
    rooms, waiting = set(), ["pvfault_assets"]
    while waiting:
        room = waiting.pop()
        rooms.add(room)
        text = "\n".join(path.read_text() for path in (PROJECT / room).rglob("*.py"))
        found = set(re.findall(r"^\s*(?:from|import) (pvfault\w*|spark_jobs)\b", text, re.M))
        waiting += found - rooms
    assert rooms <= copied


def test_the_function_calls_what_the_image_has():
    """The base is one that the locked wheels are for: Amazon's for Python 3.11 has glibc 2.26."""
    text = dockerfile("answers").read_text()
    assert "FROM python:3.11-slim-bookworm\n" in text
    assert 'ENTRYPOINT ["python", "-m", "awslambdaric"]' in text
    (handler,) = re.findall(r'^CMD \["([\w.]+)"\]', text, re.M)
    module, _, name = handler.rpartition(".")
    source = (PROJECT / f"{module.replace('.', '/')}.py").read_text()
    assert name in {node.targets[0].id for node in ast.parse(source).body if isinstance(node, ast.Assign)}


def test_dagster_takes_its_configuration(monkeypatch, tmp_path):
    """A mistake in dagster.yaml would stop every one of its services at its start."""
    from dagster._core.instance.config import dagster_instance_config
    from dagster._core.instance.ref import InstanceRef

    for name in ("DATABASE_HOST", "DATABASE_USER", "DATABASE_PASSWORD", "DATABASE_NAME", "LOG_BUCKET", "RUN_TASK"):
        monkeypatch.setenv(f"DAGSTER_{name}", "x")
    source = dockerfile("dagster").parent / "dagster.yaml"
    (tmp_path / "dagster.yaml").write_text(source.read_text())
    config, _ = dagster_instance_config(str(tmp_path))
    ref = InstanceRef.from_dir(str(tmp_path), overrides=config)
    for part in (ref.run_storage_data, ref.event_storage_data, ref.run_launcher_data, ref.compute_logs_data):
        module = importlib.import_module(part.module_name)
        from dagster._config import process_config, resolve_to_config_type

        schema = resolve_to_config_type(getattr(module, part.class_name).config_type())
        result = process_config(schema, part.config_dict)
        assert result.success, result.errors


def test_dagster_s_database_is_reached_by_a_driver_that_the_image_has():
    """SQLAlchemy 2.1 takes psycopg 3 for a bare postgresql://, and dagster-postgres brings psycopg 2."""
    from dagster_postgres.utils import pg_url_from_config
    from sqlalchemy import create_engine

    content = yaml.safe_load((dockerfile("dagster").parent / "dagster.yaml").read_text())
    config = content["storage"]["postgres"]["postgres_db"]
    filled = {name: "x" if isinstance(value, dict) and "env" in value else value for name, value in config.items()}
    driver = create_engine(pg_url_from_config({"postgres_db": filled})).dialect.driver
    assert {"psycopg2": "psycopg2-binary"}[driver] in closure(direct_requirements("dagster"))


def test_what_dagster_s_configuration_takes_from_the_environment_is_set_in_every_task():
    from pvfault_deploy.stacks import read_templates

    asked = set(re.findall(r"env: (DAGSTER_\w+)", "".join(
        path.read_text() for path in dockerfile("dagster").parent.glob("*.yaml"))))  # fmt: skip
    assert len(asked) == 7
    (template,) = (template for template in read_templates(PROJECT) if template.concern == "dagster")
    tasks = [
        found["Properties"] for found in template.resources.values() if found["Type"] == "AWS::ECS::TaskDefinition"
    ]
    assert len(tasks) == 4
    for task in tasks:
        (container,) = task["ContainerDefinitions"]
        assert asked <= {entry["Name"] for entry in container["Environment"] + container["Secrets"]}


def test_page_and_daemon_find_the_code_server_where_it_is():
    workspace = yaml.safe_load((dockerfile("dagster").parent / "workspace.yaml").read_text())
    (server,) = (entry["grpc_server"] for entry in workspace["load_from"])
    template = (PROJECT / "infra" / "cloudformation" / "dagster.yaml").read_text()
    assert f'--port, "{server["port"]}"' in template
    assert f"ContainerPort: {server['port']}" in template
    network = (PROJECT / "infra" / "cloudformation" / "network.yaml").read_text()
    assert f"FromPort: {server['port']}\n      ToPort: {server['port']}" in network
