"""The history that is measured: the product finds nothing wrong with it, and the page understands what it is asked."""

from datetime import timedelta

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from pvfault_assets.dates import read_dates
from pvfault_assets.instance import open_instance
from pvfault_bench.history import FIRST, make_events, make_tables, queries
from tests.conftest import PROJECT

DAYS = [FIRST + timedelta(days=n) for n in range(3)]


def test_its_dates_are_good(make_settings, tmp_path):
    model = str(PROJECT / "models" / "lenet5.h5")
    settings = make_settings(tmp_path, PVFAULT_FIRST_DATE=str(FIRST), PVFAULT_MODEL=model)
    make_events(settings, DAYS)
    make_tables(settings, DAYS)
    with open_instance(settings) as instance:
        dates = read_dates(settings, instance)
    assert (dates.made, dates.to_look_at) == (DAYS, [])


@pytest.mark.parametrize("name", queries(FIRST))
def test_its_queries_are_of_the_page_that_is_installed(name):
    query, _ = queries(FIRST)[name]
    assert validate(create_schema().graphql_schema, parse(query)) == []
