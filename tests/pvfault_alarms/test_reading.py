"""What the tables say of a date, beside hours that were written by hand."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from pvfault.registry import Registry
from pvfault_alarms.book import Wanted
from pvfault_alarms.reading import suspect_hours
from pvfault_alarms.update import update
from tests.pvfault_alarms.helpers import FIRST, day, row

# Of an array of 5 kW: 50 W/m² let expect 250 W, so that 800 W tell of more light than a sensor that says "dark" sees.
REGISTRY = Registry(("D1",), np.array([500.0]), np.array([10.0]))


def hours_of(device, *qualities, power=0.0):
    """The hours of a day from six o'clock on; the others are dark."""
    named = ["dark"] * 6 + list(qualities) + ["dark"] * (18 - len(qualities))
    return [
        {"deviceID": device, "window_start": datetime(2024, 6, 1, hour, tzinfo=UTC), "quality": quality,
         "readings": 180, "mean_power": power if 6 <= hour < 6 + len(qualities) else 0.0}
        for hour, quality in enumerate(named)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("qualities", "power", "expected"),
    [
        (["ok"] * 12, 3000.0, None),
        (["ok"] * 10 + ["invalid"] * 2, 3000.0, None),
        (["ok"] * 7 + ["invalid"] * 5, 3000.0, None),  # less than half of those in the light
        (["ok"] * 6 + ["invalid"] * 6, 3000.0, 6),
        (["invalid"] * 12, None, 12),
        (["invalid"] * 2, None, None),  # all, but too few to say so
        (["ok"] * 6 + ["not reporting"] * 4 + ["invalid"] * 2, 3000.0, 6),
        (["ok"] * 2 + ["curtailed"] * 10, 3000.0, None),  # the inverter's doing
        (["curtailed"] * 4 + ["invalid"] * 3, 3000.0, None),  # and light all the same
        (["sparse"] * 12, 3000.0, None),  # that is the communication's
        (["missing"] * 12, None, None),
        (["dark"] * 8, 200.0, None),  # a dull day
        (["dark"] * 8, 800.0, 8),  # the irradiance sensor is dead
    ],
)
def test_sensors_are_suspect_when_half_of_the_light_cannot_be_judged(qualities, power, expected):
    hours = pa.Table.from_pylist(hours_of("D1", *qualities, power=power))
    assert suspect_hours(hours, REGISTRY) == ({} if expected is None else {"D1": expected})


def test_of_a_device_without_ratings_only_invalid_hours_tell():
    hours = [*hours_of("D2", *["dark"] * 8, power=8000.0), *hours_of("D3", *["invalid"] * 8)]
    assert suspect_hours(pa.Table.from_pylist(hours), REGISTRY) == {"D3": 8}


def test_a_silent_device_a_doubtful_sensor_and_a_fault_are_told_apart(settings, tables, store, book):
    tables.make(FIRST, row("D1", FIRST, "O") + row("D2", FIRST, "?") + row("D3", FIRST, "A") + row("D4", FIRST, "?"))
    tables.add_hours(hours_of("D2", *["invalid"] * 12) + hours_of("D4", *["dark"] * 12))
    update(settings, store)
    found = {alarm["deviceID"]: (alarm["kind"], alarm["fault"]) for alarm in book.find(Wanted(), {})}
    assert found == {
        "D1": ("communication_outage", None), "D2": ("sensor_suspect", None), "D3": ("fault", "arc_fault"),
    }  # fmt: skip


def test_hours_made_again_are_read_again(settings, tables, store, book):
    """The verdict stays: no hour was judged before and after."""
    tables.make(day(0), row("D2", day(0), "?"))
    assert update(settings, store).events == {}
    tables.add_hours(hours_of("D2", *["invalid"] * 12))
    assert update(settings, store).events == {"opened": 1}
