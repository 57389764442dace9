"""Where everything is, for whoever looks at Dagster's page: broker, tables, registry, network and cores.

Nothing is read from it, and it holds no secret. Jobs are told by `Settings`, which this repeats.
"""

import os

import dagster as dg

from pvfault.settings import AWS, Settings
from pvfault.tables import CATALOG, NAMESPACE, Table


class Plant(dg.ConfigurableResource):
    """Where readings come from, where tables are, and what jobs run on, as the settings of this process say."""

    environment: str
    broker: str
    topic: str
    catalog: str
    warehouse: str
    registry: str
    network: str
    cores: str
    lateness: str

    @classmethod
    def from_settings(cls, settings: Settings) -> "Plant":
        """What the settings say."""
        on_aws = settings.environment == AWS
        buckets = ", ".join(settings.bucket(layer) for layer in ("raw", "silver", "gold")) if on_aws else ""
        application = settings.emr_application_id or "an application that is not set"
        return cls(
            environment=settings.environment,
            broker=settings.broker or settings.msk_cluster_arn or "",
            topic=settings.topic,
            catalog=f"Glue, database {NAMESPACE}" if on_aws else f"{CATALOG}.{NAMESPACE} in {settings.catalog}",
            warehouse=buckets or str(settings.warehouse),
            registry=str(settings.registry),
            network=str(settings.model),
            cores=f"of EMR Serverless, {application}" if on_aws else f"{os.cpu_count()} of this machine",
            lateness=f"{settings.lateness_hours:g} h past midnight (UTC)",
        )


def place_of(settings: Settings, table: Table) -> str:
    """Where the files of a table are."""
    if settings.environment == AWS:
        return f"s3://{settings.bucket(table.layer)}/{table.name}"
    return (settings.warehouse / NAMESPACE / table.name).as_uri()
