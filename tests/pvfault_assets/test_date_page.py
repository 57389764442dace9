"""What the operator sees on the page of a date: the devices, and pictures that show their numbers."""

import base64
import re
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import dagster as dg
import pytest

from pvfault_assets.assembly import build_definitions
from pvfault_assets.charts import WIDTH, curves, stacked_bars, ticks_up_to
from tests.pvfault_api.helpers import day_of, hour_of, make_scalograms, make_table
from tests.standins.spark import SparkStandIn

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2024, 6, 1)
TABLES = ("readings", "scalograms", "predictions", "device_days")


@pytest.fixture
def settings(make_settings, tmp_path):
    settings = make_settings(tmp_path, PVFAULT_FIRST_DATE=str(FIRST))
    settings.home.mkdir(exist_ok=True)
    settings.registry.write_text(
        "deviceID,rated_voltage,rated_current\n" + "".join(f"INV{n:07d},500,10\n" for n in range(30))
    )
    return settings


@pytest.fixture
def make(settings):
    """Make dates with jobs that write nothing; gives what Dagster has recorded of `device_days`, by date."""

    def make(first, last, **spark):
        with dg.DagsterInstance.ephemeral() as instance:
            job = build_definitions(settings, spark=SparkStandIn(**spark)).resolve_job_def("materialise_day")
            span = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
            selection = [dg.AssetKey(table) for table in TABLES]
            result = job.execute_in_process(instance=instance, asset_selection=selection, tags=span)
            assert result.success
            return {
                event.partition: event.materialization.metadata
                for event in result.get_asset_materialization_events()
                if event.asset_key == dg.AssetKey("device_days")
            }

    return make


def faulty(device, day, fault, lost, hours=9):
    return day_of(device, day, fault, hour=7, hours=hours, lost=lost)


def pictures_of(markdown):
    """The pictures that stand in a report, by their titles."""
    found = re.findall(r"!\[([^]]+)\]\(data:image/svg\+xml;base64,([^)]+)\)", markdown)
    return {title: ET.fromstring(base64.b64decode(data)) for title, data in found}  # noqa: S314 - our own


def colours_of(picture):
    """Colours by the names that the legend has beside them."""
    names = [text.text for text in picture.iter(f"{SVG}text")]
    boxes = [box.get("fill") for box in picture.iter(f"{SVG}rect") if box.get("width") == "10"]
    first = next(n for n, text in enumerate(picture.iter(f"{SVG}text")) if text.get("y") == "33.0")
    return dict(zip(names[first : first + len(boxes)], boxes, strict=True))


