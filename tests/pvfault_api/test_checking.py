"""Checks of what is published: a good date passes all of them, and each way of spoiling it is found by its own."""

import os
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pvfault.checks.assets import CHECKS
from pvfault.checks.scalograms import judge_qualities
from pvfault.data_files import FileError
from pvfault.faults import FAULTS, NONE
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, QUARANTINE, READINGS, SCALOGRAMS
from pvfault_api.checking import check_dates
from pvfault_api.checking_sources import check_sources
from pvfault_api.published import scan_dates
from tests.pvfault_api.plant import (
    DAY,
    DEVICES,
    MIDNIGHT,
    NETWORK,
    good_date,
    ledger_of,
    readings_of,
    verdicts_of,
    write,
)

TABLES = tuple(asset for asset in CHECKS if asset not in ("device_registry", "lenet_model"))


@pytest.fixture
def settings(make_settings, tmp_path):
    weights = tmp_path / "weights.h5"
    weights.write_bytes(NETWORK)
    return replace(make_settings(tmp_path / "home"), model=weights)


@pytest.fixture
def failed(settings):
    """Write rows, and give what fails of the date: summaries by asset and check."""

    def check(rows):
        write(settings, rows)
        found = check_dates(settings, [DAY], TABLES)
        asked = {(table, check.name) for table in TABLES for check in CHECKS[table]}
        assert {(one.asset, one.result.name) for one in found} <= asked
        return {(one.asset, one.result.name): one.result.summary for one in found if not one.result.passed}

    return check


def column(rows, name, values):
    """The rows with other values in a column."""
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(name), pa.array(values, rows.schema.field(name).type))


def of_device(rows, device):
    return pc.equal(rows["deviceID"], device)


def without(rows, mask):
    return rows.filter(pc.invert(mask))


def test_a_good_date_passes_every_check(settings):
    write(settings, good_date(settings))
    found = check_dates(settings, [DAY], TABLES)
    assert {(one.asset, one.result.name): one.result.summary for one in found if not one.result.passed} == {}
    asked = [(table, check.name) for table in TABLES for check in CHECKS[table]]
    assert sorted((one.asset, one.result.name) for one in found) == sorted(asked)


def half_of_a_device(rows):
    readings = rows["readings"]
    afternoon = pc.greater(readings["timestamp"], pa.scalar(MIDNIGHT + timedelta(hours=12)))
    rows["readings"] = without(readings, pc.and_(of_device(readings, DEVICES[2]), afternoon))


def a_reading_twice(rows):
    readings = rows["readings"]
    rows["readings"] = pa.concat_tables([readings.slice(0, 1), readings])


def a_silent_device(rows):
    rows["readings"] = without(rows["readings"], of_device(rows["readings"], DEVICES[3]))


def nothing_at_all(rows):
    rows["readings"] = rows["readings"].slice(0, 0)


def a_stranger(rows):
    rows["readings"] = pa.concat_tables([rows["readings"], readings_of("STRANGER00", 9)])


def impossible_values(rows):
    voltage = rows["readings"]["voltage"].to_numpy().copy()
    voltage[::50] = np.nan
    rows["readings"] = column(rows["readings"], "voltage", voltage)


