"""Rows of scalograms: the same from a whole fleet, one device or one hour; what is missing or broken."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from pvfault import reference
from pvfault.marks import MARKS, measure_marks
from pvfault.readings import READING_SCHEMA
from pvfault.registry import EMPTY_REGISTRY, SMALLEST_ESTIMATE, Registry
from pvfault.rows.references import NO_LEVELS
from pvfault.rows.scalograms import missing_rows, scalogram_rows, scalograms_and_doubts
from pvfault.scalogram import normalise, transform
from pvfault.tables import SCALOGRAM_SCHEMA
from tests.pvfault.rows.helpers import DAY, DEVICES, MIDNIGHT, REGISTRY, readings_of
from tests.pvfault.single_diode import Array, a_day


def test_each_device_has_each_hour_once_in_the_form_of_the_table(scalograms):
    scalograms.validate(full=True)
    assert scalograms.schema == SCALOGRAM_SCHEMA
    assert scalograms["deviceID"].to_pylist() == [device for device in DEVICES for _ in range(24)]
    assert scalograms["window_start"].to_pylist() == [MIDNIGHT + timedelta(hours=h) for h in range(24)] * 4
    assert {"ok", "dark"} <= set(scalograms["quality"].to_pylist())


def test_there_is_an_image_exactly_where_the_quality_is_ok(scalograms):
    for row in scalograms.to_pylist():
        assert (row["scalogram"] is not None) == (row["quality"] == "ok")
        assert row["scalogram"] is None or len(row["scalogram"]) == 16_384


def test_images_are_those_of_the_readings_beside_what_their_own_device_should_give():
    """Of one device the history is known; the other one has its ratings alone."""
    second = np.arange(0, 86_400, 20)
    random = np.random.default_rng(0)
    values = {device: random.uniform(60, 100, (len(second), 4)).astype(np.float32) for device in DEVICES[:2]}
    for of_device in values.values():
        of_device[:, 1] /= 10  # of rated currents of 10 and 9 A
    table = pa.concat_tables([readings_of(device, second, values[device]) for device in values])
    known = reference.typical_references(np.array([[570.0, 9.9]]))[0]
    levels = random.uniform(0.9, 1.1, len(NO_LEVELS))
    rows = scalogram_rows(table, DAY, REGISTRY, {DEVICES[0]: np.concatenate([known, levels])}).to_pylist()
    given = np.stack([known, reference.typical_references(np.array([[550.0, 9.0]]))[0]])
    before = np.stack([levels, NO_LEVELS]).reshape(2, -1, 2)
    rated, layouts = np.array([[600.0, 10.0], [550.0, 9.0]]), np.array([[20.0, 1.0], [np.nan, np.nan]])
    windows = np.concatenate([values[device].reshape(24, 180, 4) for device in DEVICES[:2]])
    device, hour = np.divmod(np.arange(48), 24)
    means = windows.mean(axis=1).reshape(2, 24, 4)
    background = reference.background_of(device, hour, means, before, given, rated, layouts)
    deviations = reference.deviate(windows, hour, given[device])
    marks = measure_marks(windows, deviations, device, hour, background)
    expected = transform(normalise(deviations, windows[..., 3], marks))
    for window in (0, 13, 24, 47):
        found = np.frombuffer(rows[window]["scalogram"], np.uint8).reshape(64, 64, 4)
        assert np.abs(found.astype(int) - expected[window]).max() <= 1
        assert (found != expected[window]).mean() < 1e-3


def test_a_device_alone_has_the_rows_it_has_in_a_fleet(fleet, scalograms):
    for i, device in enumerate(DEVICES):
        own = fleet.filter(np.array(fleet["deviceID"].to_pylist()) == device)
        assert scalogram_rows(own, DAY, REGISTRY).equals(scalograms.slice(24 * i, 24))


def test_an_hour_has_the_row_in_a_day_that_it_has_when_it_is_over(fleet, scalograms):
    """A stream sees the day up to now, the batch all of it: bit for bit the same."""
    start = np.array([t.hour for t in fleet["timestamp"].to_pylist()])
    for hour in (5, 12, 19):
        so_far = scalogram_rows(fleet.filter(start <= hour), DAY, REGISTRY)
        for device in range(4):
            assert so_far.slice(24 * device + hour, 1).equals(scalograms.slice(24 * device + hour, 1))


def test_chunks_and_slices_of_a_table_do_not_matter(fleet, scalograms):
    """Spark hands over Arrow batches of its own size, and whole devices are slices of them."""
    chunked = pa.Table.from_batches(fleet.to_batches(max_chunksize=777))
    assert scalogram_rows(chunked, DAY, REGISTRY).equals(scalograms)
    first = fleet["deviceID"].to_pylist().index("B000000000")
    assert scalogram_rows(chunked.slice(first), DAY, REGISTRY).equals(scalograms.slice(24))


def test_a_null_measurement_is_a_reading_that_cannot_be_used():
    second = np.arange(43_200, 46_800, 60)
    good = [(500.0, 7.0, 40.0, 800.0)] * 60
    one_null = [(500.0, None, 40.0, 800.0) if i == 30 else r for i, r in enumerate(good)]
    all_null = [(500.0, 7.0, 40.0, None)] * 60
    assert scalogram_rows(readings_of("A000000000", second, one_null), DAY, REGISTRY)["quality"][12].as_py() == "ok"
    rows = scalogram_rows(readings_of("A000000000", second, all_null), DAY, REGISTRY)
    assert rows["quality"][12].as_py() == "invalid"
    assert rows["mean_irradiance"][12].as_py() is None
    assert rows["readings"][12].as_py() == 60


@pytest.mark.parametrize("spike", [np.inf, -np.inf, np.nan, 3.4e38])
def test_a_device_that_sends_nothing_else_than_nonsense_is_invalid(spike):
    rows = scalogram_rows(readings_of("A000000000", np.arange(0, 86_400, 60), [(spike,) * 4] * 1440), DAY, REGISTRY)
    assert set(rows["quality"].to_pylist()) == {"invalid"}


def test_an_unregistered_device_without_current_is_scored_and_has_no_current_in_its_image():
    readings = readings_of("Z000000000", np.arange(0, 86_400, 60), [(700.0, 0.0, 40.0, 800.0)] * 1440)
    rows = scalogram_rows(readings, DAY, REGISTRY)
    assert set(rows["quality"].to_pylist()) == {"ok"}
    image = np.frombuffer(rows["scalogram"][12].as_py(), np.uint8).reshape(64, 64, 4)
    assert all(image[..., channel].any() for channel in range(4))
    given = reference.typical_references(np.array([[1.0, SMALLEST_ESTIMATE]]))[0]
    # Nothing where something should be: 1 - asinh(20 * -0.94) / 4, on the last scale 1.7 at the window's edges.
    window, hour = np.float32([[[700, 0, 40, 800]] * 180]), np.array([12])
    dark = normalise(reference.deviate(window, hour, given[None]), window[..., 3], np.full((1, len(MARKS)), np.nan))
    np.testing.assert_array_equal(image[..., 1], transform(dark)[0][..., 1])


def test_an_unregistered_device_looks_like_one_registered_with_its_own_ratings():
    second = np.arange(0, 86_400, 60)
    light = np.clip(950 * np.sin(np.pi * (second / 3600 - 4) / 16), 0, None)
    # A healthy array in the field: what `pvfault derive references` finds in the median.
    dim = np.log(np.maximum(light, 20) / 800)
    voltage = 500 * (1 + 0.005 * dim - 0.009 * dim**2)
    day = readings_of("A000000000", second, np.column_stack([voltage, 0.0096 * light, 25 + 0 * light, light]))
    known = Registry(("A000000000",), np.array([500.0]), np.array([10.0]))
    estimated, registered = (scalogram_rows(day, DAY, registry) for registry in (EMPTY_REGISTRY, known))
    images = [np.frombuffer(rows["scalogram"][12].as_py(), np.uint8).astype(int) for rows in (estimated, registered)]
    # The hours so far tell the level of a first day to some 1/100,000, which pixels without magnitude show.
    assert np.quantile(np.abs(images[0] - images[1]), 0.95) <= 2


@pytest.mark.parametrize("registry", [REGISTRY, EMPTY_REGISTRY], ids=["registered", "not registered"])
@pytest.mark.parametrize("spoilt", [(655.35, 655.35), (1310.7, 7.0)], ids=["both registers", "one register"])
def test_two_absurd_hours_leave_the_other_hours_as_they_are(registry, spoilt):
    """Neither the images of the day, nor the ratings that are estimated from it, know of them."""
    second = np.arange(0, 86_400, 60)
    light = np.clip(950 * np.sin(np.pi * (second / 3600 - 4) / 16), 0, None)
    day = np.column_stack([550 + 0 * light, light / 100, 25 + 0 * light, light]).astype(np.float32)
    wrong = (second >= 11 * 3600) & (second < 13 * 3600)
    broken = day.copy()
    broken[wrong, :2] = spoilt
    lost = day.copy()
    lost[wrong] = np.nan
    rows, doubts = scalograms_and_doubts(readings_of("A000000000", second, broken), DAY, registry)
    assert rows.equals(scalogram_rows(readings_of("A000000000", second, lost), DAY, registry))
    assert rows["quality"].to_pylist()[11:13] == ["invalid"] * 2
    assert [(doubt.device, doubt.readings, doubt.beyond + doubt.still) for doubt in doubts] == [
        ("A000000000", 1440, 120)
    ]


# --- what a day's hours are called, by pvlib's single-diode model ---


def quality_of(day, registry):
    """Quality of each hour."""
    readings = readings_of("A000000000", np.round(day.hour * 3600, 3), day.measurements)
    return scalogram_rows(readings, DAY, registry)["quality"].to_pylist()


ARRAY = Array()
RATED = Registry(("A000000000",), *([rating] for rating in np.array(ARRAY.rated)), np.array([[18.0, 6.0]]))
CADENCES = pytest.mark.parametrize("cadence", [20, 60, 300])
REGISTRIES = pytest.mark.parametrize("registry", [RATED, EMPTY_REGISTRY], ids=["registered", "not registered"])
HOURS = pytest.mark.parametrize(("start", "end"), [(7, 8), (11, 13), (15, 16), (17, 18)])


def during(day, start, end):
    return (day.hour >= start) & (day.hour < end)


@CADENCES
@REGISTRIES
@HOURS
def test_hours_of_zeros_are_not_reporting_and_the_others_as_they_were(cadence, registry, start, end):
    """One filled with zeros by its logger was an open circuit, at a probability of 0.99."""
    day = a_day(ARRAY, cadence=cadence, light_hours=15)
    gone = during(day, start, end)
    found = quality_of(replace(day, voltage=day.voltage * ~gone, current=day.current * ~gone), registry)
    expected = quality_of(day, registry)
    assert set(expected[start:end]) == {"ok"}
    expected[start:end] = ["not reporting"] * (end - start)
    assert found == expected


@CADENCES
@REGISTRIES
@HOURS
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_hours_in_which_the_inverter_takes_less_are_curtailed(cadence, registry, start, end, share):
    """At 1.2 times the voltage and without current they were an open circuit, at 0.95; the energy is told."""
    day = a_day(ARRAY, cadence=cadence, light_hours=15)
    now = during(day, start, end)
    # In less light inverters wake and sleep, and ratings promise a voltage that is some per cent off.
    bright = day.irradiance[now].min() > (160 if share == 0 else 300)
    voltage, current = day.voltage.copy(), day.current.copy()
    voltage[now], current[now] = ARRAY.limited(day.irradiance[now], day.temperature[now], share)
    expected = quality_of(day, registry)
    if bright:
        expected[start:end] = ["curtailed"] * (end - start)
        assert quality_of(replace(day, voltage=voltage, current=current), registry) == expected


@CADENCES
@pytest.mark.parametrize("start", [8, 10, 14])
def test_hours_that_stand_still_to_the_end_are_invalid(cadence, start):
    day = a_day(ARRAY, cadence=cadence, light_hours=15)
    first = np.searchsorted(day.hour, start) - 1
    still = {
        name: np.where(day.hour >= start, getattr(day, name)[first], getattr(day, name))
        for name in ("voltage", "current")
    }
    found = quality_of(replace(day, **still), RATED)
    assert found[start:19] == ["invalid"] * (19 - start)
    assert found[start - 1] == "ok"


@pytest.mark.parametrize(
    ("cadence", "times", "expected"),
    [(20, 3, "ok"), (60, 5, "ok"), (300, 3, "ok"), (60, 30, "sparse"), (300, 6, "sparse")],
)
def test_an_hour_whose_time_is_filled_is_judged_by_what_was_measured(cadence, times, expected):
    day = a_day(ARRAY, cadence=cadence)
    held = np.arange(len(day.hour)) // times * times
    found = quality_of(replace(day, voltage=day.voltage[held], current=day.current[held]), RATED)
    assert set(found[8:16]) == {expected}


def test_energy_of_curtailed_hours_is_told_and_that_of_silent_ones_is_not():
    day = a_day(ARRAY, cadence=60)
    now = during(day, 11, 12)
    voltage, current = day.voltage.copy(), day.current.copy()
    voltage[now], current[now] = ARRAY.limited(day.irradiance[now], day.temperature[now], 0.3)
    gone = ~during(day, 13, 14)
    mixed = replace(day, voltage=voltage * gone, current=current * gone)
    rows = scalogram_rows(readings_of("A000000000", np.round(mixed.hour * 3600, 3), mixed.measurements), DAY, RATED)
    assert rows["quality"].to_pylist()[11:14] == ["curtailed", "ok", "not reporting"]
    power = rows["mean_power"].to_pylist()
    assert power[11] == pytest.approx((voltage * current)[now].mean(), rel=1e-3)
    assert power[13] is None


def test_the_reference_of_a_device_that_is_not_registered_sets_its_limits():
    second = np.arange(0, 86_400, 60)
    day = np.tile(np.float32([500, 7, 25, 800]), (len(second), 1))
    day[:, 1] += np.arange(len(second)) % 7 / 100
    day[720:780, 1] = 40 + np.arange(60) / 100
    for rated, beyond in ((9.0, 60), (20.0, 0)):
        known = np.concatenate([reference.typical_references(np.array([[520.0, rated]]))[0], NO_LEVELS])
        readings = readings_of("Z000000000", second, day)
        _, doubts = scalograms_and_doubts(readings, DAY, REGISTRY, {"Z000000000": known})
        assert sum(doubt.beyond for doubt in doubts) == beyond


def test_a_fleet_of_zero_devices_has_zero_rows():
    for rows in (scalogram_rows(READING_SCHEMA.empty_table(), DAY, REGISTRY), missing_rows([], DAY)):
        assert rows.num_rows == 0
        assert rows.schema == SCALOGRAM_SCHEMA


@pytest.mark.parametrize("second", [-20, 86_400])
def test_readings_of_another_date_are_refused_with_one_of_them(second):
    readings = readings_of("A000000000", [second], [(500, 7, 40, 800)])
    with pytest.raises(ValueError, match=r"1 of 1 rows are not of 2024-06-21, such as 2024-06-2"):
        scalogram_rows(readings, DAY, REGISTRY)


def test_the_unit_of_timestamps_does_not_matter(fleet, scalograms):
    """A table from pandas counts nanoseconds."""
    position = READING_SCHEMA.get_field_index("timestamp")
    nanoseconds = fleet["timestamp"].cast(pa.timestamp("ns", tz="UTC"))
    assert scalogram_rows(fleet.set_column(position, "timestamp", nanoseconds), DAY, REGISTRY).equals(scalograms)


def test_missing_devices_have_a_day_of_missing_windows():
    rows = missing_rows(["B000000000", "A000000000"], DAY)
    rows.validate(full=True)
    assert rows.schema == SCALOGRAM_SCHEMA
    assert rows["deviceID"].to_pylist() == ["B000000000"] * 24 + ["A000000000"] * 24
    assert set(rows["quality"].to_pylist()) == {"missing"}
    assert set(rows["readings"].to_pylist()) == {0}
    assert rows["mean_irradiance"].null_count == rows["scalogram"].null_count == 48