def scale_of(picture):
    """What a pixel stands for, from the two highest numbers of the axis and their places."""
    axis = [text for text in picture.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    one, other = ((float(text.text), float(text.get("y"))) for text in axis[-2:])
    return (other[0] - one[0]) / (one[1] - other[1])


def bars_of(picture, colour):
    """Left side and value of the bars of one colour."""
    paths = [path.get("d") for path in picture.iter(f"{SVG}path") if path.get("fill") == colour]
    bars = [re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)h", path) for path in paths]
    return [(float(x), (float(low) - float(high)) * scale_of(picture)) for path in bars for x, low, high in path]


def test_the_page_of_a_date_has_its_faulty_devices_worst_first(settings, make):
    """Twenty of them: a page is no list of a fleet."""
    losing = [faulty(f"INV{n:07d}", 1, "open_circuit", lost=float(n)) for n in range(1, 22)]
    others = [day_of("INV0000022", 1, "none"), day_of("INV0000023", 1), faulty("UNKNOWN001", 1, "line_line", None)]
    make_table(settings, [*losing, *others])
    make_scalograms(settings)
    (metadata,) = make(FIRST, FIRST).values()
    report = metadata["report"].value
    rows = [line.split(" | ") for line in report.splitlines() if line.startswith(("| INV", "| UNK"))]
    assert [row[0] for row in rows] == [f"| INV{n:07d}" for n in range(21, 1, -1)]
    assert rows[0][1:] == ["open_circuit", "07:00", "9", "90%", "21.0 kWh |"]
    assert "and 2 more" in report
    assert "22 of 24 devices have a fault and lost 231.0 kWh. 1 could not be judged." in report


def test_a_device_without_ratings_has_not_lost_nothing(settings, make):
    make_table(settings, [faulty("UNKNOWN001", 1, "line_line", None)])
    make_scalograms(settings)
    (metadata,) = make(FIRST, FIRST).values()
    assert "| UNKNOWN001 | line_line | 07:00 | 9 | 90% | no ratings |" in metadata["report"].value


def test_the_picture_of_the_weeks_counts_each_date_up_to_its_own(settings, make):
    """Also in a range, whose later dates count the earlier ones without reading them again."""
    by_day = {
        1: [faulty("INV0000001", 1, "open_circuit", 1.0), day_of("INV0000002", 1)],
        2: [faulty(f"INV{n:07d}", 2, "arc_fault", 1.0) for n in range(3)],
        4: [faulty("INV0000001", 4, "open_circuit", 1.0), faulty("INV0000002", 4, "arc_fault", 1.0)],
    }
    make_table(settings, *by_day.values())
    make_scalograms(settings)
    made = make(FIRST + timedelta(1), FIRST + timedelta(3))
    for day, metadata in made.items():
        (title, picture), *_ = pictures_of(metadata["report"].value).items()
        assert title == f"Faulty devices by fault, 8 weeks to {day}"
        until = date.fromisoformat(day).day
        expected = Counter(
            (number - until, row["fault"] or "unknown")
            for number, rows in by_day.items()
            if number <= until
            for row in rows
        )
        colours = colours_of(picture)
        step = (WIDTH - 56 - 24) / 56
        found = {
            (round((x - 57) / step) - 55, name): value
            for name, colour in colours.items()
            for x, value in bars_of(picture, colour)
        }
        assert found == {place: pytest.approx(count, abs=0.02) for place, count in expected.items()}
        missing = 56 - sum(number <= until for number in by_day)
        assert f"Grey: {missing} dates that have not been made" in metadata["report"].value


def test_the_picture_of_the_worst_device_has_its_power_beside_that_of_a_healthy_one(settings, make):
    make_table(settings, [faulty("INV0000001", 1, "open_circuit", 1.0), faulty("INV0000002", 1, "line_line", 5.0)])
    hours = [hour_of("INV0000002", 1, hour, 1000.0 * (hour - 8), 800.0, 25.0) for hour in range(9, 12)]
    make_scalograms(settings, [*hours, hour_of("INV0000001", 1, 9, 1.0, 1.0, 1.0)])
    (metadata,) = make(FIRST, FIRST).values()
    *_, (title, picture) = pictures_of(metadata["report"].value).items()
    assert title == "INV0000002, line_line: mean DC power by hour in kW, 2024-06-01 (UTC)"
    lines = {
        name: [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path.get("d"))]
        for name, colour in colours_of(picture).items()
        for path in picture.iter(f"{SVG}path")
        if path.get("stroke") == colour
    }
    zero = max(float(text.get("y")) for text in picture.iter(f"{SVG}text") if text.get("text-anchor") == "end") - 4
    found = {name: [(zero - y) * scale_of(picture) for y in line] for name, line in lines.items()}
    assert found == {
        "measured": pytest.approx([1, 2, 3], abs=0.05),
        "of a healthy array": pytest.approx([4, 4, 4], abs=0.05),
    }


def test_a_healthy_fleet_has_no_table_of_devices(settings, make):
    make_table(settings, [day_of("INV0000001", 1, "none")])
    (metadata,) = make(FIRST, FIRST).values()
    report = metadata["report"].value
    assert "0 of 1 devices have a fault." in report
    assert "|" not in report
    assert len(pictures_of(report)) == 1


def test_a_date_is_made_and_recorded_although_its_page_cannot_be(make):
    """There are no tables at all: the page says so in its place, and the dates are good."""
    made = make(FIRST, FIRST + timedelta(1))
    assert list(made) == ["2024-06-01", "2024-06-02"]
    for metadata in made.values():
        assert metadata["report"].value.startswith("cannot be shown: there are no tables in ")
        assert metadata["published"].value is True


def test_whatever_fails_the_page_does_not_fail_the_date(settings, make):
    """A broken registry stops jobs that need it, which say so; here it only stops the page."""
    make_table(settings, [faulty("INV0000001", 1, "open_circuit", 1.0)])
    settings.registry.write_bytes(b"\x00\xff")
    (metadata,) = make(FIRST, FIRST).values()
    assert metadata["report"].value.startswith("cannot be shown: ")


@pytest.mark.parametrize("most", [0.001, 0.3, 1, 4, 5, 39, 40, 99.9, 100, 12345])
def test_an_axis_reaches_its_most_with_a_few_round_numbers(most):
    for whole in (False, True):
        ticks = ticks_up_to(most, whole=whole)
        assert ticks[0] == 0
        assert ticks[-1] >= most * (1 - 1e-9)
        assert 2 <= len(ticks) <= 9
        assert all(b > a for a, b in pairwise(ticks))


def test_pictures_are_small_and_take_any_name():
    """Each is kept with its date for ever."""
    labels = [str(n) for n in range(56)]
    kinds = {f"<kind & {n}>": [n + 1] * 56 for n in range(6)}
    colours = {name: f"#00000{n}" for n, name in enumerate(kinds)}
    bars = stacked_bars("<weeks & days>", labels, kinds, colours)
    lines = curves("<a & b>", labels, {"<x & y>": [None, 1.0, None, 2.0, *[3.0] * 52]}, {"<x & y>": "#000000"})
    for picture in (bars, lines):
        root = ET.fromstring(picture)  # noqa: S314 - our own
        assert {text.text for text in root.iter(f"{SVG}text")} & {"<weeks & days>", "<a & b>"}
        assert len(picture) < 16_000
