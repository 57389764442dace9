"""How large the fleet page is, and when a fleet of 10,000 devices can be used on a slow processor.

    python -m tests.pvfault_server.measure_page

Usable is when the table shows its rows; filtered, when a name that was typed into the box has left its one row.
Server and browser share the machine, and the browser's processor is slowed down four times.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from pvfault.settings import Settings
from pvfault_server.pages import FILES
from tests.pvfault_server import shown_plant as plant
from tests.pvfault_server.browser import CHROMIUM, serving

DEVICES, SLOWER, TIMES = 10_000, 4, 5
# The moment after the first frame with rows, counted from when the address was asked for.
ROWS = """new Promise((resolve) => {
  const look = () => {
    if (!document.querySelector('.grid-body a')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { childList: true, subtree: true });
  look();
})"""
FILTERED = """new Promise((resolve) => {
  const began = performance.now();
  const box = document.getElementById('filter');
  box.value = 'INV0009980';
  box.dispatchEvent(new Event('input'));
  const look = () => document.querySelectorAll('.grid-body a').length === 1
    ? resolve(performance.now() - began) : requestAnimationFrame(look);
  look();
})"""


def main() -> None:
    """Measure, and print."""
    sizes = {suffix: sum(path.stat().st_size for path in FILES.rglob(f"*{suffix}")) for suffix in (".js", ".css")}
    print(f"script {sizes['.js']:,} bytes, style {sizes['.css']:,} bytes, together {sum(sizes.values()):,}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "weights.h5").write_bytes(plant.NETWORK)
        settings = Settings.from_environment({"PVFAULT_HOME": folder, "PVFAULT_MODEL": str(home / "weights.h5")}, home)
        plant.write_large_plant(settings, DEVICES)
        with serving(settings) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for cpu in (1, SLOWER):
                found = [_measure(browser, address, cpu) for _ in range(TIMES)]
                usable, filtered = (statistics.median(each) for each in zip(*found, strict=True))
                told = f"usable {usable:.0f} ms, filtered {filtered:.0f} ms"
                print(f"{DEVICES:,} devices, processor {cpu} x slower: {told}")  # noqa: T201
            browser.close()


def _measure(browser, address, cpu):
    """Milliseconds of one look, with nothing in the browser's cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": cpu})
    # A new window has pages of Chromium's own to draw; whoever opens a page has had his window before.
    page.wait_for_timeout(3000)
    page.goto(address, wait_until="commit")
    measured = page.evaluate(ROWS), page.evaluate(FILTERED)
    context.close()
    return measured


if __name__ == "__main__":
    main()
