"""The fleet page as people see it, hear it and use it: in a browser, over tables of a small and of a large plant."""

import json

import pytest

from tests.pvfault_server import shown_plant as plant
from tests.pvfault_server.browser import CHROMIUM, Eyes, serving, until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
    # Playwright's loop is closed by the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

MANY = 10_000
DEVICE = f"/?device={plant.OPEN}"
VIEWS = {
    "fleet": "/",
    "days": "/?view=days&state=all",
    "sites": "/?view=sites",
    "site": "/?view=sites&site=Bologna",
    "map": "/?view=map",
    "alarms": "/?view=alarms",
    "device": DEVICE,
    "silent device": f"/?device={plant.SILENT}",
    "healthy device": f"/?device={plant.HEALTHY}&utc=1",
}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def settings_in(make_settings):
    """Settings of a folder, with the network that its verdicts name."""

    def make(home, **environment):
        (home / "weights.h5").write_bytes(plant.NETWORK)
        return make_settings(home, PVFAULT_MODEL=str(home / "weights.h5"), **environment)

    return make


@pytest.fixture(scope="module")
def address(settings_in, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("plant"))
    plant.write_plant(settings)
    with serving(settings) as address:
        yield address


@pytest.fixture(scope="module")
def large(settings_in, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("large"))
    plant.write_large_plant(settings, MANY)
    with serving(settings) as address:
        yield address


@pytest.fixture
def look(browser):
    """Open windows, which are closed after the test; whatever they complained about fails it."""
    opened = []

    def open_window(address, **how):
        opened.append(Eyes(browser, address, **how))
        return opened[-1]

    yield open_window
    for eyes in opened:
        eyes.close()


def names_of(page):
    """The devices in sight of a table, from above."""
    return [link.inner_text() for link in page.locator(".grid-body a").all()]


def heard(page, words):
    """Wait until the live region says these words."""
    until(page, f"document.getElementById('live').textContent.includes({json.dumps(words)})")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accessible_and_at_peace_with_its_policy(look, address, view, width, scheme):
    """No violation of axe-core's rules, nothing in the console, no other host, and nothing wider than the window."""
    eyes = look(address, width=width, scheme=scheme)
    page = eyes.open(VIEWS[view])
    assert page.locator("main .problem").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert eyes.violations() == []
    assert eyes.complaints == []


@pytest.mark.parametrize("view", ["fleet", "days", "device"])
def test_tables_and_details_that_are_opened_are_accessible_too(look, address, view):
    eyes = look(address)
    page = eyes.open(VIEWS[view])
    for summary in page.locator("summary").all():
        summary.click()
    eyes.settle()
    assert eyes.violations() == []
    assert eyes.complaints == []


def test_what_needs_somebody_is_counted_and_stands_first(look, address):
    page = look(address).open("/")
    figures = page.locator(".figures").inner_text()
    assert "Need somebody\n3" in figures
    assert "1 sent nothing" in figures
    # An arc before a short, a short before an open string, then what is silent, and the healthy ones.
    assert names_of(page) == [plant.ARC, "INV0000005", plant.OPEN, plant.SILENT, plant.HEALTHY, plant.OF_EVIL_SITE]


def test_a_table_is_sorted_by_its_heads(look, address):
    page = look(address).open("/")
    head = page.get_by_role("columnheader", name="Given")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    cells = page.locator(f".grid-body [aria-colindex='{head.get_attribute('aria-colindex')}']")
    given = [float(cell.inner_text()) for cell in cells.all()]
    assert given == sorted(given, reverse=True)
    heard(page, "Sorted by Given")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert "sort=energy_kwh" in page.url
    page.reload()
    page.wait_for_selector(".grid-body a")
    assert names_of(page)[0] == plant.SILENT  # it gave nothing: the address keeps the order


def test_a_table_is_filtered_by_state_site_and_name_and_the_address_keeps_it(look, address):
    eyes = look(address)
    page = eyes.open("/")
    page.get_by_role("button", name="Open circuit").click()
    assert names_of(page) == [plant.OPEN]
    assert "fault=open_circuit" in page.url
    page.get_by_role("button", name="Open circuit").click()
    page.get_by_label("Site", exact=True).select_option("Bologna")
    assert len(names_of(page)) == 4
    page.get_by_role("searchbox").fill("0004")
    page.wait_for_url("**q=0004**")
    assert names_of(page) == [plant.HEALTHY]
    heard(page, "1 of 6 devices")
    again = look(address).open(page.url.removeprefix(address))
    assert names_of(again) == [plant.HEALTHY]
    again.get_by_role("button", name="Show all").click()
    assert len(names_of(again)) == 6


def test_html_in_the_name_of_a_site_is_text(look, address):
    """A registry comes from somewhere else; what it says must not run in the browser of whoever looks at it."""
    eyes = look(address)
    for view in (
        "/",
        "/?view=sites",
        "/?view=days&state=all",
        "/?view=map",
        f"/?device={plant.OF_EVIL_SITE}",
        "/?view=alarms",
    ):
        page = eyes.open(view)
        assert page.locator("main img[src='x']").count() == 0
        assert "owned" not in page.title()
    assert plant.EVIL in eyes.open("/").locator(".grid-body").inner_text()
    assert eyes.complaints == []


