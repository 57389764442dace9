"""What the tables are made of beside the topic (`topic.py`): the registry and the network.

They are checked here rather than made.
"""

from itertools import islice

import dagster as dg

from pvfault.checks.sources import SCORES
from pvfault.locations import is_there, local_file
from pvfault.registry import REGISTRY_SCHEMA, Registry, read_registry
from pvfault.settings import Settings
from pvfault_assets.assets.training import MODEL, TRAINING_WINDOWS, ModelConfig, train_model
from pvfault_assets.columns import column_schema
from pvfault_assets.failures import raised_for_dagster

REGISTRY = dg.AssetKey("device_registry")

SAMPLE = 5


_REGISTRY_COLUMNS = {
    "deviceID": "The device: ten letters and digits.",
    "rated_voltage": "Voltage of the whole array at its maximum power, at standard test conditions. [V]",
    "rated_current": "Current of the whole array at its maximum power, at standard test conditions. [A]",
    "site": "Name of its site.",
    "latitude": "Of its site, north is positive. [°]",
    "longitude": "Of its site, east is positive. [°]",
    "timezone": "Of its site, as in the IANA database.",
    "modules_in_series": "Modules of a string.",
    "strings_in_parallel": "Strings of the array.",
}


def source_assets(settings: Settings, retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The assets without days, as the settings name them; a step is tried again as the policy says."""

    @dg.asset(
        key=REGISTRY,
        group_name="raw",
        kinds={"csv"},
        metadata={"dagster/column_schema": column_schema(REGISTRY_SCHEMA, _REGISTRY_COLUMNS)},
    )
    def device_registry(context: dg.AssetExecutionContext):
        """One row per device: its ratings at standard test conditions and, where known, its site.

        Reads and checks the file. Its version is a hash of its content, so what was made from an older one is marked as
        out of date.
        """
        location = settings.registry
        with raised_for_dagster(context, retries):
            if not is_there(location):
                return _no_registry(location)
            registry = read_registry(location)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(registry.version),
            metadata={
                "dagster/row_count": len(registry.devices),
                "path": dg.MetadataValue.path(str(location)),
                "version": registry.version,
                "sample": _first_devices(registry),
            },
        )

    @dg.asset(key=MODEL, group_name="model", kinds={"tensorflow"}, deps=[TRAINING_WINDOWS])
    def lenet_model(context: dg.AssetExecutionContext, config: ModelConfig):
        """One network: the LeNet-5 that takes a scalogram for a fault or for none.

        Reads the weights, so that a file that is absent or broken is found before a day is classified, and tells how
        right they were on devices that they were not trained on. With `train: true` it trains them first.
        """
        # Here, because definitions are loaded far more often than the network is looked at.
        from pvfault.lenet import examine_network
        from pvfault.scores import read_scores

        with raised_for_dagster(context, retries):
            if config.train:
                train_model(settings, config)
            with local_file(settings.model) as file:
                version = examine_network(file)
                scores = read_scores(file)
                size = file.stat().st_size
            card = _model_card(str(settings.model).removesuffix(".h5") + ".md")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version),
            metadata={
                "version": version,
                "path": dg.MetadataValue.path(str(settings.model)),
                "bytes": size,
                "training_windows": scores.get("training_windows", ""),
                **{name: scores[name] for name in SCORES if name in scores},
                "card": dg.MetadataValue.md(card),
            },
        )

    return [device_registry, lenet_model]


def _first_devices(registry: Registry) -> dg.TableMetadataValue:
    """A few devices with their ratings."""
    columns = {"deviceID": "string", "rated_voltage": "float", "rated_current": "float"}
    rows = zip(registry.devices, registry.rated_voltage.tolist(), registry.rated_current.tolist(), strict=True)
    return dg.MetadataValue.table(
        [dg.TableRecord(dict(zip(columns, row, strict=True))) for row in islice(rows, SAMPLE)],
        dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()]),
    )


def _model_card(location):
    """What is said of the network beside its weights."""
    if not is_there(location):
        return f"{location} is not there."
    with local_file(location) as file:
        return file.read_text()


def _no_registry(location):
    """An empty registry is a registry: everything works, less well."""
    found = f"{location} does not exist; write it, or point PVFAULT_REGISTRY at it, and materialise again"
    return dg.MaterializeResult(
        data_version=dg.DataVersion("none"),
        metadata={"dagster/row_count": 0, "path": dg.MetadataValue.path(str(location)), "found": found},
    )
