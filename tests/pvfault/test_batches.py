"""Rows of scalograms and predictions: the same from a whole fleet, one device or one hour; nulls and chunks."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pvfault import batches, reference
from pvfault.batches import (
    NO_LEVELS,
    history_dates,
    missing_rows,
    prediction_rows,
    reference_rows,
    references_by_device,
    scalogram_rows,
)
from pvfault.classify import classify_readings
from pvfault.faults import FAULTS
from pvfault.marks import MARKS, measure_marks
from pvfault.readings import READING_SCHEMA
from pvfault.registry import EMPTY_REGISTRY, SMALLEST_ESTIMATE, Registry
from pvfault.scalogram import normalise, transform
from pvfault.tables import PREDICTIONS, SCALOGRAMS

DAY = date(2024, 6, 21)
MIDNIGHT = datetime(2024, 6, 21, tzinfo=UTC)
DEVICES = ("A000000000", "B000000000", "C000000000", "D000000000")
REGISTRY = Registry(
    DEVICES,
    np.array([600.0, 550.0, 700.0, 650.0]),
    np.array([10.0, 9.0, 12.0, 8.0]),
    np.array([[20.0, 1.0], [np.nan, np.nan], [24.0, 2.0], [np.nan, 1.0]]),
)


def readings_of(device, second, measurements):
    """Readings of one device as a table; a measurement of None is null."""
    n = len(second)
    columns = [pa.array(column, pa.float32()) for column in zip(*measurements, strict=True)] if n else [[]] * 4
    timestamp = [MIDNIGHT + timedelta(seconds=float(s)) for s in second]
    return pa.table([[device] * n, timestamp, *columns], schema=READING_SCHEMA)


def a_day(device, cadence=60, seed=0):
    """A bright day of one device, with lost and broken readings."""
    random = np.random.default_rng(seed)
    second = np.arange(0, 86_400, cadence)
    second = second[random.random(len(second)) > 0.05]
    light = np.clip(900 * np.sin(np.pi * (second / 3600 - 4) / 16), 0, None) * random.uniform(0.5, 1, len(second))
    readings = np.column_stack([550 + 0 * light, light / 100, 15 + light / 30, light])
    readings[random.random(len(second)) < 0.02, random.integers(4)] = np.nan
    return readings_of(device, second, readings)


@pytest.fixture(scope="module")
def fleet():
    """Four devices of different cadence."""
    return pa.concat_tables([a_day(device, [60, 300, 20, 120][i], i) for i, device in enumerate(DEVICES)])


@pytest.fixture(scope="module")
def scalograms(fleet):
    return scalogram_rows(fleet, DAY, REGISTRY)


class Brightness:
    """Stands in for the network: probabilities that can be worked out from each image."""

    version = "brightness-1"

    def predict(self, images):
        assert images.shape[1:] == (64, 64, 4)
        return np.stack([self.of(image) for image in images]) if len(images) else np.empty((0, 6), np.float32)

    @staticmethod
    def of(image):
        weight = 1 + np.array([image[k::6].mean(dtype=np.float64) for k in range(6)])
        weight **= 8
        return (weight / weight.sum()).astype(np.float32)


# --- readings to scalograms ---


def test_each_device_has_each_hour_once_in_the_form_of_the_table(scalograms):
    scalograms.validate(full=True)
    assert scalograms.schema == SCALOGRAMS.schema
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


def hours_before(days, devices=DEVICES, gain=1.0, backs=None):
    """Hourly means of the days before, as the table of scalograms keeps them: flat voltage, current as the light."""
    rows = []
    for device, (rated_voltage, rated_current) in zip(devices, REGISTRY.ratings(devices), strict=True):
        for day in backs or range(1, days + 1):
            for hour in range(6, 18):
                light = 900 * np.sin(np.pi * (hour - 5.5) / 12) * (0.6 + 0.05 * (day % 9))
                start = MIDNIGHT + timedelta(hours=hour) - timedelta(days=day)
                rows.append([device, start, rated_voltage * gain, rated_current * light / 1000 * gain, 25.0, light])
    names = ["deviceID", "window_start", "mean_voltage", "mean_current", "mean_temperature", "mean_irradiance"]
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
    day = readings_of("A000000000", second, np.column_stack([500 + 0 * light, light / 100, 25 + 0 * light, light]))
    known = Registry(("A000000000",), np.array([500.0]), np.array([10.0]))
    estimated, registered = (scalogram_rows(day, DAY, registry) for registry in (EMPTY_REGISTRY, known))
    images = [np.frombuffer(rows["scalogram"][12].as_py(), np.uint8).astype(int) for rows in (estimated, registered)]
    assert np.abs(images[0] - images[1]).max() <= 1


def test_a_fleet_of_zero_devices_has_zero_rows():
    for rows in (scalogram_rows(READING_SCHEMA.empty_table(), DAY, REGISTRY), missing_rows([], DAY)):
        assert rows.num_rows == 0
        assert rows.schema == SCALOGRAMS.schema
    predictions = prediction_rows(SCALOGRAMS.schema.empty_table(), Brightness())
    assert predictions.num_rows == 0
    assert predictions.schema == PREDICTIONS.schema


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
    assert rows.schema == SCALOGRAMS.schema
    assert rows["deviceID"].to_pylist() == ["B000000000"] * 24 + ["A000000000"] * 24
    assert set(rows["quality"].to_pylist()) == {"missing"}
    assert set(rows["readings"].to_pylist()) == {0}
    assert rows["mean_irradiance"].null_count == rows["scalogram"].null_count == 48


@pytest.mark.parametrize("present", [[], [0], [9], [1, 3, 4, 8], list(range(10))])
@pytest.mark.parametrize("images_per_chunk", [1, 2, 3, 4, 100])
def test_images_go_into_a_column_and_come_back_however_it_is_chunked(present, images_per_chunk):
    images = np.random.default_rng(0).integers(0, 256, (len(present), 64, 64, 4), np.uint8)
    column = batches._binary(images, np.array(present, int), 10, images_per_chunk)
    column.validate(full=True)
    expected = [None] * 10
    for row, image in zip(present, images, strict=True):
        expected[row] = image.tobytes()
    assert column.to_pylist() == expected
    np.testing.assert_array_equal(batches._images(column), images)
    in_slice = np.array([2 <= row < 7 for row in present], bool)
    np.testing.assert_array_equal(batches._images(column.slice(2, 5)), images[in_slice])
    np.testing.assert_array_equal(batches._images(column.cast(pa.large_binary())), images)


def test_more_images_than_two_gib_do_not_overflow():
    """Arrow counts bytes in an int32: image 131,072 of a table came from before the start of the buffer."""
    n = 131_073
    images = np.zeros((n, 64, 64, 4), np.uint8)  # memory that is never touched is never taken
    images[-1, 0, 0] = 1, 2, 3, 4
    column = batches._binary(images, np.arange(n), n)
    column.validate()
    assert len(column) == n
    assert column.null_count == 0
    assert column[n - 1].as_py() == images[-1].tobytes()
    assert column[131_071].as_py() == bytes(16_384)


# --- scalograms to predictions ---


def test_each_window_has_the_prediction_of_its_own_image(scalograms):
    predictions = prediction_rows(scalograms, Brightness())
    predictions.validate(full=True)
    assert predictions.schema == PREDICTIONS.schema
    for name in ("deviceID", "window_start", "quality"):
        assert predictions[name].equals(scalograms[name])
    for scalogram, row in zip(scalograms["scalogram"].to_pylist(), predictions.to_pylist(), strict=True):
        assert row["model_version"] == "brightness-1"
        if scalogram is None:
            assert row["fault"] is row["confidence"] is row["probabilities"] is None
            continue
        expected = Brightness.of(np.frombuffer(scalogram, np.uint8).reshape(64, 64, 4))
        assert list(row["probabilities"].values()) == expected.tolist()
        by_name = dict(zip(FAULTS, expected.tolist(), strict=True))
        short = max("line_line", "line_ground", key=by_name.get)
        others = by_name.keys() - {"line_line", "line_ground"}
        other = max(others, key=by_name.get)
        named = short if by_name["line_line"] + by_name["line_ground"] > by_name[other] else other
        assert (row["fault"], row["confidence"]) == (named, by_name[named])


def test_a_file_of_several_dates_is_judged_date_by_date_beside_the_dates_before(fleet):
    """`pvfault classify` and the jobs, made date by date, agree."""
    earlier = fleet.set_column(1, fleet.schema.field(1), pc.subtract(fleet["timestamp"], pa.scalar(timedelta(days=1))))
    found = classify_readings(pa.concat_tables([fleet, earlier]), REGISTRY, Brightness())
    before = scalogram_rows(earlier, DAY - timedelta(days=1), REGISTRY)
    known = references_by_device(reference_rows(before, DAY, REGISTRY))
    assert set(known) == set(DEVICES)
    expected = [before, scalogram_rows(fleet, DAY, REGISTRY, known)]
    assert found.equals(pa.concat_tables([prediction_rows(rows, Brightness()) for rows in expected]))


def test_predictions_do_not_depend_on_batches_of_three_rows(scalograms):
    whole = prediction_rows(scalograms, Brightness())
    threes = [prediction_rows(pa.Table.from_batches([batch]), Brightness()) for batch in scalograms.to_batches(3)]
    assert pa.concat_tables(threes).equals(whole)


def test_predictions_can_be_written_to_parquet_nulls_included(scalograms, tmp_path):
    """Parquet refuses a null in a field that is not nullable, even below a null."""
    predictions = prediction_rows(scalograms, Brightness())
    pq.write_table(predictions, tmp_path / "predictions.parquet")
    assert pq.read_table(tmp_path / "predictions.parquet").to_pylist() == predictions.to_pylist()


def test_windows_without_any_image_have_predictions_without_fault():
    predictions = prediction_rows(missing_rows(["A000000000"], DAY), Brightness())
    assert predictions["fault"].null_count == predictions["probabilities"].null_count == 24


def test_an_image_that_lost_a_byte_is_refused():
    """Two images of wrong lengths can add up to a right one."""
    scalograms = missing_rows(["A000000000"], DAY)
    images = pa.array([bytes(16_383), bytes(16_385)] + [None] * 22, pa.binary())
    with pytest.raises(ValueError, match="not of 16384 bytes; make the date's scalograms again"):
        prediction_rows(scalograms.set_column(5, "scalogram", images), Brightness())
