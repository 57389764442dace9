"""The columns of what Dagster shows: what they mean, and which of them come from which.

A column of a table is listed with those that its values are computed from. Not here: which rows are taken (readings
that do not tell of the array are left out, by all four measurements), the dates before that a scalogram is held
against, the network's weights, which are no column.
"""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg
import pyarrow as pa

from pvfault.readings import DEVICE_ID, MEASUREMENTS, READING_SCHEMA, TIMESTAMP
from pvfault.registry import LAYOUT_COLUMNS
from pvfault.tables import BELOW_COLUMNS, DEVICE_DAYS, PREDICTIONS, READINGS, SCALOGRAMS, WINDOW_START, Table

_TOPIC, _REGISTRY = "readings_topic", "device_registry"
_RATINGS = tuple((_REGISTRY, name) for name in ("rated_voltage", "rated_current"))
_LAYOUT = tuple((_REGISTRY, name) for name in LAYOUT_COLUMNS)
_MEASURED = tuple((READINGS.name, name) for name in MEASUREMENTS)
_PROBABILITIES = (PREDICTIONS.name, "probabilities")
_JUDGED = ("scalogram", "open_strings", "hidden_fault", *BELOW_COLUMNS)

_NO_SOURCES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType({})


def _of(table: Table, *columns: str) -> tuple[tuple[str, str], ...]:
    return tuple((table.name, column) for column in columns)


# table: column: the columns, by asset, that it is computed from; columns of no other one are not listed
SOURCES = {
    READINGS.name: {name: ((_TOPIC, name),) for name in READING_SCHEMA.names},
    SCALOGRAMS.name: {
        DEVICE_ID: (*_of(READINGS, DEVICE_ID), (_REGISTRY, DEVICE_ID)),
        WINDOW_START: _of(READINGS, TIMESTAMP),
        "quality": (*_of(READINGS, TIMESTAMP), *_MEASURED, *_RATINGS),
        "readings": _of(READINGS, TIMESTAMP),
        "scalogram": (*_of(READINGS, TIMESTAMP), *_MEASURED, *_RATINGS, *_LAYOUT),
        "mean_power": _of(READINGS, "voltage", "current"),
        **{f"mean_{name}": _of(READINGS, name) for name in MEASUREMENTS},
        **dict.fromkeys(
            ("hidden_fault", "unsure_because", *BELOW_COLUMNS), (*_of(READINGS, TIMESTAMP), *_MEASURED, *_RATINGS)
        ),
        "open_strings": (*_of(READINGS, TIMESTAMP), *_MEASURED, *_RATINGS, *_LAYOUT),
    },
    PREDICTIONS.name: {
        **{name: _of(SCALOGRAMS, name) for name in (DEVICE_ID, WINDOW_START, "quality")},
        **dict.fromkeys(("probabilities", "confidence"), _of(SCALOGRAMS, *_JUDGED)),
        **dict.fromkeys(("fault", "unsure_because", "candidates"), _of(SCALOGRAMS, *_JUDGED, "unsure_because")),
        **{name: _of(SCALOGRAMS, name) for name in ("readings_making", "registry_version")},
    },
    DEVICE_DAYS.name: {
        DEVICE_ID: _of(PREDICTIONS, DEVICE_ID),
        "date": _of(PREDICTIONS, WINDOW_START),
        **dict.fromkeys(
            ("faulty_hours", "usable_hours", "runner_up", "runner_up_probability"),
            (_PROBABILITIES,),
        ),
        "fault": (_PROBABILITIES, *_of(PREDICTIONS, "fault")),
        "confidence": (_PROBABILITIES, *_of(PREDICTIONS, "confidence")),
        "unsure_because": (_PROBABILITIES, *_of(PREDICTIONS, "fault", "unsure_because")),
        "candidates": (_PROBABILITIES, *_of(PREDICTIONS, "fault", "model_version")),
        "onset": (_PROBABILITIES, *_of(PREDICTIONS, WINDOW_START)),
        "energy_kwh": _of(SCALOGRAMS, "mean_power"),
        "lost_kwh": (
            _PROBABILITIES,
            *_of(SCALOGRAMS, "mean_power", "mean_irradiance", "mean_temperature"),
            *_RATINGS,
        ),
        "completeness": _of(SCALOGRAMS, "readings"),
        **{name: _of(PREDICTIONS, name) for name in ("model_version", "readings_making", "registry_version")},
    },
}


def column_schema(
    schema: pa.Schema, descriptions: Mapping[str, str], sources: Mapping[str, tuple[tuple[str, str], ...]] = _NO_SOURCES
) -> dg.TableSchema:
    """Columns with their types, what they mean, and what they come from.

    The last as tags, by asset: Dagster has column lineage as metadata too, and its open page does not show that.
    """
    return dg.TableSchema(
        [
            dg.TableColumn(
                field.name,
                str(field.type),
                descriptions[field.name],
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
                tags=_by_asset(sources.get(field.name, ())),
            )
            for field in schema
        ]
    )


def _by_asset(sources: tuple[tuple[str, str], ...]) -> dict[str, str]:
    columns = defaultdict(list)
    for asset, column in sources:
        columns[asset].append(column)
    return {f"from {asset}": ", ".join(names) for asset, names in columns.items()}


def column_lineage(table: Table) -> dg.TableColumnLineage:
    """The columns that each column of a table comes from."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(asset), name) for asset, name in sources]
            for column, sources in SOURCES[table.name].items()
        }
    )
