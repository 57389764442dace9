"""Which columns come from which: what is declared, against what changes if a column does."""

from dataclasses import replace

import dagster as dg
import pyarrow as pa
import pytest

from pvfault.faults import FAULTS
from pvfault.readings import MEASUREMENTS
from pvfault.registry import REGISTRY_SCHEMA
from pvfault.rows.device_days import device_day_rows
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import DEVICE_DAYS, LINEAGE, PREDICTIONS, PROBABILITIES_TYPE, READINGS, SCALOGRAMS, TABLES
from pvfault_assets.columns import SOURCES, column_lineage
from tests.pvfault.rows.helpers import DAY, DEVICES, REGISTRY, Brightness, a_day

MADE = (READINGS, SCALOGRAMS, PREDICTIONS, DEVICE_DAYS)


@pytest.fixture(scope="module")
def readings():
    return pa.concat_tables([a_day(device, seed=n) for n, device in enumerate(DEVICES)])


@pytest.fixture(scope="module")
def scalograms(readings):
    return scalogram_rows(readings, DAY, REGISTRY)


@pytest.fixture(scope="module")
def predictions(scalograms):
    return prediction_rows(scalograms, Brightness())


def replaced(table, column, change):
    """A table with other values in a column, but for nulls."""
    position = table.schema.get_field_index(column)
    values = [None if value is None else change(value) for value in table[column].to_pylist()]
    return table.set_column(position, table.schema.field(column), pa.array(values, table.schema.field(column).type))


def differing(one, other):
    return {name for name in one.schema.names if not one[name].equals(other[name])}


def more_volts(registry):
    return replace(registry, rated_voltage=1.1 * registry.rated_voltage)


def more_amperes(registry):
    return replace(registry, rated_current=1.1 * registry.rated_current)


def declared_from(table, asset, column):
    return {name for name, sources in SOURCES[table.name].items() if (asset, column) in sources}


# Of devices that are not registered, of which there is none here.
TRUST = {"hidden_fault", "unsure_because", "voltage_below", "current_below"}
# In few hours, of which there is none here.
SELDOM = {"open_strings"}


@pytest.mark.parametrize("column", MEASUREMENTS)
def test_scalograms_come_from_the_measurements_that_they_change_with(readings, scalograms, column):
    other = scalogram_rows(replaced(readings, column, lambda value: 0.9 * value), DAY, REGISTRY)
    assert differing(scalograms, other) == declared_from(SCALOGRAMS, "readings", column) - {"quality", *TRUST, *SELDOM}


@pytest.mark.parametrize("column", MEASUREMENTS)
def test_whether_an_hour_can_be_judged_comes_from_all_measurements(readings, scalograms, column):
    other = scalogram_rows(replaced(readings, column, lambda _: -1e5), DAY, REGISTRY)
    assert "quality" in differing(scalograms, other) & declared_from(SCALOGRAMS, "readings", column)


@pytest.mark.parametrize(("change", "column"), [(more_volts, "rated_voltage"), (more_amperes, "rated_current")])
def test_scalograms_and_what_is_lost_come_from_the_ratings(readings, scalograms, predictions, change, column):
    other = scalogram_rows(readings, DAY, change(REGISTRY))
    assert differing(scalograms, other) == declared_from(SCALOGRAMS, "device_registry", column) - {
        "quality",
        *TRUST,
        *SELDOM,
    }
    hours = beside(faulty(predictions), scalograms)
    days = [device_day_rows(hours, DAY, registry, Brightness.sets) for registry in (REGISTRY, change(REGISTRY))]
    assert differing(*days) == declared_from(DEVICE_DAYS, "device_registry", column) == {"lost_kwh"}


@pytest.mark.parametrize(("position", "column"), [(0, "modules_in_series"), (1, "strings_in_parallel")])
def test_scalograms_come_from_the_layout_of_the_array(readings, scalograms, position, column):
    layout = REGISTRY.layout.copy()
    layout[:, position] *= 3
    other = scalogram_rows(readings, DAY, replace(REGISTRY, layout=layout))
    assert (
        differing(scalograms, other) <= declared_from(SCALOGRAMS, "device_registry", column) == {"scalogram", *SELDOM}
    )


