"""Questions about devices, beside what the written rows say by themselves."""

import io
import struct
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo

from pvfault.tables import DEVICE_DAYS, LEDGER
from pvfault_api.snapshots import open_snapshot
from pvfault_server.asked import Cursor
from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_api.plant import DAY, DEVICES, good_date, write

ROWS = [
    day_of("INV0000001", 2, "none", confidence=0.75),
    day_of("INV0000002", 2, "open_circuit", hour=6, hours=8, confidence=0.5, lost=12.0),
    day_of("INV0000003", 2, "arc_fault", hour=11, hours=3, confidence=0.875, lost=2.5),
    day_of("INV0000004", 2, None, confidence=None),
    day_of("INV0000005", 2, "open_circuit", hour=9, hours=4, confidence=1.0, lost=None),
]
SITES = {"INV0000001": "Nord", "INV0000002": "Nord", "INV0000003": "Süd <b>", "INV0000005": "Süd <b>"}


@pytest.fixture
def fleet(settings):
    """Verdicts of two dates, and a registry in which one device has no site."""
    make_table(settings, [day_of("INV0000001", 1, "line_line", hour=5, hours=9)], ROWS)
    rows = "".join(f"INV000000{n},500,10,{SITES.get(f'INV000000{n}', '')}\n" for n in range(1, 6))
    settings.registry.write_text(f"deviceID,rated_voltage,rated_current,site\n{rows}", encoding="utf-8")
    return settings


@pytest.fixture
def catalog(settings):
    """What writes into the tables beside the application."""
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri()) as catalog:
        yield catalog


def names(answer):
    assert answer.status_code == 200, answer.text
    return [row["deviceID"][-1] for row in answer.json()["rows"]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", "12345"),
        ("?date=2024-06-01", "1"),
        ("?site=Nord", "12"),
        ("?site=Nord&site=S%C3%BCd%20%3Cb%3E&sort=-deviceID", "5321"),
        ("?fault=open_circuit&fault=unknown", "245"),
        ("?min_confidence=0.75", "135"),
        ("?min_lost_kwh=2.5", "23"),
        ("?since=2024-06-02T09:00:00Z", "35"),
        ("?since=2024-06-02T12:30:00%2B03:30", "35"),
        ("?sort=-lost_kwh", "23145"),  # without a value last, those among themselves by name
        ("?sort=confidence", "21354"),
        ("?site=Nord&fault=arc_fault", ""),
    ],
)
def test_verdicts_are_filtered_and_sorted(fleet, client, asked, expected):
    assert "".join(names(client.get(f"/devices{asked}"))) == expected


def pages(client, asked):
    """All pages of a question, as a client follows `next`."""
    while asked:
        answer = client.get(asked)
        yield answer
        asked = answer.json()["next"]


