"""The tables' contract, and the page that tells users of it."""

import pytest

from pvfault.tables import TABLES
from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "tables.md"


def columns_of(table):
    """The columns of a table as the page has them."""
    rows = [
        f"| `{field.name}` | {type_of(field)} | {table.descriptions[field.name].replace('|', chr(92) + '|')} |"
        for field in table.schema
    ]
    return "\n".join(["| column | type | what |", "|---|---|---|", *rows])


def type_of(field):
    return str(field.type).split("<")[0].split("[")[0] + (", not null" if not field.nullable else "")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_described_in_one_line_that_every_catalog_takes(table):
    """Glue takes 255 characters; a longer comment would fail the job that makes the table."""
    assert list(table.descriptions) == table.schema.names
    for text in table.descriptions.values():
        assert text.isprintable()
        assert 10 < len(text) <= 255
        assert text.endswith((".", "]"))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_of_tables_is_the_contract(table):
    _, _, section = PAGE.read_text().partition(f"\n## {table.name}\n")
    section = section.partition("\n## ")[0]
    expected = columns_of(table)
    assert expected in section, f"{PAGE} must have under its heading {table.name}:\n\n{expected}"
    assert f"Key: {', '.join(f'`{name}`' for name in table.key)}. A partition is a day of `{table.day_of}`." in section
