"""Which dates need a look, and what to type for them: tables and Dagster's storage together."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import dagster as dg
import pytest

from pvfault.tables import tables_from
from pvfault_api.states import EMPTY, LATE, MISSING, REFUSED, STALE
from pvfault_assets.assembly import build_definitions
from pvfault_assets.dates import Look, Looks, read_dates, together
from pvfault_assets.instance import open_instance, page_origin, set_scheduled
from pvfault_assets.partitions import tags_of
from tests.pvfault_api.lake import Plant, days
from tests.standins.spark import JOBS, SparkStandIn

DAYS = days(1, 5)
INGEST, SCALOGRAMS, CLASSIFY, SUMMARISE = JOBS
TABLE_OF = dict(zip(JOBS, ("readings", "scalograms", "predictions", "device_days"), strict=True))
NOON = datetime(2024, 6, 5, 12, tzinfo=UTC)


class MakingSpark(SparkStandIn):
    """Makes what it reports, and says beside which dates, as the job does: those before that have scalograms."""

    def __init__(self, plant, **refusals):
        super().__init__(**refusals)
        self._plant = plant

    def _report(self, job, day):
        report = super()._report(job, day)
        if report.published:
            self._plant.make(day, tables=[TABLE_OF[job]])
        history = [str(before) for before in sorted(self._plant.with_scalograms) if before < day]
        return replace(report, figures={"history": history} if job == SCALOGRAMS else {})


@pytest.fixture
def plant(make_settings, tmp_path):
    return Plant(make_settings(tmp_path, PVFAULT_FIRST_DATE=str(DAYS[0]), PVFAULT_MODEL=str(tmp_path / "weights.h5")))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def make(plant, instance):
    """Make dates from a table on."""

    def make(first, last=None, table="readings", **refusals):
        definitions = build_definitions(plant.settings, spark=MakingSpark(plant, **refusals))
        definitions.resolve_job_def("materialise_day").execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(each) for each in tables_from(table)],
            tags=tags_of(first, last or first),
            raise_on_error=False,
        )

    return make


@pytest.fixture
def read(plant, instance):
    return partial(read_dates, plant.settings, instance, now=NOON)


@pytest.fixture
def look(read):
    """The dates that are not good: the table and its state."""
    return lambda **options: {each.day: (each.table, each.state) for each in read(**options).to_look_at}


@pytest.fixture
def reasons(read):
    return lambda: {each.day: each.reason for each in read().to_look_at}


def test_a_refused_date_stays_until_it_is_made_however_many_good_ones_follow(make, look, reasons):
    """The newest good date must not hide it."""
    make(DAYS[0], DAYS[2], refuse={INGEST: [DAYS[1]]})
    assert look() == {DAYS[1]: ("readings", REFUSED)}
    assert "not_fewer_readings_than_before: 3 of 4 found" in reasons()[DAYS[1]]
    make(DAYS[3])
    assert look() == {DAYS[1]: ("readings", REFUSED)}
    make(DAYS[1], refuse={SUMMARISE: [DAYS[1]]})
    assert look()[DAYS[1]] == ("device_days", REFUSED)
    make(DAYS[1], table="device_days")
    assert DAYS[1] not in look()


def test_a_refused_date_that_is_there_all_the_same_can_be_gone_on_from(make, look):
    """Past the topic's retention nothing else would ever take it off the list."""
    make(DAYS[0])
    make(DAYS[0], refuse={INGEST: [DAYS[0]]})
    assert look() == {DAYS[0]: ("readings", REFUSED)}
    make(DAYS[0], table="scalograms")
    assert look() == {}


def test_dates_between_are_missing_and_dates_after_only_while_they_are_scheduled(plant):
    plant.make(DAYS[0], DAYS[2])
    with open_instance(plant.settings) as instance:

        def missing(**options):
            looks = read_dates(plant.settings, instance, now=NOON, **options).to_look_at
            assert {(look.table, look.state) for look in looks} == {("readings", MISSING)}
            return [look.day for look in looks]

        assert missing() == [DAYS[1]]
        assert missing(until=DAYS[3]) == [DAYS[1], DAYS[3]]
        set_scheduled(instance, plant.settings.lateness_hours, on=True)
        # It is noon of the 5th: the 4th is over, and its late readings have had their time.
        assert missing() == [DAYS[1], DAYS[3]]