def a_meter_that_reads_double(rows):
    voltage = rows["readings"]["voltage"].to_numpy().copy()
    voltage[: len(voltage) // len(DEVICES)] *= 2
    rows["readings"] = column(rows["readings"], "voltage", voltage)


def a_meter_that_stands_still(rows):
    for name in ("voltage", "current"):
        values = rows["readings"][name].to_numpy().copy()
        values[1800:2200] = values[1800]
        rows["readings"] = column(rows["readings"], name, values)


def records_that_are_none(rows):
    bad = {
        "topic": "pv-readings",
        "partition": 0,
        "offset": 1,
        "timestamp": MIDNIGHT,
        "reason": "33 bytes",
        "date": DAY,
    }
    rows["quarantine"] = pa.Table.from_pylist([bad], QUARANTINE.schema)
    n = len(rows["readings"])
    rows["ledger"] = ledger_of(DAY, n, records=n + 1, quarantined=1)


def a_lost_record(rows):
    n = len(rows["readings"])
    rows["ledger"] = ledger_of(DAY, n, records=n + 1)


def late_readings(rows):
    late = {"date": DAY, "readings": 7, "unread": 7, "first_offset": 10**6, "end_offset": 10**6 + 7}
    later = ledger_of(DAY + timedelta(days=2), 10, elsewhere=[late])
    rows["ledger"] = pa.concat_tables([rows["ledger"], later])


def late_readings_of_the_date_before(rows):
    before = DAY - timedelta(days=1)
    late = {"date": before, "readings": 7, "unread": 7, "first_offset": 50, "end_offset": 57}
    made = ledger_of(before, 10)
    rows["ledger"] = pa.concat_tables([made, ledger_of(DAY, len(rows["readings"]), elsewhere=[late])])


def a_lost_window(rows):
    rows["scalograms"] = rows["scalograms"].slice(1)


def a_lost_image(rows):
    images = rows["scalograms"]["scalogram"].to_pylist()
    images[12] = None
    rows["scalograms"] = column(rows["scalograms"], "scalogram", images)


def a_sparse_day(rows):
    rows["scalograms"] = column(rows["scalograms"], "quality", ["sparse"] * len(rows["scalograms"]))
    rows["scalograms"] = column(rows["scalograms"], "scalogram", [None] * len(rows["scalograms"]))


def a_wrong_time_zone(rows):
    hours = rows["scalograms"]["mean_irradiance"].to_numpy().reshape(-1, 24).copy()
    hours[1] = np.roll(hours[1], 3)
    rows["scalograms"] = column(rows["scalograms"], "mean_irradiance", hours.ravel())


def a_lost_prediction(rows):
    rows["predictions"] = rows["predictions"].slice(1)


def probabilities_that_are_none(rows):
    each = rows["predictions"]["probabilities"].to_pylist()
    each[12] = dict.fromkeys(FAULTS, 0.5)
    rows["predictions"] = column(rows["predictions"], "probabilities", each)


def one_fault_everywhere(rows):
    faults = [fault and "open_circuit" for fault in rows["predictions"]["fault"].to_pylist()]
    rows["predictions"] = column(rows["predictions"], "fault", faults)


def a_verdict_twice(rows):
    rows["device_days"] = pa.concat_tables([rows["device_days"], rows["device_days"].slice(0, 1)])


def a_device_without_a_verdict(rows):
    rows["device_days"] = column(rows["device_days"], "fault", [None, *rows["device_days"]["fault"].to_pylist()[1:]])


def everything_faulty(rows):
    faults = [*("arc_fault",) * 4, *rows["device_days"]["fault"].to_pylist()[4:]]
    rows["device_days"] = column(rows["device_days"], "fault", faults)


def another_registry(rows):
    for table in ("scalograms", "predictions"):
        rows[table] = column(rows[table], "registry_version", ["0ther"] * len(rows[table]))


def scalograms_made_again(rows):
    rows["scalograms"] = column(rows["scalograms"], "readings_making", ["1" * 32] * len(rows["scalograms"]))


def another_network(rows):
    rows["device_days"] = column(rows["device_days"], "model_version", ["0ther"] * len(rows["device_days"]))


def verdicts_that_flip(rows):
    lineage = dict.fromkeys(("readings_making", "registry_version", "code_version"), "x")
    days = [
        verdicts_of(DAY - timedelta(days=n), lineage, ("arc_fault" if n % 2 else NONE, NONE, NONE, NONE))
        for n in range(29)
    ]
    rows["device_days"] = pa.concat_tables(days)


def no_predictions(rows):
    rows["predictions"] = rows["predictions"].slice(0, 0)


@pytest.mark.parametrize(
    ("spoil", "table", "check", "found"),
    [
        (
            half_of_a_device,
            READINGS,
            "devices_are_complete",
            "1 of 4 devices are incomplete (below 90%): INV0000003 50%",
        ),
        (a_reading_twice, READINGS, "every_reading_is_there_once", "1 stand twice: INV0000001"),
        (a_silent_device, READINGS, "no_device_is_missing", "sent nothing: INV0000004"),
        (nothing_at_all, READINGS, "fleet_is_heard", "0 readings of 4 registered devices"),
        (a_stranger, READINGS, "every_device_is_registered", "not in the registry: STRANGER00"),
        (impossible_values, READINGS, "values_are_plausible", "voltage 346"),
        (a_meter_that_reads_double, SCALOGRAMS, "readings_tell_of_the_array", "INV0000001: 4320 beyond"),
        (a_meter_that_stands_still, SCALOGRAMS, "readings_tell_of_the_array", "400 stand still"),
        (records_that_are_none, READINGS, "every_record_is_a_reading", "1 records are no readings"),
        (a_lost_record, READINGS, "every_record_has_one_end", "17281 records"),
        (late_readings, READINGS, "no_late_reading_waits", "7 readings came after the date was made"),
        (late_readings_of_the_date_before, READINGS, "no_reading_came_too_late", "7 late readings of 2024-05-31"),
        (a_lost_window, SCALOGRAMS, "every_device_has_24_windows", "1 of 4 devices do not have each hour once"),
        (a_lost_image, SCALOGRAMS, "scalograms_are_whole_and_finite", "1 of 96 windows"),
        (a_sparse_day, SCALOGRAMS, "lit_windows_can_be_judged", "cannot be judged (96 sparse"),
        (
            a_wrong_time_zone,
            SCALOGRAMS,
            "clocks_go_right",
            "1 of 4 devices have light while the sun is down: INV0000002",
        ),
        (a_lost_prediction, PREDICTIONS, "every_ok_window_has_a_prediction", "95 predictions for 96 windows"),
        (probabilities_that_are_none, PREDICTIONS, "probabilities_are_probabilities", "1 of"),
        (one_fault_everywhere, PREDICTIONS, "no_fault_is_everywhere", "open_circuit in more than 30%"),
        (a_verdict_twice, DEVICE_DAYS, "one_verdict_for_each_device", "5 rows of 4 devices"),
        (a_device_without_a_verdict, DEVICE_DAYS, "every_device_has_a_verdict", "1 of 4 devices"),
        (everything_faulty, DEVICE_DAYS, "most_devices_are_healthy", "4 of 4 judged devices have a fault"),
        (everything_faulty, DEVICE_DAYS, "verdicts_are_like_those_before", "arc_fault 100.0% instead of"),
        (another_registry, DEVICE_DAYS, "verdicts_are_of_what_is_there", "judged beside the registry 0ther"),
        (scalograms_made_again, DEVICE_DAYS, "verdicts_are_of_what_is_there", "of other scalograms"),
        (another_network, DEVICE_DAYS, "verdicts_are_of_the_network", "of the network 0ther"),
        (verdicts_that_flip, DEVICE_DAYS, "verdicts_stay", "INV0000001 6 times"),
        (no_predictions, PREDICTIONS, "date_is_made", "`predictions` has no row of 2024-06-01"),
    ],
)
def test_what_is_wrong_is_found_by_its_check_and_named(settings, failed, spoil, table, check, found):
    rows = good_date(settings)
    spoil(rows)
    summaries = failed(rows)
    assert found in summaries[table.name, check]
    (remedy,) = {one.remedy for one in CHECKS[table.name] if one.name == check}
    assert f"; {remedy}" in summaries[table.name, check]


def test_readings_are_the_same_in_whatever_order_and_files_they_lie(settings, failed):
    """Somebody else may compact the table."""
    rows = good_date(settings)
    a_meter_that_reads_double(rows)
    a_reading_twice(rows)
    rows["readings"] = rows["readings"].take(np.random.default_rng(0).permutation(len(rows["readings"])))
    summaries = failed(rows)
    assert "INV0000001: 4321 beyond" in summaries["scalograms", "readings_tell_of_the_array"]
    assert "1 stand twice: INV0000001" in summaries["readings", "every_reading_is_there_once"]


def test_a_damaged_file_cannot_be_evaluated_and_is_named(settings):
    write(settings, good_date(settings))
    with scan_dates(settings, READINGS, [DAY]) as scan:
        (file,) = (task.file.file_path.removeprefix("file://") for task in scan.plan_files())
    os.truncate(file, 5000)
    with pytest.raises(FileError, match=r"`readings` of 2024-06-01: the file .*parquet is damaged"):
        check_dates(settings, [DAY], [READINGS.name])
    assert all(one.result.passed for one in check_dates(settings, [DAY], [PREDICTIONS.name, DEVICE_DAYS.name]))


def test_no_registry_and_old_weights_are_told(settings):
    found = {one.result.name: one.result for one in check_sources(settings, ["device_registry"], dict)}
    assert "does not exist" in found["registry_is_there"].summary
    good_date(settings)
    assert all(one.result.passed for one in check_sources(settings, ["device_registry"], dict))


def test_hours_that_the_inverter_limits_are_told_and_are_nobody_s_fault():
    """A plant that may not feed in at noon, all summer, has no trouble with its communication."""
    limited = judge_qualities({"ok": 40, "curtailed": 60, "dark": 140})
    assert limited.passed
    assert "60 are curtailed, 60%" in limited.summary
    silent = judge_qualities({"ok": 70, "sparse": 5, "not reporting": 20, "invalid": 5, "curtailed": 20})
    assert not silent.passed
    assert "30 of 120 lit windows cannot be judged (5 sparse, 5 invalid, 20 not reporting)" in silent.summary
    assert silent.figures["not_reporting"] == 20
