"""What has become of each date, as the tables say it."""

from dataclasses import replace

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.errors import PvfaultError
from pvfault.tables import MADE_OF
from pvfault_api.lake import read_lake
from pvfault_api.states import EMPTY, LATE, MADE, MISSING, STALE, states_of
from tests.pvfault_api.lake import Plant, days

DAYS = days(1, 4)
ALL_MADE = (MADE,) * 4


@pytest.fixture
def plant(make_settings, tmp_path):
    return Plant(make_settings(tmp_path, PVFAULT_MODEL=str(tmp_path / "weights.h5")))


@pytest.fixture
def states(plant):
    """What some dates are in each table."""

    def read(*asked):
        found = states_of(read_lake(plant.settings), DAYS[0], DAYS[-1])
        return {day: tuple(found[day][table].what for table in MADE_OF) for day in asked or found}

    return read


def reason(plant, day, table):
    return states_of(read_lake(plant.settings), DAYS[0], DAYS[-1])[day][table].reason


def test_dates_are_made_from_the_first_one_on_and_those_between_are_missing(plant, states):
    plant.make(DAYS[1], DAYS[3])
    plant.make(DAYS[2], tables=["readings"])
    assert states() == {DAYS[1]: ALL_MADE, DAYS[2]: (MADE, MISSING, MISSING, MISSING), DAYS[3]: ALL_MADE}
    assert reason(plant, DAYS[2], "scalograms") == "not made, though `readings` are"


def test_a_date_without_readings_is_empty_although_verdicts_say_that_all_is_silent(plant, states):
    """The registered devices have a row each: without a reading, and none of them is faulty."""
    plant.make(DAYS[0])
    plant.make(DAYS[1], tables=["scalograms", "predictions", "device_days"])
    plant.make_empty(DAYS[1])
    assert states(*DAYS[:2]) == {DAYS[0]: ALL_MADE, DAYS[1]: (EMPTY,) * 4}


def test_a_changed_registry_asks_for_all_scalograms_and_what_is_made_of_them_follows(plant, states):
    plant.make(*DAYS[:2])
    plant.change_registry("INV0000001", "INV0000002")
    assert states(*DAYS[:2]) == dict.fromkeys(DAYS[:2], (MADE, STALE, MADE, MADE))
    assert "the registry" in reason(plant, DAYS[0], "scalograms")
    plant.make(DAYS[0], tables=["scalograms"])
    assert states(DAYS[0]) == {DAYS[0]: (MADE, MADE, STALE, STALE)}
    plant.make(DAYS[0], tables=["scalograms", "predictions", "device_days"])
    assert states(*DAYS[:2]) == {DAYS[0]: ALL_MADE, DAYS[1]: (MADE, STALE, MADE, MADE)}


def test_a_new_network_asks_for_predictions_alone(plant, states):
    plant.make(*DAYS[:2])
    plant.change_network(b"better weights")
    assert states(*DAYS[:2]) == dict.fromkeys(DAYS[:2], (MADE, MADE, STALE, MADE))
    plant.make(DAYS[0], tables=["predictions"])
    assert states(DAYS[0]) == {DAYS[0]: (MADE, MADE, MADE, STALE)}


def test_readings_that_were_made_again_ask_for_their_scalograms(plant, states):
    """By the whole name of a making, of which the tables' metadata keep the beginning."""
    plant.make(*DAYS[:2])
    plant.make(DAYS[1], tables=["readings"])
    assert states(*DAYS[:2]) == {DAYS[0]: ALL_MADE, DAYS[1]: (MADE, STALE, MADE, MADE)}


def test_a_date_is_late_until_its_readings_are_read(plant, states):
    plant.make(DAYS[0])
    plant.make(DAYS[1], late={DAYS[0]: 3})
    assert states(DAYS[0]) == {DAYS[0]: (LATE, MADE, MADE, MADE)}
    assert reason(plant, DAYS[0], "readings").startswith("3 readings came after it was made")
    plant.make(DAYS[0])
    assert states(DAYS[0]) == {DAYS[0]: ALL_MADE}


def test_another_topic_has_late_readings_of_its_own(plant, states):
    plant.make(DAYS[0])
    plant.make(DAYS[1], late={DAYS[0]: 3})
    lake = read_lake(replace(plant.settings, topic="another"))
    assert states_of(lake, DAYS[0], DAYS[1])[DAYS[0]]["readings"].what == MADE


def test_rows_that_are_older_than_their_lineage_are_not_called_stale(plant, states):
    """Nothing says what they are of."""
    plant.make(DAYS[0])
    with SqlCatalog("lake", uri=f"sqlite:///{plant.settings.catalog}") as catalog:
        for table in ("scalograms", "predictions", "device_days"):
            with catalog.load_table(f"pvfault.{table}").update_schema() as schema:
                schema.delete_column("registry_version").delete_column("readings_making")
    plant.change_registry("INV0000002")
    plant.make(DAYS[0], tables=["readings"])
    assert states(DAYS[0]) == {DAYS[0]: ALL_MADE}


def test_without_tables_it_is_said_what_to_do(make_settings, tmp_path):
    with pytest.raises(PvfaultError, match="materialise a date first"):
        read_lake(make_settings(tmp_path / "empty"))
