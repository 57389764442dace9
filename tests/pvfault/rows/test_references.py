"""What devices should give: only the dates that count, each device by itself, and what it does to their images."""

import tracemalloc
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pvfault import reference
from pvfault.registry import EMPTY_REGISTRY
from pvfault.rows.references import history_dates, reference_rows, references_by_device
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import SCALOGRAMS
from tests.pvfault.rows.helpers import DAY, DEVICES, MIDNIGHT, REGISTRY, a_day


def hours_before(days, devices=DEVICES, gain=1.0, backs=None):
    """Hourly means of the days before, as the table of scalograms keeps them: flat voltage, current as the light."""
    rows = []
    for device, (rated_voltage, rated_current) in zip(devices, REGISTRY.ratings(devices), strict=True):
        for day in backs or range(1, days + 1):
            for hour in range(6, 18):
                light = 900 * np.sin(np.pi * (hour - 5.5) / 12) * (0.6 + 0.05 * (day % 9))
                start = MIDNIGHT + timedelta(hours=hour) - timedelta(days=day)
                rows.append(
                    [device, start, "ok", rated_voltage * gain, rated_current * light / 1000 * gain, 25.0, light]
                )
    names = [
        "deviceID",
        "window_start",
        "quality",
        "mean_voltage",
        "mean_current",
        "mean_temperature",
        "mean_irradiance",
    ]
    schema = pa.schema([SCALOGRAMS.schema.field(name) for name in names])
    columns = zip(*rows, strict=True) if rows else [[]] * len(names)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def test_a_device_is_judged_beside_its_own_days_before():
    """3 % less than the ratings on all days is what it is like, not a fault; the reference's channel tells of it."""
    known = references_by_device(reference_rows(hours_before(14, DEVICES[:1], gain=0.97), DAY, REGISTRY))
    voltage, current = reference.expect(known[DEVICES[0]][None, :11], *(np.array([[v]]) for v in (25.0, 700.0, 12.0)))
    assert voltage[0, 0] == pytest.approx(0.97 * 600, rel=2e-3)
    assert current[0, 0] == pytest.approx(0.97 * 7, rel=2e-3)


def test_only_the_dates_of_the_history_are_looked_at():
    """1, 2, 3, 5, … 154 days before: neither today, nor the dates between, nor those beyond."""
    chosen = hours_before(0, DEVICES[:1], backs=reference.HISTORY)
    others = hours_before(0, DEVICES[:1], gain=0.5, backs=[0, 4, 6, 100, 153, 155, 160, 300])
    found = reference_rows(pa.concat_tables([others, chosen]), DAY, REGISTRY)
    assert found.equals(reference_rows(chosen, DAY, REGISTRY))
    assert not np.isnan(found["levels"][0].as_py()).any()
    assert reference_rows(hours_before(0), DAY, REGISTRY).num_rows == 0
    assert [(DAY - then).days for then in history_dates(DAY)] == list(reference.HISTORY)


def test_levels_stand_at_their_dates():
    """A device that has lost a tenth of its voltage and of its current a week ago."""
    long_ago = hours_before(0, DEVICES[:1], backs=[back for back in reference.HISTORY if back > 7])
    since = hours_before(0, DEVICES[:1], gain=0.9, backs=[back for back in reference.HISTORY if back <= 7])
    levels = reference_rows(pa.concat_tables([long_ago, since]), DAY, REGISTRY)["levels"][0].as_py()
    expected = np.repeat(np.where(np.array(reference.HISTORY) <= 7, 0.9, 1.0), 2)
    np.testing.assert_allclose(levels, expected, atol=0.01)


def test_nothing_is_learned_from_hours_that_the_inverter_limits():
    """A device that may give half of its power at noon, for weeks, is not one that has lost half of its current."""
    hours = hours_before(14, DEVICES[:1])
    noon = np.array([start.hour in (11, 12) for start in hours["window_start"].to_pylist()])
    halved = pa.array(np.where(noon, hours["mean_current"].to_numpy() / 2, hours["mean_current"]), pa.float32())
    limited = hours.set_column(4, "mean_current", halved)
    limited = limited.set_column(2, "quality", pa.array(np.where(noon, "curtailed", "ok")))
    kept = hours.filter(pa.array(~noon))
    found, expected = (
        references_by_device(reference_rows(each, DAY, REGISTRY))[DEVICES[0]] for each in (limited, kept)
    )
    np.testing.assert_array_equal(found, expected)


def test_a_reference_does_not_depend_on_the_devices_beside_it_nor_on_the_order_of_hours():
    hours = hours_before(14)
    together = references_by_device(reference_rows(hours, DAY, REGISTRY))
    shuffled = hours.take(np.random.default_rng(0).permutation(len(hours)))
    again = references_by_device(reference_rows(shuffled, DAY, REGISTRY))
    assert list(again) == list(together) == sorted(DEVICES)
    for device in DEVICES:
        own = hours.filter(pc.equal(hours["deviceID"], device))
        alone = references_by_device(reference_rows(own, DAY, REGISTRY))
        assert list(alone) == [device]
        np.testing.assert_array_equal(alone[device], together[device])
        np.testing.assert_array_equal(again[device], together[device])


def test_memory_is_that_of_some_devices_whatever_the_fleet():
    """113 kB each: all of a fleet at once would be 11 GB at 100,000 devices."""
    hours = hours_before(0, DEVICES[:1], backs=reference.HISTORY)

    def peak(devices):
        own = np.repeat([f"DEVICE{number:04d}" for number in range(devices)], len(hours))
        fleet = pa.concat_tables([hours] * devices).set_column(0, hours.schema.field(0), pa.array(own, pa.string()))
        tracemalloc.start()
        try:
            assert len(reference_rows(fleet, DAY, EMPTY_REGISTRY)) == devices
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # What is left of a device are its hours, columns of numbers, and its row.
    assert peak(1000) - peak(250) < 750 * 30_000


def test_history_tells_the_ratings_of_an_unregistered_device():
    """Its own day is then judged like that of a registered one, though all of it be faulty."""
    known = references_by_device(reference_rows(hours_before(14, DEVICES[:1]), DAY, EMPTY_REGISTRY))
    half = a_day(DEVICES[0])
    half = half.set_column(3, half.schema.field(3), pc.multiply(half["current"], pa.scalar(0.5, pa.float32())))
    images = [
        np.frombuffer(scalogram_rows(half, DAY, registry, references)["scalogram"][12].as_py(), np.uint8).astype(int)
        for registry, references in ((REGISTRY, known), (EMPTY_REGISTRY, known), (EMPTY_REGISTRY, None))
    ]
    beside = np.abs(images[0] - images[1]).reshape(64, 64, 4)
    assert beside[..., :2].max() == 0
    assert np.abs(images[0] - images[2]).reshape(64, 64, 4)[..., 1].max() > 10