@pytest.mark.parametrize("sort", ["deviceID", "-lost_kwh", "fault"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_are_the_whole_in_parts(fleet, client, sort, limit):
    whole = names(client.get(f"/devices?sort={sort}"))
    parts = [names(page) for page in pages(client, f"/devices?sort={sort}&limit={limit}")]
    assert [name for part in parts for name in part] == whole
    assert {len(part) for part in parts[:-1]} <= {limit}


def test_pages_miss_and_double_nothing_while_the_date_is_made_again(fleet, client, catalog):
    """In the order of the energy lost, a date made again between two pages would show a device twice, another never."""
    asked = "/devices?sort=-lost_kwh&limit=2"
    walk = pages(client, asked)
    found = names(next(walk))
    again = [{**row, "lost_kwh": 100.0 * n} for n, row in enumerate(ROWS)]
    table = catalog.load_table("pvfault.device_days")
    table.overwrite(pa.Table.from_pylist(again, DEVICE_DAYS.schema), EqualTo("date", "2024-06-02"))
    for page in walk:
        found += names(page)
    assert "".join(found) == "23145"
    assert "".join(names(client.get(asked))) == "54"


def test_a_cursor_does_not_lead_to_what_is_not_published(fleet, client, catalog):
    page = client.get("/devices?limit=1").json()
    cursor = page["next"].partition("cursor=")[2]
    table = catalog.load_table("pvfault.device_days")
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "staged").commit()
    table.append(pa.Table.from_pylist(ROWS[:1], DEVICE_DAYS.schema), branch="staged")
    staged = table.refresh().snapshot_by_name("staged").snapshot_id
    forged = Cursor(staged, Cursor.of_text(cursor.replace("%3D", "=")).digest, 0).text()
    answer = client.get("/devices", params={"limit": 1, "cursor": forged})
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor_gone")
    other = client.get(page["next"] + "&site=Nord")
    assert (other.status_code, other.json()["code"]) == (410, "cursor_gone")


@pytest.fixture
def plant(settings):
    """The rows of a whole date of four devices, in all tables."""
    rows = good_date(settings)
    spike = rows["readings"].to_pylist()
    at = next(n for n, row in enumerate(spike) if row["deviceID"] == DEVICES[1] and row["timestamp"].hour == 12)
    spike[at + 77]["current"] = 99.5
    rows["readings"] = pa.Table.from_pylist(spike, rows["readings"].schema)
    settings.model.write_bytes(b"the weights")
    write(settings, rows)
    return rows


def test_a_picture_keeps_a_spike_of_one_reading(plant, client):
    """Every n-th reading, as others thin them out, would show a calm day."""
    start, end = f"{DAY}T00:00:00Z", f"{DAY}T23:59:59Z"
    answer = client.get(f"/devices/{DEVICES[1]}/readings?start={start}&end={end}&pixels=50")
    rows = answer.json()["rows"]
    assert len(rows) == 50
    assert max(row["current_max"] for row in rows) == 99.5
    assert sum(row["current_max"] == 99.5 for row in rows) == 1


def test_a_picture_is_of_each_reading_in_its_pixel(plant, client):
    start, end, pixels = datetime(2024, 6, 1, 10, tzinfo=UTC), datetime(2024, 6, 1, 11, 10, tzinfo=UTC), 7
    asked = {"start": start.isoformat(), "end": end.isoformat(), "pixels": pixels}
    rows = client.get(f"/devices/{DEVICES[0]}/readings", params=asked).json()["rows"]
    own = [row for row in plant["readings"].to_pylist() if row["deviceID"] == DEVICES[0]]
    for n, row in enumerate(rows):
        edges = [start.timestamp() + 600 * k for k in (n, n + 1)]
        within = [each for each in own if edges[0] <= each["timestamp"].timestamp() < edges[1]]
        assert datetime.fromisoformat(row["start"]).timestamp() == edges[0]
        assert row["readings"] == len(within) == 30
        for name in ("voltage", "current", "temperature", "irradiance"):
            values = [each[name] for each in within]
            assert (row[f"{name}_min"], row[f"{name}_max"]) == (min(values), max(values))
    assert len(rows) == pixels


@pytest.mark.parametrize("path", ["/devices/{}/predictions?", "/query-results?deviceID={}&"])
def test_predictions_are_the_devices_rows(plant, client, path):
    rows = client.get(f"{path.format(DEVICES[2])}first={DAY}&last={DAY}").json()["rows"]
    own = [row for row in plant["predictions"].to_pylist() if row["deviceID"] == DEVICES[2]]
    assert [datetime.fromisoformat(row.pop("window_start")) for row in rows] == [row.pop("window_start") for row in own]
    assert rows == own
    assert len(rows) == 24


def test_a_devices_day_does_not_read_the_fleets(plant, client, catalog, settings):
    """Noise in the pages of the others would be found by whoever reads them."""
    table = catalog.load_table("pvfault.predictions")
    table.delete()
    path = settings.warehouse / "predictions.parquet"
    pq.write_table(plant["predictions"], path, row_group_size=24)  # sorted by device: a group is a device's day
    table.add_files([path.as_uri()])
    group = pq.read_metadata(path).row_group(2)
    content = bytearray(path.read_bytes())
    for n in range(group.num_columns):
        column = group.column(n)
        at = column.dictionary_page_offset or column.data_page_offset
        content[at : at + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)

    def status(device):
        return client.get(f"/devices/{device}/predictions?first={DAY}&last={DAY}").status_code

    assert [status(device) for device in DEVICES] == [200, 200, 503, 200]


def test_days_of_a_device_are_the_newest_seven_unless_others_are_asked_for(plant, client):
    days = [row["date"] for row in client.get(f"/devices/{DEVICES[0]}/days").json()["rows"]]
    assert days == [*(f"2024-05-{n}" for n in range(26, 32)), "2024-06-01"]
    asked = client.get(f"/devices/{DEVICES[0]}/days?first=2024-05-30&last=2024-05-31").json()["rows"]
    assert [row["date"] for row in asked] == ["2024-05-30", "2024-05-31"]


def test_rows_are_the_same_in_each_form(plant, client):
    asked = f"/devices/{DEVICES[0]}/predictions?first={DAY}&last={DAY}"
    own = plant["predictions"].filter(pa.compute.equal(plant["predictions"]["deviceID"], DEVICES[0]))

    def get(form):
        answer = client.get(asked, headers={"Accept": form})
        assert answer.headers["content-type"].partition(";")[0] == form
        return answer.content

    assert pa.ipc.open_stream(get("application/vnd.apache.arrow.stream")).read_all() == own
    assert pq.read_table(io.BytesIO(get("application/vnd.apache.parquet"))) == own
    csv = pa_csv.read_csv(io.BytesIO(get("text/csv")))
    assert csv["probabilities.none"].to_pylist() == [each and each["none"] for each in own["probabilities"].to_pylist()]
    said = [each and " ".join(each) for each in own["candidates"].to_pylist()]
    assert csv["candidates"].to_pylist() == [each or "" for each in said]
    assert client.get(asked, headers={"Accept": "text/html"}).json()["code"] == "no_such_form"
    preferred = client.get(asked, headers={"Accept": "text/csv;q=0.1, application/json;q=0, */*;q=0.5"})
    assert preferred.headers["content-type"] == "application/vnd.apache.arrow.stream"


def test_a_verdict_is_led_back_to_its_offsets(plant, client, settings):
    found = client.get(f"/devices/{DEVICES[0]}/days/{DAY}/lineage").json()
    (made,) = plant["ledger"].to_pylist()
    (partition,) = found["readings"]["partitions"]
    assert found["readings"]["making"] == made["making"]
    assert {name: made[name] for name in partition} == partition
    assert found["model"]["is_current"]
    assert found["registry"]["is_current"]
    settings.model.write_bytes(b"other weights")
    assert not client.get(f"/devices/{DEVICES[0]}/days/{DAY}/lineage").json()["model"]["is_current"]


def test_a_verdict_comes_with_the_hours_behind_it(plant, client, settings):
    found = client.get(f"/devices/{DEVICES[2]}/days/{DAY}").json()
    own = [row for row in plant["scalograms"].to_pylist() if row["deviceID"] == DEVICES[2]]
    (verdict,) = [
        row for row in plant["device_days"].to_pylist() if row["deviceID"] == DEVICES[2] and row["date"] == DAY
    ]
    assert found["fault"] == verdict["fault"]
    assert found["energy_kwh"] == verdict["energy_kwh"]
    assert [datetime.fromisoformat(hour["window_start"]) for hour in found["hours"]] == [
        row["window_start"] for row in own
    ]
    for hour, row in zip(found["hours"], own, strict=True):
        for name in ("voltage", "current", "power"):
            assert hour[name]["measured"] == row[f"mean_{name}"]
        # Of 600 V and 10 A, -0.4 % each °C above 25 °C.
        power = 6.0 * row["mean_irradiance"] * (1 - 0.004 * (row["mean_temperature"] - 25))
        assert hour["power"]["expected"] == pytest.approx(power)
        assert hour["quality"] == row["quality"]
        assert hour["fault"] == ("none" if row["quality"] == "ok" else None)
        assert not hour["in_fault"]
    noon = found["hours"][12]
    # Without days before: what is typical of the ratings, at noon 0.96 of 10 A in 1000 W/m², and some less of 600 V.
    assert noon["current"]["expected"] == pytest.approx(9.6 * noon["mean_irradiance"] / 1000, rel=0.01)
    assert 540 < noon["voltage"]["expected"] < 600
    assert found["explanation"]["text"].startswith("No hour shows a fault")
    assert "ratings alone" in found["explanation"]["observations"][-1]


def test_the_hours_of_a_fault_are_marked(settings, client):
    rows = good_date(settings)
    at_ten = datetime(2024, 6, 1, 10, tzinfo=UTC)
    hours = rows["predictions"].to_pylist()
    for row in hours:
        if row["deviceID"] == DEVICES[0] and row["probabilities"] and row["window_start"] >= at_ten:
            row["probabilities"] = {**dict.fromkeys(row["probabilities"], 0.0), "none": 0.1, "open_circuit": 0.9}
    days = rows["device_days"].to_pylist()
    for row in days:
        if row["deviceID"] == DEVICES[0] and row["date"] == DAY:
            row.update(fault="open_circuit", onset=at_ten, runner_up="line_line", runner_up_probability=0.05)
    rows["predictions"] = pa.Table.from_pylist(hours, rows["predictions"].schema)
    rows["device_days"] = pa.Table.from_pylist(days, rows["device_days"].schema)
    write(settings, rows)
    found = client.get(f"/devices/{DEVICES[0]}/days/{DAY}").json()
    marked = [datetime.fromisoformat(hour["window_start"]).hour for hour in found["hours"] if hour["in_fault"]]
    assert marked == [hour for hour in range(10, 24) if found["hours"][hour]["quality"] == "ok"]
    assert found["explanation"]["text"].startswith("Since the hour of 10:00 UTC ")
    assert "open-circuit voltage" in found["explanation"]["runner_up"]


def test_a_scalogram_is_a_picture_and_an_hour_without_one_says_why(plant, client):
    asked = f"/devices/{DEVICES[0]}/windows/{DAY}T{{}}:00Z/scalogram.png"
    answer = client.get(asked.format("12:00"), headers={"Accept": "image/png"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert struct.unpack(">II", answer.content[16:24]) == (960, 720)
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get(asked.format("12:00"), headers=known).status_code == 304
    other = f"/devices/{DEVICES[0]}/windows/{DAY}T14:00:00%2B02:00/scalogram.png"
    assert client.get(other).content == answer.content
    dark = client.get(asked.format("00:00")).json()
    assert (dark["code"], dark["status"]) == ("no_scalogram", 404)
    assert "dark" in dark["detail"]
    assert client.get(asked.format("12:30")).json()["code"] == "no_scalogram"
    assert client.get(asked.format("12:00").replace(str(DAY), "2024-07-01")).json()["code"] == "not_made"
    assert client.get(asked.format("12:00").replace(DEVICES[0], "INV0000009")).json()["code"] == "unknown_device"


def test_who_has_an_answer_is_told_so_until_the_table_changes(fleet, client, catalog):
    asked = "/devices/INV0000001/days"
    tag = client.get(asked).headers["etag"]
    known = {"If-None-Match": f'"other", {tag}'}
    again = client.get(asked, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/devices/INV0000002/days", headers=known).status_code == 200
    assert client.get(asked, headers={**known, "Accept": "text/csv"}).status_code == 200
    row = day_of("INV0000001", 3, "none")
    catalog.load_table("pvfault.device_days").append(pa.Table.from_pylist([row], DEVICE_DAYS.schema))
    changed = client.get(asked, headers=known)
    assert changed.status_code == 200
    assert changed.json()["rows"][-1]["date"] == "2024-06-03"


def test_another_site_in_the_registry_is_another_answer(fleet, client):
    tag = client.get("/devices/INV0000001").headers["etag"]
    fleet.registry.write_text(fleet.registry.read_text(encoding="utf-8").replace("Nord", "West"), encoding="utf-8")
    answer = client.get("/devices/INV0000001", headers={"If-None-Match": tag})
    assert answer.json()["site"] == "West"


def test_a_device_is_called_what_its_user_calls_it(fleet, client):
    """On the wire it has ten letters and digits, which nobody on a roof knows."""
    header, *lines = fleet.registry.read_text(encoding="utf-8").splitlines()
    named = [f"{header},name", *(f"{line},Dach <b>{number}" for number, line in enumerate(lines, 1))]
    fleet.registry.write_text("\n".join(named), encoding="utf-8")
    assert client.get("/devices/INV0000001").json()["name"] == "Dach <b>1"
    assert [row["name"] for row in client.get("/devices?limit=2").json()["rows"]] == ["Dach <b>1", "Dach <b>2"]


def test_a_parameter_of_one_value_that_is_there_twice_is_refused(client):
    answer = client.get("/devices?limit=1&site=Nord&limit=2&site=West")
    assert (answer.status_code, answer.json()["code"]) == (422, "repeated_parameter")
    assert "limit is there 2 times" in answer.json()["detail"]


def test_an_unknown_device_is_not_taken_for_a_healthy_one(fleet, client):
    answer = client.get("/devices/INV000004/days")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_device")
    assert answer.json()["nearest"] == "INV0000004"
    empty = client.get("/devices/INV0000004/days?first=2024-06-01&last=2024-06-01")
    assert (empty.status_code, empty.json()["rows"]) == (200, [])


@pytest.mark.parametrize(
    "asked", ["/devices?date=2024-07-01", "/devices/INV0000001/days?first=2024-07-01&last=2024-07-02",
              "/devices/INV0000001/days/2024-07-01/lineage", "/fleet?last=2024-05-01"],
)  # fmt: skip
def test_a_date_that_is_not_made_is_said_to_be_so(fleet, client, asked):
    with SqlCatalog("lake", uri=f"sqlite:///{fleet.catalog}", warehouse=fleet.warehouse.as_uri()) as catalog:
        catalog.create_table("pvfault.ledger", LEDGER.schema)
    answer = client.get(asked)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_made")
    assert "2024-06-01" in answer.json()["detail"]


def test_an_answer_is_of_the_snapshot_that_it_began_with(fleet, client, catalog):
    """A date that is published between two looks at a table would be in one of them only."""
    snapshot = open_snapshot(fleet, DEVICE_DAYS)
    table = catalog.load_table("pvfault.device_days")
    table.overwrite(pa.Table.from_pylist([day_of("INV0000009", 4, "none")], DEVICE_DAYS.schema))
    assert snapshot.dates() == [date(2024, 6, 1), date(2024, 6, 2)]
    assert snapshot.rows([date(2024, 6, 2)]).to_pylist() == pa.Table.from_pylist(ROWS, DEVICE_DAYS.schema).to_pylist()
    assert names(client.get("/devices")) == ["9"]