def test_the_keyboard_alone_reaches_a_device_and_closes_its_alarm(look, address):
    eyes = look(address)
    page = eyes.open("/")
    keys = page.keyboard
    keys.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(60):
        keys.press("Tab")
        if page.evaluate("document.activeElement.closest('.grid-body') !== null"):
            break
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == plant.OPEN
    keys.press("Enter")
    page.wait_for_selector("h1:has-text('INV0000001')")
    eyes.settle()
    assert page.evaluate("document.activeElement.tagName") == "H1"
    for _ in range(80):
        keys.press("Tab")
        if page.evaluate("document.activeElement.dataset?.action") == "close":
            break
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "cause"
    keys.type("Confirmed")
    keys.press("Tab")
    keys.type("String 2 <b>open</b>")
    keys.press("Tab")
    keys.type("Crew 2")
    keys.press("Enter")
    heard(page, "The alarm is closed.")
    assert page.evaluate("document.activeElement !== document.body")
    log = page.locator(".alarm .log")
    page.locator(".alarm summary").click()
    assert "String 2 <b>open</b>" in log.inner_text()
    assert eyes.complaints == []


def test_going_back_puts_the_keyboard_on_the_row_it_left(look, address):
    eyes = look(address)
    page = eyes.open("/")
    page.locator(".grid-body a").nth(3).press("Enter")
    page.wait_for_selector("h1:has-text('INV0000003')")
    page.go_back()
    page.wait_for_selector("h1:has-text('Fleet')")
    until(page, "document.activeElement.textContent === 'INV0000003'")


def test_times_are_of_the_plant_until_utc_is_asked_for(look, address):
    """Neither is the zone of the browser, which is in Tokyo."""
    page = look(address).open("/")
    row = page.get_by_role("row").filter(has_text=plant.OPEN)
    assert "3 Jun 14:00 UTC+2" in row.inner_text().replace(" ", " ")
    eyes = look(address)
    for path, since in ((DEVICE, "14:00 UTC+2"), (f"{DEVICE}&utc=1", "12:00 UTC")):
        why = eyes.open(path).get_by_role("region", name="Why").inner_text()
        assert f"Since the hour of {since} the current" in why.replace("\u00a0", " ")
    page.get_by_role("switch").click()
    page.wait_for_url("**utc=1**")
    until(page, "document.querySelector('.grid-body')?.textContent.includes('12:00')")
    assert page.evaluate("document.activeElement.id") == "utc"


def test_arrow_keys_read_the_curves_and_the_heat_map(look, address):
    eyes = look(address)
    page = eyes.open(DEVICE)
    page.locator(".curves").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    # 12 h of the UTC day and 20 steps of 15 min: two thirds of what is expected.
    heard(page, "expected")
    assert page.locator(".readout").inner_text().startswith("18:45")
    page = eyes.open("/?view=days")
    page.locator(".heat").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    heard(page, "1 Jun 2024: Healthy")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('on 3 Jun 2024')")


def test_on_paper_stands_what_is_shown_and_nothing_to_click(look, large, address):
    eyes = look(large, scheme="dark")
    page = eyes.open("/")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".grid-body .grid-row").count() == 500
    for gone in ("nav", ".when", ".filters"):
        assert not page.locator(gone).first.is_visible()
    # From a dark screen too, paper is white.
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_timeout(200)
    assert page.locator(".grid-body .grid-row").count() == 500
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".grid-body .grid-row").count() < 80
    page = look(address).open(DEVICE)
    page.emulate_media(media="print")
    assert not page.locator(".buttons").first.is_visible()
    assert page.locator(".curves canvas").count() == 5
    assert page.get_by_role("region", name="Why").is_visible()


def test_a_problem_is_told_in_a_sentence_with_what_to_do(look, address):
    eyes = look(address)
    page = eyes.open("/?date=2020-01-01")
    told = page.get_by_role("alert").inner_text()
    assert "the dates that are made begin at 2024-06-01 and end at 2024-06-03" in told
    assert "Choose another date" in told
    page = eyes.open("/?device=INV0000009")
    assert "there is no such device" in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize(
    ("status", "body", "told", "to_do"),
    [
        (429, '{"message":"Too Many Requests"}', "more is asked at the moment than is let through", "Wait a moment"),
        (403, '{"message":"Forbidden"}', "does not let this through", "whether you may use it"),
        (413, '{"message":"Request Entity Too Large"}', "more than is let through", "Write less"),
        (503, '{"message":"Service Unavailable"}', "busy or not there", "Try again in a moment"),
        (502, "<html><h1>502 Bad Gateway</h1></html>", "failed before it could answer", "Try again in a moment"),
    ],
)
def test_what_stands_before_the_server_is_told_of_in_a_sentence_too(look, address, status, body, told, to_do):
    """API Gateway and proxies answer by themselves, and not by problem documents."""
    page = look(address).page
    page.route("**/fleet/devices*", lambda route: route.fulfill(status=status, body=body))
    page.goto(address)
    alert = page.get_by_role("alert")
    assert told in alert.inner_text()
    assert to_do in alert.inner_text()
    assert "html" not in alert.inner_text()
    page.unroute("**/fleet/devices*")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".grid-body a")


