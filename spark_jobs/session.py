"""How Spark is started, on this machine and on Amazon EMR Serverless.

Here: the session's settings, among them the catalog of the tables: an SQLite file here, Glue there. Not here: the
tables (`catalog.py`), the workers on EMR and their sizes (`pvfault_assets/resources`).
"""

import os
import sys
from zipimport import zipimporter

from pyspark import SparkContext
from pyspark.sql import SparkSession

from pvfault.catalog_file import BUSY_TIMEOUT_S, prepare_catalog
from pvfault.errors import PvfaultError
from pvfault.locations import uri_of
from pvfault.settings import AWS, Settings
from pvfault.tables import CATALOG, Table

# Every Spark worker runs one matrix product at a time; threads of its own would only fight with the other workers.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
               "TF_NUM_INTEROP_THREADS")  # fmt: skip
# A setting of our own: the folder of each layer's tables.
_FOLDER = "spark.pvfault.folder"


def spark_config(settings: Settings) -> dict[str, str]:
    """Spark's settings.

    Raises
    ------
    PvfaultError
        If the JVM packages of a laptop are not there.
    """
    catalog = f"spark.sql.catalog.{CATALOG}"
    return {
        "spark.app.name": "pvfault",
        **{f"spark.executorEnv.{name}": "1" for name in _ONE_THREAD},
        "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "3",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        # A table is read again for each job, so that another process's commit is seen.
        f"{catalog}.cache-enabled": "false",
        **(_on_aws(settings, catalog) if settings.environment == AWS else _on_a_laptop(settings, catalog)),
    }


def folder_of(spark: SparkSession, table: Table) -> str | None:
    """Where a new table's files go; None for the catalog's own place."""
    folder = spark.conf.get(f"{_FOLDER}.{table.layer}", None)
    return f"{folder}/{table.name}" if folder else None


def _on_a_laptop(settings: Settings, catalog: str) -> dict[str, str]:
    jars = settings.jars / "spark"
    if not any(jars.glob("iceberg-spark-runtime-*.jar")):
        raise PvfaultError(f"no JVM packages for Spark in {jars}; run `make setup`, or point PVFAULT_JARS at them")
    return {
        "spark.master": "local[*]",
        "spark.driver.extraClassPath": str(jars / "*"),
        "spark.driver.memory": "2g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": f"jdbc:sqlite:{settings.catalog}",
        f"{catalog}.warehouse": uri_of(settings.warehouse),
        # PyIceberg's SqlCatalog of the same name reads the same rows of the same file.
        f"{catalog}.jdbc.schema-version": "V1",
        f"{catalog}.jdbc.init-catalog-tables": "false",  # `prepare_session` has made them
        f"{catalog}.jdbc.busy_timeout": str(1000 * BUSY_TIMEOUT_S),
    }


def _on_aws(settings: Settings, catalog: str) -> dict[str, str]:
    folders = {layer: f"s3://{settings.bucket(layer)}" for layer in ("raw", "silver", "gold")}
    return {
        f"{catalog}.type": "glue",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        # Asked for by the catalog; every table of ours says where it is.
        f"{catalog}.warehouse": folders["gold"],
        **{f"{_FOLDER}.{layer}": folder for layer, folder in folders.items()},
    }


def _use_this_python() -> None:
    """Let Spark's workers run the Python of this process: another one has no numpy, TensorFlow or pvfault.

    Spark reads this from the environment alone when a session starts in a Python process.
    """
    os.environ["PYSPARK_PYTHON"] = sys.executable


def read_archives_once() -> None:
    """Let a worker that has read the list of an archive on its path not read it again for each task.

    Spark forgets what Python's imports have found before each task; for the jar of Spark's core, which stands on each
    worker's path, finding that again takes Python 0.1 s. Archives do not change while a worker lives.
    """
    for finder in sys.path_importer_cache.values():
        if isinstance(finder, zipimporter):
            finder.invalidate_caches = _nothing


def _nothing() -> None:
    pass


def _forget_lost_session() -> None:
    """Let a session start anew whose virtual machine is gone: pyspark holds on to it for as long as Python lives.

    Dagster tries a step again in the process in which it failed.
    """
    started = getattr(SparkContext._gateway, "proc", None)
    if started is None or started.poll() is None:
        return
    if SparkContext._active_spark_context:
        SparkContext._active_spark_context._jsc = None  # nobody is there who could be told to stop
        SparkContext._active_spark_context.stop()
    SparkContext._gateway.close()
    SparkContext._gateway = SparkContext._jvm = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None


def prepare_session(settings: Settings) -> None:
    """Do what is to be done before a session starts: its workers run this Python, and its catalog is there.

    Raises
    ------
    PvfaultError
        If the catalog of a laptop does not know tables whose files are there, or cannot be used.
    """
    _use_this_python()
    _forget_lost_session()
    if settings.environment != AWS:
        prepare_catalog(settings)


def start_session(settings: Settings) -> SparkSession:
    """The session of this process, started with `spark_config` if there is none yet."""
    prepare_session(settings)
    return SparkSession.builder.config(map=spark_config(settings)).getOrCreate()