def test_a_date_that_was_made_of_nothing_is_empty(make, look, plant):
    make(DAYS[0], DAYS[1])
    plant.make_empty(DAYS[0])
    assert look() == {DAYS[0]: ("readings", EMPTY)}


def test_what_a_table_is_made_of_was_made_again(make, look):
    """Of the same registry and readings: nothing but the order tells it."""
    make(DAYS[0], DAYS[1])
    make(DAYS[1], table="predictions", refuse={SUMMARISE: [DAYS[1]]})
    make(DAYS[1], table="device_days")
    assert look() == {}
    make(DAYS[1], table="scalograms", fail={CLASSIFY: [DAYS[1]]})
    assert look() == {DAYS[1]: ("predictions", REFUSED)}


def test_a_new_network_asks_for_every_date_from_predictions_on(make, look, plant):
    make(DAYS[0], DAYS[2])
    plant.change_network(b"better")
    assert look() == dict.fromkeys(DAYS[:3], ("predictions", STALE))
    make(DAYS[0], DAYS[2], table="predictions")
    assert look() == {}


def test_late_readings_ask_for_their_date_and_then_for_the_dates_judged_beside_it(make, look, reasons, plant):
    """Dagster's own staleness does not know that a date looks back."""
    make(DAYS[0], DAYS[3])
    plant.make(DAYS[3], tables=["readings"], late={DAYS[1]: 7})
    make(DAYS[3], table="scalograms")
    assert look() == {DAYS[1]: ("readings", LATE)}
    make(DAYS[1])
    assert look() == {DAYS[2]: ("scalograms", STALE), DAYS[3]: ("scalograms", STALE)}
    assert reasons()[DAYS[2]] == f"judged beside earlier readings of {DAYS[1]}, made since"
    make(DAYS[2], DAYS[3], table="scalograms")
    assert look() == {}


def test_a_date_that_was_made_later_is_asked_for_by_those_that_would_have_looked_at_it(make, look, reasons, plant):
    make(DAYS[0])
    make(DAYS[2], DAYS[3])
    assert look() == {DAYS[1]: ("readings", MISSING)}
    make(DAYS[1])
    # A new network asks for less: the first table that is not good counts.
    plant.change_network(b"better")
    assert reasons()[DAYS[0]].startswith("made with the network")
    assert {day: why for day, why in reasons().items() if day in DAYS[2:4]} == dict.fromkeys(
        DAYS[2:4], f"judged without {DAYS[1]}, made since"
    )
    make(DAYS[0], DAYS[1], table="predictions")
    make(DAYS[2], DAYS[3], table="scalograms")
    assert look() == {}


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED])
def test_dates_that_a_run_makes_just_now_or_next_are_not_asked_for(make, read, instance, status):
    make(DAYS[0], DAYS[2], refuse={INGEST: [DAYS[1]]})
    job = dg.JobDefinition(name="another", graph_def=dg.GraphDefinition(name="another"))
    run = instance.create_run_for_job(
        job, status=status, tags=tags_of(DAYS[1], DAYS[1]), remote_job_origin=page_origin().get_job_origin(job.name)
    )
    assert read().under_way == [DAYS[1]]
    assert read().to_look_at == []
    assert [look.day for look in read(but_for=run.run_id).to_look_at] == [DAYS[1]]


def test_what_to_type_begins_with_the_table_that_is_not_good():
    stale = [Look(day, "predictions", STALE, "made with the network a, and it is b now", held=True) for day in DAYS[:3]]
    (looks,) = together(stale)
    assert looks.next == "type: pvfault materialise --date 2024-06-01..2024-06-03 --asset predictions"
    refused = Looks(DAYS[0], DAYS[0], "readings", REFUSED, "why", held=False)
    assert refused.next == "mend what the reason says, then type: pvfault materialise --date 2024-06-01"


def test_only_dates_that_follow_each_other_and_are_alike_are_told_together():
    looks = [Look(day, "readings", MISSING, "not made") for day in (DAYS[0], DAYS[1], DAYS[3])]
    looks.append(Look(DAYS[2], "readings", LATE, "7 readings came"))
    assert [(each.days, each.state) for each in together(looks)] == [
        ("2024-06-01..2024-06-02", MISSING), ("2024-06-03", LATE), ("2024-06-04", MISSING),
    ]  # fmt: skip