def test_the_checks_of_the_day_are_told_in_words(look, address):
    eyes = look(address)
    page = eyes.open("/")
    tables = page.locator(".tables")
    page.get_by_text("1 error and 4 warnings in 31 checks of this day").click()
    # A device was silent.
    assert "Warning, every device has a verdict (device_days): 1 of 6 devices" in tables.inner_text()
    assert "every device has 24 windows (scalograms): " in tables.inner_text()
    assert eyes.violations() == []
    passed = dict.fromkeys(("table", "check", "severity", "found", "means"), "") | {"passed": True}
    answers = [{"status": 202, "json": {"detail": "later"}}, {"json": {"rows": [passed]}}]
    page.route("**/dates/*/checks", lambda route: route.fulfill(**answers.pop(0)))
    page.reload()
    page.wait_for_selector("summary:has-text('All 1 check of this day passed')")
    assert answers == []
    assert page.locator(".checks .strong").count() == 0
    assert eyes.violations() == []
    assert eyes.complaints == []


def test_a_server_that_is_gone_or_slow_is_told_of(look, address):
    eyes = look(address)
    page = eyes.page
    held = []
    page.route("**/fleet/devices*", lambda route: held.append(route))
    page.goto(address)
    page.wait_for_selector(".waiting:has-text('asking for 2 s')")
    heard(page, "still waiting")
    held.pop().abort()
    page.wait_for_selector(".problem:has-text('cannot be reached')")
    page.unroute("**/fleet/devices*")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".grid-body a")


def test_waiting_can_be_stopped(look, address):
    eyes = look(address)
    page = eyes.page
    held = []
    page.route("**/fleet/devices*", lambda route: held.append(route))
    page.goto(address)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector(".problem:has-text('this was stopped')")
    page.unroute_all(behavior="ignoreErrors")


def test_new_verdicts_are_told_of_and_shown_when_somebody_wants_them(look, address):
    eyes = look(address)
    page = eyes.page
    page.clock.install()
    eyes.open("/")
    made_later = {"made_at": "2031-01-01T00:00:00Z"}
    page.route("**/about", lambda route: route.fulfill(json={**route.fetch().json(), **made_later}))
    page.clock.run_for(61_000)
    page.get_by_role("button", name="Show them").click()
    page.wait_for_selector(".figures:has-text('1 Jan 2031')")
    page.wait_for_selector("#notices:empty", state="attached")
    assert eyes.complaints == []


def test_the_token_is_asked_for_and_kept_in_the_tab_alone(look, settings_in, tmp_path):
    token = "0123456789abcdef"  # noqa: S105 - the test's own
    settings = settings_in(tmp_path, PVFAULT_TOKEN=token)
    plant.write_plant(settings)
    with serving(settings) as address:
        eyes = look(address)
        page = eyes.page
        page.goto(address)
        page.get_by_label("Token", exact=True).fill("a wrong one")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=not the server's")
        assert eyes.violations() == []
        page.get_by_label("Token", exact=True).fill(token)
        page.keyboard.press("Enter")
        page.wait_for_selector(".grid-body a")
        eyes.settle()
        assert page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]") == [
            [token],
            [],
            "",
        ]
        assert token not in page.url


def test_ten_thousand_devices_are_one_table_of_few_rows(look, large):
    eyes = look(large)
    page = eyes.open("/")
    grid = page.get_by_role("grid")
    assert grid.get_attribute("aria-rowcount") == str(MANY + 1)
    assert page.locator(".grid-body .grid-row").count() < 80
    page.locator(".grid-body a").first.focus()
    page.keyboard.press("End")
    until(page, f"document.activeElement.closest('[role=row]')?.getAttribute('aria-rowindex') === '{MANY + 1}'")
    assert page.locator(".grid-body .grid-row").count() < 80
    page.get_by_role("searchbox").fill("INV0009980")
    until(page, "document.querySelectorAll('.grid-body a').length === 1")
    assert names_of(page) == ["INV0009980"]
    assert eyes.violations() == []
    assert eyes.complaints == []


def test_ten_thousand_devices_are_drawn_in_the_heat_map_and_the_map(look, large):
    eyes = look(large)
    page = eyes.open("/?view=days&state=all")
    assert "10,000 devices by 3 days" in page.locator(".heat canvas").get_attribute("aria-label")
    page = eyes.open("/?view=map")
    page.wait_for_selector("text=10,000 devices in sight, 500 of them need somebody")
    assert eyes.complaints == []