def test_predictions_come_from_the_image_and_what_shows_beside_it(scalograms, predictions):
    other = prediction_rows(
        replaced(scalograms, "scalogram", lambda image: image[:9000] + bytes(len(image) - 9000)), Brightness()
    )
    assert differing(predictions, other) == declared_from(PREDICTIONS, "scalograms", "scalogram") - TRUST
    other = prediction_rows(replaced(scalograms, "open_strings", lambda shown: not shown), Brightness())
    assert differing(predictions, other) <= declared_from(PREDICTIONS, "scalograms", "open_strings")
    assert "probabilities" in differing(predictions, other)
    for column in ("mean_power", "mean_irradiance", "mean_temperature", "mean_voltage", "mean_current"):
        other = prediction_rows(replaced(scalograms, column, lambda value: value + 1), Brightness())
        assert differing(predictions, other) == declared_from(PREDICTIONS, "scalograms", column) == set()


def faulty(predictions, sure_of="open_circuit"):
    """Predictions of a fault in each hour that was judged."""
    sure = {fault: 0.95 if fault == sure_of else 0.01 for fault in FAULTS}
    return replaced(predictions, "probabilities", lambda _: sure)


def beside(predictions, scalograms):
    means = ("readings", "mean_power", "mean_irradiance", "mean_temperature")
    return pa.table([*predictions.columns, *(scalograms[name] for name in means)],
                    schema=pa.schema([*predictions.schema, *(scalograms.schema.field(name) for name in means)]))  # fmt: skip # noqa: E501


@pytest.mark.parametrize("column", ["readings", "mean_power", "mean_irradiance", "mean_temperature"])
def test_device_days_come_from_the_hourly_means_that_they_change_with(scalograms, predictions, column):
    hours = beside(faulty(predictions), scalograms)
    # A device that has sent more in one hour is less complete in the others.
    first = iter([1000])
    change = (lambda value: value + next(first, 0)) if column == "readings" else (lambda value: 0.9 * value)
    days = [device_day_rows(each, DAY, REGISTRY, Brightness.sets) for each in (hours, replaced(hours, column, change))]
    assert differing(*days) == declared_from(DEVICE_DAYS, "scalograms", column)


def test_verdicts_come_from_the_probabilities(scalograms, predictions):
    """Both changed ones differ from the first in what they say; an hour that is not judged any more is not usable."""
    hours = beside(faulty(predictions), scalograms)
    fewer = iter([True] * 40)
    gaps = [None if value is None or next(fewer, False) else value for value in hours["probabilities"].to_pylist()]
    position = hours.schema.get_field_index("probabilities")
    with_gaps = hours.set_column(position, "probabilities", pa.array(gaps, PROBABILITIES_TYPE))
    days = device_day_rows(hours, DAY, REGISTRY, Brightness.sets)
    found = differing(days, device_day_rows(beside(predictions, scalograms), DAY, REGISTRY, Brightness.sets))
    found |= differing(days, device_day_rows(with_gaps, DAY, REGISTRY, Brightness.sets))
    assert found == declared_from(DEVICE_DAYS, "predictions", "probabilities") - TRUST


@pytest.mark.parametrize("table", MADE, ids=lambda table: table.name)
def test_every_column_says_where_it_comes_from_and_names_what_is_there(table):
    """A column is without a source only if its job itself gives the value: versions and names of a making."""
    lineage = column_lineage(table)
    assert isinstance(lineage, dg.TableColumnLineage)
    without = set(table.schema.names) - SOURCES[table.name].keys()
    assert without <= {field.name for field in LINEAGE} | {"model_version"}
    assert SOURCES[table.name].keys() <= set(table.schema.names)
    known = {(each.name, name) for each in TABLES for name in each.schema.names}
    known |= {("device_registry", name) for name in REGISTRY_SCHEMA.names} | {
        ("readings_topic", name) for name in READINGS.schema.names
    }
    named = {source for sources in SOURCES[table.name].values() for source in sources}
    assert named <= known
