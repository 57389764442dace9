"""How Spark is started on this machine.

Here: the session's settings, among them the catalog of the tables. Not here: the tables (`lake.py`), sessions on
Amazon EMR, which brings its own.
"""

import os
import sys

from pyspark.sql import SparkSession

from pvfault.errors import PvfaultError
from pvfault.settings import Settings

CATALOG = "lake"

# Every Spark worker runs one matrix product at a time; threads of its own would only fight with the other workers.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
               "TF_NUM_INTEROP_THREADS")  # fmt: skip


def spark_config(settings: Settings) -> dict[str, str]:
    """Spark's settings for a laptop.

    Raises
    ------
    PvfaultError
        If the JVM packages are not there.
    """
    jars = settings.jars / "spark"
    if not any(jars.glob("iceberg-spark-runtime-*.jar")):
        raise PvfaultError(f"no JVM packages for Spark in {jars}; run `make setup`, or point PVFAULT_JARS at them")
    catalog = f"spark.sql.catalog.{CATALOG}"
    return {
        "spark.master": "local[*]",
        "spark.app.name": "pvfault",
        "spark.driver.extraClassPath": str(jars / "*"),
        "spark.driver.memory": "2g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        **{f"spark.executorEnv.{name}": "1" for name in _ONE_THREAD},
        "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "3",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": f"jdbc:sqlite:{settings.catalog}",
        f"{catalog}.warehouse": settings.warehouse.as_uri(),
        # PyIceberg's SqlCatalog of the same name reads the same rows of the same file.
        f"{catalog}.jdbc.schema-version": "V1",
        f"{catalog}.jdbc.init-catalog-tables": "true",
        # A table is read again for each job, so that another process's commit is seen.
        f"{catalog}.cache-enabled": "false",
    }


def use_this_python() -> None:
    """Let Spark's workers run the Python of this process: another one has no numpy, TensorFlow or pvfault.

    Spark reads this from the environment alone when a session starts in a Python process.
    """
    os.environ["PYSPARK_PYTHON"] = sys.executable


def start_session(settings: Settings) -> SparkSession:
    """The session of this process, started with `spark_config` if there is none yet."""
    use_this_python()
    settings.home.mkdir(parents=True, exist_ok=True)
    return SparkSession.builder.config(map=spark_config(settings)).getOrCreate()
