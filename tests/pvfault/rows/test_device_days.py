"""Rows of device-days: a day worked out by hand, nulls, and what is unknown."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pvfault.faults import FAULTS
from pvfault.registry import EMPTY_REGISTRY, Registry
from pvfault.rows.device_days import HOURLY_COLUMNS, completeness, device_day_rows
from pvfault.tables import DEVICE_DAY_SCHEMA, PREDICTION_SCHEMA, PROBABILITIES_TYPE, UNSURE
from tests.pvfault.rows.helpers import DAY, MIDNIGHT


def sure_of(fault):
    return {name: 0.95 if name == fault else 0.01 for name in FAULTS}


def hours_of(devices):
    """Predictions with hourly means, from {device: {hour: (fault or None, readings, W, W/m², °C)}}, in no order."""
    rows = [
        {
            "deviceID": device,
            "window_start": MIDNIGHT + timedelta(hours=hour),
            "quality": "ok" if fault else "missing",
            "fault": fault,
            "confidence": fault and 0.95,
            "probabilities": fault and sure_of(fault),
            "model_version": "1",
            **dict(zip(HOURLY_COLUMNS, means, strict=True)),
        }
        for device, hours in reversed(devices.items())
        for hour, (fault, *means) in reversed(hours.items())
    ]
    columns = [pa.field("readings", pa.int64()), *(pa.field(name, pa.float64()) for name in HOURLY_COLUMNS[1:])]
    return pa.Table.from_pylist(rows, schema=pa.schema([*PREDICTION_SCHEMA, *columns]))


NOTHING = (None, None, None, None, None)
RATED_6_KW = Registry(("A000000000",), np.array([600.0]), np.array([10.0]))


def half_a_day(fault="open_circuit"):
    """6 kW at 800 W/m² and 35 °C: 6 * 0.8 * (1 - 0.004 * 10) = 4.608 kW, half of it from noon on."""
    night = dict.fromkeys([*range(8), *range(16, 24)], (None, 180, 0.0, 0.0, 10.0))
    morning = dict.fromkeys(range(8, 12), ("none", 180, 4608.0, 800.0, 35.0))
    afternoon = dict.fromkeys(range(12, 16), (fault, 180, 2304.0, 800.0, 35.0))
    return dict(sorted((night | morning | afternoon).items()))


def test_a_day_is_worth_what_a_pocket_calculator_says():
    (row,) = device_day_rows(hours_of({"A000000000": half_a_day()}), DAY, RATED_6_KW).to_pylist()
    # Four windows of 95 % against one device in fifty.
    assert row.pop("confidence") == pytest.approx(1, abs=1e-3)
    assert row.pop("runner_up") in set(FAULTS) - {"open_circuit"}
    assert 0 < row.pop("runner_up_probability") < 1e-3
    assert row == {
        "deviceID": "A000000000",
        "date": DAY,
        "fault": "open_circuit",
        "onset": MIDNIGHT + timedelta(hours=12),
        "faulty_hours": 4,
        "usable_hours": 8,
        "energy_kwh": pytest.approx(4 * 4.608 + 4 * 2.304),
        "lost_kwh": pytest.approx(4 * 2.304),
        "completeness": 1.0,
        "unsure_because": None,
        "candidates": None,
    }


def test_a_healthy_device_has_no_onset_and_loses_nothing_to_a_fault():
    (row,) = device_day_rows(hours_of({"A000000000": half_a_day("none")}), DAY, RATED_6_KW).to_pylist()
    assert (row["fault"], row["onset"], row["faulty_hours"], row["lost_kwh"]) == ("none", None, 0, 0.0)


WHY = "the readings do not tell"


def unsure_in(hours_unsure, fault="none"):
    """Predictions of an unregistered device whose other hours in the light are of a fault, or of none."""
    rows = hours_of({"Z000000000": half_a_day(fault)}).to_pylist()
    for row in rows:
        if row["window_start"].hour in hours_unsure:
            row |= {"fault": UNSURE, "confidence": None, "unsure_because": WHY}
    return pa.Table.from_pylist(rows, schema=hours_of({}).schema)


@pytest.mark.parametrize("hours_unsure", [range(8, 16), range(12, 16)])
def test_a_day_is_unsure_if_what_is_left_of_it_looks_healthy(hours_unsure):
    """Four healthy hours beside four that nothing can be said of are no healthy day."""
    (row,) = device_day_rows(unsure_in(hours_unsure), DAY, RATED_6_KW).to_pylist()
    assert (row["fault"], row["unsure_because"], row["usable_hours"]) == (UNSURE, WHY, 8)
    assert row["onset"] is row["confidence"] is row["runner_up"] is row["lost_kwh"] is None


def test_a_fault_is_found_beside_hours_of_which_nothing_can_be_said():
    (row,) = device_day_rows(unsure_in([9], "open_circuit"), DAY, RATED_6_KW).to_pylist()
    assert (row["fault"], row["unsure_because"]) == ("open_circuit", None)


def test_a_healthy_day_without_ratings_is_no_surer_than_its_hours():
    """What hides in an estimate hides in every hour of it: many hours together do not make up for that."""
    hours = {name: hours_of({name: half_a_day("none")}) for name in (*RATED_6_KW.devices, "Z000000000")}
    place = PREDICTION_SCHEMA.get_field_index("confidence")
    at_most = [
        each.set_column(
            place, "confidence", pc.min_element_wise(each["confidence"], 0.75, skip_nulls=False).cast(pa.float32())
        )
        for each in hours.values()
    ]
    known, estimated = (device_day_rows(each, DAY, RATED_6_KW)["confidence"][0].as_py() for each in at_most)
    assert known > 0.9
    assert estimated == 0.75


def test_what_an_unregistered_device_loses_is_unknown():
    (row,) = device_day_rows(hours_of({"Z000000000": half_a_day()}), DAY, RATED_6_KW).to_pylist()
    assert row["fault"] == "open_circuit"
    assert row["lost_kwh"] is None
    assert row["energy_kwh"] == pytest.approx(4 * 4.608 + 4 * 2.304)


def test_a_device_without_a_window_that_can_be_judged_is_unknown_and_not_without_loss():
    silent = dict.fromkeys(range(24), NOTHING)
    (row,) = device_day_rows(hours_of({"A000000000": silent}), DAY, RATED_6_KW).to_pylist()
    assert row["fault"] is row["onset"] is row["confidence"] is row["lost_kwh"] is row["runner_up"] is None
    assert (row["usable_hours"], row["faulty_hours"], row["energy_kwh"], row["completeness"]) == (0, 0, 0.0, 0.0)


def test_more_power_than_expected_in_one_faulty_hour_does_not_pay_for_another():
    hours = half_a_day()
    hours[12] = ("open_circuit", 180, 9999.0, 800.0, 35.0)
    (row,) = device_day_rows(hours_of({"A000000000": hours}), DAY, RATED_6_KW).to_pylist()
    assert row["lost_kwh"] == pytest.approx(3 * 2.304)


def test_each_device_has_its_own_day_whatever_the_order_of_rows():
    devices = {"A000000000": half_a_day(), "B000000000": dict.fromkeys(range(24), NOTHING)}
    devices["C000000000"] = half_a_day("line_line")
    rows = device_day_rows(hours_of(devices), DAY, RATED_6_KW)
    rows.validate(full=True)
    assert rows.schema == DEVICE_DAY_SCHEMA
    assert rows["deviceID"].to_pylist() == list(devices)
    assert rows["fault"].to_pylist() == ["open_circuit", None, "line_line"]
    for device, hours in devices.items():
        (alone,) = device_day_rows(hours_of({device: hours}), DAY, RATED_6_KW).to_pylist()
        assert alone == rows.to_pylist()[list(devices).index(device)]


def test_a_fleet_of_zero_devices_has_zero_days():
    for registry in (RATED_6_KW, EMPTY_REGISTRY):
        days = device_day_rows(hours_of({}), DAY, registry)
        assert days.num_rows == 0
        assert days.schema == DEVICE_DAY_SCHEMA


def test_hours_that_are_not_there_are_hours_without_readings():
    hours = {hour: values for hour, values in half_a_day().items() if 8 <= hour < 16}
    (row,) = device_day_rows(hours_of({"A000000000": hours}), DAY, RATED_6_KW).to_pylist()
    assert (row["fault"], row["usable_hours"]) == ("open_circuit", 8)
    assert row["completeness"] == pytest.approx(8 / 24)


def test_numbers_below_a_null_are_not_probabilities():
    """Arrow leaves values of any kind in the fields of a null struct."""
    hours = hours_of({"A000000000": half_a_day()})
    judged = np.asarray(hours["probabilities"].is_valid())
    fields = [np.where(judged, hours["probabilities"].combine_chunks().field(i), np.float32(1 / 6)) for i in range(6)]
    struct = pa.StructArray.from_arrays(
        [pa.array(field, pa.float32()) for field in fields], fields=list(PROBABILITIES_TYPE), mask=pa.array(~judged)
    )
    position = hours.schema.get_field_index("probabilities")
    hidden = hours.set_column(position, hours.schema.field(position), struct)
    assert device_day_rows(hidden, DAY, RATED_6_KW).equals(device_day_rows(hours, DAY, RATED_6_KW))


@pytest.mark.parametrize("hour", [-1, 24])
def test_an_hour_of_another_date_is_refused(hour):
    """The hour before midnight would have been counted as this date's last one."""
    with pytest.raises(ValueError, match="not of 2024-06-21"):
        device_day_rows(hours_of({"A000000000": {hour: NOTHING}}), DAY, RATED_6_KW)


@pytest.mark.parametrize(
    ("readings", "share"),
    [
        ([180] * 24, 1),
        ([60] * 24, 1),
        ([12] * 24, 1),
        ([180] * 18 + [0] * 6, 0.75),
        ([60] * 23 + [30], 23.5 / 24),
        ([0] * 24, 0),
        ([1] + [0] * 23, 1 / 24),
    ],
)
def test_completeness_is_told_by_the_cadence_of_the_fullest_hour(readings, share):
    assert completeness(np.array([readings])) == pytest.approx([share])
