"""The page of a file: whole by itself, and what the file says of a device is text and nothing else."""

import json
import re
from datetime import date

import pyarrow as pa
import pytest
from playwright.sync_api import sync_playwright

from pvfault.classify import judge_readings
from pvfault.credibility import Finding
from pvfault.faults import FAULTS
from pvfault.lenet import load_classifier_for
from pvfault.readings import TIMESTAMP
from pvfault.registry import EMPTY_REGISTRY, read_registry, write_registry
from pvfault_report.curves import PIXELS, ReadingsByDay
from pvfault_report.days import HEALTHY, UNJUDGED, hours_of, tell_days
from pvfault_report.document import write_document
from pvfault_report.page import write_page
from pvfault_workshop.simulation import simulate_fleet
from tests.conftest import PROJECT
from tests.pvfault_server.browser import CHROMIUM

DAY = date(2024, 6, 1)
EVIL = "<script>alert('1')</script>&\"'"
FINDING = {"kind": "irradiance unit", "certain": False, "sentence": f"it is {EVIL}", "remedy": "--unit irradiance=<b>"}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A simulated fleet with faults, one of its devices with the name of an attack: what a page is written of."""
    fleet = simulate_fleet(12, [DAY], 3, faulty=0.7)
    registry = tmp_path_factory.mktemp("fleet") / "devices.csv"
    write_registry(fleet.registry, registry)
    readings = fleet.readings(DAY).sort_by(TIMESTAMP)
    devices = sorted(set(readings["deviceID"].to_pylist()))
    names = {device: f"Dach {number}" for number, device in enumerate(devices)} | {devices[0]: EVIL}
    classifier = load_classifier_for(PROJECT / "models" / "lenet5.h5", 1)
    judged = judge_readings(readings, read_registry(registry), classifier)
    findings = [Finding(devices[0], (DAY, DAY), **FINDING)]
    by_day = ReadingsByDay(readings)
    about = {
        "pvfault": "0", "model_version": "m", "registry_version": "none", "files": [f"plant {EVIL}.csv"],
        "readings": len(readings), "first": str(DAY), "last": str(DAY), "devices": names, "ratings": "Estimated.",
        "remarks": [f"taken for {EVIL}"],
    }  # fmt: skip
    return about, judged, tell_days(judged, by_day, names, findings), by_day, findings


@pytest.fixture(scope="module")
def page(told, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    about, judged, days, readings, findings = told
    write_page(path, about, judged, days, readings, findings)
    return path


def test_faults_come_first_and_healthy_days_last(told):
    states = [day.state for day in told[2]]
    assert states[0] == "faulty"
    assert states == sorted(states, key=["faulty", "unsure", "not judged", "healthy"].index)


def test_days_and_their_hours_are_of_the_same_device_and_date(told):
    _, judged, days, _, _ = told
    for day in days:
        hours = hours_of(judged, day.row)
        assert set(hours["deviceID"].to_pylist()) == {day.device}
        assert {each.date() for each in hours["window_start"].to_pylist()} == {day.date}


def test_names_and_remarks_are_text_and_no_markup(page):
    text = page.read_text()
    assert EVIL not in text
    assert "alert('1')" not in text
    assert text.count("&lt;script&gt;alert(") >= 4, "file, remark, device and finding are shown"


def test_it_names_no_other_host(page):
    """What is in it may be confidential, and the laptop it is read on may be in a field."""
    text = re.sub(r"/\*!.*?\*/", "", page.read_text(), flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!#)[^"'\s>]+|url\((?!data:)|@import|https?://""", text)


def test_its_curves_are_the_readings(page, told):
    """The most of each step of 5 min, looked up in the readings by another way."""
    first = told[2][0]
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)[1])
    second, measurements = told[3].of(first.device, first.date)
    for number, (pixel, name) in enumerate([(140, "Voltage"), (150, "Current")]):
        inside = (second >= pixel * 300) & (second < (pixel + 1) * 300)
        curve = data["curves"][number]
        assert (curve["name"], len(curve["most"])) == (name, PIXELS)
        assert curve["most"][pixel] == pytest.approx(measurements[inside, number].max(), abs=0.06)
        assert curve["least"][pixel] == pytest.approx(measurements[inside, number].min(), abs=0.06)
    assert len(data["shaded"]) == first.verdict["faulty_hours"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_in_a_browser_it_draws_asks_nobody_and_fits(page, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        shown, asked, said = context.new_page(), [], []
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto(page.as_uri())
        shown.wait_for_selector(".curves canvas")
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.evaluate("document.querySelectorAll('.day .curves')[0].querySelectorAll('canvas').length") == 4
        found = Axe().run(shown, options={"resultTypes": ["violations"]}).response["violations"]
        browser.close()
    assert (asked, said) == ([page.as_uri()], [])
    assert not found, [(each["id"], each["nodes"][0]["html"][:120]) for each in found]


def test_the_document_has_the_keys_that_the_guide_lists(told):
    about, judged, days, _, findings = told
    document = json.loads(write_document(about, judged, days, findings))
    guide = (PROJECT / "docs" / "your_data.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([A-Za-z_]+)`", guide[guide.index("## The JSON document") :].split("\n## ")[0]))
    used = {*document, *document["device_days"][0], *document["hours"][0], *document["findings"][0]}
    assert used <= listed, used - listed
    assert {day["state"] for day in document["device_days"]} >= {"faulty", HEALTHY}
    assert document["device_days"][0]["fault"] in FAULTS
    assert len(document["hours"]) == 24 * len(days)


def test_a_day_without_a_verdict_says_why(told):
    about, _, _, readings, _ = told
    dark = readings._readings.set_column(5, "irradiance", pa.array([1.0] * about["readings"], pa.float32()))
    judged = judge_readings(dark, EMPTY_REGISTRY, load_classifier_for(PROJECT / "models" / "lenet5.h5", 1))
    days = tell_days(judged, ReadingsByDay(dark), about["devices"], [])
    assert {day.state for day in days} == {UNJUDGED}
    assert all(day.reason.startswith("irradiance was at most 1 W/m²") for day in days)
